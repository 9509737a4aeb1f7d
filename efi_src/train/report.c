#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define PROGRESS_SECONDS 0.2

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

enum status report_start(struct report *r, const struct options *o, uint64_t step, struct error *error) {
    static const char name[] = "train.times.jsonl";
    char path[4096];
    const char *slash = strrchr(o->log, '/');
    int beside = slash ? (int)(slash - o->log + 1) : 0;
    int n = o->scratch ? snprintf(path, sizeof path, "%s/%s", o->scratch, name)
                       : snprintf(path, sizeof path, "%.*s%s", beside, o->log, name);
    *r = (struct report){.started = seconds_now(), .first_step = step};
    if ((size_t)n >= sizeof path)
        return fail_with(error, E_RANGE, "the name of %s is too long", name);
    r->times = fopen(path, o->scratch ? "a" : "w");
    return r->times ? OK : fail_with(error, E_IO, "cannot write %s: %s", path, strerror(errno));
}

void report_stop(struct report *r) {
    if (r->times)
        fclose(r->times);
    r->times = NULL;
}

static double tokens_a_second(const struct report *r, const struct trainer *t) {
    double spent = seconds_now() - r->started;
    double tokens = (double)(t->step - r->first_step) * (double)t->options.batch * t->options.config.context;
    return spent > 0.0 ? tokens / spent : 0.0;
}

enum status report_step(struct report *r, struct trainer *t, double loss, const double *held_out,
                        struct error *error) {
    const struct options *o = &t->options;
    char line[160];
    double lr = optim_lr(t->step, o->steps, o->warmup, o->lr);
    int n = snprintf(line, sizeof line, "{\"step\":%" PRIu64 ",\"loss\":%.6f,\"lr\":%.9f", t->step, loss, lr);
    if (held_out)
        n += snprintf(line + n, sizeof line - (size_t)n, ",\"val_loss\":%.6f", *held_out);
    n += snprintf(line + n, sizeof line - (size_t)n, "}\n");
    if (!buffer_add(&t->log, line, (size_t)n))
        return fail_with(error, E_MEMORY, "not enough memory for the log");
    fprintf(r->times, "{\"step\":%" PRIu64 ",\"seconds\":%.3f,\"tok_s\":%.0f}\n", t->step,
            seconds_now() - r->started, tokens_a_second(r, t));
    if (held_out) {
        printf("step %" PRIu64 ": loss %.4f, held out %.4f\n", t->step, loss, *held_out);
        fflush(stdout);
    }
    return OK;
}

void report_progress(struct report *r, const struct trainer *t, double loss) {
    double now = seconds_now();
    if (now - r->last_progress < PROGRESS_SECONDS && t->step < t->options.steps)
        return;
    r->last_progress = now;
    double per_step = (now - r->started) / (double)(t->step - r->first_step);
    printf("progress %" PRIu64 " %" PRIu64 " loss %.2f · %.0fk tok/s · eta %.0f s\n", t->step,
           t->options.steps, loss, tokens_a_second(r, t) / 1000.0,
           per_step * (double)(t->options.steps - t->step));
    fflush(stdout);
}

void report_text(struct report *r, const unsigned char *text, size_t n) {
    (void)r;
    fwrite(text, 1, n, stdout);
    fflush(stdout);
}
