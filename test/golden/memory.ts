/**
 * Goldens of the episodic memory: episodes in training by an engine, with gradients through every solve and ridge, and
 * the memory of inference through sequences of writes and forgets.
 */
import { cholesky, transpose } from '../../src/base/linear.ts'
import { addresses, klMemory, ridgedFactor } from '../../src/base/posterior.ts'
import { Builder } from '../../src/graph/builder.ts'
import { add } from '../../src/ops/add.ts'
import { memoryEpisodes } from '../../src/ops/memory_episodes.ts'
import { backward } from '../../src/plan/backward.ts'
import { EpisodicMemory } from '../../src/runtime/memory.ts'
import type { Engine } from './engine.ts'
import type { Golden, Numbers } from './files.ts'
import { dot } from './layers.ts'
import { deviation, difference, type Row } from './report.ts'

/** Codes of an episode in the file. */
const EPISODE = 4
/** Of float64, and of what is given as f32. */
const DOUBLE = 1e-9
const SINGLE = 1e-6

export function checkMemory(golden: Golden, engine: Engine): Row[] {
  const sequences = ['small', 'card'].filter((name) => golden.has(`${name}.M0`))
  return [...checkTraining(golden, engine), ...sequences.flatMap((name) => checkSequence(golden, name))]
}

/** The loss kl + sum(dy * read). */
function checkTraining(golden: Golden, engine: Engine): Row[] {
  const want = (part: string) => golden.get(`train.${part}`)
  const [B, C] = golden.shape('train.z')
  const [K] = golden.shape('train.M0')
  const b = new Builder('memory')
  const [z, prior, dy] = [b.input('z', [B, C]), b.parameter('M0', [K, C]), b.input('dy', [B, C])]
  const { read, kl, klAddress, klMemory } = memoryEpisodes(b, z, prior, EPISODE)
  const gradients = backward(b, add(b, kl, dot(b, dy, read, B * C)), [z, prior])
  const outputs = { read, kl, klAddress, klMemory, dz: gradients.get(z.id)!, dM0: gradients.get(prior.id)! }
  for (const [name, value] of Object.entries(outputs)) b.output(name, value)
  const got = engine.run(b.graph, { z: want('z'), M0: want('M0'), dy: want('dy') })
  const compared: Record<string, Numbers> = {
    read: got.read,
    kl: got.kl,
    kl_address: got.klAddress,
    kl_memory: Array.from(want('kl_memory'), (_, e) => got.klMemory[e * EPISODE]),
    dz: got.dz,
    dM0: got.dM0,
  }
  const rows = Object.entries(compared).map(([part, value]): Row => {
    const tolerance = engine.kernels ? SINGLE : DOUBLE
    return { quantity: `train.${part}`, error: deviation(value, want(part)).max, tolerance }
  })
  const means = Array.from(want('kl_memory'), (_, e) => {
    const memory = new EpisodicMemory({ prior: Float64Array.from(want('M0')), slots: K, channels: C, imageLength: C })
    for (let i = e * EPISODE; i < Math.min(B, (e + 1) * EPISODE); i++) memory.write(entry(want('z'), i, C))
    return Array.from(memory.mean())
  })
  return [...rows, { quantity: 'train.mean', error: deviation(means.flat(), want('mean')).max, tolerance: DOUBLE }]
}

/** Writes and forgets in order; what the memory says after the operations that are marked. */
function checkSequence(golden: Golden, name: string): Row[] {
  const want = (part: string) => golden.get(`${name}.${part}`)
  const [K, C] = golden.shape(`${name}.M0`)
  const M0 = Float64Array.from(want('M0'))
  const memory = new EpisodicMemory({ prior: M0, slots: K, channels: C, imageLength: C })
  const probes = Array.from({ length: golden.shape(`${name}.probes`)[0] }, (_, i) => row(want('probes'), i, C))
  const got: Record<string, number[]> = { mean: [], read: [], address: [], kl: [], scope_id: [], scope_cosine: [] }
  const [signs, ids, marks] = [want('op_sign'), want('op_id'), new Set(Array.from(want('marks')))]
  for (let at = 0; at < signs.length; at++) {
    if (signs[at] > 0) memory.write({ ...entry(want('z'), ids[at], C), id: String(ids[at]) })
    else memory.forget(String(ids[at]))
    if (!marks.has(at)) continue
    got.mean.push(...memory.mean())
    got.kl.push(klMemory(memory.mean(), M0, cholesky(memory.state().Cm, K), K, C))
    for (const probe of probes) {
      const { z, address } = memory.read(probe)
      const near = memory.nearest({ code: probe })!
      got.read.push(...z)
      got.address.push(...address)
      got.scope_id.push(Number(near.id))
      got.scope_cosine.push(near.similarity)
    }
  }
  const { Cm, Hm } = memory.state()
  const n = golden.shape(`${name}.z`)[0]
  const write_address = transpose(addresses(ridgedFactor(M0, K, C), M0, Float64Array.from(want('z')), K, C), K, n)
  return Object.entries({ ...got, Cm, Hm, write_address }).map(([part, value]): Row => {
    const quantity = `${name}.${part}`
    if (part === 'scope_id') return { quantity, error: difference(value, want(part)), tolerance: 0 }
    const tolerance = part === 'read' ? SINGLE : DOUBLE
    return { quantity, error: deviation(value, want(part)).max, tolerance }
  })
}

function row(data: Numbers, i: number, C: number): Float32Array {
  return Float32Array.from({ length: C }, (_, c) => data[i * C + c])
}

/** An entry of a code alone. */
function entry(z: Numbers, i: number, C: number) {
  return { label: '', z: row(z, i, C), image: new Float32Array(C), text: new Float32Array(C) }
}
