/* What a run says: the log (which every run repeats bit for bit), the times (which vary, and so
 * are kept apart), and lines on standard output. */
#ifndef INGOT_TRAIN_REPORT_H
#define INGOT_TRAIN_REPORT_H

#include "trainer.h"
#include <stdio.h>

struct report {
    FILE *times;          /* train.times.jsonl */
    double started;       /* seconds_now() */
    uint64_t first_step;  /* done before this run */
    double last_progress;
};

double seconds_now(void); /* monotonic */

/* Opens train.times.jsonl for appending, in the scratch folder or beside the log. */
enum status report_start(struct report *report, const struct options *options, uint64_t step,
                         struct error *error);
void report_stop(struct report *report);

/* A line of train.jsonl (kept in trainer->log) and one of the times; an evaluation is printed too. */
enum status report_step(struct report *report, struct trainer *trainer, double loss, const double *held_out,
                        struct error *error);

/* `progress STEP STEPS text`, at most five times a second, and at the end. */
void report_progress(struct report *report, const struct trainer *trainer, double loss);

void report_text(struct report *report, const unsigned char *text, size_t n);

#endif
