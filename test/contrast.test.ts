/**
 * Contrastive losses and their gradients, normalisation included, against values made with PyTorch in float64
 * (test/golden/contrast.safetensors): by the float64 references and by the kernels of every instruction set.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Builder } from '../src/graph/builder.ts'
import type { Graph } from '../src/graph/graph.ts'
import { readSafetensors } from '../src/io/safetensors.ts'
import { contrastLosses, features } from '../src/model/losses.ts'
import { weightedSum } from '../src/ops/weighted_sum.ts'
import { backward } from '../src/plan/backward.ts'
import { interpret } from '../src/plan/interpret.ts'
import { lower } from '../src/plan/lower.ts'
import { Executor } from '../src/runtime/execute.ts'
import { builtKernels } from './support/kernels.ts'

const { tensors } = readSafetensors(readFileSync(join(import.meta.dirname, 'golden/contrast.safetensors')))
const golden = (name: string) => tensors.get(name)!.data as Float32Array

const [B, C] = tensors.get('text')!.shape
const [Q] = tensors.get('queue.image_id')!.shape
const TOLERANCE = 1e-5

const feeds: Record<string, ArrayLike<number>> = {
  text: golden('text'),
  image: golden('image'),
  ids: golden('concept'),
  'queue.text': golden('queue.text'),
  'queue.image': golden('queue.image'),
  'queue.ids': golden('queue.image_id'),
  'queue.filled': golden('queue.filled'),
  'itc.log_temperature': golden('log_temperature'),
}

/** Loss by concepts, with `imageContrast` the one of images besides, and the gradients of their sum. */
function lossGraph(imageContrast: number): Graph {
  const b = new Builder('contrast')
  const text = b.parameter('text', ['B', C])
  const image = b.parameter('image', ['B', C])
  const queue = {
    text: b.state('queue.text', [Q, C]),
    image: b.state('queue.image', [Q, C]),
    ids: b.state('queue.ids', [Q], 'i32'),
    filled: b.state('queue.filled', [1], 'i32'),
  }
  const ids = b.input('ids', ['B'], 'i32')
  const options = { concepts: true, images: imageContrast > 0, queue }
  const losses = contrastLosses(b, features(b, text), features(b, image), ids, options)
  const wanted = { text, image, log_temperature: b.parameter('itc.log_temperature', [1]) }
  const parts = losses.imageContrast ? [losses.itc, losses.imageContrast] : [losses.itc]
  const total = weightedSum(b, parts, [1, imageContrast].slice(0, parts.length))
  const gradients = backward(b, total, Object.values(wanted))
  b.output('itc_concepts.loss', losses.itc)
  if (losses.imageContrast) b.output('image_contrast.loss', losses.imageContrast)
  for (const [name, value] of Object.entries(wanted)) b.output(`grad.${name}`, gradients.get(value.id)!)
  return b.graph
}

/** What the outputs of a graph must be. */
function wantedOf(graph: Graph): Map<string, ArrayLike<number>> {
  const both = graph.outputs.has('image_contrast.loss')
  const entries = [...graph.outputs.keys()].map((name): [string, ArrayLike<number>] => {
    if (name.endsWith('.loss')) return [name, golden(name)]
    const image = both && tensors.has(`image_contrast.${name}`) ? golden(`image_contrast.${name}`) : undefined
    return [name, golden(`itc_concepts.${name}`).map((g, i) => g + (image ? image[i] : 0))]
  })
  return new Map(entries)
}

function check(graph: Graph, result: (name: string) => ArrayLike<number>): void {
  for (const [name, want] of wantedOf(graph)) {
    const got = result(name)
    for (let i = 0; i < want.length; i++) {
      assert.ok(Math.abs(got[i] - want[i]) <= TOLERANCE, `${name}[${i}]: ${got[i]} must be near ${want[i]}`)
    }
  }
}

const graphs = [0, 1].map(lossGraph)

test('references have the losses and gradients of PyTorch', () => {
  for (const graph of graphs) {
    const results = interpret(graph, feeds, { B })
    check(graph, (name) => results[name].data)
  }
})

for (const kernels of await builtKernels()) {
  test(`kernels of ${kernels.manifest.isa} have them`, () => {
    for (const graph of graphs) {
      const plan = lower(graph, { symbols: { B }, deterministic: false })
      const executor = new Executor(kernels, [plan])
      for (const [name, data] of Object.entries(feeds)) {
        const place = executor.has(name) ? executor.tensor(name) : executor.io(plan.name, name)
        place.set(data)
      }
      executor.run(plan.name, { B })
      check(graph, (name) => executor.io(plan.name, name))
    }
  })
}

test.run()
