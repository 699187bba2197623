/**
 * Plans on every instruction set, and the float64 interpreter, against the golden files that travel with the sources.
 * `npm run golden -- DIR` compares with a whole folder of them.
 */
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compiled, oracle, type Engine } from './golden/engine.ts'
import { checkFile, goldenFiles } from './golden/folder.ts'
import { passed, printReport } from './golden/report.ts'
import { builtKernels } from './support/kernels.ts'

const files = goldenFiles(join(import.meta.dirname, 'golden'))
const modules = await builtKernels()
const engines = [oracle, ...modules.map((kernels) => compiled(kernels)), compiled(modules.at(-1)!, false)]

for (const path of files) {
  for (const engine of engines) {
    // Images are prepared by kernels alone.
    if (engine === oracle && path.includes('preprocess')) continue
    test(`${path.slice(import.meta.dirname.length + 1)} on ${engine.name}`, () => {
      const report = checkFile(path, engine)
      assert.ok(report.rows.length > 0, 'a golden file must have something to compare')
      assert.ok(report.rows.every(passed), printReport(report, false))
    })
  }
}

test('a model that differs in one weight is found', () => {
  const path = files.find((file) => file.includes('dinov2'))!
  const wrong: Engine = {
    name: 'wrong',
    run(graph, feeds, symbols) {
      const name = 'vision.encoder.layer.1.mlp.fc2.bias'
      return oracle.run(
        graph,
        { ...feeds, [name]: Array.from(feeds[name], (w, i) => (i === 5 ? w + 0.01 : w)) },
        symbols,
      )
    },
  }
  assert.not(checkFile(path, wrong).rows.every(passed))
})

test.run()
