/* struct cores on Linux: one thread a core. */
#ifndef INGOT_HOST_THREADS_H
#define INGOT_HOST_THREADS_H

#include "../engine/cores.h"
#include "../engine/status.h"

/* How many processors this process may use, 1 to CORES_MAX. */
unsigned threads_usable(void);

/* `count` threads (1 to CORES_MAX; 0: threads_usable()), the caller's included; from it alone may jobs be run. NULL when
 * one cannot be started. There is one such set at a time. */
const struct cores *threads_start(unsigned count, struct error *error);

/* Ends them; does nothing where none run. Fit for atexit. */
void threads_stop(void);

#endif
