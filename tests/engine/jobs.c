/* Jobs on the host's threads. usage: jobs check THREADS JOBS [PAUSES] | time THREADS JOBS | idle THREADS MS | share PARTS N
 * UNIT */
#define _GNU_SOURCE
#include "host/threads.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WIDTH 16 /* values a part writes */

struct table {
    unsigned long jobs;                        /* done so far */
    unsigned long times[CORES_MAX];            /* part p ran */
    unsigned long value[CORES_MAX][WIDTH];     /* written by part p */
    unsigned long sum[CORES_MAX];              /* of what all parts wrote in the job before */
    unsigned wrong[CORES_MAX];
};

static struct table table;

static void mark(void *arg, unsigned part, unsigned parts) {
    struct table *t = arg;
    unsigned long sum = 0;
    for (unsigned p = 0; p < parts; p++) sum += t->value[p][t->jobs % WIDTH];
    t->sum[part] = sum;
}

/* Every part reads the shared count, and what it alone wrote before. */
static void count(void *arg, unsigned part, unsigned parts) {
    struct table *t = arg;
    t->wrong[part] += parts == 0 || part >= parts || t->times[part] != t->jobs;
    t->times[part]++;
    for (unsigned i = 0; i < WIDTH; i++) t->value[part][i] = t->jobs * (part + 1);
}

static void nothing(void *arg, unsigned part, unsigned parts) {
    (void)arg, (void)part, (void)parts;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Each job's writes are read by the caller, then by all parts of the next. */
static int check(const struct cores *cores, unsigned long jobs, unsigned long pauses) {
    unsigned long parts = cores->count;
    for (table.jobs = 0; table.jobs < jobs;) {
        struct timespec pause = {.tv_nsec = 2000000};
        if (pauses && table.jobs % (jobs / pauses) == 0) nanosleep(&pause, NULL); /* the threads fall asleep */
        cores->run(cores->ctx, count, &table);
        for (unsigned p = 0; p < parts; p++)
            if (table.times[p] != table.jobs + 1 || table.value[p][p % WIDTH] != table.jobs * (p + 1)) return 1;
        cores->run(cores->ctx, mark, &table);
        for (unsigned p = 0; p < parts; p++)
            if (table.wrong[p] || table.sum[p] != table.jobs * parts * (parts + 1) / 2) return 2;
        table.jobs++;
    }
    for (unsigned p = (unsigned)parts; p < CORES_MAX; p++)
        if (table.times[p]) return 3;
    return 0;
}

/* The processor's time, in ms, that the whole program takes while nothing is asked of the threads. */
static unsigned long idle(const struct cores *cores, unsigned long ms) {
    struct timespec pause = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    cores->run(cores->ctx, nothing, NULL);
    clock_t before = clock();
    nanosleep(&pause, NULL);
    unsigned long spent = (unsigned long)(clock() - before) * 1000 / CLOCKS_PER_SEC;
    cores->run(cores->ctx, nothing, NULL);
    return spent;
}

static int share(unsigned parts, size_t n, size_t unit) {
    for (unsigned p = 0; p < parts; p++) {
        size_t from, to;
        cores_share(n, unit, p, parts, &from, &to);
        printf("%zu %zu\n", from, to);
    }
    return 0;
}

int main(int argc, char **argv) {
    struct error error;
    if (argc < 4) return 64;
    if (strcmp(argv[1], "share") == 0)
        return share((unsigned)strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    unsigned long jobs = strtoul(argv[3], NULL, 10);
    const struct cores *cores = threads_start((unsigned)strtoul(argv[2], NULL, 10), &error);
    if (!cores) return puts(error.text), 65;
    if (strcmp(argv[1], "time") == 0) {
        double start = now();
        for (unsigned long i = 0; i < jobs; i++) cores->run(cores->ctx, nothing, NULL);
        printf("%u %.0f\n", cores->count, (now() - start) / (double)jobs);
        threads_stop();
        return 0;
    }
    if (strcmp(argv[1], "idle") == 0) {
        printf("%lu\n", idle(cores, jobs));
        threads_stop();
        return 0;
    }
    int wrong = check(cores, jobs, argc > 4 ? strtoul(argv[4], NULL, 10) : 0);
    printf("%u %u\n", cores->count, threads_usable());
    threads_stop();
    threads_stop(); /* does nothing */
    cores = threads_start(2, &error); /* and once more */
    if (wrong || !cores || cores->count != 2) return wrong ? wrong : 66;
    memset(&table, 0, sizeof table);
    wrong = check(cores, 10, 0);
    threads_stop();
    return wrong;
}
