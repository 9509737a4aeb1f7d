/* An error that ends the program, with what to do about it. */
#ifndef INGOT_UEFI_FAILURE_H
#define INGOT_UEFI_FAILURE_H

#include "../engine/status.h"

struct failure {
    struct error error;
    const char *hint;
};

#endif
