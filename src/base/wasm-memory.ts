/** Memory of WebAssembly, which grows by pages. */

/** Bytes of a page. */
export const PAGE = 65536

/** Grows memory so that it holds `bytes`; throws what the engine throws where there is no more. */
export function growTo(memory: WebAssembly.Memory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE)
  if (missing > 0) memory.grow(missing)
}
