/**
 * Writing Protocol Buffers (https://protobuf.dev/programming-guides/encoding): a message is its fields one after the
 * other, each a tag and a value. Only what ONNX models need; nothing is read here.
 */

/** Numbers of the wire format. */
const VARINT = 0
const LENGTH = 2
const FIXED32 = 5

/** Seven bits a byte, the lowest first; negative numbers have ten bytes. */
function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}

const tag = (field: number, wire: number) => varint((field << 3) | wire)

/** A message, or a part of one: the parts one after the other. */
export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts)
}

/** A whole number: int32, int64 or an enumeration. */
export function integer(field: number, value: number): Uint8Array {
  return join(tag(field, VARINT), varint(value))
}

export function float(field: number, value: number): Uint8Array {
  return join(tag(field, FIXED32), new Uint8Array(Float32Array.of(value).buffer))
}

/** Bytes, or a message within the message. */
export function bytes(field: number, value: Uint8Array): Uint8Array {
  return join(tag(field, LENGTH), varint(value.length), value)
}

export function text(field: number, value: string): Uint8Array {
  return bytes(field, new TextEncoder().encode(value))
}
