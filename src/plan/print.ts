/**
 * A plan as text: the debugging view, and a golden file in tests. One line a buffer, one line a call.
 */
import type { Plan } from '../abi.ts'

export function printPlan(plan: Plan): string {
  const label = (at: number) => plan.buffers[at].name ?? `%${at}`
  const buffers = plan.buffers.map((b, at) => {
    const place = b.segment === 'io' || b.segment === 'scratch' ? ` @${b.offset}` : ''
    return `  ${label(at)}: ${b.segment} ${b.dtype}[${b.shape.join(', ')}] ${b.bytes} bytes${place}`
  })
  const calls = plan.calls.map((call) => {
    const args = call.a.map((arg) => (typeof arg === 'object' ? label(arg.at) : String(arg)))
    return `  ${call.k}(${args.join(', ')})`
  })
  const symbols = Object.entries(plan.symbols).map(([symbol, max]) => `${symbol}<=${max}`)
  const head = `plan ${plan.name} (${symbols.join(', ')})${plan.deterministic ? ' deterministic' : ''}`
  return [head, ...buffers, ...calls, ''].join('\n')
}
