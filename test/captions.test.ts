/**
 * Scores of captions against values by hand, the properties their papers give, and the scorers of coco-caption.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { scoreCaptions, words, type CaptionPair } from '../src/evaluate/captions.ts'

/** A picture: what was generated, then the references. */
function pair(hypothesis: string, ...references: string[]): CaptionPair {
  return { hypothesis, references }
}

function near(got: number, want: number, tolerance = 1e-12): void {
  assert.ok(Math.abs(got - want) <= tolerance, `got ${got}, want ${want}`)
}

test('words in lower case without punctuation, parts of contractions on their own', () => {
  assert.equal(words("A man's T-shirt isn’t (very) RED..."), ['a', 'man', "'s", 't-shirt', 'is', "n't", 'very', 'red'])
  assert.equal(words('3.5 of 1,000 – at 5 o’clock,now!'), ['3.5', 'of', '1,000', 'at', '5', "o'clock", 'now'])
  assert.equal(words("“Black” & white: 100%; `dogs' -- {it’s} 'Été'"), [
    ...['black', '&', 'white', '100', '%', 'dogs', 'it', "'s", 'été'],
  ])
  assert.equal(words(' . \n'), [])
})

test('exact match is a share of pictures, any reference, case and white space aside', () => {
  const pairs = [pair(' Red \n CAR ', 'blue car', 'red car'), pair('red car.', 'red car'), pair('a red car', 'red car')]
  near(scoreCaptions(pairs).exact, 100 / 3)
  assert.is(scoreCaptions(pairs).n, 3)
})

test('F1 by hand: articles do not count, words count as often as in both, the best reference, the mean', () => {
  const f1 = (...pairs: CaptionPair[]) => scoreCaptions(pairs).f1
  assert.is(f1(pair('The red car', 'a car, an RED')), 100)
  // 2 shared of 3 and 4 words.
  near(f1(pair('big red dog', 'the big red house here')), 400 / 7)
  // dog twice in one and three times in the other: 2 shared of 2 and 4.
  near(f1(pair('dog dog', 'dog dog dog cat')), 400 / 6)
  // 1 of 2 and 3, 2 of 2 and 4: the second is the better.
  near(f1(pair('red car', 'one red house', 'one red car here')), 400 / 6)
  near(f1(pair('red car', 'red car'), pair('red car', 'red house'), pair('red car', 'dog')), (100 + 50 + 0) / 3)
})

test('BLEU: the example of the paper has a modified precision of 2/7', () => {
  // Papineni et al. 2002, example 2. Lengths 6 and 7 for 7 words, so no penalty; "the the" is in no reference.
  const { bleu } = scoreCaptions([
    pair('the the the the the the the', 'The cat is on the mat.', 'There is a cat on the mat.'),
  ])
  near(bleu[0], 200 / 7)
  assert.equal(bleu.slice(1), [0, 0, 0])
})

test('BLEU: equal captions have 100, orders that no caption is long enough for 0', () => {
  assert.equal(scoreCaptions([pair('a cat on the mat', 'A cat on the mat.')]).bleu, [100, 100, 100, 100])
  assert.equal(scoreCaptions([pair('red car', 'red car'), pair('dog', 'dog')]).bleu, [100, 100, 0, 0])
})

test('BLEU by hand: counts and lengths of the corpus, clipped by the largest count of one reference', () => {
  // Matches of orders 1, 2, 3: 4 of 5 (dog once), 2 of 3 (w x, x y), 1 of 1 (w x y). c = 5, r = 3 + 1.
  const { bleu } = scoreCaptions([pair('w x y', 'w x y', 'w'), pair('dog dog', 'dog', 'dog')])
  near(bleu[0], 80)
  near(bleu[1], 100 * Math.sqrt((4 / 5) * (2 / 3)))
  near(bleu[2], 100 * Math.cbrt((4 / 5) * (2 / 3)))
  assert.is(bleu[3], 0)
  // One "dog" in each of two references, above, does not allow two; two in one do.
  near(scoreCaptions([pair('dog dog', 'dog dog', 'dog')]).bleu[0], 100)
})

test('BLEU: a corpus shorter than its references is penalised by exp(1 - r/c)', () => {
  for (const got of scoreCaptions([pair('a b c d', 'a b c d e f g h')]).bleu) near(got, 100 * Math.exp(-1))
  // One caption too long by 4, one too short by 4: the corpus is as long as its references.
  near(scoreCaptions([pair('a b c d', 'a b c d e f g h'), pair('i j k l m n o p', 'i j k l')]).bleu[0], (100 * 8) / 12)
})

test('BLEU: of two lengths as close as each other the shorter counts', () => {
  // Lengths 2 and 6 for 4 words: r = 2, no penalty. Lengths 1 and 6: r = 6.
  near(scoreCaptions([pair('a b c d', 'a b', 'c d e f g h')]).bleu[0], 100)
  near(scoreCaptions([pair('a b c d', 'c d e f g h', 'a b')]).bleu[0], 100)
  near(scoreCaptions([pair('a b c d', 'a', 'b c d e f g')]).bleu[0], 100 * Math.exp(1 - 6 / 4))
})

test('CIDEr-D: a caption that equals its only reference has 10, one of two words 5', () => {
  const long = ['a cat sat on the mat', 'two dogs play in the snow', 'four red toy cars']
  const same = (texts: string[]) => scoreCaptions(texts.map((text) => pair(text, text)))
  assert.is(same(long).cider, 10)
  assert.is(same(long).ciderCeiling, 10)
  assert.is(same(['red car', 'blue sky']).cider, 5)
  assert.is(same(['red car here', 'blue sky']).cider, (7.5 + 5) / 2)
  // The ceiling does not ask what was generated.
  assert.is(scoreCaptions([pair('dog', 'red car'), pair('', 'blue sky')]).ciderCeiling, 5)
})

