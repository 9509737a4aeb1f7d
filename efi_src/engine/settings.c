/* Settings. */
#include "settings.h"

#define AT(field) offsetof(struct settings, field)
#define MOST_SEED 18446744073709551615.0

static const struct setting table[] = {
    {"temp", "T", "randomness, 0 to 100; 0 always takes the most probable token", "a number from 0 to 100",
     SETTING_NUMBER, 0, 100, AT(temp)},
    {"top_k", "K", "choose among the K most probable tokens; 0: all", "a whole number from 0 to 1000000",
     SETTING_WHOLE, 0, 1e6, AT(top_k)},
    {"top_p", "P", "choose among the most probable tokens that together reach P; 0 or 1: all",
     "a number from 0 to 1", SETTING_NUMBER, 0, 1, AT(top_p)},
    {"min_p", "P", "choose among tokens at least P times as probable as the first; 0: all",
     "a number from 0 to 1", SETTING_NUMBER, 0, 1, AT(min_p)},
    {"repeat", "X", "make the latest tokens less probable, by X from 1 to 10; 1: off",
     "a number from 1 to 10", SETTING_NUMBER, 1, 10, AT(repeat)},
    {"norepeat", "N", "no run of N tokens comes twice; 0: off", "a whole number from 0 to 1000",
     SETTING_WHOLE, 0, 1000, AT(norepeat)},
    {"loop", "N", "leave a run of tokens that came N times in a row; 0 or 1: off",
     "a whole number from 0 to 1000", SETTING_WHOLE, 0, 1000, AT(loop)},
    {"seed", "N", "start the random numbers at N; 0: at a number from the clock",
     "a whole number from 0 to 18446744073709551615", SETTING_WHOLE, 0, MOST_SEED, AT(seed)},
    {"max_tokens", "N", "the most new tokens of a reply, 1 to 1000000", "a whole number from 1 to 1000000",
     SETTING_WHOLE, 1, 1e6, AT(max_tokens)},
    {"stop_you", "on|off", "a reply ends where the model begins a line with You:", "on or off",
     SETTING_SWITCH, 0, 1, AT(stop_you)},
    {"stop_nl", "on|off", "a reply ends at a blank line", "on or off", SETTING_SWITCH, 0, 1, AT(stop_nl)},
};
enum { SETTINGS = sizeof table / sizeof table[0] };

const struct setting *setting_at(size_t i) { return i < SETTINGS ? &table[i] : NULL; }

const struct setting *setting_find(const char *name) {
    for (size_t i = 0; i < SETTINGS; i++)
        if (text_equal(name, text_length(name), table[i].name)) return &table[i];
    return NULL;
}

const struct setting *setting_nearest(const char *name, size_t n) {
    size_t nearest = 0, least = SIZE_MAX;
    for (size_t i = 0; i < SETTINGS; i++) {
        size_t distance = text_distance(name, n, table[i].name);
        if (distance >= least) continue;
        least = distance;
        nearest = i;
    }
    return &table[nearest];
}

struct settings settings_default(void) {
    return (struct settings){.temp = 1.0f, .top_p = 0.9f, .repeat = 1.0f, .seed = 1, .max_tokens = 256};
}

static enum status no_such_setting(const char *name, struct error *error) {
    struct text t = error_text(error, E_RANGE);
    text_add(&t, "no setting ");
    text_add_name(&t, name, text_length(name));
    text_add(&t, "; nearest: ");
    text_add(&t, setting_nearest(name, text_length(name))->name);
    return E_RANGE;
}

/* 0 when the n bytes at value are no such number or switch, or out of the setting's range. */
static int read_value(const struct setting *s, const char *value, size_t n, double *number, uint64_t *whole) {
    switch (s->kind) {
    case SETTING_NUMBER:
        if (!text_read_decimal(value, n, number)) return 0;
        break;
    case SETTING_WHOLE:
        if (!text_read_u64(value, n, whole)) return 0;
        *number = (double)*whole;
        break;
    default:
        *whole = (uint64_t)text_equal(value, n, "on");
        if (*whole == 0 && !text_equal(value, n, "off")) return 0;
        *number = (double)*whole;
        break;
    }
    return *number >= s->lowest && *number <= s->highest;
}

enum status settings_set(struct settings *settings, const char *name, const char *value, size_t n,
                         struct error *error) {
    const struct setting *s = setting_find(name);
    uint64_t whole = 0;
    double number = 0;
    if (!s) return no_such_setting(name, error);
    if (!read_value(s, value, n, &number, &whole)) {
        struct text t = error_text(error, E_RANGE);
        text_add(&t, name);
        text_add(&t, " must be ");
        text_add(&t, s->range);
        text_add(&t, ", not ");
        text_add_name(&t, value, n);
        return E_RANGE;
    }
    void *field = (char *)settings + s->at;
    if (s->kind == SETTING_NUMBER) *(float *)field = (float)number;
    else *(uint64_t *)field = whole;
    return OK;
}

void settings_apply(const struct settings *settings, struct sampler *sampler) {
    sampler->temp = settings->temp;
    sampler->top_p = settings->top_p;
    sampler->min_p = settings->min_p;
    sampler->top_k = settings->top_k;
    sampler->repeat = settings->repeat;
    sampler->repeat_last = SAMPLER_REPEAT_LAST;
    sampler->norepeat = (uint32_t)settings->norepeat;
    sampler->loop = (uint32_t)settings->loop;
}

void settings_show(const struct settings *settings, const char *name, struct text *out) {
    const struct setting *s = setting_find(name);
    text_add(out, name);
    text_add(out, "=");
    if (!s) return;
    const void *field = (const char *)settings + s->at;
    uint64_t whole = s->kind == SETTING_NUMBER ? 0 : *(const uint64_t *)field;
    if (s->kind == SETTING_NUMBER) text_add_short(out, (double)*(const float *)field);
    else if (s->kind == SETTING_WHOLE) text_add_u64(out, whole);
    else text_add(out, whole ? "on" : "off");
}
