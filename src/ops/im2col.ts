/**
 * Convolution by im2col: rows of taps with the channels last, so that a convolution is a linear on rows
 * (model.md section 3, convolutional stem). Padding is 1.
 */
import type { Builder } from '../graph/builder.ts'
import type { Attributes, Op, Value } from '../graph/graph.ts'
import { columns, fixed } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

const PAD = 1

/** Sides of the input in pixels, of the square kernel, and the step; size / stride is the side of the output. */
export interface Im2colOptions {
  size: number
  kernel: number
  stride: number
}

/**
 * rows[b, (oy, ox), (ky, kx, c)] = x[b, (oy * stride + ky - 1, ox * stride + kx - 1), c], 0 outside the image
 * in   x [B, size*size, C] f32, channels last
 * out  rows [B, (size/stride)^2, kernel*kernel*C] f32
 * grad dx = sum of drows over the taps that read it
 */
export const im2colOp: Op = {
  name: 'im2col',
  infer(inputs, attributes) {
    const x = given(inputs, 0, 'im2col')
    const { size, kernel, stride } = geometry(attributes)
    const fits = Number.isInteger(size / stride) && Math.floor((size + 2 * PAD - kernel) / stride) + 1 === size / stride
    requireThat(fits, 'im2col', `a kernel of ${kernel}, step ${stride}, must give ${size}/${stride} positions a side`)
    requireThat(x.shape.length === 3, 'im2col', 'x must have shape [B, size*size, C]', x.shape)
    requireThat(x.shape[1] === size * size, 'im2col', `x must have ${size}*${size} positions`, x.shape)
    return [{ shape: [x.shape[0], (size / stride) ** 2, kernel * kernel * columns(x.shape)], dtype: 'f32' }]
  },
  reference([x], [rows], attributes) {
    const [B, , C] = x!.shape
    eachTap(B, C, attributes, (pixel, tap) => (rows.data[tap] = x!.data[pixel]))
  },
  grad: (b, { attributes }, [drows]) => [b.apply(im2colGradOp, [drows], attributes)[0]],
  lower({ inputs: [x], outputs: [rows], attributes }, to) {
    const { size, kernel, stride } = geometry(attributes)
    to.call('im2col__f32', to.at(x), to.at(rows), x!.shape[0], size, columns(x!.shape), kernel, stride)
  },
  cases: [
    im2colCase(1, 1, 1, 3, 1),
    im2colCase(2, 2, 3, 4, 2),
    im2colCase(3, 6, 3, 4, 2),
    im2colCase(2, 8, 24, 3, 2),
    im2colCase(2, 5, 7, 3, 1),
    im2colCase(1, 4, 33, 3, 1),
    im2colCase(1, 4, 48, 3, 1),
    im2colCase(2, 6, 5, 3, 3),
  ],
}

const im2colGradOp: Op = {
  name: 'im2col_grad',
  infer([drows], attributes) {
    const { size, kernel } = geometry(attributes)
    return [{ shape: [drows!.shape[0], size * size, fixed(drows!.shape[2]) / kernel ** 2], dtype: 'f32' }]
  },
  reference([drows], [dx], attributes) {
    const [B, , C] = dx.shape
    eachTap(B, C, attributes, (pixel, tap) => (dx.data[pixel] += drows!.data[tap]))
  },
  lower({ inputs: [drows], outputs: [dx], attributes }, to) {
    const { size, kernel, stride } = geometry(attributes)
    to.call('im2col_grad__f32', to.at(drows), to.at(dx), dx.shape[0], size, columns(dx.shape), kernel, stride)
  },
  cases: [],
}

function geometry({ size, kernel, stride }: Attributes): Im2colOptions {
  return { size: Number(size), kernel: Number(kernel), stride: Number(stride) }
}

/** Visits every tap inside the image: the index of its pixel in x and its own in rows. */
function eachTap(B: number, C: number, attributes: Attributes, visit: (pixel: number, tap: number) => void): void {
  const { size, kernel, stride } = geometry(attributes)
  const side = size / stride
  let tap = 0
  for (let cell = 0; cell < B * side * side; cell++) {
    const image = Math.floor(cell / (side * side))
    for (let k = 0; k < kernel * kernel; k++) {
      const y = (Math.floor(cell / side) % side) * stride + Math.floor(k / kernel) - PAD
      const x = (cell % side) * stride + (k % kernel) - PAD
      const inside = y >= 0 && y < size && x >= 0 && x < size
      for (let c = 0; c < C; c++, tap++) if (inside) visit(((image * size + y) * size + x) * C + c, tap)
    }
  }
}

function im2colCase(B: number, size: number, C: number, kernel: number, stride: number) {
  return {
    name: `b${B}_s${size}_c${C}_k${kernel}_${stride}`,
    inputs: [{ shape: [B, size * size, C] }],
    attributes: { size, kernel, stride },
  }
}

export function im2col(b: Builder, x: Value, { size, kernel, stride }: Im2colOptions): Value {
  return b.apply(im2colOp, [x], { size, kernel, stride })[0]
}
