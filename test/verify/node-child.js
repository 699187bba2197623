/** `node node-child.js MODEL ISA...`: prints the report of this Node as JSON. */
import { readFileSync } from 'node:fs'
import { report } from './engine.js'

const [path, ...isas] = process.argv.slice(2)
console.log(JSON.stringify(await report(new Uint8Array(readFileSync(path)), isas)))
