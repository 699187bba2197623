/**
 * Whether plans are sound, on the rows that a model file has of them (src/io/plan-tables.ts): all that
 * src/runtime/verify.ts asks of a plan, which takes an engine at its start three times as long. Says yes or no; what is
 * wrong says verify.ts. The host writes tables and rows into memory (src/runtime/sound.ts).
 */

/** Places in the lists of segments and dtypes of plan-tables.ts: a weight, a state and f32 come first. */
const IO: u32 = 2
const SCRATCH: u32 = 3
const SEGMENTS: u32 = 4
const F64: u32 = 1
const I32: u32 = 2
const T2: u32 = 5
const DTYPES: u32 = 6

/** A row of a buffer, in bytes: u32 segment, dtype, shape, bytes, offset, and 1 + name or 0. */
const BUFFER: usize = 24
/** Of a shape: u32 number of its dimensions, and where they stand: u32, a constant each. */
const SHAPE: usize = 8
/** Of a constant: f64 value, or the buffer of an address; f64 bytes behind that; u32 what it is. Dimensions are some. */
const CONSTANT: usize = 24
const INTEGER: u32 = 0
const FRACTION: u32 = 1
/** A size with symbols, as its value at the largest ones. */
const SIZE: u32 = 2
const PLACE: u32 = 3
const CONSTANTS: u32 = 4
/** Of a kernel: u32 number of its parameters or UNKNOWN, and where their kinds stand, a byte each. */
const KERNEL: usize = 8
const UNKNOWN: u32 = 0xffffffff
const ADDRESS: u32 = 0
const NUMBER_I32: u32 = 1
/** Offsets are multiples of it. */
const ALIGN: u32 = 64

let shapes: usize = 0
let shapeCount: u32 = 0
/** Rows and columns of a block of packed ternary codes, and its bytes. */
let block: f64 = 0
let blockBytes: f64 = 0
let constants: usize = 0
let constantCount: u32 = 0
let kernels: usize = 0
let kernelCount: u32 = 0
let nameCount: u32 = 0

/** Where the rows of the next plan begin, and all of them end. */
let buffers: usize = 0
let buffersEnd: usize = 0
let calls: usize = 0
let callsEnd: usize = 0

/** i32 of each buffer: the first and the last call that touches it, -1: none; of each name its buffer, -1: none. */
let from: usize = 0
let to: usize = 0
let owner: usize = 0
/** u32: buffers in the order in which they come to life, and how many have. */
let order: usize = 0
let alive: u32 = 0
/** u32: those of the arena that live, while they are compared. */
let open: usize = 0
/** Where that begins. */
let scratch: usize = 0

/** Constants may be changed between plans: their values are those at the largest symbols of the next one. */
export function setTables(
  packedBlock: f64,
  packedBytes: f64,
  shapesAt: usize,
  shapesCount: u32,
  constantsAt: usize,
  constantsCount: u32,
  kernelsAt: usize,
  kernelsCount: u32,
  names: u32,
): void {
  block = packedBlock
  blockBytes = packedBytes
  shapes = shapesAt
  shapeCount = shapesCount
  constants = constantsAt
  constantCount = constantsCount
  kernels = kernelsAt
  kernelCount = kernelsCount
  nameCount = names
}

/** Rows of all plans; behind `scratchAt` memory is free for 16 bytes a buffer of a plan and 4 a name. */
export function setRows(buffersAt: usize, buffersTo: usize, callsAt: usize, callsTo: usize, scratchAt: usize): void {
  buffers = buffersAt
  buffersEnd = buffersTo
  calls = callsAt
  callsEnd = callsTo
  scratch = scratchAt
}

function word(list: usize, i: u32): u32 {
  return load<u32>(list + ((<usize>i) << 2))
}

function setWord(list: usize, i: u32, value: u32): void {
  store<u32>(list + ((<usize>i) << 2), value)
}

function rowOf(buffer: u32): usize {
  return buffers + <usize>buffer * BUFFER
}

function segmentOf(buffer: u32): u32 {
  return load<u32>(rowOf(buffer))
}

function isDead(buffer: u32): bool {
  return <i32>word(from, buffer) < 0
}

/**
 * Whether the next plan is sound, which has that many rows, and at `ports` the names of its inputs, then of its outputs:
 * u32, UNKNOWN where it is no name.
 */
export function isSound(bufferCount: u32, callCount: u32, ports: usize, inputs: u32, outputs: u32): bool {
  if ((buffersEnd - buffers) / BUFFER < bufferCount) return false
  from = scratch
  to = from + ((<usize>bufferCount) << 2)
  order = to + ((<usize>bufferCount) << 2)
  open = order + ((<usize>bufferCount) << 2)
  owner = open + ((<usize>bufferCount) << 2)
  alive = 0
  memory.fill(from, 0xff, (<usize>bufferCount) << 3)
  memory.fill(owner, 0xff, (<usize>nameCount) << 2)
  for (let i: u32 = 0; i < bufferCount; i++) if (!isBufferSound(i)) return false
  for (let i: u32 = 0; i < inputs; i++) {
    const buffer = named(word(ports, i))
    if (buffer == UNKNOWN || segmentOf(buffer) != IO) return false
    begin(buffer, 0)
  }
  const outputsAt = ports + ((<usize>inputs) << 2)
  for (let i: u32 = 0; i < outputs; i++) {
    const buffer = named(word(outputsAt, i))
    if (buffer == UNKNOWN || segmentOf(buffer) == SCRATCH) return false
  }
  for (let step: u32 = 0; step < callCount; step++) if (!isCallSound(step, bufferCount)) return false
  for (let i: u32 = 0; i < outputs; i++) {
    const buffer = named(word(outputsAt, i))
    if (segmentOf(buffer) != IO) continue
    if (isDead(buffer)) return false
    setWord(to, buffer, callCount)
  }
  for (let i: u32 = 0; i < bufferCount; i++) if (segmentOf(i) == SCRATCH && isDead(i)) return false
  if (!isArenaSound()) return false
  buffers += <usize>bufferCount * BUFFER
  return true
}

