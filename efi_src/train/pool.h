/* Threads that share numbered jobs. Which thread does which job is left to chance, so a job's
 * result must depend on its number alone. */
#ifndef INGOT_TRAIN_POOL_H
#define INGOT_TRAIN_POOL_H

#include <stddef.h>

#define POOL_MAX_THREADS 64

struct pool;

typedef void (*pool_job)(void *arg, size_t job, size_t thread);

/* `threads` in all, the caller's included (1: no other is started). NULL when one cannot be started. */
struct pool *pool_start(size_t threads);

/* Runs job(arg, 0 .. jobs-1, thread < threads) and returns when all are done. */
void pool_run(struct pool *pool, pool_job job, void *arg, size_t jobs);

void pool_stop(struct pool *pool);

#endif
