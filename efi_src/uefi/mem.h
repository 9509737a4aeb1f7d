/* As in C's string.h; gcc calls them on its own too. */
#ifndef INGOT_UEFI_MEM_H
#define INGOT_UEFI_MEM_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
