/**
 * Numbers of parameters by part, against those of the PyTorch reference (count_by_part) for the published card and the
 * small preset.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { modelConfig } from '../src/model/config.ts'
import { countByPart, modelParameterSizes } from '../src/model/parameters.ts'

/** The reference has the published head of matching. */
const PUBLISHED = { matchSimilarity: false }
const COMMON = { fusion: 411906, text: 658818, itm: 33538, memory: 37248, decoder: 428160, 'text embeddings': 6465664 }

test('tiny has the 9.77 million parameters of the card, within its 5 to 10', () => {
  const counts = countByPart(modelParameterSizes(modelConfig('tiny', PUBLISHED)))
  assert.equal(counts, { ...COMMON, vision: 1696896, itc: 33025, total: 9765255 })
})

test('nano differs in the tower and in what the image feature sees', () => {
  const counts = countByPart(modelParameterSizes(modelConfig('nano', PUBLISHED)))
  assert.equal(counts, { ...COMMON, vision: 1213936, itc: 278785, total: 9528055 })
})

test('a head that reads the similarity has a weight for each channel and class more, and a bias', () => {
  const counts = (overrides: object) => countByPart(modelParameterSizes(modelConfig('tiny', overrides)))
  assert.is(counts({}).itm - counts(PUBLISHED).itm, 2 * 128 + 2)
})

test('a seen vocabulary leaves out nothing but rows of the table', () => {
  const full = modelParameterSizes(modelConfig('nano'))
  const seen = modelParameterSizes({ ...modelConfig('nano'), vocabulary: 100 })
  for (const [name, count] of full) {
    assert.is(seen.get(name), name === 'text.token_embedding.weight' ? 100 * 128 : count, name)
  }
})

test.run()
