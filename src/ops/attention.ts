/**
 * Scaled dot-product attention with several heads (arXiv 1706.03762, equation 1; model.md section 4), from q to k and v
 * of any length: text, vision, cross-attention, and with a causal mask the decoder.
 */
import type { Builder } from '../graph/builder.ts'
import type { Attributes, Case, CaseInput, Op, Tensor, Value } from '../graph/graph.ts'
import { columns, times } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { exp } from '../base/math.ts'
import { given, like, requireSame } from './shared.ts'

/**
 * y = p . v, p = softmax(q . k^T / sqrt(C/heads)), a head at a time; a head is C/heads neighbouring channels
 * in   q [B, Tq, C] f32, k [B, Tk, C] f32, v [B, Tk, C] f32, lengths [B] i32 or none (keys from there on are masked;
 *      causal: keys behind the query too)
 * out  y [B, Tq, C] f32; a masked key has p = 0; p is not kept: the gradient computes it again
 * grad dv = p^T . dy, ds = p * (dp - sum of dp * p) / sqrt(C/heads) with dp = dy . v^T, dq = ds . k, dk = ds^T . q
 */
export const attentionOp: Op = {
  name: 'attention',
  infer(inputs, { heads }) {
    const [q, k, v] = [0, 1, 2].map((i) => given(inputs, i, 'attention'))
    requireThat(q.shape.length === 3, 'attention', 'q must have shape [B, T, C]', q.shape)
    requireSame('attention', k, v)
    const fits = k.shape.length === 3 && k.shape[0] === q.shape[0] && k.shape[2] === q.shape[2]
    requireThat(fits, 'attention', `k must have shape [${q.shape[0]}, T, ${q.shape[2]}]`, k.shape)
    requireThat(columns(q.shape) % Number(heads) === 0, 'attention', `${heads} heads must divide C`, q.shape[2])
    const lengths = inputs[3]
    if (lengths) {
      const ok = lengths.dtype === 'i32' && lengths.shape.length === 1 && lengths.shape[0] === q.shape[0]
      requireThat(ok, 'attention', `lengths must be i32 [${q.shape[0]}]`, lengths.shape)
    }
    return [like(q)]
  },
  reference([q, k, v, lengths], [y], attributes) {
    eachQuery(q!, k!, lengths, attributes, (query, weights, keyOf, D) => {
      weights.forEach((weight, j) => {
        for (let d = 0; d < D; d++) y.data[query + d] += weight * v!.data[keyOf(j) + d]
      })
    })
  },
  grad(b, { inputs: [q, k, v, lengths], attributes }, [dy]) {
    return b.apply(attentionGradOp, [dy, q, k, v, lengths], attributes)
  },
  lower({ inputs: [q, k, v, lengths], outputs: [y], attributes: { heads, causal } }, to) {
    const { p, turned, sizes } = headSizes(q!, k!, Number(heads))
    const operands = [q, k, v, lengths, y].map((value) => to.at(value))
    to.call('attention__f32', ...operands, to.scratch(p), to.scratch(turned), ...sizes, causal ? 1 : 0)
  },
  macs: ({ inputs: [q, k] }) => times(2, ...q!.shape, k!.shape[1]),
  cases: [
    attentionCase(1, 1, 1, 4, 1),
    attentionCase(2, 3, 3, 6, 2),
    attentionCase(2, 7, 7, 20, 4),
    attentionCase(2, 8, 8, 128, 4),
    attentionCase(1, 17, 17, 64, 2),
    attentionCase(1, 33, 33, 24, 3),
    attentionCase(2, 5, 18, 16, 2),
    attentionCase(1, 7, 130, 8, 1),
    attentionCase(2, 1, 9, 16, 2),
    attentionCase(3, 8, 8, 16, 2, { lengths: true }),
    attentionCase(3, 4, 13, 18, 2, { lengths: true }),
    attentionCase(2, 9, 9, 16, 2, { causal: true }),
    attentionCase(1, 131, 131, 4, 1, { causal: true }),
    attentionCase(3, 7, 7, 10, 2, { lengths: true, causal: true }),
  ],
}

