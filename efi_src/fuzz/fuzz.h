/* What the fuzz targets share: input cut into parts, and a platform that keeps account. */
#ifndef INGOT_FUZZ_H
#define INGOT_FUZZ_H

#include "../engine/platform.h"
#include "../engine/status.h"
#include <stddef.h>
#include <stdint.h>

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* The next number, little-endian; 0 past the end. */
uint32_t fuzz_u8(struct fuzz_input *in);
uint32_t fuzz_u16(struct fuzz_input *in);

/* The next n bytes, or all that are left, -> *size: in a block of exactly that size, so that the sanitizer sees
 * what is read behind it. fuzz_end gives it back. */
uint8_t *fuzz_take(struct fuzz_input *in, size_t n, size_t *size);

/* alloc and release alone, 64 MiB in all; of the allocations number `fails` (from 1; 0: none) gets nothing. */
extern const struct platform fuzz_platform;
void fuzz_begin(uint32_t fails);
/* The engine must have given back all memory, unless it was left in the middle. */
void fuzz_end(int left);

/* Ends the program when a promise of the engine's headers is broken. */
#define FUZZ_PROMISE(kept) ((kept) ? (void)0 : fuzz_broken(#kept, __FILE__, __LINE__))
_Noreturn void fuzz_broken(const char *promise, const char *file, int line);
/* An error is one line of printable ASCII that belongs to the status. */
void fuzz_error(enum status status, const struct error *error);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
