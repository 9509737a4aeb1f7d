/* A file that lies in memory in a few pieces, one after the other: no memory has to hold it as one block. */
#ifndef INGOT_PIECES_H
#define INGOT_PIECES_H

#include <stddef.h>
#include <stdint.h>

#define PIECES_MOST 16
#define PIECES_ALIGN 64 /* a piece lies at a multiple of it, and so begins in the file */

struct pieces {
    uint64_t size; /* of the file: of all pieces together */
    unsigned count;
    struct {
        const uint8_t *bytes;
        uint64_t at; /* where it begins in the file */
        size_t size; /* not 0 */
    } piece[PIECES_MOST];
};

/* A file that is one piece, at any address. */
struct pieces pieces_one(const void *bytes, size_t size);

/* Adds the next piece; 0 when there is no room for it. */
int pieces_add(struct pieces *file, const void *bytes, size_t size);

/* The n bytes that begin at `at`, where they lie; NULL when no piece holds all of them. */
const void *pieces_find(const struct pieces *file, uint64_t at, uint64_t n);

/* Copies them from as many pieces as they lie in; at + n <= file->size. */
void pieces_copy(const struct pieces *file, uint64_t at, size_t n, void *to);

#endif
