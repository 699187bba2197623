/**
 * `npm run bench -- tune [--target X] [--quick]`: tries heights of register tiles for every template that a target asks
 * for with one, each in a module of its own, as shares of the register-only peak of the same run, and writes the best
 * into targets/X.ts. With --quick it only looks. A tile changes no bit of a result, only how fast it comes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Isa, Manifest } from '../src/abi.ts'
import { requireThat } from '../src/base/errors.ts'
import { instantiate, type Kernels } from '../src/runtime/kernels.ts'
import { compile } from '../codegen/compile.ts'
import { emitKernels } from '../codegen/emit-kernels.ts'
import { TARGETS, templateRow } from '../codegen/registry.ts'
import type { Variant } from '../targets/target.ts'
import { parseFlags } from './flags.ts'
import { measure, SUBJECTS } from './kernels.ts'
import { describe, machine } from './machine.ts'
import { measurePeaks } from './peak-modules.ts'
import type { Peaks } from './peaks.ts'
import { QUICK } from './timing.ts'

/** Rows that are tried: 16 registers hold 6 rows of two sums, the 32 of arm64 more. */
const HEIGHTS = [2, 3, 4, 5, 6, 7, 8]
/** Products of fewer rows have tiles of their own. */
const LEAST_ROWS = 16
/** Turns that every candidate has: other work on the machine comes and goes. */
const TURNS = 3
/** How much better than the present tile a winner must be, so that noise changes nothing. */
const CLEARLY = 1.03

interface Candidate {
  tile: string
  kernels: Kernels
  /** Best GMAC/s by shape, and the peak that they are held against. */
  best: Map<string, { gmacs: number; peak: string }>
}

const withHeight = (tile: string, rows: number) => tile.replace(/^m\d+/, `m${rows}`)

/** A module of one template with a tile of some height. */
async function candidate(isa: Isa, variant: Variant, tile: string): Promise<Candidate> {
  const row = templateRow(isa, { ...variant, tile })
  const { files, kernels } = emitKernels(isa, () => '', [], [row])
  const { wasm, heapBase } = await compile(isa, files)
  const manifest: Manifest = { isa, heapBase, sha256: '', kernels, answers: [] }
  return { tile, kernels: await instantiate(await WebAssembly.compile(wasm), manifest), best: new Map() }
}

/** One turn of a candidate: all its products at all shapes. */
function takeTurn({ kernels, best }: Candidate, peaks: Peaks): void {
  for (const entry of kernels.manifest.kernels) {
    const subject = SUBJECTS.find(({ family }) => family === entry.family)!
    for (const sizes of subject.sizes.filter(([M]) => M >= LEAST_ROWS)) {
      const key = `${entry.family} ${sizes}`
      const { rate, peak } = measure(kernels, subject, entry, sizes, peaks, QUICK)
      best.set(key, { gmacs: Math.max(rate, best.get(key)?.gmacs ?? 0), peak: peak.name })
    }
  }
}

/** Shares of the best peaks of the whole run: of that of a moment, another process may have taken half. */
function sharesOf({ best }: Candidate, peaks: Peaks): number[] {
  return [...best.values()].map(({ gmacs, peak }) => gmacs / peaks.best.get(peak)!)
}

/** Geometric mean: what a whole model gains, whatever its shapes. */
function meanOf(shares: readonly number[]): number {
  return Math.exp(shares.reduce((sum, share) => sum + Math.log(share), 0) / shares.length)
}

/** The best tile of a variant; prints what each reached. */
async function tuneVariant(
  isa: Isa,
  variant: Variant & { tile: string },
  peaks: Peaks,
  turns: number,
): Promise<string> {
  const tiles = HEIGHTS.map((rows) => withHeight(variant.tile, rows))
  const candidates: Candidate[] = []
  for (const tile of tiles) candidates.push(await candidate(isa, variant, tile))
  for (let turn = 0; turn < turns; turn++) for (const one of candidates) takeTurn(one, peaks)
  const results = candidates.map((one) => {
    const shares = sharesOf(one, peaks)
    return { tile: one.tile, shares, mean: meanOf(shares) }
  })
  const present = results.find(({ tile }) => tile === variant.tile)
  const best = results.reduce((best, one) => (one.mean > best.mean ? one : best))
  const winner = present && best.mean < CLEARLY * present.mean ? present : best
  console.log(`  ${variant.template}`)
  for (const one of results) {
    const shares = one.shares.map((share) => `${Math.round(100 * share)}`.padStart(4)).join('')
    const notes = [one === present ? 'present' : '', one === winner ? 'best' : ''].filter((note) => note !== '')
    console.log(`    ${one.tile.padEnd(8)}${(100 * one.mean).toFixed(1).padStart(6)} %${shares}  ${notes.join(', ')}`)
  }
  return winner.tile
}

/** Puts a tile into the data of a target. */
function write(isa: Isa, { template, tile }: Variant, winner: string): void {
  const path = join(import.meta.dirname, '../targets', `${isa}.ts`)
  const before = readFileSync(path, 'utf8')
  const row = (tile?: string) => `template: '${template}', tile: '${tile}'`
  requireThat(before.includes(row(tile)), path, 'must hold the row', row(tile))
  writeFileSync(path, before.replace(row(tile), row(winner)))
  console.log(`    ${tile} -> ${winner} in targets/${isa}.ts: npm run gen builds it`)
}

export async function benchTune(args: string[]): Promise<void> {
  const { target: only, quick } = parseFlags('tune', args, ['target', 'quick'])
  console.log(describe(machine()))
  for (const { isa, variants } of TARGETS.filter((target) => only === undefined || target.isa === only)) {
    const tiled = variants.filter((variant): variant is Variant & { tile: string } => variant.tile !== undefined)
    if (tiled.length === 0) continue
    const peaks = await measurePeaks(isa, QUICK)
    console.log(`${isa}: geometric mean of the shares of the peak, and the shares by shape`)
    for (const variant of tiled) {
      const winner = await tuneVariant(isa, variant, peaks, quick ? 1 : TURNS)
      if (winner !== variant.tile && !quick) write(isa, variant, winner)
    }
  }
}
