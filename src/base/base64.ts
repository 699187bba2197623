/** Base64 as scripts carry WebAssembly in. */

/** Of engines that read base64 by themselves, as Node does too: a loop takes 2 ms before it is compiled. */
const { fromBase64: read } = Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  if (read) return read(text)
  if (typeof Buffer !== 'undefined') return Buffer.from(text, 'base64')
  const characters = atob(text)
  const bytes = new Uint8Array(characters.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i)
  return bytes
}
