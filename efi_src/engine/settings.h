/* What the user may set, with the range of each: one table, for commands, settings file and options. */
#ifndef INGOT_SETTINGS_H
#define INGOT_SETTINGS_H

#include "sampler.h"
#include "status.h"
#include "text.h"
#include <stddef.h>
#include <stdint.h>

struct settings {
    float temp;          /* 0: always the most probable token */
    float top_p;         /* 0 and 1: off */
    float min_p;         /* 0: off */
    float repeat;        /* repetition penalty; 1: off */
    uint64_t top_k;      /* 0: off */
    uint64_t norepeat;   /* no run of so many tokens comes twice; 0: off */
    uint64_t loop;       /* a run that came so many times in a row is not begun again; 0 and 1: off */
    uint64_t max_tokens; /* new tokens of one reply */
    uint64_t seed;       /* 0: taken from the clock when it is set */
    uint64_t stop_you;   /* 1: a reply ends before "\nYou:" */
    uint64_t stop_nl;    /* 1: a reply ends before a blank line */
};

enum setting_kind { SETTING_NUMBER, SETTING_WHOLE, SETTING_SWITCH };

struct setting {
    const char *name;
    const char *argument; /* for a list of commands: "T", "on|off" */
    const char *help;
    const char *range; /* "must be …" */
    enum setting_kind kind;
    double lowest, highest;
    size_t at; /* in struct settings: a float, or for the other kinds a uint64_t */
};

/* The table, in the order to show it in; NULL past its end. */
const struct setting *setting_at(size_t i);
const struct setting *setting_find(const char *name); /* NULL when there is none */
const struct setting *setting_nearest(const char *name, size_t n);

/* llama2.c's defaults: temp 1.0, top_p 0.9, 256 tokens; seed 1; all that llama2.c has not is off. */
struct settings settings_default(void);

/* Sets `name` from the n bytes at `value`: a number, or on or off. E_RANGE, with the range in the text, or
 * for a name that there is not the nearest one. */
enum status settings_set(struct settings *settings, const char *name, const char *value, size_t n,
                         struct error *error);

/* What of it a sampler has; not the seed, which is set when the random numbers begin. */
void settings_apply(const struct settings *settings, struct sampler *sampler);

/* Appends "name=value". */
void settings_show(const struct settings *settings, const char *name, struct text *out);

#endif
