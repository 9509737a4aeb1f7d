/* struct platform on Linux: stdin and stdout, a terminal or not. */
#ifndef INGOT_HOST_PLATFORM_H
#define INGOT_HOST_PLATFORM_H

#include "../engine/platform.h"

/* There is one console, so there is one platform. */
const struct platform *host_platform(void);
/* The same with the files of the working directory: for --chat. */
const struct platform *host_chat_platform(void);

/* When stdin is a terminal: gives its keys one by one, unechoed, Ctrl-C as a byte, until the
 * program ends. */
void host_raw_terminal(void);

/* Sends what was written; 0 when stdout took not all of it (a full disk). */
int host_flush(void);

#endif
