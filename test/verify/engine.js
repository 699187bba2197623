/**
 * What every JavaScript engine is asked, in Node and in a page: plain `bitgen/core`, no dependency, so that it also runs
 * where sharp has no binary.
 */
import { BitGen } from '../../build/core.js'

/** The digest of the fixed inference on each instruction set, or what went wrong. */
export async function report(model, isas) {
  const results = []
  for (const isa of isas) {
    try {
      const { digest } = await (await BitGen.load(model, { target: isa })).selfTest()
      results.push({ isa, digest })
    } catch (error) {
      results.push({ isa, problem: String(error) })
    }
  }
  return { engine: typeof process === 'undefined' ? navigator.userAgent : `Node ${process.versions.node}`, results }
}
