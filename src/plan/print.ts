/**
 * A plan as text: the debugging view, and a golden file in tests. One line a buffer, one line a call.
 */
import type { Plan } from '../abi.ts'

export function printPlan(plan: Plan): string {
  const label = (at: number) => plan.buffers[at].name ?? `%${at}`
  const place = ({ at, plus }: { at: number; plus?: number }) => (plus ? `${label(at)}+${plus}` : label(at))
  const buffers = plan.buffers.map((b, at) => {
    const where = b.segment === 'io' || b.segment === 'scratch' ? ` @${b.offset}` : ''
    return `  ${label(at)}: ${b.segment} ${b.dtype}[${b.shape.join(', ')}] ${b.bytes} bytes${where}`
  })
  const calls = plan.calls.map((call) => {
    const args = call.a.map((arg) => (typeof arg === 'object' ? place(arg) : String(arg)))
    return `  ${call.k}(${args.join(', ')})`
  })
  const symbols = Object.entries(plan.symbols).map(([symbol, max]) => `${symbol}<=${max}`)
  const head = `plan ${plan.name} (${symbols.join(', ')})${plan.deterministic ? ' deterministic' : ''}`
  return [head, ...buffers, ...calls, ''].join('\n')
}
