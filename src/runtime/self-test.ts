/**
 * One digest of a whole inference: features, fused states, matching and greedy captions of three pictures that are
 * computed on the spot. Every instruction set and engine must come to the same; a model file says which it is.
 */
import type { Pixels } from '../image/pixels.ts'
import { EOS } from '../text/vocabulary.ts'
import type { Session } from './session.ts'

/** " a cat", " two red hearts", " sun", as ids of GPT-2. */
const TEXTS = [
  [EOS, 257, 3797, EOS],
  [EOS, 734, 2266, 11954, EOS],
  [EOS, 4252, EOS],
]

/** Patterns of smaller, odd and larger sides than a model takes. */
const SIDES = [
  [40, 30],
  [97, 64],
  [256, 256],
]

/** A picture of integer arithmetic: colour k of pixel (x, y) is (3 x + 5 k y + (x y >> 5)) mod 256. */
function pattern([width, height]: readonly number[]): Pixels {
  const data = new Uint8Array(3 * width * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let k = 0; k < 3; k++) data[3 * (y * width + x) + k] = (3 * x + 5 * k * y + ((x * y) >> 5)) & 255
    }
  }
  return { data, width, height, channels: 3 }
}

/** The digest, 64 hex digits; undefined in pages without TLS, whose engines cannot compute one. */
export function selfTest(session: Session): Promise<string | undefined> {
  const results = SIDES.flatMap((sides, i): ArrayBufferView[] => {
    const picture = session.encodeImage(pattern(sides))
    const text = session.encodeText(TEXTS[i])
    const own = [picture.feature, text.feature, text.states]
    if (!session.canFuse) return own
    const { states, logits, code } = session.fuse(text, picture)
    return [...own, states, logits, code, ...(session.canCaption ? captionOf(session, picture) : [])]
  })
  const bytes = results.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength))
  const all = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of bytes) {
    all.set(part, at)
    at += part.length
  }
  return sha256(all)
}

/** Ids of the greedy caption. */
function captionOf(session: Session, picture: ReturnType<Session['encodeImage']>): Int32Array[] {
  const searching = session.caption(picture, null, {})
  for (;;) {
    const { value, done } = searching.next()
    if (done) return [Int32Array.from(value.ids)]
  }
}

/** 64 lower-case hex digits; undefined where the engine has no crypto.subtle, as in pages without TLS. */
async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle
  if (!subtle) return undefined
  const digest = await subtle.digest('SHA-256', data)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
