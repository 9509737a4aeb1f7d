/* The settings file. */
#include "../engine/cfg.h"
#include "../engine/settings.h"
#include "fuzz.h"
#include <string.h>

static size_t told;

static enum status set(void *ctx, const char *name, const char *value, size_t n, struct error *error) {
    FUZZ_PROMISE(strlen(name) <= CFG_NAME_MAX);
    enum status status = settings_set(ctx, name, value, n, error);
    if (status != OK) fuzz_error(status, error);
    return status;
}

static void problem(void *ctx, const char *text) {
    (void)ctx;
    told++;
    for (size_t i = 0; text[i]; i++) FUZZ_PROMISE(text[i] >= ' ' && text[i] <= '~');
}

/* Every setting is within its range. */
static void check(const struct settings *settings) {
    const struct setting *s;
    for (size_t i = 0; (s = setting_at(i)) != NULL; i++) {
        const char *at = (const char *)settings + s->at;
        double value;
        if (s->kind == SETTING_NUMBER) value = (double)*(const float *)(const void *)at;
        else value = (double)*(const uint64_t *)(const void *)at;
        FUZZ_PROMISE(value >= s->lowest && value <= s->highest);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct settings settings = settings_default();
    struct cfg_hooks hooks = {.ctx = &settings, .set = set, .problem = problem};
    size_t n;
    const uint8_t *bytes = fuzz_take(&in, size, &n);
    told = 0;
    size_t problems = cfg_read(bytes, n, &hooks);
    FUZZ_PROMISE(told == (problems <= CFG_PROBLEMS_MAX ? problems : CFG_PROBLEMS_MAX + 1));
    check(&settings);
    fuzz_end(0);
    return 0;
}
