/* Where the bytes of a line come from, and how a reply is stopped while it runs. */
#ifndef INGOT_INPUT_H
#define INGOT_INPUT_H

#include "platform.h"
#include <stddef.h>
#include <stdint.h>

struct input {
    const struct platform *platform;
    uint8_t ahead[4096]; /* typed while the model was busy: a ring */
    size_t first, count;
};

/* The next byte, or -1 when there is none now; PLATFORM_END when there will be none. */
int input_now(struct input *in);

/* The next byte, waiting for it; PLATFORM_END when there will be none. */
int input_next(struct input *in);

/* Whether Esc or Ctrl-C was pressed since the last look; other bytes are kept for input_next (while
 * there is room). Escape sequences (arrow keys) are not Esc: they are left out. Never waits longer
 * than ESCAPE_US, and that after an escape byte alone. */
int input_stopped(struct input *in);

#endif
