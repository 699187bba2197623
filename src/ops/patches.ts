/**
 * Images cut into square patches: the patch embedding of a ViT (arXiv 2010.11929) is a linear on these rows, its
 * convolution weight [N, C, p, p] used as [N, C*p*p] unchanged.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { fixed, times } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/**
 * rows[(b, py, px), (c, y, x)] = pixels[b, c, py * patch + y, px * patch + x]
 * in   pixels [B, C, S, S] f32
 * out  rows [B*(S/patch)^2, C*patch*patch] f32
 * grad none: pixels are not trained
 */
export const patchesOp: Op = {
  name: 'patches',
  infer(inputs, { patch }) {
    const pixels = given(inputs, 0, 'patches')
    requireThat(pixels.shape.length === 4, 'patches', 'pixels must have shape [B, C, S, S]', pixels.shape)
    const [B, C, height, width] = pixels.shape
    const side = fixed(width) / Number(patch)
    requireThat(height === width, 'patches', 'images must be square', pixels.shape)
    requireThat(Number.isInteger(side), 'patches', `images must be a multiple of ${patch} pixels wide`, width)
    return [{ shape: [times(B, side * side), fixed(C) * Number(patch) ** 2], dtype: 'f32' }]
  },
  reference([pixels], [rows], attributes) {
    const [B, C, S] = pixels!.shape
    const patch = Number(attributes.patch)
    const side = S / patch
    const width = C * patch * patch
    for (let image = 0; image < B * C; image++) {
      const [b, c] = [Math.floor(image / C), image % C]
      for (let y = 0; y < S; y++) {
        for (let x = 0; x < S; x++) {
          const row = (b * side + Math.floor(y / patch)) * side + Math.floor(x / patch)
          const column = (c * patch + (y % patch)) * patch + (x % patch)
          rows.data[row * width + column] = pixels!.data[(image * S + y) * S + x]
        }
      }
    }
  },
  lower({ inputs: [pixels], outputs: [rows], attributes }, to) {
    const [B, C, S] = pixels!.shape
    to.call('patches__f32', to.at(pixels), to.at(rows), B, C, S, Number(attributes.patch))
  },
  cases: [
    patchesCase(1, 1, 1, 1),
    patchesCase(2, 3, 9, 3),
    patchesCase(1, 3, 28, 14),
    patchesCase(3, 2, 14, 7),
    patchesCase(1, 1, 33, 33),
    patchesCase(2, 3, 32, 16),
  ],
}

function patchesCase(B: number, C: number, S: number, patch: number) {
  return { name: `b${B}_c${C}_s${S}_p${patch}`, inputs: [{ shape: [B, C, S, S] }], attributes: { patch } }
}

export function patches(b: Builder, pixels: Value, patch: number): Value {
  return b.apply(patchesOp, [pixels], { patch })[0]
}
