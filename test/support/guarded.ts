/**
 * Runs a plan with every buffer on its own between guard zones, and one of them flush with the end of memory: a kernel
 * that writes outside changes a guard, one that reads or writes past the last byte traps.
 */
import { roundUp, type KernelEntry, type Plan } from '../../src/abi.ts'
import { view, viewBytes } from '../../src/base/dtype.ts'
import { errorText } from '../../src/base/errors.ts'
import { resolveArg } from '../../src/runtime/execute.ts'
import type { Kernels } from '../../src/runtime/kernels.ts'

/** Longer than any vector step or block that a kernel could write too much at once. */
const GUARD = 256
const CANARY = 0xa5
/** Inside buffers nothing is as expected either: as f32 this is NaN. */
const FRESH = 0xff

interface Guarded {
  /** Bytes of every named buffer after the run. */
  results: Map<string, Uint8Array>
  /** Kernels that ran. */
  used: Set<KernelEntry>
}

/** Byte offset of every buffer; buffer `last` ends where memory ends. */
function layOut(kernels: Kernels, plan: Plan, last: number | null): number[] {
  let next = roundUp(kernels.manifest.heapBase, 64) + GUARD
  const at = plan.buffers.map(({ bytes }) => {
    const start = next
    next = roundUp(start + bytes, 64) + GUARD
    return start
  })
  const bytes = last === null ? 0 : plan.buffers[last].bytes
  kernels.reserve(next + bytes + GUARD)
  if (last !== null) at[last] = kernels.memory.buffer.byteLength - bytes
  return at
}

/** In how many parts kernels split their outputs, and whether one thread does them all: it keeps what it has made. */
export interface Parts {
  count: number
  oneThread: boolean
}

/** Calls a kernel in parts, the last first, none of which may change a byte of `shared` that another has changed. */
function callInParts(
  kernels: Kernels,
  entry: KernelEntry,
  args: number[],
  { count, oneThread }: Parts,
  shared: Uint8Array[],
): void {
  const changed = shared.map((bytes) => new Uint8Array(bytes.length))
  for (let part = count - 1; part >= 0; part--) {
    const before = shared.map((bytes) => bytes.slice())
    kernels.setPart(part, count, Number(oneThread && part < count - 1))
    kernels.function(entry)(...args)
    kernels.setPart(0, 1)
    shared.forEach((bytes, i) => {
      bytes.forEach((byte, at) => {
        if (byte === before[i][at]) return
        if (changed[i][at]++ > 0) throw new Error(`two parts must not change the same byte, got ${at} of argument ${i}`)
      })
    })
  }
}

/**
 * Runs `plan` at its largest symbols on `feeds` (values by buffer name, as the buffers hold them); kernels that split
 * their outputs in `parts`, the last first. Throws where a kernel traps, changes a byte outside of the buffers, or in
 * two of its parts the same byte, with the name of the kernel and the place.
 */
export function runGuarded(
  kernels: Kernels,
  plan: Plan,
  feeds: ReadonlyMap<string, ArrayLike<number>>,
  last: number | null,
  parts: Parts = { count: 1, oneThread: true },
): Guarded {
  const at = layOut(kernels, plan, last)
  const memory = new Uint8Array(kernels.memory.buffer)
  const label = (i: number) => plan.buffers[i].name ?? `%${i}`
  const zones = plan.buffers.flatMap(({ bytes }, i) => [
    { from: at[i] - GUARD, to: at[i], place: `below ${label(i)}` },
    { from: at[i] + bytes, to: Math.min(at[i] + bytes + GUARD, memory.length), place: `behind ${label(i)}` },
  ])
  for (const { from, to } of zones) memory.fill(CANARY, from, to)
  plan.buffers.forEach(({ bytes, name, dtype }, i) => {
    memory.fill(FRESH, at[i], at[i] + bytes)
    const feed = name === undefined ? undefined : feeds.get(name)
    if (!feed) return
    // A typed view needs an aligned start, which a buffer at the end of memory may lack.
    const width = viewBytes(dtype)
    const aligned = new ArrayBuffer(feed.length * width)
    view(dtype, aligned, 0, feed.length).set(feed)
    memory.set(new Uint8Array(aligned), at[i])
  })
  const used = new Set<KernelEntry>()
  for (const { k, a } of plan.calls) {
    const entry = kernels.entry(k, plan.deterministic)
    used.add(entry)
    const args = a.map((arg) => resolveArg(arg, at, plan.symbols))
    try {
      if (parts.count === 1 || !entry.parallel) kernels.function(entry)(...args)
      else {
        // Memory of one thread may change in all parts.
        const shared = a.map((arg, i) => {
          const isShared = typeof arg === 'object' && !entry.params[i][0].startsWith('scratch')
          return memory.subarray(args[i], isShared ? at[arg.at] + plan.buffers[arg.at].bytes : args[i])
        })
        callInParts(kernels, entry, args, parts, shared)
      }
    } catch (cause) {
      const where = last === null ? '' : ` with ${label(last)} at the end of memory`
      throw new Error(`${plan.name}: ${entry.name} must not trap${where}, got ${errorText(cause)}`, { cause })
    }
    for (const { from, to, place } of zones) {
      const wrong = memory.subarray(from, to).findIndex((byte) => byte !== CANARY)
      if (wrong >= 0)
        throw new Error(`${plan.name}: ${entry.name} must not write ${place}, got a changed byte ${wrong} of ${GUARD}`)
    }
  }
  const results = new Map<string, Uint8Array>()
  plan.buffers.forEach(({ name, bytes }, i) => {
    if (name !== undefined) results.set(name, memory.slice(at[i], at[i] + bytes))
  })
  return { results, used }
}
