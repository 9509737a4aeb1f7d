/* Sleeping and waking: the caller writes `number`, then reads `asleep`; a worker writes `asleep`, then reads `number`.
 * All four in one order (sequentially consistent), so one of the two sees what the other wrote. */
#include "crew.h"

static void wait_for_job(struct crew_worker *self, uint32_t last) {
    struct crew *crew = self->crew;
    for (unsigned i = 0; i < crew->spins; i++) {
        if (__atomic_load_n(&crew->number, __ATOMIC_ACQUIRE) != last) return;
        __builtin_ia32_pause();
    }
    for (;;) {
        __atomic_store_n(&self->asleep, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&crew->number, __ATOMIC_SEQ_CST) != last) break;
        crew->sleep(self);
    }
    __atomic_store_n(&self->asleep, 0, __ATOMIC_SEQ_CST);
}

void crew_part(struct crew_worker *self) {
    struct crew *crew = self->crew;
    crew->job(crew->arg, self->part, crew->count);
}

void crew_work(struct crew_worker *self) {
    struct crew *crew = self->crew;
    for (uint32_t last = 0;; last++) {
        wait_for_job(self, last);
        if (!crew->job) return;
        (crew->part ? crew->part : crew_part)(self);
        __atomic_store_n(&self->done, last + 1, __ATOMIC_RELEASE);
    }
}

static void announce(struct crew *crew, void (*job)(void *arg, unsigned part, unsigned parts), void *arg) {
    uint32_t number = crew->number + 1;
    crew->job = job;
    crew->arg = arg;
    __atomic_store_n(&crew->number, number, __ATOMIC_SEQ_CST);
    for (unsigned i = 1; i < crew->count; i++) {
        struct crew_worker *worker = crew->worker[i];
        if (__atomic_load_n(&worker->asleep, __ATOMIC_SEQ_CST)
            && __atomic_exchange_n(&worker->asleep, 0, __ATOMIC_SEQ_CST))
            crew->wake(worker);
    }
}

void crew_settle(struct crew *crew) {
    for (unsigned i = 1; i < crew->count; i++) {
        unsigned looks = 0;
        while (__atomic_load_n(&crew->worker[i]->done, __ATOMIC_ACQUIRE) != crew->number) {
            __builtin_ia32_pause();
            if (++looks > crew->spins && crew->yield) crew->yield();
        }
    }
}

void crew_run(void *ctx, void (*job)(void *arg, unsigned part, unsigned parts), void *arg) {
    struct crew *crew = ctx;
    announce(crew, job, arg);
    job(arg, 0, crew->count);
    crew_settle(crew);
}

void crew_dismiss(struct crew *crew) { announce(crew, NULL, NULL); }
