/**
 * What a whole model takes: encoding, similarity, matching, captions, memory, through the public class; where the time of
 * an image goes; memory against the promise of the plans. Runs in Node (main.ts) and in a page alike. One thread, warm.
 */
import { BitGen } from '../src/core.ts'
import type { Pixels } from '../src/image/pixels.ts'
import { EOS } from '../src/text/vocabulary.ts'
import type { Session } from '../src/runtime/session.ts'
import type { Peaks } from './peaks.ts'
import { products, profiled, profileLines, type ProfileRow } from './profile.ts'
import { timeCalls, timerResolution, type CallTimes, type Effort } from './timing.ts'

/** One thing that a model does. */
export interface CallRow extends CallTimes {
  name: string
  /** Tokens of one call, where it makes some. */
  tokens?: number
}

export interface ModelFigures {
  name: string
  calls: CallRow[]
  image: {
    /** Multiply-accumulates of one image, and GMAC/s over the median of its time. */
    macs: number
    gmacs: number
    /** Time that its products would take at the peaks of this machine, over the median. */
    share: number
    /** Empty where the timer is too coarse for single kernels. */
    split: ProfileRow[]
    /** Runs of the split. */
    runs: number
  }
  /** Bytes: what the plans promise, and what WebAssembly has grown to, pictures in work and whole pages included. */
  memory: { promised: number; wasm: number }
}

/** " an owl", as ids of GPT-2. */
const TEXT = [EOS, 281, 39610, EOS]
/** Entries that the memory holds when it is asked. */
const TAUGHT = 32
const PROFILED = 20
/** ms: a timer that tells kernels apart. */
const FINE = 0.001

export interface ModelOptions {
  peaks: Peaks
  effort: Effort
  /** Decodes a picture file, where the host can. */
  decode?: () => Promise<unknown>
  onRow?: (row: CallRow) => void
}

/** The public class around a session that is at hand for profiles. */
class Measured extends BitGen {
  constructor(session: Session) {
    super(session)
  }
}

/** A picture of integer arithmetic, of the size that the model takes: nothing is left to the resampling but a copy. */
function pattern(side: number): Pixels {
  const data = Uint8Array.from({ length: 3 * side * side }, (_, i) => 3 * i + ((i * i) >> 9))
  return { data, width: side, height: side, channels: 3 }
}

export async function measureModel(session: Session, options: ModelOptions): Promise<ModelFigures> {
  const { peaks, effort, decode, onRow } = options
  const { executor, manifest } = session
  const model = new Measured(session)
  const picture = pattern(manifest.image)
  const calls: CallRow[] = []
  const time = async (name: string, run: () => unknown, tokens?: number) => {
    const row = { name, ...(await timeCalls(run, effort)), ...(tokens && { tokens }) }
    calls.push(row)
    onRow?.(row)
    return row
  }

  if (decode) await time('decode a picture file', decode)
  const encoded = await time('image to vector', () => model.embedImage(picture))
  const split = await profiled(executor, peaks, true, async () => {
    for (let i = 0; i < PROFILED; i++) await model.embedImage(picture)
  })
  await time('text to vector', () => model.embedText(TEXT))
  await time('similarity', () => model.similarity(picture, TEXT))
  if (session.canFuse) await time('match', () => model.match(picture, TEXT))
  // Who was trained to caption has a memory to read from.
  if (session.canFuse && session.canCaption) {
    const write = () => model.memory.write({ image: picture, label: 'an owl', text: TEXT })
    for (let i = 0; i < TAUGHT; i++) await write()
    await time(`recall by image, ${TAUGHT} taught`, () => model.memory.recall({ image: picture }))
    await time('write to the memory', write)
  }
  if (session.canCaption) {
    const { ids, finished } = await model.caption(picture, { memory: false })
    const tokens = ids.length + Number(finished)
    await time('caption', () => model.caption(picture, { memory: false }), tokens)
    const states = session.encodeImage(picture)
    await time('caption, image encoded before', () => [...session.caption(states, null, {})], tokens)
  }
  const { macs, leastMs } = products(split)
  const { median } = encoded.ms
  return {
    name: manifest.name,
    calls,
    image: {
      macs: macs / PROFILED,
      gmacs: macs / PROFILED / median / 1e6,
      share: leastMs / PROFILED / median,
      split: timerResolution() < FINE ? split : [],
      runs: PROFILED,
    },
    memory: { promised: executor.memoryUse.total, wasm: executor.kernels.memory.buffer.byteLength },
  }
}

/** A row as a line of a table. */
export function callLine({ name, ms: { min, median, p95 }, calls, tokens }: CallRow): string {
  const [low, mid, high] = [min, median, p95].map((ms) => ms.toFixed(3).padStart(8))
  const rate = tokens ? `, ${tokens} tokens, ${Math.round((1000 * tokens) / median)} tokens/s` : ''
  return `  ${name.padEnd(30)} ${low} / ${mid} / ${high} ms  ${calls} calls${rate}`
}

/** What stands below the lines of the calls. */
export function modelText({ image, memory }: ModelFigures): string {
  const { macs, gmacs, share, split, runs } = image
  const whole = split.reduce((sum, { ms }) => sum + ms, 0)
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
  return [
    `  image to vector: ${(macs / 1e6).toFixed(1)} M multiply-accumulates, ${gmacs.toFixed(1)} GMAC/s; its products at ` +
      `peak would take ${Math.round(100 * share)} % of the time`,
    `  split over ${runs} runs:`,
    ...profileLines(split, whole),
    `  memory: promised ${megabytes(memory.promised)}, WebAssembly ${megabytes(memory.wasm)}`,
  ].join('\n')
}
