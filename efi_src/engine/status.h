/* What every engine function that can fail returns. Only the top of a program prints. */
#ifndef INGOT_STATUS_H
#define INGOT_STATUS_H

#include <stdint.h>

enum status {
    OK = 0,
    E_MEMORY,      /* not enough memory, or a size that does not fit */
    E_TRUNCATED,   /* the file ends inside a structure */
    E_FORMAT,      /* the bytes contradict the format */
    E_UNSUPPORTED, /* a valid file that this engine does not run */
    E_RANGE,       /* an argument outside its documented range */
    E_IO,          /* the host could not read, write or start something */
    E_STOPPED,     /* the user, or a limit, ended the work */
    E_MISSING,     /* there is no such file */
    E_FAULT,       /* a CPU exception ended the work */
};

/* Filled by the function that fails: `text` says what and where, in one line. */
struct error {
    enum status code;
    char text[192];
};

#endif
