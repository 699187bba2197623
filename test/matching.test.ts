/**
 * Image-text matching: what is drawn as negatives against the softmax of float64 and against what must never be drawn,
 * pairs and cross-entropy against values by hand, accuracies with ties and missing labels.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Builder } from '../src/graph/builder.ts'
import type { Graph } from '../src/graph/graph.ts'
import { matchingAccuracy } from '../src/evaluate/matching.ts'
import { readSafetensors } from '../src/io/safetensors.ts'
import { crossEntropy } from '../src/ops/cross_entropy.ts'
import { drawNegatives, drawNegativesOp } from '../src/ops/draw_negatives.ts'
import { matchingPairs } from '../src/ops/matching_pairs.ts'
import { backward } from '../src/plan/backward.ts'
import { interpret } from '../src/plan/interpret.ts'
import { lower } from '../src/plan/lower.ts'
import { Executor } from '../src/runtime/execute.ts'
import { builtKernels } from './support/kernels.ts'
import { opCase } from './support/op-case.ts'

type Numbers = ArrayLike<number>
/** Runs a graph of the inputs again and again; results by the name of the output. */
type Runner = (feeds: Record<string, Numbers>) => (output: string) => number[]

/** Runners of a graph, by name: the references in float64, then the kernels of every instruction set. */
async function runnersOf(graph: Graph, symbols: Record<string, number> = {}): Promise<[string, Runner][]> {
  const reference: Runner = (feeds) => {
    const results = interpret(graph, feeds, symbols)
    return (output) => Array.from(results[output].data)
  }
  const ofKernels = (await builtKernels()).map((kernels): [string, Runner] => {
    const plan = lower(graph, { symbols, deterministic: true })
    const executor = new Executor(kernels, [plan])
    const run: Runner = (feeds) => {
      for (const name of plan.inputs) executor.io(plan.name, name).set(feeds[name])
      executor.run(plan.name, symbols)
      return (output) => Array.from(executor.io(plan.name, output) as Numbers)
    }
    return [kernels.manifest.isa, run]
  })
  return [['reference', reference], ...ofKernels]
}

/** What is drawn with from: rows of scores for the columns of a batch and of a queue, flat. */
interface Scene {
  scores: Numbers
  queueScores: Numbers
  logT: Numbers
  ids: Numbers
  queueIds: Numbers
  filled: number
}

/** Draws for a scene: every runner takes the numbers [B] and gives the rows [B]. */
async function drawersOf(scene: Scene): Promise<[string, (draws: Numbers) => number[]][]> {
  const B = scene.ids.length
  const Q = scene.queueIds.length
  const b = new Builder('draw')
  const queue = Q > 0 ? [b.input('queueScores', [B, Q]), b.input('queueIds', [Q], 'i32')] : [null, null]
  const filled = Q > 0 ? b.input('filled', [1], 'i32') : null
  const [scores, logT, ids] = [b.input('scores', [B, B]), b.input('logT', [1]), b.input('ids', [B], 'i32')]
  b.output('rows', drawNegatives(b, scores, queue[0], logT, ids, queue[1], filled, b.input('draws', [B])))
  const feeds = { ...scene, filled: [scene.filled] }
  return (await runnersOf(b.graph)).map(([name, run]) => [name, (draws) => run({ ...feeds, draws })('rows')])
}

/** Probabilities of the columns [B + filled] for each row, 0 where a column may not be drawn. */
function probabilities({ scores, queueScores, logT, ids, queueIds, filled }: Scene): number[][] {
  const [B, Q] = [ids.length, queueIds.length]
  return Array.from({ length: B }, (_, r) => {
    const weights = Array.from({ length: B + filled }, (_, c) => {
      const [score, id] = c < B ? [scores[r * B + c], ids[c]] : [queueScores[r * Q + c - B], queueIds[c - B]]
      return id === ids[r] || !Number.isFinite(score) ? 0 : Math.exp(score / Math.exp(logT[0]))
    })
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    return weights.map((weight) => (total > 0 ? weight / total : 0))
  })
}

