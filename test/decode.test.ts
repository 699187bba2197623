/**
 * Decoding: every kind of file that the library accepts gives the picture that was encoded, everything else an error
 * that names it. All files are made here.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeImage } from '../src/image/decode.ts'
import { toRgb } from '../src/image/pixels.ts'

const WIDTH = 24
const HEIGHT = 16

/** Left half one colour, right half another, so that a turned or cut picture is seen. */
function picture(left: number[], right: number[]) {
  const channels = left.length as 1 | 2 | 3 | 4
  const data = new Uint8Array(WIDTH * HEIGHT * channels)
  for (let i = 0; i < WIDTH * HEIGHT; i++) data.set(i % WIDTH < WIDTH / 2 ? left : right, i * channels)
  return sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels } })
}

/** The colours in the middle of both halves, each within `tolerance` of what is expected. */
async function holds(bytes: Uint8Array, left: number[], right: number[], tolerance = 0) {
  const { data, width, height, channels } = await decodeImage(bytes)
  assert.equal([width, height, channels, data.length], [WIDTH, HEIGHT, 3, WIDTH * HEIGHT * 3])
  const row = (HEIGHT / 2) * WIDTH
  for (const [x, want] of [
    [WIDTH / 4, left],
    [(3 * WIDTH) / 4, right],
  ] as const) {
    const got = Array.from(data.subarray((row + x) * 3, (row + x) * 3 + 3))
    const far = got.some((value, c) => Math.abs(value - want[c]) > tolerance)
    assert.not(far, `got ${got}, expected ${want}`)
  }
}

async function fails(input: string | Uint8Array, pattern: RegExp, options = {}) {
  try {
    await decodeImage(input, options)
  } catch (error) {
    assert.instance(error, Error)
    assert.match((error as Error).message, pattern)
    return
  }
  assert.unreachable(`must fail with ${pattern}`)
}

const RED = [200, 30, 10]
const BLUE = [10, 60, 220]

test('PNG of every colour type', async () => {
  await holds(await picture(RED, BLUE).png().toBuffer(), RED, BLUE)
  await holds(await picture(RED, BLUE).png({ palette: true }).toBuffer(), RED, BLUE, 2)
  await holds(await picture(RED, BLUE).toColourspace('rgb16').png().toBuffer(), RED, BLUE, 1)
  const grey = await picture([40], [90]).toColourspace('b-w').png().toBuffer()
  assert.is((await sharp(grey).metadata()).channels, 1)
  await holds(grey, [40, 40, 40], [90, 90, 90])
  const grey16 = await picture([40], [90]).toColourspace('grey16').png().toBuffer()
  await holds(grey16, [40, 40, 40], [90, 90, 90], 1)
})

test('transparency lies on white', async () => {
  const half = [...RED, 128]
  const onWhite = RED.map((value) => Math.round((value * 128 + 255 * 127) / 255))
  await holds(
    await picture(half, [...BLUE, 0])
      .png()
      .toBuffer(),
    onWhite,
    [255, 255, 255],
  )
  const greyAlpha = await picture([40, 255], [90, 0]).toColourspace('b-w').png().toBuffer()
  assert.is((await sharp(greyAlpha).metadata()).channels, 2)
  await holds(greyAlpha, [40, 40, 40], [255, 255, 255])
  const paletteAlpha = await picture([...RED, 255], [...BLUE, 0])
    .png({ palette: true })
    .toBuffer()
  await holds(paletteAlpha, RED, [255, 255, 255], 2)
  await holds(
    await picture([...RED, 255], [...BLUE, 0])
      .webp({ lossless: true })
      .toBuffer(),
    RED,
    [255, 255, 255],
  )
})

