/* The lines typed before, in one fixed block: the oldest go when there is no room. */
#ifndef INGOT_TYPED_H
#define INGOT_TYPED_H

#include <stddef.h>
#include <stdint.h>

#define TYPED_LINES 32
#define TYPED_BYTES 32768

struct typed {
    char *bytes; /* (size): the lines, oldest first; NULL: none are kept */
    size_t size, used;
    size_t count;
    size_t length[TYPED_LINES]; /* (count) */
};

/* Keeps a line; not an empty one, one that is the newest already, or one larger than the block. */
void typed_add(struct typed *typed, const char *line, size_t n);

/* Line i, 0 the newest -> its bytes; NULL past the oldest. */
const char *typed_line(const struct typed *typed, size_t i, size_t *n);

#endif
