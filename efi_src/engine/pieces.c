/* Files in pieces. */
#include "pieces.h"

struct pieces pieces_one(const void *bytes, size_t size) {
    struct pieces file = {.count = 0};
    pieces_add(&file, bytes, size);
    return file;
}

int pieces_add(struct pieces *file, const void *bytes, size_t size) {
    if (file->count == PIECES_MOST) return 0;
    file->piece[file->count].bytes = bytes;
    file->piece[file->count].at = file->size;
    file->piece[file->count++].size = size;
    file->size += size;
    return 1;
}

const void *pieces_find(const struct pieces *file, uint64_t at, uint64_t n) {
    for (unsigned i = 0; i < file->count; i++) {
        uint64_t from = file->piece[i].at, size = file->piece[i].size;
        if (at >= from && at - from <= size && n <= size - (at - from)) return file->piece[i].bytes + (at - from);
    }
    return NULL;
}

void pieces_copy(const struct pieces *file, uint64_t at, size_t n, void *to) {
    uint8_t *out = to;
    for (unsigned i = 0; i < file->count && n > 0; i++) {
        uint64_t from = file->piece[i].at, size = file->piece[i].size;
        if (at < from || at - from >= size) continue;
        uint64_t part = size - (at - from) < n ? size - (at - from) : n;
        const uint8_t *bytes = file->piece[i].bytes + (at - from);
        for (uint64_t b = 0; b < part; b++) *out++ = bytes[b];
        at += part;
        n -= (size_t)part;
    }
}
