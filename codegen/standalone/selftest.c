/*
 * The inference of src/runtime/self-test.ts on a standalone module: writes its results to standard output, whose sha256
 * is then the digest that `bitgen selftest` prints. To be piped into sha256sum.
 */
#include "host.h"

static const int32_t TEXTS[3][5] = {{EOS, 257, 3797, EOS}, {EOS, 734, 2266, 11954, EOS}, {EOS, 4252, EOS}};
static const int LENGTHS[3] = {4, 5, 3};
static const int SIDES[3][2] = {{40, 30}, {97, 64}, {256, 256}};

static uint8_t *pattern(int width, int height) {
  uint8_t *rgb = allocate((size_t)3 * width * height);
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      for (int k = 0; k < 3; k++) rgb[3 * (y * width + x) + k] = 3 * x + 5 * k * y + ((x * y) >> 5);
    }
  }
  return rgb;
}

int main(void) {
  OPEN_MODEL();
  size_t channels = CONSTANT(channels);
  int32_t *ids = allocate(sizeof(int32_t) * caption_length());
  for (int i = 0; i < 3; i++) {
    struct picture picture = encode_picture(pattern(SIDES[i][0], SIDES[i][1]), SIDES[i][0], SIDES[i][1]);
    struct text text = encode_text(TEXTS[i], LENGTHS[i]);
    struct pair pair = fuse(&text, &picture);
    fwrite(picture.feature, sizeof(float), channels, stdout);
    fwrite(text.feature, sizeof(float), channels, stdout);
    fwrite(text.states, sizeof(float), channels * text.length, stdout);
    fwrite(pair.states, sizeof(float), channels * text.length, stdout);
    fwrite(pair.logits, sizeof(float), 2, stdout);
    fwrite(pair.code, sizeof(float), channels, stdout);
    fwrite(ids, sizeof(int32_t), caption(&picture, ids), stdout);
  }
  return 0;
}