test('JPEG: baseline, progressive, grey, CMYK', async () => {
  await holds(await picture(RED, BLUE).jpeg({ quality: 95 }).toBuffer(), RED, BLUE, 6)
  await holds(await picture(RED, BLUE).jpeg({ quality: 95, progressive: true }).toBuffer(), RED, BLUE, 6)
  await holds(await picture([40], [90]).toColourspace('b-w').jpeg().toBuffer(), [40, 40, 40], [90, 90, 90], 3)
  const cmyk = await picture(RED, BLUE).toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer()
  assert.is((await sharp(cmyk).metadata()).space, 'cmyk')
  // Blue lies outside of the inks.
  await holds(cmyk, RED, BLUE, 80)
})

test('EXIF rotation is applied', async () => {
  const turned = await picture(RED, BLUE).jpeg({ quality: 95 }).withMetadata({ orientation: 6 }).toBuffer()
  const { width, height, data } = await decodeImage(turned)
  assert.equal([width, height], [HEIGHT, WIDTH])
  assert.ok(data[3 * (HEIGHT / 2)] > 150, 'the left half is on top')
})

test('WebP and the first frame of a GIF', async () => {
  await holds(await picture(RED, BLUE).webp({ quality: 95 }).toBuffer(), RED, BLUE, 12)
  await holds(await picture(RED, BLUE).gif().toBuffer(), RED, BLUE, 4)
  const frames = await Promise.all([picture(RED, BLUE), picture(BLUE, RED)].map((frame) => frame.png().toBuffer()))
  const animated = await sharp(frames, { join: { animated: true } })
    .gif()
    .toBuffer()
  assert.is((await sharp(animated).metadata()).pages, 2)
  await holds(animated, RED, BLUE, 4)
})

test('a path is read, and errors name it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'decode-'))
  const path = join(folder, 'cat.png')
  writeFileSync(path, await picture(RED, BLUE).png().toBuffer())
  assert.is((await decodeImage(path)).width, WIDTH)
  await fails(join(folder, 'missing.png'), /^decodeImage: .*missing\.png: ENOENT/)
  writeFileSync(path, '')
  await fails(path, /^decodeImage: .*cat\.png: is empty/)
  rmSync(folder, { recursive: true })
})

test('damage, other files and too much of anything are errors', async () => {
  const noise = new Uint8Array(64 * 64 * 3).map((_, i) => (i * i * 7919) >> 5)
  const source = () => sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
  for (const whole of [await source().png().toBuffer(), await source().jpeg().toBuffer()]) {
    await fails(whole.subarray(0, whole.length >> 1), /^decodeImage: image bytes: /)
    await fails(whole, /must have at most 100 bytes/, { maxBytes: 100 })
    await fails(whole, /^decodeImage: cat: .*pixel limit/i, { maxPixels: 64 * 63, name: 'cat' })
  }
  await fails(new TextEncoder().encode('not an image'), /^decodeImage: image bytes: .*unsupported image format/i)
  await fails(new Uint8Array(0), /image bytes: is empty/)
  await fails(new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), /got svg/)
  await fails(7 as never, /^decodeImage: input must be a path or encoded bytes, got 7/)
})

test('a bomb is refused by its header', async () => {
  const bomb = await sharp({ create: { width: 9000, height: 9000, channels: 3, background: 'white' } })
    .png()
    .toBuffer()
  assert.ok(bomb.length < 2 ** 20, 'it is small')
  await fails(bomb, /pixel limit/i)
})

test('pixels are checked and laid on white without a copy of RGB', () => {
  const rgb = { data: new Uint8Array(12), width: 2, height: 2, channels: 3 as const }
  assert.is(toRgb(rgb).data, rgb.data)
  const rgba = { data: new Uint8ClampedArray([0, 100, 255, 51]), width: 1, height: 1 }
  assert.equal(Array.from(toRgb(rgba).data), [204, 224, 255])
  assert.throws(() => toRgb({ ...rgb, width: 3 }), /data must have 3 x 2 x 3 bytes, got 12/)
  assert.throws(() => toRgb({ ...rgb, height: 0 }), /height must be a whole number above 0/)
  assert.throws(() => toRgb({ ...rgb, data: [1] as never }), /data must be a Uint8Array/)
})

test.run()
