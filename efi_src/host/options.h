/* The command line of `ingot`: llama2.c's flags, their meaning and defaults, and ours. */
#ifndef INGOT_HOST_OPTIONS_H
#define INGOT_HOST_OPTIONS_H

#include "../engine/settings.h"

#define OPTIONS_MODELS 16

struct options {
    const char *models[OPTIONS_MODELS];
    size_t model_count; /* at least 1; more for the chat alone */
    const char *tokenizer; /* of the llama2.c files; NULL: not given */
    const char *prompt; /* "" when there is none */
    const char *kernel; /* "auto" or a table's name */
    int kernel_given;
    const char *logits; /* a file to write; NULL: none */
    struct settings settings; /* seed 0: not given */
    uint32_t given;     /* bit i: setting_at(i) was */
    uint64_t steps;     /* -n: tokens of the text, prompt included; 0: as many as the context */
    unsigned threads;   /* -j: 1 to CORES_MAX; 0: not given */
    uint64_t batch;     /* 1 to PREFILL_BATCH */
    int tokens_given;   /* --tokens N: settings.max_tokens counts, not steps */
    int bench, chat;
};

extern const char options_usage[];

enum options_result { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/* OPTIONS_WRONG: error says what is wrong, *hint what to do. */
enum options_result options_read(struct options *options, int argc, char **argv, struct error *error,
                                 const char **hint);

#endif
