/* Zone C on UEFI: the log in memory at a fixed address, where the next boot finds it after a warm reset. */
#ifndef INGOT_UEFI_ZONEC_H
#define INGOT_UEFI_ZONEC_H

#include "../engine/ringlog.h"
#include <efi.h>

/* Early, before anything else takes the memory. */
void zonec_open(EFI_BOOT_SERVICES *bs);

/* For struct chat_host: an empty log, and that of the last run; each NULL where there is none. */
void *zonec_log(void);
const struct ringlog *zonec_last(void);

#endif
