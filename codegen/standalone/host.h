/*
 * C host of a standalone scalar module, which wasm2c (wabt 1.0.32, Debian 12) has made into bitgen.c: pictures, texts,
 * fusion and greedy captions, one at a time. Plans share memory, so results are copied out after each. What
 * src/runtime/session.ts does, and to the bit. For models with all parts, `matchSimilarity` and two layers in the decoder,
 * as emoji-nano.
 */
#ifndef BITGEN_HOST_H
#define BITGEN_HOST_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bitgen.h"
#include "wasm-rt-impl.h"

/* `<|endoftext|>` of GPT-2: begins and ends every text. */
#define EOS 50256

/* Keys and values of the layers of the decoder, as their names end. */
#define CACHES(X) X(0_keys) X(0_values) X(1_keys) X(1_values)

static Z_bitgen_instance_t model;

#define CALL(name, ...) Z_bitgenZ_##name(&model __VA_OPT__(, ) __VA_ARGS__)
#define CONSTANT(name) (*Z_bitgenZ_##name(&model))
#define BYTES(name) CONSTANT(name##_bytes)
/* Memory moves when it grows: taken fresh at every use. */
#define AT(address) (Z_bitgenZ_memory(&model)->data + (address))
#define PORT(name) AT(CONSTANT(name))
/* Copies of an output, as floats. */
#define TAKE(name, to) memcpy(to, PORT(name), BYTES(name))
#define GIVE(name, from) memcpy(PORT(name), from, BYTES(name))

static void give(uint8_t *port, int32_t value) { memcpy(port, &value, sizeof value); }

/* What a picture leaves: unit vector [C], vision tokens and unimodal states [1+P,C]. */
struct picture {
  float *feature, *tokens, *states;
};

/* What a text of `length` ids leaves: unit vector [C], unimodal states and those that fusion takes [T,C]. */
struct text {
  int length;
  float *feature, *states, *prefix;
};

/* A text and a picture: text states [T,C], logits of no match and match, what the memory would store [C]. */
struct pair {
  float *states, logits[2], *code;
};

static void *allocate(size_t bytes) {
  void *made = malloc(bytes);
  if (!made) {
    fprintf(stderr, "bitgen: there must be memory for %zu bytes\n", bytes);
    exit(1);
  }
  return made;
}

/* To be called first, in main: ends the program where the module traps, such as on a text that is too long. */
#define OPEN_MODEL()                                                     \
  do {                                                                   \
    wasm_rt_init();                                                      \
    Z_bitgen_init_module();                                              \
    int trap = wasm_rt_impl_try();                                       \
    if (trap) {                                                          \
      fprintf(stderr, "bitgen: the module must not trap, got %d\n", trap); \
      exit(1);                                                           \
    }                                                                    \
    Z_bitgen_instantiate(&model);                                        \
  } while (0)

/* RGB bytes [height,width,3]. */
static struct picture encode_picture(const uint8_t *rgb, int width, int height) {
  size_t bytes = (size_t)3 * width * height;
  uint32_t at = CALL(workspace, bytes);
  memcpy(AT(at), rgb, bytes);
  CALL(writePixels, width, height, 0);
  CALL(encodeImage);
  struct picture made = {
      allocate(BYTES(encodeImage_image_features)),
      allocate(BYTES(encodeImage_vision_tokens)),
      allocate(BYTES(encodeImage_image_states)),
  };
  TAKE(encodeImage_image_features, made.feature);
  TAKE(encodeImage_vision_tokens, made.tokens);
  TAKE(encodeImage_image_states, made.states);
  return made;
}

