/* Measured boot: what was read besides the program goes into a PCR of the TPM, so that a verifier can
 * tell from the PCR which model this machine runs, and a secret can be sealed to it.
 *
 * The firmware itself measures the program into PCR 4, and a linked model is part of that. A model
 * that is a file is not, so its digest goes into PCR 12. Of the PCRs, 0 to 7 are the firmware's; 8 to
 * 15 belong to what it starts (TCG PC Client Platform Firmware Profile, 2.3.4): 8 and 9 are GRUB's, 10
 * is Linux's IMA, 11 the parts of a signed kernel image, 14 shim's. 12 is where systemd-boot puts what
 * a loader reads from the disk beside the signed program, which is what a model file is.
 *
 * The data of the event is the 32 bytes of the file's sha256, not the file: it was hashed already.
 * HashLogExtendEvent hashes its data once more with each bank's algorithm, so in the sha256 bank
 *
 *     PCR 12 = sha256(32 zero bytes || sha256(sha256 of the file))
 *
 * The event is of type EV_IPL; its text is "model.gguf sha256:HEX". A model of several files has as many events:
 * "model.bin sha256:HEX", then "tokenizer.bin sha256:HEX". Of several models each is measured when it is first
 * loaded: the value tells which were, and in which order. */
#ifndef INGOT_UEFI_MEASURE_H
#define INGOT_UEFI_MEASURE_H

#include "../engine/sha256.h"
#include <efi.h>

#define MEASURE_PCR 12

enum measured {
    MEASURED,
    MEASURED_NOT, /* there is a TPM, and it refused */
    MEASURED_NO_TPM,
};

/* `name` is shorter than 64. */
enum measured measure(EFI_BOOT_SERVICES *bs, const char *name, const uint8_t digest[SHA256_BYTES]);

#endif
