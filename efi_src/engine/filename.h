/* Names of files on the platform (platform.h). */
#ifndef INGOT_FILENAME_H
#define INGOT_FILENAME_H

#include "status.h"
#include <stddef.h>

#define FILENAME_MAX_BYTES 48

/* E_RANGE unless FAT, Linux and a command line all take it: 1 to FILENAME_MAX_BYTES printable ASCII characters,
 * none of them a space or one of " * / : < > ? \ |, and no dot at either end. */
enum status filename_check(const char *name, struct error *error);

struct filename {
    char text[FILENAME_MAX_BYTES + 1];
};

/* The n bytes at `name` with an extension (".ppm"), which they may have already: what is written bears it always, so
 * that no model and no settings file is written over. n 0: `otherwise`. E_RANGE as above. */
enum status filename_make(struct filename *out, const char *name, size_t n, const char *otherwise,
                          const char *extension, struct error *error);

#endif
