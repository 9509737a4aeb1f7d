/* Pictures from shape commands: `clear R G B`, `rect X Y W H R G B`, `pixel X Y R G B`, apart by `;` or a new line. */
#ifndef INGOT_DRAW_H
#define INGOT_DRAW_H

#include <stddef.h>
#include <stdint.h>

#ifndef DRAW_WIDTH /* fuzzers draw smaller ones */
#define DRAW_WIDTH 320
#define DRAW_HEIGHT 240
#endif
#define DRAW_DIGITS(number) #number
#define DRAW_NUMBER(name) DRAW_DIGITS(name)
#define DRAW_HEAD "P6\n" DRAW_NUMBER(DRAW_WIDTH) " " DRAW_NUMBER(DRAW_HEIGHT) "\n255\n"
#define DRAW_PPM_BYTES (sizeof DRAW_HEAD - 1 + 3 * (size_t)DRAW_WIDTH * DRAW_HEIGHT)

struct draw_count {
    size_t understood, passed_over;
};

/* Draws what the n bytes at `text` say into pixels (DRAW_HEIGHT,DRAW_WIDTH), 0x00RRGGBB. Numbers are whole: places
 * may be negative, colours are 0 to 255, all have at most six digits; what lies outside is not drawn. Anything else is
 * passed over, up to the next `;` or new line. */
struct draw_count draw(uint32_t *pixels, const char *text, size_t n);

/* As a PPM file (P6) -> out (DRAW_PPM_BYTES) */
void draw_ppm(const uint32_t *pixels, char *out);

#endif
