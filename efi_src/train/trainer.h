/* The whole state of one training run, and the phases of a step.
 *
 * The batch is cut into chunks by a plan that depends on the batch alone; each chunk sums its
 * gradient in a buffer of its own, and the buffers are added in the order of the chunks. So the
 * weights are the same for any number of threads. */
#ifndef INGOT_TRAIN_TRAINER_H
#define INGOT_TRAIN_TRAINER_H

#include "data.h"
#include "file.h"
#include "model.h"
#include "optim.h"
#include "options.h"
#include "pool.h"

#define CHUNKS_MAX 8

struct trainer {
    struct options options;
    struct params params;
    struct model model;
    struct pool *pool;
    struct tokens train, val;

    uint64_t step; /* steps done */
    float *weights, *moment1, *moment2;
    struct buffer log, samples; /* what the output files will hold */

    float *transposed;
    size_t chunks;
    float *gradient[CHUNKS_MAX];
    size_t piece;       /* sequences that go through the model together */
    struct work *work;  /* one a thread */
    struct block *blocks;
    size_t block_count;
    double *squares;             /* one a block */
    double *losses;              /* one a sequence of the batch */
    const uint16_t **windows;    /* one a sequence of the batch */
    struct adamw adamw;          /* of the current step */
};

/* Loads the data, allocates everything, starts the threads, sets the first weights. */
enum status trainer_start(struct trainer *trainer, const struct options *options,
                          const struct kernels *kernels, struct error *error);
void trainer_stop(struct trainer *trainer);

/* One step of training: trainer->step becomes one more. Returns the batch's mean loss. */
double trainer_step(struct trainer *trainer);

/* Mean loss over the whole held-out split: consecutive windows of `context` tokens, the last one
 * as long as it comes. */
enum status trainer_evaluate(struct trainer *trainer, double *loss, struct error *error);

#endif
