/* Reading files of the volume that the program was started from, one after another; disk.h writes. */
#ifndef INGOT_UEFI_FILE_H
#define INGOT_UEFI_FILE_H

#include "failure.h"
#include <efi.h>
#include <stddef.h>
#include <stdint.h>

struct file {
    EFI_FILE_HANDLE handle;
    const char *name; /* for messages */
    uint64_t size;
    uint64_t at; /* read so far */
};

/* `name` (printable ASCII, shorter than 64) lies in the volume's root. It must outlive the file. */
enum status file_open(struct file *file, EFI_HANDLE image, EFI_BOOT_SERVICES *bs, const char *name,
                      struct failure *failure);
/* The next n bytes, all of them; E_TRUNCATED where the file ends before. */
enum status file_read(struct file *file, void *to, size_t n, struct failure *failure);
void file_close(struct file *file);

/* The root folder of that volume; NULL where the program came from no disk that the firmware can read. */
EFI_FILE_HANDLE file_root(EFI_HANDLE image, EFI_BOOT_SERVICES *bs);

#endif
