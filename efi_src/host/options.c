/* Reading the command line. */
#include "options.h"
#include "../engine/generate.h"
#include "../engine/text.h"
#include <string.h>

const char options_usage[] =
    "usage: ingot MODEL [options]\n"
    "       ingot MODEL... --chat [options]\n"
    "  -i PROMPT    the text to continue\n"
    "  -n STEPS     tokens of the text, the prompt included (256; 0: as many as the context)\n"
    "  --tokens N   N new tokens, sliding past the context; stdout is exactly the text. A model with a\n"
    "               known chat template answers the prompt as the first line of a conversation\n"
    "  -t TEMP      randomness, 0 to 100; 0 always takes the most probable token (1.0)\n"
    "  -p TOPP      choose among the most probable tokens that together reach TOPP; 0 or 1: all (0.9)\n"
    "  --top-k K    choose among the K most probable tokens; 0: all (0)\n"
    "  -s SEED      of the random numbers (the time)\n"
    "  -z FILE      the tokenizer of llama2.c models (tokenizer.bin)\n"
    "  -j THREADS   cores to compute on, 1 to 64 (all that may be used); the text stays the same\n"
    "  --kernel K   auto, scalar, sse2, avx2, avx512 or avx512vnni (auto)\n"
    "  --batch M    tokens of the prompt to compute at once, 1 to 32 (32); the text stays the same\n"
    "  --logits F   write the logits of each token fed: raw fp32, one row a token\n"
    "  --bench      measure, print JSON\n"
    "  --chat       talk, as the EFI program does; /model switches between several models\n";

_Static_assert(CORES_MAX == 64 && PREFILL_BATCH == 32, "what -j and --batch say of themselves");

static enum options_result wrong(struct error *error, const char *what, const char *arg) {
    fail(error, E_RANGE, what, arg, arg ? strlen(arg) : 0);
    return OPTIONS_WRONG;
}

/* llama2.c takes numbers out of range and puts them right; so do we: -t below 0 is 0, -p outside 0
 * to 1 is 0.9, -n below 0 is 0. */
static const char *as_llama2c(const char *flag, const char *value) {
    double number;
    if (!text_read_decimal(value, strlen(value), &number)) return value;
    if (strcmp(flag, "-t") == 0 && number < 0) return "0";
    if (strcmp(flag, "-p") == 0 && (number < 0 || number > 1)) return "0.9";
    if (strcmp(flag, "-n") == 0 && number < 0) return "0";
    return value;
}

/* A flag with a value. */
static enum options_result set(struct options *o, const char *flag, const char *value, struct error *error) {
    static const struct {
        const char *flag, *setting;
    } settings[] = {{"-t", "temp"}, {"-p", "top_p"}, {"--top-k", "top_k"}, {"-s", "seed"},
                    {"--tokens", "max_tokens"}};
    value = as_llama2c(flag, value);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strcmp(flag, settings[i].flag) != 0) continue;
        if (strcmp(flag, "--tokens") == 0) o->tokens_given = 1;
        for (size_t k = 0; setting_at(k); k++)
            if (strcmp(setting_at(k)->name, settings[i].setting) == 0) o->given |= 1u << k;
        enum status status = settings_set(&o->settings, settings[i].setting, value, strlen(value), error);
        return status == OK ? OPTIONS_RUN : OPTIONS_WRONG;
    }
    if (strcmp(flag, "-i") == 0) {
        o->prompt = value;
    } else if (strcmp(flag, "--kernel") == 0) {
        o->kernel = value;
        o->kernel_given = 1;
    } else if (strcmp(flag, "--logits") == 0) {
        o->logits = value;
    } else if (strcmp(flag, "-n") == 0) {
        if (!text_read_u64(value, strlen(value), &o->steps))
            return wrong(error, "-n must be a whole number, not", value);
    } else if (strcmp(flag, "-j") == 0) {
        uint64_t threads;
        if (!text_read_u64(value, strlen(value), &threads) || threads < 1 || threads > CORES_MAX)
            return wrong(error, "-j must be a whole number from 1 to 64, not", value);
        o->threads = (unsigned)threads;
    } else if (strcmp(flag, "--batch") == 0) {
        if (!text_read_u64(value, strlen(value), &o->batch) || o->batch < 1 || o->batch > PREFILL_BATCH)
            return wrong(error, "--batch must be a whole number from 1 to 32, not", value);
    } else { /* -z */
        o->tokenizer = value;
    }
    return OPTIONS_RUN;
}

static int takes_value(const char *arg) {
    static const char *const flags[] = {"-i", "-n", "-t", "-p", "-s", "-z", "-j", "--top-k", "--tokens",
                                        "--kernel", "--logits", "--batch"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (strcmp(arg, flags[i]) == 0) return 1;
    return 0;
}

enum options_result options_read(struct options *o, int argc, char **argv, struct error *error,
                                 const char **hint) {
    int steps_given = 0;
    *o = (struct options){.prompt = "", .kernel = "auto", .settings = settings_default(), .steps = 256,
                         .batch = PREFILL_BATCH};
    o->settings.seed = 0;
    *hint = "ingot --help shows every option";
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0) return OPTIONS_HELP;
        if (takes_value(arg)) {
            if (i + 1 == argc) return wrong(error, "a value is missing after", arg);
            enum options_result result = set(o, arg, argv[++i], error);
            if (result != OPTIONS_RUN) return result;
            steps_given |= strcmp(arg, "-n") == 0;
        } else if (strcmp(arg, "--bench") == 0) {
            o->bench = 1;
        } else if (strcmp(arg, "--chat") == 0) {
            o->chat = 1;
        } else if (arg[0] == '-') {
            return wrong(error, "no such option", arg);
        } else if (o->model_count == OPTIONS_MODELS) {
            return wrong(error, "more than 16 models", arg);
        } else {
            o->models[o->model_count++] = arg;
        }
    }
    if (o->model_count == 0) return wrong(error, "no model file given", NULL);
    if (o->model_count > 1 && !o->chat) return wrong(error, "a second model", o->models[1]);
    if (steps_given && o->tokens_given) return wrong(error, "-n and --tokens exclude each other", NULL);
    if (o->bench + o->chat > 1) return wrong(error, "--bench and --chat exclude each other", NULL);
    if (o->logits && (o->bench || o->chat)) return wrong(error, "--logits is for a text alone", NULL);
    return OPTIONS_RUN;
}
