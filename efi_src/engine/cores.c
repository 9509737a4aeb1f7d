#include "cores.h"

static void run_alone(void *ctx, void (*job)(void *arg, unsigned part, unsigned parts), void *arg) {
    (void)ctx;
    job(arg, 0, 1);
}

const struct cores cores_one = {.count = 1, .run = run_alone};