/** The buffer of a name; UNKNOWN where there is none. */
function named(name: u32): u32 {
  return name < nameCount ? word(owner, name) : UNKNOWN
}

function begin(buffer: u32, step: u32): void {
  if (!isDead(buffer)) return
  setWord(from, buffer, step)
  setWord(order, alive++, buffer)
}

function neededBytes(shape: usize, dtype: u32): f64 {
  const rank = load<u32>(shape)
  const dimensions: usize = load<u32>(shape, 4)
  let rows: f64 = 1
  let columns: f64 = 1
  for (let i: u32 = 0; i < rank; i++) {
    rows *= columns
    columns = load<f64>(constants + <usize>word(dimensions, i) * CONSTANT)
  }
  if (dtype == T2) return ceil<f64>(rows / block) * ceil<f64>(columns / block) * blockBytes
  return rows * columns * (dtype == F64 ? 8 : dtype > I32 ? 1 : 4)
}

/** Whether a buffer is large enough and in its place, and has a name of its own where it needs one. */
function isBufferSound(i: u32): bool {
  const row = rowOf(i)
  const segment = load<u32>(row)
  const dtype = load<u32>(row, 4)
  const shape = load<u32>(row, 8)
  const bytes = load<u32>(row, 12)
  const name = load<u32>(row, 20)
  if (segment >= SEGMENTS || dtype >= DTYPES || shape >= shapeCount || name > nameCount) return false
  // Not of sizes that have no value either.
  if (!(<f64>bytes >= neededBytes(shapes + <usize>shape * SHAPE, dtype))) return false
  if (segment >= IO && load<u32>(row, 16) % ALIGN != 0) return false
  if (name == 0) return segment == SCRATCH
  if (word(owner, name - 1) != UNKNOWN) return false
  setWord(owner, name - 1, i)
  return true
}

/** Whether the next call is one of a known kernel with what it takes; notes which buffers it touches. */
function isCallSound(step: u32, bufferCount: u32): bool {
  if (callsEnd - calls < 8) return false
  const kernel = load<u32>(calls)
  const length = load<u32>(calls, 4)
  const args = calls + 8
  if (kernel >= kernelCount || (callsEnd - args) >> 2 < length) return false
  const takes = kernels + <usize>kernel * KERNEL
  if (load<u32>(takes) != length) return false
  const kinds: usize = load<u32>(takes, 4)
  let addresses: u32 = 0
  let isFirstWritten = true
  for (let i: u32 = 0; i < length; i++) {
    const code = word(args, i)
    const kind: u32 = load<u8>(kinds + i)
    let buffer = code >>> 1
    if (code & 1) {
      if (buffer >= constantCount) return false
      const constant = constants + <usize>buffer * CONSTANT
      if (load<u32>(constant, 16) != PLACE) {
        if (!isNumberSound(constant, kind)) return false
        continue
      }
      const at = load<f64>(constant)
      const plus = load<f64>(constant, 8)
      if (!(at < <f64>bufferCount && plus < 4294967296)) return false
      buffer = <u32>at
      const behind = <u32>plus
      if (behind % 4 != 0 || (behind > 0 && behind >= load<u32>(rowOf(buffer), 12))) return false
    } else if (buffer >= bufferCount) return false
    if (kind != ADDRESS) return false
    // Inputs come first in the arguments of a kernel; only those that fill memory have a single buffer and no input.
    if (addresses++ == 0) isFirstWritten = segmentOf(buffer) != SCRATCH || !isDead(buffer)
    else if (!isFirstWritten) return false
    begin(buffer, step)
    setWord(to, buffer, step)
  }
  calls = args + ((<usize>length) << 2)
  return true
}

function isNumberSound(constant: usize, kind: u32): bool {
  const what = load<u32>(constant, 16)
  if (what >= CONSTANTS) return false
  if (kind == ADDRESS) return what == INTEGER && load<f64>(constant) == 0
  return kind == NUMBER_I32 ? what != FRACTION : what != SIZE
}

/** Whether no two buffers of the arena that live at the same time overlap. */
function isArenaSound(): bool {
  let opened: u32 = 0
  for (let next: u32 = 0; next < alive; next++) {
    const i = word(order, next)
    const row = rowOf(i)
    const bytes = load<u32>(row, 12)
    const begun = <i32>word(from, i)
    if (load<u32>(row) < IO || bytes == 0 || begun > <i32>word(to, i)) continue
    const start: u64 = load<u32>(row, 16)
    const end = start + bytes
    let still: u32 = 0
    for (let k: u32 = 0; k < opened; k++) {
      const j = word(open, k)
      if (<i32>word(to, j) < begun) continue
      setWord(open, still++, j)
      const other = rowOf(j)
      const otherStart: u64 = load<u32>(other, 16)
      if (end > otherStart && otherStart + load<u32>(other, 12) > start) return false
    }
    setWord(open, still, i)
    opened = still + 1
  }
  return true
}
