/* struct cores on UEFI: one worker on each core that the firmware can start. */
#ifndef INGOT_UEFI_CORES_H
#define INGOT_UEFI_CORES_H

#include "../engine/cores.h"
#include "../engine/text.h"
#include "clock.h"
#include <efi.h>

struct cores_report {
    unsigned used, present; /* cores; present is 0 where the firmware does not tell */
    unsigned late;          /* cores that did not come in time */
    unsigned different;     /* that are not in the first one's state, or cannot do what it can */
    const char *why;        /* there are no workers; NULL: there are, or there is one core */
};

/* Takes 500 ms at most; whatever goes wrong, fewer cores work. From the calling core alone may jobs be run. */
const struct cores *cores_start(EFI_BOOT_SERVICES *bs, struct clock *clock, struct cores_report *report);

/* "2 of 2", or why there are fewer */
void cores_show(const struct cores_report *report, struct text *out);

#endif
