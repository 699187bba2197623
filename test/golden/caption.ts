/**
 * Goldens of greedy captions, with and without memory: token by token through the entry points that a model file
 * carries, from the stored image states. A caption is compared up to the first step at which the reference's two best
 * logits were too close to call.
 */
import { decodeNextGraph, startDecodingGraph } from '../../src/model/bitgen.ts'
import { patches } from '../../src/model/config.ts'
import type { Engine, Feeds } from './engine.ts'
import { goldenModel, type Golden, type Numbers } from './files.ts'
import { feedsOf, type Kind } from './model.ts'
import type { Row } from './report.ts'

/** Gaps below which the next token may differ. */
const TOO_CLOSE = { float: 1e-3, ternary: 0.2 }

export function checkCaptions(golden: Golden, weights: Golden, engine: Engine): Row[] {
  const kinds: Kind[] = ['float', 'ternary']
  return kinds.flatMap((kind) => ['plain', 'memory'].map((mode) => checkCaption(golden, weights, engine, kind, mode)))
}

function checkCaption(golden: Golden, weights: Golden, engine: Engine, kind: Kind, mode: string): Row {
  const quantity = `${kind}.caption.${mode}.ids`
  const [B, steps] = golden.shape(quantity)
  const want = golden.get(quantity)
  const gaps = golden.get(`${kind}.caption.${mode}.gap`)
  const got = greedy(golden, weights, engine, kind, mode === 'memory', steps - 1)
  let wrong = 0
  for (let b = 0; b < B; b++) {
    for (let t = 1; t < steps && gaps[b * (steps - 1) + t - 1] >= TOO_CLOSE[kind]; t++) {
      wrong += Number(got[t][b] !== want[b * steps + t])
    }
  }
  return { quantity: `${quantity} that differ`, error: wrong, tolerance: 0 }
}

/** Ids [B] by step, the first being BOS; EOS is repeated behind the first one. */
function greedy(
  golden: Golden,
  weights: Golden,
  engine: Engine,
  kind: Kind,
  memory: boolean,
  steps: number,
): number[][] {
  const { config } = goldenModel(golden, kind === 'ternary')
  const end = config.vocabulary - 1
  const states = golden.get(`${kind}.unimodal.image`)
  const read = Array.from(golden.get(`${kind}.memory.read`), (x) => (memory ? x : 0))
  const B = read.length / config.channels
  const common: Feeds = {
    ...feedsOf(golden, weights),
    image_states: states,
    read,
    visible: Array.from({ length: B }, () => 1 + patches(config) + Number(memory)),
  }
  const ids = [Array.from({ length: B }, () => end)]
  let image: Feeds = {}
  let past: Record<string, number[]> = {}
  for (let L = 0; L < steps; L++) {
    const feeds = { ...common, ...image, ...past, ids: ids[L], position: [L] }
    const got =
      L === 0
        ? engine.run(startDecodingGraph(config), feeds, { B })
        : engine.run(decodeNextGraph(config), feeds, { B, L, N: L + 1 })
    if (L === 0) image = Object.fromEntries(Object.entries(got).filter(([name]) => name.startsWith('image.')))
    past = grow(past, got, B, config.channels)
    const next = argmax(got.logits, B)
    ids.push(next.map((id, b) => (L > 0 && ids[L][b] === end ? end : id)))
  }
  return ids
}

/** Keys and values [B,L,C] with those that were added [B,1,C] behind. */
function grow(
  past: Record<string, number[]>,
  got: Record<string, Numbers>,
  B: number,
  C: number,
): Record<string, number[]> {
  const added = Object.keys(got).filter((name) => name.startsWith('added.'))
  return Object.fromEntries(
    added.map((name) => {
      const into = name.replace('added', 'past')
      const old = past[into] ?? []
      const size = old.length / B
      const rows = Array.from({ length: B }, (_, b) => [
        ...old.slice(b * size, (b + 1) * size),
        ...Array.from(got[name]).slice(b * C, (b + 1) * C),
      ])
      return [into, rows.flat()]
    }),
  )
}

/** Index of the largest logit of each row. */
function argmax(logits: Numbers, B: number): number[] {
  const V = logits.length / B
  return Array.from({ length: B }, (_, b) => {
    const row = Array.from(logits).slice(b * V, (b + 1) * V)
    return row.indexOf(Math.max(...row))
  })
}
