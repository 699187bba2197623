/**
 * How the C program `similar` reads its file of texts, with a host in place of host.h whose features are the ids: any C
 * compiler builds it. What host.h computes is compared by test/verify/pi-zero.ts.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const dir = mkdtempSync(join(tmpdir(), 'bitgen-similar-'))
test.after(() => rmSync(dir, { recursive: true, force: true }))

/** A picture is 1; a text is its ids as digits of one number, the cosine with it. */
const HOST = `
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define OPEN_MODEL()
#define CONSTANT(name) 1u
struct picture { float *feature, *tokens, *states; };
struct text { int length; float *feature, *states, *prefix; };
static void *allocate(size_t bytes) { return malloc(bytes); }
static struct picture encode_picture(const uint8_t *rgb, int width, int height) {
  struct picture made = {allocate(sizeof(float))};
  *made.feature = rgb[3 * width * height - 1];
  return made;
}
static struct text encode_text(const int32_t *ids, int length) {
  struct text made = {length, allocate(sizeof(float))};
  *made.feature = 0;
  for (int i = 0; i < length; i++) *made.feature = 10 * *made.feature + ids[i];
  return made;
}
`

const hasCompiler = spawnSync('cc', ['--version']).status === 0
const program = join(dir, 'similar')

if (!hasCompiler) console.log('skipped: there is no C compiler (cc)')
else {
  writeFileSync(join(dir, 'host.h'), HOST)
  copyFileSync(join(import.meta.dirname, '../codegen/standalone/similar.c'), join(dir, 'similar.c'))
  const built = spawnSync('cc', ['-Wall', '-Werror', 'similar.c', '-o', program], { cwd: dir, encoding: 'utf8' })
  if (built.status !== 0) throw new Error(built.stderr)
}

function similar(texts: string) {
  writeFileSync(join(dir, 'texts.tsv'), texts)
  return spawnSync(program, [join(dir, 'texts.tsv')], { input: 'P6 1 1 255\n\0\0\x01', encoding: 'utf8' })
}

const check = hasCompiler ? test : test.skip

check('labels may begin with a digit, lines end in either way, the nearest is first', () => {
  const { stdout, status } = similar('a cat\t5 1 5\r\n3 apples\t5 2 5\n-4 degrees\t5 3 5 \n')
  assert.is(status, 0)
  assert.equal(stdout.split('\n'), ['535.0000  -4 degrees', '525.0000  3 apples', '515.0000  a cat', ''])
})

check('a line that is none, and a label or a text that is too long, are refused', () => {
  const refused = (texts: string) => similar(texts).stderr.trim()
  assert.is(refused('a cat 5 1 5\n'), 'similar: a line must be a label of at most 255 bytes, a tab and ids')
  assert.is(refused(`${'x'.repeat(256)}\t5 5\n`), 'similar: a line must be a label of at most 255 bytes, a tab and ids')
  assert.is(refused(`a cat\t${'1 '.repeat(257)}\n`), 'similar: a text must have at most 256 ids')
})

test.run()
