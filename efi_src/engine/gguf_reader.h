/* What gguf.c and gguf_value.c share: reading the description of a file, bounds first. */
#ifndef INGOT_GGUF_READER_H
#define INGOT_GGUF_READER_H

#include "gguf.h"
#include "text.h"

struct gguf_reader {
    const uint8_t *bytes;
    size_t size, at; /* at <= size; all of it lies in the first piece */
};

static inline uint64_t load(const uint8_t *at, size_t n) {
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static inline int skip(struct gguf_reader *r, uint64_t n) {
    if (n > r->size - r->at) return 0;
    r->at += (size_t)n;
    return 1;
}

static inline int read_number(struct gguf_reader *r, size_t n, uint64_t *out) {
    size_t at = r->at;
    if (!skip(r, n)) return 0;
    *out = load(r->bytes + at, n);
    return 1;
}

static inline int read_u32(struct gguf_reader *r, uint32_t *out) {
    uint64_t value;
    if (!read_number(r, 4, &value)) return 0;
    *out = (uint32_t)value;
    return 1;
}

static inline int read_string(struct gguf_reader *r, struct gguf_string *out) {
    uint64_t length;
    if (!read_number(r, 8, &length)) return 0;
    out->text = (const char *)r->bytes + r->at;
    out->length = (size_t)length;
    return skip(r, length);
}

static inline enum status fail_at(struct error *error, enum status code, const char *what,
                           const struct gguf_string *name) {
    return fail(error, code, what, name->text, name->length);
}

static inline struct gguf_reader reader_at(const struct gguf *file, size_t part, size_t at) {
    const struct pieces *bytes = &file->part[part].file;
    return (struct gguf_reader){.bytes = bytes->piece[0].bytes, .size = bytes->piece[0].size, .at = at};
}

/* A value, which is only passed over; gguf_value.c. */
enum status gguf_read_value(struct gguf_reader *r, const struct gguf_string *key, struct gguf_value *value,
                            struct error *error);

/* gguf_find and gguf_u32 among `keys` keys of a part, which start at key_at; gguf_value.c. */
struct gguf_keys {
    const struct gguf *file;
    size_t part;
    const size_t *key_at;
    uint32_t keys;
};

int gguf_find_in(const struct gguf_keys *keys, const char *key, struct gguf_value *value);
enum status gguf_u32_in(const struct gguf_keys *keys, const char *key, uint32_t *out, struct error *error);

#endif
