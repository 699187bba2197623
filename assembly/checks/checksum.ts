/**
 * XXH64 (Yann Collet, xxHash specification 0.1.1) with seed 0, over bytes that come in parts through memory,
 * to which the host gives a page: what files are checked with. A module of its own, since files are read before kernels
 * are chosen.
 */
const P1: u64 = 0x9e3779b185ebca87
const P2: u64 = 0xc2b2ae3d27d4eb4f
const P3: u64 = 0x165667b19e3779f9
const P4: u64 = 0x85ebca77c2b2ae63
const P5: u64 = 0x27d4eb2f165667c5

/** Bytes that the four accumulators take at once. */
const STRIPE: u32 = 32

let a: u64 = 0
let b: u64 = 0
let c: u64 = 0
let d: u64 = 0
let total: u64 = 0
/** Where the last part keeps what is less than a stripe. */
let tail: u32 = 0

/** In shifts: the first compiler of V8 calls a function of its own for a rotation, which takes four times as long. */
function round(accumulator: u64, lane: u64): u64 {
  const sum = accumulator + lane * P2
  return ((sum << 31) | (sum >> 33)) * P1
}

function merge(hash: u64, accumulator: u64): u64 {
  return (hash ^ round(0, accumulator)) * P1 + P4
}

export function reset(): void {
  a = P1 + P2
  b = P2
  c = 0
  d = 0 - P1
  total = 0
  tail = 0
}

/** Takes the first `length` bytes of memory; all parts but the last are whole stripes. */
export function update(length: u32): void {
  let p = a
  let q = b
  let r = c
  let s = d
  const end = length & ~(STRIPE - 1)
  for (let at: u32 = 0; at < end; at += STRIPE) {
    p = round(p, load<u64>(at))
    q = round(q, load<u64>(at, 8))
    r = round(r, load<u64>(at, 16))
    s = round(s, load<u64>(at, 24))
  }
  a = p
  b = q
  c = r
  d = s
  total += length
  tail = end
}

export function digest(): u64 {
  let hash = P5
  if (total >= STRIPE) {
    hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18)
    hash = merge(merge(merge(merge(hash, a), b), c), d)
  }
  hash += total
  let left = (<u32>total) & (STRIPE - 1)
  let at = tail
  for (; left >= 8; left -= 8, at += 8) hash = rotl<u64>(hash ^ round(0, load<u64>(at)), 27) * P1 + P4
  if (left >= 4) {
    hash = rotl<u64>(hash ^ (load<u32>(at) * P1), 23) * P2 + P3
    left -= 4
    at += 4
  }
  for (; left > 0; left--, at++) hash = rotl<u64>(hash ^ (load<u8>(at) * P5), 11) * P1
  hash = (hash ^ (hash >> 33)) * P2
  hash = (hash ^ (hash >> 29)) * P3
  return hash ^ (hash >> 32)
}
