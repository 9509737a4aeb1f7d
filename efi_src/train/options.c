#include "options.h"

#include "file.h"
#include "pool.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "usage: train --train FILE --val FILE --layers N --heads N --width N --context N --vocab N\n"
    "             --steps N --batch N --lr F --warmup N --decay F --seed N\n"
    "             --eval-every N --sample-every N --log-every N\n"
    "             --out weights.bin --log train.jsonl --samples samples.txt\n"
    "             [--scratch DIR] [--checkpoint-every STEPS] [--threads N]\n"
    "             [--kernel auto|scalar|sse2|avx2|avx512|avx512vnni]\n";

enum kind { TEXT, COUNT, REAL };

/* One option, and where its value goes. */
struct rule {
    const char *name;
    enum kind kind;
    void *to;
    double least, most;
    bool optional, seen;
};

static enum status parse_count(const struct rule *rule, const char *text, struct error *error) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || errno != 0)
        return fail_with(error, E_RANGE, "%s: '%.40s' is not a whole number", rule->name, text);
    if ((double)value < rule->least || (double)value > rule->most)
        return fail_with(error, E_RANGE, "%s: %llu is not in %.0f to %.0f", rule->name, value, rule->least,
                         rule->most);
    *(uint64_t *)rule->to = value;
    return OK;
}

static enum status parse_real(const struct rule *rule, const char *text, struct error *error) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || !isfinite(value) || strchr("0123456789.", text[0]) == NULL)
        return fail_with(error, E_RANGE, "%s: '%.40s' is not a number", rule->name, text);
    if (value < rule->least || value > rule->most)
        return fail_with(error, E_RANGE, "%s: %s is not in %g to %g", rule->name, text, rule->least,
                         rule->most);
    *(double *)rule->to = value;
    return OK;
}

static enum status parse_one(struct rule *rule, const char *text, struct error *error) {
    if (rule->seen)
        return fail_with(error, E_RANGE, "%s is given twice", rule->name);
    rule->seen = true;
    if (rule->kind == COUNT)
        return parse_count(rule, text, error);
    if (rule->kind == REAL)
        return parse_real(rule, text, error);
    if (text[0] == 0)
        return fail_with(error, E_RANGE, "%s is empty", rule->name);
    *(const char **)rule->to = text;
    return OK;
}

/* That this process may run on; 1 where there are more than a cpu_set_t holds. */
static uint64_t usable_cpus(void) {
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > POOL_MAX_THREADS ? POOL_MAX_THREADS : (uint64_t)n;
}

enum status options_parse(struct options *o, int argc, char **argv, struct error *error) {
    *o = (struct options){.kernel = "auto", .threads = usable_cpus()};
    uint64_t layers = 0, heads = 0, width = 0, context = 0, vocab = 0;
    struct rule rules[] = {
        {"--train", TEXT, &o->train, 0, 0, false, false},
        {"--val", TEXT, &o->val, 0, 0, false, false},
        {"--layers", COUNT, &layers, 1, GPT2_MAX_LAYERS, false, false},
        {"--heads", COUNT, &heads, 1, 1024, false, false},
        {"--width", COUNT, &width, 1, 65536, false, false},
        {"--context", COUNT, &context, 1, 65536, false, false},
        {"--vocab", COUNT, &vocab, 2, 65536, false, false},
        {"--steps", COUNT, &o->steps, 1, 1e12, false, false},
        {"--batch", COUNT, &o->batch, 1, 65536, false, false},
        {"--lr", REAL, &o->lr, 0, 10, false, false},
        {"--warmup", COUNT, &o->warmup, 0, 1e12, false, false},
        {"--decay", REAL, &o->decay, 0, 10, false, false},
        {"--seed", COUNT, &o->seed, 0, 0x1p64, false, false},
        {"--eval-every", COUNT, &o->eval_every, 0, 1e12, false, false},
        {"--sample-every", COUNT, &o->sample_every, 0, 1e12, false, false},
        {"--log-every", COUNT, &o->log_every, 1, 1e12, false, false},
        {"--out", TEXT, &o->out, 0, 0, false, false},
        {"--log", TEXT, &o->log, 0, 0, false, false},
        {"--samples", TEXT, &o->samples, 0, 0, false, false},
        {"--scratch", TEXT, &o->scratch, 0, 0, true, false},
        {"--threads", COUNT, &o->threads, 1, POOL_MAX_THREADS, true, false},
        {"--kernel", TEXT, &o->kernel, 0, 0, true, false},
        {"--checkpoint-every", COUNT, &o->checkpoint_every, 1, 1e12, true, false},
    };
    size_t count = sizeof rules / sizeof rules[0];
    for (int i = 1; i < argc; i += 2) {
        struct rule *rule = NULL;
        for (size_t r = 0; r < count; r++)
            if (strcmp(argv[i], rules[r].name) == 0)
                rule = &rules[r];
        if (!rule)
            return fail_with(error, E_RANGE, "no option is called '%.60s'", argv[i]);
        if (i + 1 == argc)
            return fail_with(error, E_RANGE, "%s lacks its value", rule->name);
        enum status status = parse_one(rule, argv[i + 1], error);
        if (status != OK)
            return status;
    }
    for (size_t r = 0; r < count; r++)
        if (!rules[r].seen && !rules[r].optional)
            return fail_with(error, E_RANGE, "%s is missing", rules[r].name);
    if (width % heads != 0)
        return fail_with(error, E_RANGE, "--width %" PRIu64 " is not a multiple of --heads %" PRIu64, width,
                         heads);
    if (o->warmup > o->steps)
        return fail_with(error, E_RANGE, "--warmup %" PRIu64 " is longer than --steps %" PRIu64, o->warmup,
                         o->steps);
    o->config = (struct shape){
        .vocab = (uint32_t)vocab, .context = (uint32_t)context, .layers = (uint32_t)layers,
        .heads = (uint32_t)heads, .width = (uint32_t)width, .hidden = (uint32_t)(4 * width), .eps = 1e-5f,
    };
    return OK;
}
