/* What the user may set, with the range of each. */
#ifndef INGOT_SETTINGS_H
#define INGOT_SETTINGS_H

#include "status.h"
#include "text.h"
#include <stddef.h>
#include <stdint.h>

struct settings {
    float temp;          /* 0 to 10; 0: always the most probable token */
    float top_p;         /* 0 to 1; 0 and 1: off */
    uint64_t top_k;      /* 0: off */
    uint64_t seed;       /* 0: taken from the clock when it is set */
    uint64_t max_tokens; /* new tokens of one reply, 1 to 1,000,000 */
};

/* llama2.c's defaults: temp 1.0, top_p 0.9, 256 tokens; seed 1. */
struct settings settings_default(void);

/* Sets `name` ("temp", "top_p", "top_k", "seed", "max_tokens") from the n bytes at `value`.
 * E_RANGE, with the range in the text, when it is no number or out of range. */
enum status settings_set(struct settings *settings, const char *name, const char *value, size_t n,
                         struct error *error);

/* Whether there is a setting of that name. */
int settings_known(const char *name);

/* Appends "name=value". */
void settings_show(const struct settings *settings, const char *name, struct text *out);

#endif
