/* The command line of the trainer. */
#ifndef INGOT_TRAIN_OPTIONS_H
#define INGOT_TRAIN_OPTIONS_H

#include "../engine/gpt2.h"
#include "../engine/status.h"

struct options {
    const char *train, *val;            /* token files */
    const char *out, *log, *samples;    /* outputs */
    const char *scratch;                /* NULL: no checkpoints */
    const char *kernel;                 /* "auto" or a table's name */
    struct shape config;
    uint64_t steps, batch, warmup, seed;
    uint64_t eval_every, sample_every;  /* 0: at the end alone; never */
    uint64_t log_every;
    uint64_t checkpoint_every;          /* 0: every ten seconds */
    uint64_t threads;
    double lr, decay;
};

/* E_RANGE with a message for any unknown, missing, repeated or malformed option. */
enum status options_parse(struct options *options, int argc, char **argv, struct error *error);

extern const char options_help[];

#endif
