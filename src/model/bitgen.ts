/**
 * The entry points of inference as graphs: one for images, one for texts. They are lowered at export and travel in
 * the model file; the trainer lowers them too, on the weights that it is training.
 */
import { Builder } from '../graph/builder.ts'
import type { Graph } from '../graph/graph.ts'
import type { ModelConfig } from './config.ts'
import { encodeImage, visionTokens } from './fusion.ts'
import { features, imageProjection, textProjection } from './losses.ts'
import { encodeText } from './text.ts'

/** pixels [B,3,S,S] f32, normalised -> image_projection and image_features [B,C]. */
export function encodeImageGraph(config: ModelConfig): Graph {
  const b = new Builder('encodeImage')
  const pixels = b.input('pixels', ['B', 3, config.image, config.image])
  const projection = imageProjection(b, config, encodeImage(b, config, visionTokens(b, config, pixels)))
  b.output('image_projection', projection)
  b.output('image_features', features(b, projection))
  return b.graph
}

/** ids [B,T] i32, lengths [B] i32 -> embeddings [B,T,C], text_projection and text_features [B,C]. */
export function encodeTextGraph(config: ModelConfig): Graph {
  const b = new Builder('encodeText')
  const ids = b.input('ids', ['B', 'T'], 'i32')
  const lengths = b.input('lengths', ['B'], 'i32')
  const h = encodeText(b, config, ids, lengths, null)
  const projection = textProjection(b, config, h, lengths)
  b.output('embeddings', h)
  b.output('text_projection', projection)
  b.output('text_features', features(b, projection))
  return b.graph
}
