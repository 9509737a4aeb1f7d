/* train: a GPT-2 from tokens, bit for bit the same on every machine. See options.c for its options.
 *
 * Standard output: `progress STEP STEPS text` some five times a second, and plain lines. Exit: 0, 1
 * (failed), 2 (bad arguments), 130, 143 and 141 (SIGINT, SIGTERM, or nobody reads any more; after a
 * checkpoint). */
#include "checkpoint.h"
#include "report.h"
#include "sample.h"

#include "../kernels/cpu.h"
#include "../kernels/select.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHECKPOINT_SECONDS 10.0

static volatile sig_atomic_t stop_signal;

static void on_signal(int number) { stop_signal = number; }

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* seen by the next write, after which a checkpoint is saved */
}

static uint64_t now_us(void *ctx) {
    (void)ctx;
    return (uint64_t)(seconds_now() * 1e6);
}

static bool due(uint64_t step, uint64_t every, uint64_t steps) {
    return step == steps || (every > 0 && step % every == 0);
}

/* What follows a step: evaluation, sample and the log line. */
static enum status after_step(struct trainer *t, struct report *report, double loss, struct error *error) {
    const struct options *o = &t->options;
    bool evaluates = due(t->step, o->eval_every, o->steps);
    bool samples = o->sample_every > 0 && due(t->step, o->sample_every, o->steps);
    double held_out = 0.0;
    enum status status = OK;
    if (evaluates)
        status = trainer_evaluate(t, &held_out, error);
    if (status == OK && (evaluates || t->step == 1 || due(t->step, o->log_every, o->steps)))
        status = report_step(report, t, loss, evaluates ? &held_out : NULL, error);
    if (status == OK && samples) {
        char title[64];
        int n = snprintf(title, sizeof title, "== step %" PRIu64 " ==\n", t->step);
        size_t before = t->samples.size;
        if (!buffer_add(&t->samples, title, (size_t)n))
            return fail_with(error, E_MEMORY, "not enough memory for the samples");
        status = sample_text(t, &t->samples, error);
        if (status == OK && !buffer_add(&t->samples, "\n", 1))
            return fail_with(error, E_MEMORY, "not enough memory for the samples");
        if (status == OK)
            report_text(report, t->samples.bytes + before, t->samples.size - before);
    }
    return status;
}

static enum status write_outputs(const struct trainer *t, struct error *error) {
    const struct shape *c = &t->options.config;
    unsigned char header[64] = "INGOTW1";
    uint32_t sizes[] = {c->vocab, c->context, c->layers, c->heads, c->width, c->hidden};
    memcpy(header + 8, sizes, sizeof sizes);
    struct part weights[] = {{header, sizeof header}, {t->weights, t->params.floats * sizeof(float)}};
    struct part log = {t->log.bytes, t->log.size}, samples = {t->samples.bytes, t->samples.size};
    struct output outputs[] = {
        {t->options.log, &log, 1}, {t->options.samples, &samples, 1}, {t->options.out, weights, 2}};
    return files_write(outputs, 3, error);
}

/* Resumes from `path` where that is possible, and says so. */
static void resume(struct trainer *t, const char *path) {
    struct stat info;
    struct error error;
    if (stat(path, &info) != 0)
        return;
    if (checkpoint_load(t, path, &error) == OK)
        printf("resumed at step %" PRIu64 " of %" PRIu64 "\n", t->step, t->options.steps);
    else
        printf("starting afresh: %s\n", error.text);
}

static enum status train(struct trainer *t, const char *checkpoint, struct error *error) {
    const struct options *o = &t->options;
    struct report report;
    enum status status = report_start(&report, o, t->step, error);
    double saved = seconds_now();
    while (status == OK && t->step < o->steps) {
        double loss = trainer_step(t);
        if (isfinite(loss))
            status = after_step(t, &report, loss, error);
        else
            status = fail_with(error, E_RANGE,
                               "the loss of step %" PRIu64 " is not a number: --lr is too high", t->step);
        if (status != OK)
            break;
        report_progress(&report, t, loss);
        if (ferror(stdout) && !stop_signal)
            stop_signal = SIGPIPE; /* whoever watched has left: stop as if told to */
        bool last = t->step == o->steps;
        bool timely = o->checkpoint_every > 0 ? t->step % o->checkpoint_every == 0
                                              : seconds_now() - saved >= CHECKPOINT_SECONDS;
        if (checkpoint && (timely || last || stop_signal)) {
            status = checkpoint_save(t, checkpoint, error);
            saved = seconds_now();
        }
        if (status == OK && stop_signal && !last)
            status = fail_with(error, E_STOPPED, "stopped");
    }
    report_stop(&report);
    return status == OK ? write_outputs(t, error) : status;
}

static int run(const struct options *o, struct error *error) {
    struct selection selection;
    struct cpu_leaves leaves = cpu_detect();
    if (kernels_select(&selection, o->kernel, cpu_features(&leaves), now_us, NULL, error) != OK)
        return 2;
    char checkpoint[PATH_MAX];
    if (o->scratch && snprintf(checkpoint, PATH_MAX, "%s/train.checkpoint", o->scratch) >= PATH_MAX) {
        fail_with(error, E_RANGE, "--scratch: the name is too long");
        return 2;
    }
    const char *paths[] = {o->out, o->log, o->samples, o->scratch ? checkpoint : o->out};
    enum status status = OK;
    for (size_t i = 0; status == OK && i < sizeof paths / sizeof paths[0]; i++)
        status = file_possible(paths[i], error); /* now, rather than after an hour of training */
    static struct trainer trainer;
    if (status == OK)
        status = trainer_start(&trainer, o, selection.chosen, error);
    if (status == OK) {
        printf("%zu parameters, kernel %s, threads %" PRIu64 "\n", trainer.params.floats,
               selection.chosen->name, o->threads);
        if (o->scratch)
            resume(&trainer, checkpoint);
        fflush(stdout);
        status = train(&trainer, o->scratch ? checkpoint : NULL, error);
    }
    trainer_stop(&trainer);
    if (status == E_STOPPED)
        return 128 + stop_signal;
    return status == OK ? 0 : 1;
}

static const char *hint(enum status code) {
    switch (code) {
    case E_MEMORY: return "a smaller --width, --context, --layers or --threads needs less";
    case E_TRUNCATED: return "make the token file again";
    case E_IO: return "check that the path exists and its disk has room";
    case E_UNSUPPORTED: return "--kernel auto takes the fastest that works here";
    default: return "train --help lists the options";
    }
}

int main(int argc, char **argv) {
    struct options options;
    struct error error = {0};
    catch_signals();
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(options_help, stdout);
        return 0;
    }
    int code = options_parse(&options, argc, argv, &error) == OK ? run(&options, &error) : 2;
    if (code == 1 || code == 2)
        fprintf(stderr, "train: error: %s\nhint: %s\n", error.text, hint(error.code));
    return code;
}