const attentionGradOp: Op = {
  name: 'attention_grad',
  infer: ([, q, k, v]) => [like(q!), like(k!), like(v!)],
  reference([dy, q, k, v, lengths], [dq, dk, dv], attributes) {
    eachQuery(q!, k!, lengths, attributes, (query, weights, keyOf, D) => {
      const dp = weights.map((_, j) => dot(dy!, query, v!, keyOf(j), D))
      const mean = dp.reduce((sum, value, j) => sum + value * weights[j], 0)
      weights.forEach((weight, j) => {
        const ds = (weight * (dp[j] - mean)) / Math.sqrt(D)
        for (let d = 0; d < D; d++) {
          dq.data[query + d] += ds * k!.data[keyOf(j) + d]
          dk.data[keyOf(j) + d] += ds * q!.data[query + d]
          dv.data[keyOf(j) + d] += weight * dy!.data[query + d]
        }
      })
    })
  },
  lower({ inputs: [dy, q, k, v, lengths], outputs, attributes: { heads, causal } }, to) {
    const { p, turned, sizes } = headSizes(q!, k!, Number(heads))
    const operands = [dy, q, k, v, lengths, ...outputs].map((value) => to.at(value))
    const scratch = [p, p, turned].map((bytes) => to.scratch(bytes))
    to.call('attention_grad__f32', ...operands, ...scratch, ...sizes, causal ? 1 : 0)
  },
  macs: ({ inputs: [, q, k] }) => times(5, ...q!.shape, k!.shape[1]),
  cases: [],
}

/** Bytes of the probabilities of a head, and of its keys or values, turned; and the sizes that both kernels take. */
function headSizes(q: Value, k: Value, heads: number) {
  const [B, Tq, C] = q.shape
  const Tk = k.shape[1]
  return { p: times(4, Tq, Tk), turned: times((4 * columns(q.shape)) / heads, Tk), sizes: [B, Tq, Tk, C, heads] }
}

/**
 * Visits every query of every head with the index of its head slice in q, the probabilities of the keys that it sees,
 * the index of key j in k and v, and the head size D.
 */
function eachQuery(
  q: Tensor,
  k: Tensor,
  lengths: Tensor | null,
  { heads, causal }: Attributes,
  visit: (query: number, weights: number[], keyOf: (j: number) => number, D: number) => void,
): void {
  const [B, Tq, C] = q.shape
  const Tk = k.shape[1]
  const D = C / Number(heads)
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < C; h += D) {
      const keyOf = (j: number) => (b * Tk + j) * C + h
      for (let i = 0; i < Tq; i++) {
        const query = (b * Tq + i) * C + h
        const seen = Math.min(lengths ? lengths.data[b] : Tk, causal ? i + 1 : Tk)
        const scores = Array.from({ length: seen }, (_, j) => dot(q, query, k, keyOf(j), D) / Math.sqrt(D))
        const most = Math.max(...scores)
        const weights = scores.map((score) => exp(score - most))
        const sum = weights.reduce((total, weight) => total + weight, 0)
        visit(
          query,
          weights.map((weight) => weight / sum),
          keyOf,
          D,
        )
      }
    }
  }
}

function dot(x: Tensor, at: number, y: Tensor, from: number, D: number): number {
  let sum = 0
  for (let d = 0; d < D; d++) sum += x.data[at + d] * y.data[from + d]
  return sum
}

function attentionCase(
  B: number,
  Tq: number,
  Tk: number,
  C: number,
  heads: number,
  { lengths = false, causal = false } = {},
): Case {
  const masked: CaseInput | null = lengths ? { shape: [B], dtype: 'i32', kind: 'lengths', max: Tk } : null
  return {
    name: `b${B}_q${Tq}_k${Tk}_c${C}_h${heads}${lengths ? '_lengths' : ''}${causal ? '_causal' : ''}`,
    inputs: [{ shape: [B, Tq, C] }, { shape: [B, Tk, C] }, { shape: [B, Tk, C] }, masked],
    attributes: { heads, causal },
  }
}

/**
 * Attention of q [B, Tq, C] to k, v [B, Tk, C] in `heads` heads -> [B, Tq, C]. `lengths` [B] i32: keys from there on
 * are masked; `causal`: key j is masked for query i < j.
 */
export function attention(
  b: Builder,
  q: Value,
  k: Value,
  v: Value,
  lengths: Value | null,
  heads: number,
  causal: boolean,
): Value {
  return b.apply(attentionOp, [q, k, v, lengths], { heads, causal })[0]
}