test('CIDEr-D by hand: weights from document frequency', () => {
  // Two pictures, every word in one of them or in none: weights ln 2. Single words 1/2, pairs 0: 10 (1/2) / 4.
  near(scoreCaptions([pair('red bus', 'red car'), pair('blue sky', 'blue sky')]).cider, (1.25 + 5) / 2)
  // Four pictures, cat in two: cat weighs ln 2, sat and ran 2 ln 2, so cos = 1 / (1 + 4). 10 (1/5) / 4, others 0.
  const four = [pair('cat ran', 'cat sat'), pair('', 'cat'), pair('', 'dog'), pair('', 'owl')]
  near(scoreCaptions(four).cider, 0.5 / 4)
  // A word in every picture weighs nothing: cat alone is no match. A second reference of one picture changes no count.
  assert.is(scoreCaptions([pair('cat', 'cat sat', 'cat lay'), pair('', 'cat ran')]).cider, 0)
})

test('CIDEr-D by hand: clipped counts, penalty on length, mean over references', () => {
  // min(3,1) 1 / (3 sqrt 2), one word too long: exp(-1 / 72).
  const repeated = scoreCaptions([pair('red red red', 'red car'), pair('', 'blue sky')]).cider
  near(repeated, ((10 / 4) * Math.exp(-1 / 72)) / (3 * Math.SQRT2) / 2)
  // Three words too few: single words 2 / sqrt 10, pairs 1 / 2.
  const short = scoreCaptions([pair('red car', 'red car by the sea'), pair('', 'blue sky')]).cider
  near(short, ((10 / 4) * Math.exp(-9 / 72) * (2 / Math.sqrt(10) + 1 / 2)) / 2)
  // With "red car" 5, with "old van" 0; the ceiling of this picture is 2.5 too.
  const { cider, ciderCeiling } = scoreCaptions([pair('red car', 'red car', 'old van'), pair('', 'blue sky')])
  assert.equal([cider, ciderCeiling], [2.5 / 2, (2.5 + 5) / 2])
})

test('BLEU and CIDEr-D of coco-caption', () => {
  // bleu_scorer.py ("closest") and cider_scorer.py of tylin/coco-caption 3a9afb2, run by Python 3 on these strings.
  const { bleu, cider, ciderCeiling } = scoreCaptions([
    pair(
      'a man rides a brown horse on the beach',
      'a man is riding a horse on the beach',
      'a person rides a brown horse along the shore',
    ),
    pair(
      'two dogs play with a red ball',
      'two dogs play with a ball in the grass',
      'a pair of dogs chasing a red ball',
      'dogs play',
    ),
    pair(
      'the the the the a plate of food',
      'a plate of food on the table',
      'the plate of food sits next to a glass of water',
    ),
  ])
  const want = [87.49999999270834, 81.64965808572546, 71.81448966126996, 59.2759803290266]
  // coco-caption adds 1e-9 to its denominators.
  want.forEach((value, k) => near(bleu[k], value, 1e-7))
  near(cider, 3.2968174465267537)
  // The mean of the best that a reference reaches at each picture.
  near(ciderCeiling, (5.225171220284968 + 3.9821772596122433 + 5.886284130557236) / 3)
})

test('nothing generated, or nothing that compares, has 0', () => {
  const zeros = { exact: 0, f1: 0, bleu: [0, 0, 0, 0], cider: 0 }
  for (const empty of ['', ' ', '...']) {
    assert.equal(scoreCaptions([pair(empty, 'red car'), pair(empty, 'dog')]), { n: 2, ...zeros, ciderCeiling: 3.75 })
  }
  // Only articles, and a reference without a word.
  assert.is(scoreCaptions([pair('the', 'a')]).f1, 0)
  assert.equal(scoreCaptions([pair('', '!')]), { n: 1, ...zeros, ciderCeiling: 0 })
})

test('of one picture CIDEr-D is 0, since every word is in every picture', () => {
  const { cider, ciderCeiling, exact, f1 } = scoreCaptions([pair('a cat on a mat', 'a cat on a mat')])
  assert.equal([cider, ciderCeiling, exact, f1], [0, 0, 100, 100])
})

test('the order of pictures and references does not count', () => {
  const pairs = [pair('red car', 'red car here', 'a car'), pair('blue sky', 'sky'), pair('dog', 'one dog', 'dogs')]
  const turned = pairs.toReversed().map(({ hypothesis, references }) => pair(hypothesis, ...references.toReversed()))
  const [one, other] = [scoreCaptions(pairs), scoreCaptions(turned)]
  for (const key of ['exact', 'f1', 'cider', 'ciderCeiling'] as const) near(one[key], other[key])
  assert.equal(one.bleu, other.bleu)
})

test('an empty corpus and a picture without references are refused', () => {
  assert.throws(() => scoreCaptions([]), /captions: there must be a picture/)
  const bare = [pair('dog', 'dog'), pair('dog')]
  assert.throws(() => scoreCaptions(bare), /captions: every picture must have a reference, got "none for picture 1"/)
  assert.throws(
    () => scoreCaptions(bare),
    (error: unknown) => error instanceof RangeError,
  )
})

test.run()
