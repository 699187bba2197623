/**
 * Element types of tensors. `t2` is a ternary code {-1,0,1}: four to a byte, in the block layout of abi.ts.
 */
export type DType = 'f32' | 'f64' | 'i32' | 'i8' | 'u8' | 't2'

/** Typed array that a tensor of each type is seen through; packed `t2` is raw bytes. */
export type TensorData = Float32Array | Float64Array | Int32Array | Int8Array | Uint8Array

const VIEWS = { f32: Float32Array, f64: Float64Array, i32: Int32Array, i8: Int8Array, u8: Uint8Array, t2: Uint8Array }

/** A view of `length` elements (bytes for t2) at byte `offset` of `buffer`. */
export function view(dtype: DType, buffer: ArrayBufferLike, offset: number, length: number): TensorData {
  return new VIEWS[dtype](buffer as ArrayBuffer, offset, length)
}

/** Bytes of one element of a view: of packed t2 a byte of four codes. */
export function viewBytes(dtype: DType): number {
  return VIEWS[dtype].BYTES_PER_ELEMENT
}

/** Bytes of one element; a t2 element has no address of its own, see packedBytes in abi.ts. */
export function elementBytes(dtype: Exclude<DType, 't2'>): number {
  return viewBytes(dtype)
}
