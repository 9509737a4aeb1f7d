/* Names of files on the platform (platform.h). */
#ifndef INGOT_FILENAME_H
#define INGOT_FILENAME_H

#include "status.h"

#define FILENAME_MAX_BYTES 48

/* E_RANGE unless FAT, Linux and a command line all take it: 1 to FILENAME_MAX_BYTES printable ASCII characters,
 * none of them a space or one of " * / : < > ? \ |, and no dot at either end. */
enum status filename_check(const char *name, struct error *error);

#endif