/* `ids` of GPT-2 with EOS before and behind, at most as many as the model takes. */
static struct text encode_text(const int32_t *ids, int length) {
  size_t bytes = sizeof(float) * CONSTANT(channels) * length;
  if (length < 1 || length * sizeof(int32_t) > BYTES(encodeText_ids)) {
    fprintf(stderr, "text: must have 1 to %zu ids, got %d\n", BYTES(encodeText_ids) / sizeof(int32_t), length);
    exit(1);
  }
  for (int i = 0; i < length; i++) give(PORT(encodeText_ids) + 4 * i, CALL(vocabularyRow, ids[i]));
  give(PORT(encodeText_lengths), length);
  CALL(encodeText, length);
  struct text made = {length, allocate(BYTES(encodeText_text_features)), allocate(bytes), allocate(bytes)};
  TAKE(encodeText_text_features, made.feature);
  memcpy(made.states, PORT(encodeText_embeddings), bytes);
  memcpy(made.prefix, PORT(encodeText_text_prefix), bytes);
  return made;
}

static struct pair fuse(const struct text *text, const struct picture *picture) {
  size_t bytes = sizeof(float) * CONSTANT(channels) * text->length;
  memcpy(PORT(fuse_text_prefix), text->prefix, bytes);
  give(PORT(fuse_lengths), text->length);
  GIVE(fuse_vision_tokens, picture->tokens);
  GIVE(fuse_text_features, text->feature);
  GIVE(fuse_image_features, picture->feature);
  CALL(fuse, text->length);
  struct pair made = {.states = allocate(bytes), .code = allocate(BYTES(fuse_code))};
  memcpy(made.states, PORT(fuse_embeddings), bytes);
  TAKE(fuse_match_logits, made.logits);
  TAKE(fuse_code, made.code);
  return made;
}

/* The row with the largest logit, the first of equal ones; rows without an id of their own are no words. */
static int best_row(const uint8_t *port) {
  const float *logits = (const float *)port;
  int rows = CONSTANT(vocabulary_rows), best = -1;
  for (int row = 0; row < rows; row++) {
    if ((int32_t)CALL(vocabularyId, row) >= 0 && (best < 0 || logits[row] > logits[best])) best = row;
  }
  return best;
}

/* Ids that a caption may have. */
static int caption_length(void) {
  return BYTES(decodeNext_past_0_keys) / (sizeof(float) * CONSTANT(channels)) + 1;
}

/* Writes ids of GPT-2 without EOS, caption_length() at most, and returns their number. */
static int caption(const struct picture *picture, int32_t *ids) {
  int end = CALL(vocabularyRow, EOS), most = caption_length(), row;
  size_t step = sizeof(float) * CONSTANT(channels);
  int visible = BYTES(startDecoding_image_states) / step;
#define DECLARE(cache) uint8_t *image_##cache = allocate(BYTES(startDecoding_image_##cache)), *past_##cache = allocate(step * most);
#define TAKE_START(cache) TAKE(startDecoding_image_##cache, image_##cache), TAKE(startDecoding_added_##cache, past_##cache);
#define GIVE_NEXT(cache) GIVE(decodeNext_image_##cache, image_##cache), memcpy(PORT(decodeNext_past_##cache), past_##cache, step * length);
#define TAKE_NEXT(cache) TAKE(decodeNext_added_##cache, past_##cache + step * length);
#define FREE(cache) free(image_##cache), free(past_##cache);
  CACHES(DECLARE)
  /* No episodic memory: nothing was read. */
  memset(PORT(startDecoding_read), 0, BYTES(startDecoding_read));
  GIVE(startDecoding_image_states, picture->states);
  give(PORT(startDecoding_ids), end);
  give(PORT(startDecoding_position), 0);
  give(PORT(startDecoding_visible), visible);
  CALL(startDecoding);
  CACHES(TAKE_START)
  row = best_row(PORT(startDecoding_logits));
  int length = 0;
  while (row != end) {
    ids[length++] = CALL(vocabularyId, row);
    if (length == most) break;
    memset(PORT(decodeNext_read), 0, BYTES(decodeNext_read));
    give(PORT(decodeNext_ids), row);
    give(PORT(decodeNext_position), length);
    give(PORT(decodeNext_visible), visible);
    CACHES(GIVE_NEXT)
    CALL(decodeNext, length, length + 1);
    CACHES(TAKE_NEXT)
    row = best_row(PORT(decodeNext_logits));
  }
  CACHES(FREE)
  return length;
}
#endif
