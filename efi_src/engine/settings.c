/* Settings. */
#include "settings.h"

/* Which settings there are; the numbers are for reading and for the text of an error. */
static const struct {
    const char *name, *range;
    double lowest, highest;
    int whole;
} table[] = {
    {"temp", "a number from 0 to 100", 0, 100, 0},
    {"top_p", "a number from 0 to 1", 0, 1, 0},
    {"top_k", "a whole number from 0 to 1000000", 0, 1e6, 1},
    {"seed", "a whole number from 0 to 18446744073709551615", 0, 18446744073709551615.0, 1},
    {"max_tokens", "a whole number from 1 to 1000000", 1, 1e6, 1},
};
enum { TEMP, TOP_P, TOP_K, SEED, MAX_TOKENS, SETTINGS };

static size_t find(const char *name) {
    size_t i = 0;
    while (i < SETTINGS && !text_equal(name, text_length(name), table[i].name)) i++;
    return i;
}

struct settings settings_default(void) {
    return (struct settings){.temp = 1.0f, .top_p = 0.9f, .top_k = 0, .seed = 1, .max_tokens = 256};
}

int settings_known(const char *name) { return find(name) < SETTINGS; }

enum status settings_set(struct settings *settings, const char *name, const char *value, size_t n,
                         struct error *error) {
    size_t i = find(name);
    uint64_t whole = 0;
    double number = 0;
    int valid = 0;
    if (i < SETTINGS && table[i].whole) {
        valid = text_read_u64(value, n, &whole);
        number = (double)whole;
    } else if (i < SETTINGS) {
        valid = text_read_decimal(value, n, &number);
    }
    if (!valid || number < table[i].lowest || number > table[i].highest) {
        struct text t = error_text(error, E_RANGE);
        text_add(&t, name);
        text_add(&t, " must be ");
        text_add(&t, i < SETTINGS ? table[i].range : "the name of a setting");
        text_add(&t, ", not ");
        text_add_name(&t, value, n);
        return E_RANGE;
    }
    switch (i) {
    case TEMP: settings->temp = (float)number; break;
    case TOP_P: settings->top_p = (float)number; break;
    case TOP_K: settings->top_k = whole; break;
    case SEED: settings->seed = whole; break;
    default: settings->max_tokens = whole; break;
    }
    return OK;
}

void settings_show(const struct settings *settings, const char *name, struct text *out) {
    text_add(out, name);
    text_add(out, "=");
    switch (find(name)) {
    case TEMP: text_add_short(out, (double)settings->temp); break;
    case TOP_P: text_add_short(out, (double)settings->top_p); break;
    case TOP_K: text_add_u64(out, settings->top_k); break;
    case SEED: text_add_u64(out, settings->seed); break;
    case MAX_TOKENS: text_add_u64(out, settings->max_tokens); break;
    default: break;
    }
}
