#include "pool.h"

#include <immintrin.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define SPINS 2000 /* some 50 us of waiting before a thread sleeps: phases follow closely */

struct worker {
    struct pool *pool;
    size_t number;
    pthread_t thread;
};

struct pool {
    size_t threads;
    struct worker worker[POOL_MAX_THREADS];
    pool_job job;
    void *arg;
    size_t jobs;
    atomic_size_t next;    /* job to be taken */
    atomic_size_t busy;    /* workers that have not finished this round */
    atomic_size_t round;   /* changes when there is work */
    bool stop;
    pthread_mutex_t lock;  /* with the two conditions: for those that wait long */
    pthread_cond_t start, finish;
};

static void take_jobs(struct pool *pool, size_t thread) {
    size_t job;
    while ((job = atomic_fetch_add(&pool->next, 1)) < pool->jobs)
        pool->job(pool->arg, job, thread);
}

static void wait_for_round(struct pool *pool, size_t seen) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&pool->round) != seen)
            return;
        _mm_pause();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->round) == seen)
        pthread_cond_wait(&pool->start, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

static void *work(void *arg) {
    struct worker *self = arg;
    struct pool *pool = self->pool;
    for (size_t seen = 0;; seen++) {
        wait_for_round(pool, seen);
        if (pool->stop)
            return NULL;
        take_jobs(pool, self->number);
        if (atomic_fetch_sub(&pool->busy, 1) == 1) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->finish);
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

static void wake_all(struct pool *pool) {
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->round, 1);
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
}

struct pool *pool_start(size_t threads) {
    if (threads == 0 || threads > POOL_MAX_THREADS)
        return NULL;
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->finish, NULL);
    sigset_t all, before; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pool->threads = 1; pool->threads < threads; pool->threads++) {
        struct worker *w = &pool->worker[pool->threads];
        *w = (struct worker){.pool = pool, .number = pool->threads};
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pool->threads < threads) {
        pool_stop(pool);
        return NULL;
    }
    return pool;
}

void pool_run(struct pool *pool, pool_job job, void *arg, size_t jobs) {
    pool->job = job;
    pool->arg = arg;
    pool->jobs = jobs;
    atomic_store(&pool->next, 0);
    atomic_store(&pool->busy, pool->threads - 1);
    if (pool->threads > 1)
        wake_all(pool);
    take_jobs(pool, 0);
    for (int i = 0; i < SPINS && atomic_load(&pool->busy) > 0; i++)
        _mm_pause();
    if (atomic_load(&pool->busy) == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->busy) > 0)
        pthread_cond_wait(&pool->finish, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void pool_stop(struct pool *pool) {
    if (!pool)
        return;
    pool->stop = true;
    wake_all(pool);
    for (size_t i = 1; i < pool->threads; i++)
        pthread_join(pool->worker[i].thread, NULL);
    pthread_cond_destroy(&pool->finish);
    pthread_cond_destroy(&pool->start);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
