/**
 * The page of the benchmark: starts the worker, shows what it measures as it comes, and offers the results of each
 * target as a file of the shape that bench/results has.
 */
import { ISAS } from '../../src/abi.ts'
import type { KernelRow } from '../kernels.ts'
import type { Machine } from '../machine.ts'
import type { CallRow } from '../model.ts'
import type { Results } from '../results.ts'
import type { Message, Task } from './worker.ts'

/** Of the source tree that the page was built from; set by build.ts. */
declare const COMMIT: string | null

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T
const [start, quick] = [element<HTMLButtonElement>('start'), element<HTMLInputElement>('quick')]
const [state, progress] = [element('state'), element<HTMLProgressElement>('progress')]

/** What a page may know of its device: memory is rounded, and only some browsers tell it. */
function machine(): Machine {
  const { deviceMemory, platform } = navigator as { deviceMemory?: number; platform?: string }
  return {
    cpu: platform || 'unknown',
    flags: [],
    cores: navigator.hardwareConcurrency,
    memory: deviceMemory === undefined ? null : deviceMemory * 2 ** 30,
    engine: navigator.userAgent,
    threads: 1,
    date: new Date().toISOString().slice(0, 10),
    load: null,
    commit: COMMIT,
  }
}

function add<Name extends keyof HTMLElementTagNameMap>(parent: HTMLElement, name: Name, text = '') {
  const child = document.createElement(name)
  child.textContent = text
  parent.append(child)
  return child
}

/** A table with a head; returns what adds a row. */
function addTable(title: string, columns: readonly string[]): (cells: readonly string[]) => void {
  add(element('results'), 'h3', title)
  const scroll = add(element('results'), 'div')
  scroll.className = 'scroll'
  const table = add(scroll, 'table')
  const head = add(add(table, 'thead'), 'tr')
  for (const column of columns) add(head, 'th', column)
  const body = add(table, 'tbody')
  return ([first, ...others]) => {
    const row = add(body, 'tr')
    add(row, 'th', first)
    for (const cell of others) add(row, 'td', cell)
  }
}

function kernelCells({ name, target, shape: { M, K, N }, rate, unit, peak }: KernelRow): string[] {
  const kernel = `${name.replace(`__${target}`, '')} ${M} x ${K}${N === 0 ? '' : ` x ${N}`}`
  return [kernel, `${rate.toFixed(1)} ${unit}`, `${Math.round((100 * rate) / peak.rate)} %`]
}

function callCells({ name, ms, tokens }: CallRow): string[] {
  const rate = tokens ? `: ${Math.round((1000 * tokens) / ms.median)} tokens/s` : ''
  return [`${name}${rate}`, ...[ms.min, ms.median, ms.p95].map((value) => value.toFixed(2))]
}

function offer(results: Results): void {
  const file = new Blob([`${JSON.stringify(results, null, 1)}\n`], { type: 'application/json' })
  const link = add(element('files'), 'a', `Download results: ${results.target}`)
  link.href = URL.createObjectURL(file)
  link.download = `bitgen-bench-${results.target}.json`
}

function run(): void {
  const on = machine()
  const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' })
  let addKernel: (cells: readonly string[]) => void
  let addCall: ((cells: readonly string[]) => void) | undefined
  let target = ''
  const end = (text: string) => {
    state.textContent = text
    progress.hidden = true
    start.disabled = false
    worker.terminate()
  }
  worker.onerror = ({ message }) => end(`Failed: ${message}`)
  worker.onmessage = ({ data }: MessageEvent<Message>) => {
    if (data.kind === 'target') {
      target = data.target
      addCall = undefined
      state.textContent = `Measuring: ${target}`
      add(element('results'), 'h2', target)
      addKernel = addTable('Kernels, M x K x N', ['', 'rate', 'of peak'])
    } else if (data.kind === 'left out') {
      add(element('results'), 'p', `${data.target}: left out. ${data.reason}`)
    } else if (data.kind === 'kernel') {
      progress.value = data.share
      addKernel(kernelCells(data.row))
    } else if (data.kind === 'call') {
      addCall ??= addTable('Model, ms', ['', 'best', 'median', '95 %'])
      addCall(callCells(data.row))
    } else if (data.kind === 'measured') {
      const { peaks, rows, model } = data
      offer({ target: data.target, kernels: { machine: on, peaks, rows }, model: { machine: on, ...model } })
    } else if (data.kind === 'done') end('Done.')
    else end(`Failed: ${data.reason}`)
  }
  element('results').replaceChildren()
  element('files').replaceChildren()
  start.disabled = true
  progress.hidden = false
  progress.value = 0
  state.textContent = 'Loading'
  // `?target=simd128` measures that one alone.
  const asked = new URLSearchParams(location.search).getAll('target')
  const targets = [...ISAS].reverse().filter((isa) => asked.length === 0 || asked.includes(isa))
  worker.postMessage({ quick: quick.checked, targets } satisfies Task)
}

const { engine, cores, memory } = machine()
const gigabytes = memory === null ? '' : `, ${memory / 2 ** 30} GB of memory or more`
element('machine').textContent = `${engine}; ${cores} threads${gigabytes}`
start.onclick = run
