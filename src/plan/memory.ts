/**
 * Offsets for buffers with known lifetimes: the largest first, each at the lowest place where it meets no other
 * that lives at the same time (greedy by size; Pisarchyk & Lee, arXiv 2001.03288). Only the arena (io and scratch)
 * is planned: weights and state are laid out once for all plans at load.
 */
import { BUFFER_ALIGN, roundUp } from '../abi.ts'

export interface Lifetime {
  bytes: number
  /** First and last call that touches it, inclusive. */
  from: number
  to: number
}

/** Byte offset of every buffer, and the size of the arena. */
export function assignOffsets(buffers: readonly Lifetime[]): { offsets: number[]; bytes: number } {
  const offsets = new Array<number>(buffers.length).fill(0)
  const placed: { from: number; to: number; start: number; end: number }[] = []
  const order = buffers.map((_, i) => i).sort((a, b) => buffers[b].bytes - buffers[a].bytes || a - b)
  let total = 0
  for (const i of order) {
    const { bytes, from, to } = buffers[i]
    const length = roundUp(bytes, BUFFER_ALIGN)
    const others = placed.filter((p) => p.from <= to && from <= p.to).sort((a, b) => a.start - b.start)
    let start = 0
    for (const other of others) {
      if (start + length <= other.start) break
      start = Math.max(start, other.end)
    }
    offsets[i] = start
    placed.push({ from, to, start, end: start + length })
    total = Math.max(total, start + length)
  }
  return { offsets, bytes: total }
}