/** Features of the file for the contrastive losses: 12 pairs of several concepts, and a queue of 20 that is half full. */
function goldenScene(): Scene {
  const { tensors } = readSafetensors(readFileSync(join(import.meta.dirname, 'golden/contrast.safetensors')))
  const numbers = (name: string) => Array.from(tensors.get(name)!.data as Float32Array)
  const C = tensors.get('text')!.shape[1]
  const unitRows = (name: string) => {
    const data = numbers(name)
    return Array.from({ length: data.length / C }, (_, r) => {
      const row = data.slice(r * C, r * C + C)
      return row.map((x) => x / Math.hypot(...row))
    })
  }
  const text = unitRows('text')
  const products = (keys: number[][]) =>
    Float32Array.from(text.flatMap((row) => keys.map((key) => row.reduce((sum, x, i) => sum + x * key[i], 0))))
  return {
    scores: products(unitRows('image')),
    queueScores: products(unitRows('queue.image')),
    logT: numbers('log_temperature'),
    ids: numbers('concept'),
    queueIds: numbers('queue.image_id'),
    filled: numbers('queue.filled')[0],
  }
}

/** 0 for a finite number, others as they are. */
function flat(score: number): number {
  return Number.isFinite(score) ? 0 : score
}

test('negatives are drawn as often as the softmax over other ids says', async () => {
  const whole = goldenScene()
  for (const scene of [whole, { ...whole, queueScores: [], queueIds: [], filled: 0 }]) {
    const want = probabilities(scene)
    for (const [name, draw] of await drawersOf(scene)) {
      const trials = name === 'reference' ? 500 : 4000
      const counts = want.map((row) => row.map(() => 0))
      for (let i = 0; i < trials; i++) {
        const rows = draw(want.map(() => (i + 0.5) / trials))
        rows.forEach((c, r) => counts[r][c]++)
      }
      want.forEach((row, r) =>
        row.forEach((p, c) => {
          // Evenly spaced numbers: an interval holds at most one more or less than its length says.
          const isNear = p === 0 ? counts[r][c] === 0 : Math.abs(counts[r][c] - p * trials) <= 1 + 1e-4 * trials
          assert.ok(isNear, `${name}, row ${r}, column ${c}: ${counts[r][c]} of ${trials} must be near ${p}`)
        }),
      )
    }
  }
})

test('draws of the cases lie away from where another column begins', () => {
  for (const c of drawNegativesOp.cases) {
    const [scores, queueScores = [], logT, ids, queueIds = [], filled = [0], draws] = Array.from(
      { length: 7 },
      (_, i) => opCase(drawNegativesOp, c, false)!.feeds[`x${i}`],
    )
    probabilities({ scores, queueScores, logT, ids, queueIds, filled: filled[0] }).forEach((row, r) => {
      let sum = 0
      for (const p of row) {
        sum += p
        assert.ok(
          Math.abs(sum - draws[r]) > 1e-5 || p === 0,
          `${c.name}, row ${r}: ${draws[r]} must not be near ${sum}`,
        )
      }
    })
  }
})

test('-1 without a candidate, and the queue serves where the batch has none', async () => {
  const same: Scene = {
    scores: new Float32Array(9),
    queueScores: new Float32Array(6),
    logT: [0],
    ids: [5, 5, 5],
    queueIds: [5, 6],
    filled: 2,
  }
  for (const [scene, want] of [
    [{ ...same, queueScores: [], queueIds: [], filled: 0 }, -1],
    [{ ...same, filled: 0 }, -1],
    [{ ...same, filled: 1 }, -1],
    [same, 4],
  ] as const) {
    for (const [name, draw] of await drawersOf(scene)) assert.equal(draw([0, 0.5, 0.999]), [want, want, want], name)
  }
})

test('nothing but a candidate is ever drawn, whatever the numbers', async () => {
  const odd = [NaN, Infinity, -Infinity, 3e38, -3e38, 1, -1e-40]
  const B = 7
  const square = (of: (r: number, c: number) => number) =>
    Float32Array.from({ length: B * B }, (_, i) => of(Math.floor(i / B), i % B))
  const queue = { queueScores: square((r, c) => odd[(r * c) % 7]), queueIds: [1, 8, 9, 8, 1, 2, 2], filled: 5 }
  const none = { queueScores: [], queueIds: [], filled: 0 }
  for (const scores of [square(() => NaN), square((r, c) => odd[(r + c) % 7]), square(() => -Infinity)]) {
    for (const logT of [-4.6, 0, NaN, Infinity, -Infinity]) {
      for (const some of [queue, none]) {
        const scene = { scores, logT: [logT], ids: [1, 1, 2, 3, 4, 5, 6], ...some }
        // Which columns may be drawn does not depend on the temperature; weights here are 0 where they may not.
        const allowed = probabilities({
          ...scene,
          scores: scores.map(flat),
          queueScores: Array.from(some.queueScores, flat),
          logT: [0],
        })
        for (const [name, draw] of (await drawersOf(scene)).slice(1)) {
          for (const u of [0, 0.5, 1 - 2 ** -24, 1, -1, NaN]) {
            draw(Array.from({ length: B }, () => u)).forEach((c, r) => {
              const isRight = c === -1 ? u < 0 || allowed[r].every((p) => p === 0) : allowed[r][c] > 0
              assert.ok(isRight, `${name}, logT ${logT}, draw ${u}: row ${r} must not draw ${c}`)
            })
          }
        }
      }
    }
  }
})

