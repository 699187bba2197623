/** What a file is checked with before kernels are chosen: one small module, whose memory the host fills. */
export { digest, reset, update } from './checksum'
export { isSound, setRows, setTables } from './plans'
