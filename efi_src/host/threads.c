#include "threads.h"
#include "../engine/crew.h"
#include "../engine/text.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPINS 2000 /* some 50 us: jobs of one turn follow closely, but the machine may be shared */
#define SPINS_SHARED 0 /* more threads than processors: who looks on keeps another from working */

struct thread {
    struct crew_worker worker; /* first: a worker is found as its thread */
    pthread_t id;
};

static struct thread thread[CORES_MAX];
static struct crew crew;
static struct cores cores;

static void futex(uint32_t *word, int operation, uint32_t value) {
    syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void sleep_on(struct crew_worker *self) { futex(&self->asleep, FUTEX_WAIT_PRIVATE, 1); }
static void wake(struct crew_worker *worker) { futex(&worker->asleep, FUTEX_WAKE_PRIVATE, 1); }
static void yield(void) { sched_yield(); }

static void *work(void *worker) {
    crew_work(worker);
    return NULL;
}

unsigned threads_usable(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) { /* more processors than the set holds */
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online < 1 ? 1 : online > CORES_MAX ? CORES_MAX : (unsigned)online;
    }
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > CORES_MAX ? CORES_MAX : (unsigned)count;
}

/* The threads [1] to [count - 1]; what pthread_create said, and crew.count as many as came. */
static int start_all(unsigned count) {
    int wrong = 0;
    sigset_t all, before; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 1; i < count && !wrong; i++) {
        thread[i] = (struct thread){.worker = {.crew = &crew, .part = i}};
        crew.worker[i] = &thread[i].worker;
        wrong = pthread_create(&thread[i].id, NULL, work, &thread[i].worker);
        if (wrong) crew.count = i;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return wrong;
}

const struct cores *threads_start(unsigned count, struct error *error) {
    if (count == 0) count = threads_usable();
    if (count > CORES_MAX) count = CORES_MAX;
    if (count == 1) return &cores_one;
    crew = (struct crew){.count = count, .spins = count > threads_usable() ? SPINS_SHARED : SPINS,
                         .sleep = sleep_on, .wake = wake, .yield = yield};
    int wrong = start_all(count);
    if (wrong) {
        threads_stop();
        fail(error, E_IO, "a thread could not be started", strerror(wrong), strlen(strerror(wrong)));
        return NULL;
    }
    cores = (struct cores){.ctx = &crew, .count = count, .run = crew_run};
    return &cores;
}

void threads_stop(void) {
    crew_dismiss(&crew);
    for (unsigned i = 1; i < crew.count; i++) pthread_join(thread[i].id, NULL);
    crew.count = 0;
}