test('pairs: (I,T), (I, another text), (another image, T)', async () => {
  const b = new Builder('pairs')
  const pairs = matchingPairs(b, b.input('text', ['B'], 'i32'), b.input('image', ['B'], 'i32'))
  for (const [name, value] of Object.entries(pairs)) {
    assert.equal(value.shape, ['3*B'])
    b.output(name, value)
  }
  for (const [name, run] of await runnersOf(b.graph, { B: 3 })) {
    const result = run({ text: [2, -1, 4], image: [1, 0, -1] })
    assert.equal(result('textRows'), [0, 1, 2, 2, 1, 4, 0, 1, 2], name)
    assert.equal(result('imageRows'), [0, 1, 2, 0, 1, 2, 1, 0, 2], name)
    assert.equal(result('labels'), [1, 1, 1, 0, -1, 0, 0, 0, -1], name)
  }
})

test('cross-entropy counts rows with a label alone', async () => {
  const b = new Builder('loss')
  const logits = b.input('logits', [4, 2])
  const loss = crossEntropy(b, logits, b.input('labels', [4], 'i32'))
  b.output('loss', loss)
  b.output('dlogits', backward(b, loss, [logits]).get(logits.id)!)
  const sigmoid = 1 / (1 + Math.exp(-2))
  for (const [name, run] of await runnersOf(b.graph)) {
    const near = (got: number[], want: number[]) =>
      want.forEach((w, i) =>
        assert.ok(Math.abs(got[i] - w) < 1e-6 * Math.max(1, Math.abs(w)), `${name}: ${got} must be ${want}`),
      )
    // Class 1 leads by 2, a row without label that is not a number, a sure miss, a sure hit.
    const feeds = { logits: [1, 3, NaN, NaN, 100, 0, -500, 500], labels: [0, -1, 1, 1] }
    const some = run(feeds)
    near(some('loss'), [(-Math.log(1 - sigmoid) + 100) / 3])
    near(some('dlogits'), [-sigmoid / 3, sigmoid / 3, 0, 0, 1 / 3, -1 / 3, 0, 0])
    const none = run({ ...feeds, labels: [-1, -1, -1, -1] })
    assert.equal([...none('loss'), ...none('dlogits')], new Array(9).fill(0), name)
  }
})

test('no gradient flows through what is drawn', () => {
  const b = new Builder('flow')
  const [scores, logits] = [b.parameter('scores', ['B', 'B']), b.parameter('logits', ['3*B', 2])]
  const ids = b.input('ids', ['B'], 'i32')
  const drawn = drawNegatives(b, scores, null, b.parameter('logT', [1]), ids, null, null, b.input('draws', ['B']))
  const loss = crossEntropy(b, logits, matchingPairs(b, drawn, drawn).labels)
  assert.equal([...backward(b, loss, [scores, logits]).keys()], [logits.id])
})

test('accuracy of matching: ties, NaN and missing labels', () => {
  const cases: [logits: number[], labels: number[], accuracy: number, balanced: number][] = [
    // Right, wrong, right, wrong, right, right of six: 1 of 2 matches, 3 of 4 others.
    [[0, 1, 1, 0, 2, -2, 0, 3, 5, 4, 0, -1], [1, 1, 0, 0, 0, 0], 4 / 6, (1 / 2 + 3 / 4) / 2],
    [[1, 1, 1, 1], [1, 0], 0, 0],
    [[NaN, 1, 0, NaN, 0, 1], [1, 0, 1], 1 / 3, 1 / 4],
    // Rows without a label count nowhere.
    [[0, 1, 9, 0, 1, 0, 0, 9], [1, -1, 0, -1], 1, 1],
    // One class alone is the mean over the classes.
    [[0, 1, 1, 0], [1, 1], 1 / 2, 1 / 2],
  ]
  for (const [logits, labels, accuracy, balanced] of cases) {
    assert.equal(matchingAccuracy(Float32Array.from(logits), Int32Array.from(labels)), { accuracy, balanced })
  }
  assert.throws(() => matchingAccuracy([1, 2, 3], [1]), /logits must have 1 x 2 numbers, got 3/)
})

test.run()
