/* GGUF files (v2, v3, little-endian) in memory: nothing is copied, and nothing is used before it was checked. A model
 * may be split into several files (llama.cpp's shards), here parts. Format: ggml's docs/gguf.md. */
#ifndef INGOT_GGUF_H
#define INGOT_GGUF_H

#include "pieces.h"
#include "status.h"
#include <stddef.h>
#include <stdint.h>

#define GGUF_MAX_PARTS 16
#define GGUF_MAX_KEYS 512
#define GGUF_MAX_TENSORS 4096
#define GGUF_MAX_DIMS 4
#define GGUF_MAX_NAME 64 /* bytes of a tensor's name, as in ggml: names are compared with each other */
#define GGUF_MAX_KEY 256

enum gguf_type {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_ARRAY,
    GGUF_U64, GGUF_I64, GGUF_F64,
};

enum ggml_type { GGML_F32 = 0, GGML_F16 = 1, GGML_Q4_0 = 2, GGML_Q8_0 = 8 };

struct gguf_part {
    struct pieces file;
    uint64_t alignment;
    uint64_t data_at;     /* where tensor offsets count from */
    uint32_t tensors_end; /* of all tensors: the first behind those of this part */
};

struct gguf {
    const uint8_t *bytes; /* the description in the first part: all keys are there */
    struct gguf_part part[GGUF_MAX_PARTS];
    uint32_t parts, keys, tensors;
    size_t key_at[GGUF_MAX_KEYS];       /* of each key: where it starts */
    size_t tensor_at[GGUF_MAX_TENSORS]; /* of each tensor: where its description starts, in its part */
};

struct gguf_string {
    const char *text; /* no NUL */
    size_t length;
};

/* A metadata value: `at` is where it starts (an array's first item). */
struct gguf_value {
    enum gguf_type type;
    enum gguf_type item; /* arrays: the type of each of its `count` items */
    uint64_t count;
    size_t at;
};

struct gguf_tensor {
    struct gguf_string name;
    uint32_t dims;
    uint64_t shape[GGUF_MAX_DIMS]; /* fastest first, as in the file; 1 beyond dims */
    enum ggml_type type;
    uint64_t offset, bytes; /* offset counts from data_at */
    const struct pieces *file;
    uint64_t at; /* in this file */
};

/* Checks the whole structure of each of `count` parts: magic and version, every length, type and count, that keys and
 * (in all parts) tensor names are unique, that tensors are aligned, in ascending order, apart from each other and
 * inside the file, and that split.no, split.count and split.tensors.count are those of these parts. What describes a
 * part must lie in its first piece. E_FORMAT, E_TRUNCATED, E_MEMORY (it does not), E_UNSUPPORTED (big-endian, v1,
 * other tensor types, arrays in arrays, more keys, tensors or parts than there is room for). */
enum status gguf_open(struct gguf *file, const struct pieces *parts, size_t count, struct error *error);

/* By name; 0 when there is none. */
int gguf_find(const struct gguf *file, const char *key, struct gguf_value *value);
int gguf_find_tensor(const struct gguf *file, const char *name, struct gguf_tensor *tensor);

/* Metadata that must be there; E_FORMAT when it is missing or of another type, E_RANGE when the
 * number does not fit. Any integer type will do for u32, any float type for f32. */
enum status gguf_u32(const struct gguf *file, const char *key, uint32_t *out, struct error *error);
enum status gguf_f32(const struct gguf *file, const char *key, float *out, struct error *error);
enum status gguf_text(const struct gguf *file, const char *key, struct gguf_string *out, struct error *error);

/* The next item of an array of strings: value->at and value->count move on. 0 after the last. */
int gguf_next_string(const struct gguf *file, struct gguf_value *array, struct gguf_string *out);

#endif
