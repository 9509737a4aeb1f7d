/* struct cores made of workers that wait for jobs: what UEFI's cores and the host's threads have in common. A worker
 * looks for the next job in memory for a while, for jobs of one turn follow closely; then it sleeps, as its host lets
 * it, and the next job wakes it. */
#ifndef INGOT_CREW_H
#define INGOT_CREW_H

#include "cores.h"
#include <stdint.h>

struct crew;

/* What one worker writes, apart from what others do: two cache lines, as some processors fetch them in pairs. */
struct crew_worker {
    _Alignas(128) struct crew *crew;
    unsigned part;   /* 1 to count - 1 */
    uint32_t done;   /* the last job that it has finished */
    uint32_t asleep; /* 1: waits to be woken; set by itself, cleared by who wakes it */
};

struct crew {
    /* Set by the host, before the first worker comes. */
    struct crew_worker *worker[CORES_MAX]; /* [1] to [count - 1] */
    unsigned count;                        /* of parts, the caller's included */
    unsigned spins;                        /* looks in vain before a worker sleeps */
    void (*sleep)(struct crew_worker *self);  /* until `asleep` is 0; may return early */
    void (*wake)(struct crew_worker *worker); /* its `asleep` has just been cleared */
    void (*part)(struct crew_worker *self); /* does what crew_part does, guarded; NULL: crew_part */
    void (*yield)(void); /* the caller has waited long for a worker; NULL: looks on */
    /* The job. */
    void (*job)(void *arg, unsigned part, unsigned parts); /* NULL: go home */
    void *arg;
    _Alignas(128) uint32_t number; /* grows by one with each job */
};

/* A worker's life; returns after crew_dismiss. Its `crew` and `part` are set, the rest is 0. */
void crew_work(struct crew_worker *self);

/* The worker's part of the job. */
void crew_part(struct crew_worker *self);

/* Waits until every worker has finished the last job: for a caller that cannot go on with it. */
void crew_settle(struct crew *crew);

/* struct cores' run; ctx is the crew. */
void crew_run(void *ctx, void (*job)(void *arg, unsigned part, unsigned parts), void *arg);

/* Lets every worker return from crew_work. */
void crew_dismiss(struct crew *crew);

#endif
