/*
 * Example of a C host: which of some texts is nearest to a picture.
 *
 *   djpeg photo.jpg | ./similar texts.tsv
 *
 * The picture is a binary PPM (P6, 8 bits) on standard input. A line of the file is a label, a tab, and the ids of the
 * text, which README.md beside this says how to make. Prints cosine and label, the nearest first.
 */
#include "host.h"

#define MOST_TEXTS 4096
#define MOST_IDS 256
#define MOST_LABEL 255
#define MOST_LINE 4096

struct match {
  double cosine;
  char label[MOST_LABEL + 1];
};

static struct match matches[MOST_TEXTS];

static void fail(const char *message) {
  fprintf(stderr, "similar: %s\n", message);
  exit(1);
}

static struct picture read_picture(FILE *file) {
  int width, height;
  if (fscanf(file, "P6 %d %d 255%*1[ \t\r\n]", &width, &height) != 2) fail("standard input must be a P6 picture");
  if (width < 1 || height < 1 || width > 8192 || height > 8192) fail("sides must be from 1 to 8192 pixels");
  size_t bytes = (size_t)3 * width * height;
  uint8_t *rgb = allocate(bytes);
  if (fread(rgb, 1, bytes, file) != bytes) fail("standard input must hold the whole picture");
  struct picture picture = encode_picture(rgb, width, height);
  free(rgb);
  return picture;
}

/* Cosine of two unit vectors [C], summed as the function `similarity` of the module does. */
static double cosine(const float *a, const float *b) {
  double sum = 0;
  for (uint32_t c = 0; c < CONSTANT(channels); c++) sum += (double)a[c] * b[c];
  return sum;
}

/* Cosine of the text of a line with the picture; changes the line. */
static struct match read_match(char *line, const struct picture *picture) {
  int32_t ids[MOST_IDS];
  int length = 0;
  char *tab = strchr(line, '\t');
  if (!tab || tab - line > MOST_LABEL) fail("a line must be a label of at most 255 bytes, a tab and ids");
  *tab = 0;
  for (char *at = tab + 1, *end;; at = end) {
    long id = strtol(at, &end, 10);
    if (end == at) break;
    if (length == MOST_IDS) fail("a text must have at most 256 ids");
    ids[length++] = id;
  }
  struct text text = encode_text(ids, length);
  struct match match = {.cosine = cosine(picture->feature, text.feature)};
  strcpy(match.label, line);
  free(text.feature), free(text.states), free(text.prefix);
  return match;
}

static int nearer(const void *a, const void *b) {
  double difference = ((const struct match *)b)->cosine - ((const struct match *)a)->cosine;
  return (difference > 0) - (difference < 0);
}

int main(int count, char **arguments) {
  OPEN_MODEL();
  if (count != 2) fail("must be called as: similar TEXTS < PICTURE");
  FILE *file = fopen(arguments[1], "r");
  if (!file) fail("the file of texts must be readable");
  struct picture picture = read_picture(stdin);
  static char line[MOST_LINE];
  int texts = 0;
  while (texts < MOST_TEXTS && fgets(line, sizeof line, file)) matches[texts++] = read_match(line, &picture);
  qsort(matches, texts, sizeof *matches, nearer);
  for (int i = 0; i < texts; i++) printf("%.4f  %s\n", matches[i].cosine, matches[i].label);
  return 0;
}
