/** What codegen writes to build/; declared, so that types are checked before anything is built. */
declare module '*/kernels-scalar.js' {
  const module: { wasm: string; manifest: import('./abi.ts').Manifest }
  export default module
}
declare module '*/kernels-simd128.js' {
  const module: { wasm: string; manifest: import('./abi.ts').Manifest }
  export default module
}
declare module '*/kernels-relaxed.js' {
  const module: { wasm: string; manifest: import('./abi.ts').Manifest }
  export default module
}
declare module '*-training.js' {
  const module: { wasm: string; manifest: import('./abi.ts').Manifest }
  export default module
}
declare module '*/checks.js' {
  /** The module of assembly/checks in base64. */
  const wasm: string
  export default wasm
}
