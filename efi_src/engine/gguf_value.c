/* The metadata of GGUF files. */
#include "gguf_reader.h"

/* Bytes of a value of a fixed size; 0 for strings, arrays and types that do not exist. */
static size_t type_bytes(uint32_t type) {
    static const uint8_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof bytes ? bytes[type] : 0;
}

enum status gguf_read_value(struct gguf_reader *r, const struct gguf_string *key, struct gguf_value *value,
                            struct error *error) {
    static const char truncated[] = "the file ends inside the value of the key";
    uint32_t type, item = 0;
    struct gguf_string string;
    if (!read_u32(r, &type)) return fail_at(error, E_TRUNCATED, truncated, key);
    *value = (struct gguf_value){.type = (enum gguf_type)type, .count = 1, .at = r->at};
    if (type_bytes(type) != 0)
        return skip(r, type_bytes(type)) ? OK : fail_at(error, E_TRUNCATED, truncated, key);
    if (type == GGUF_STRING)
        return read_string(r, &string) ? OK : fail_at(error, E_TRUNCATED, truncated, key);
    if (type != GGUF_ARRAY)
        return fail_at(error, E_FORMAT, "a value type that does not exist, of the key", key);

    if (!read_u32(r, &item) || !read_number(r, 8, &value->count))
        return fail_at(error, E_TRUNCATED, truncated, key);
    value->item = (enum gguf_type)item;
    value->at = r->at;
    if (item == GGUF_ARRAY) return fail_at(error, E_UNSUPPORTED, "an array of arrays, of the key", key);
    if (item == GGUF_STRING) {
        /* every string takes 8 bytes or more, so a false count ends at the end of the file */
        for (uint64_t i = 0; i < value->count; i++)
            if (!read_string(r, &string)) return fail_at(error, E_TRUNCATED, truncated, key);
        return OK;
    }
    uint64_t bytes;
    if (type_bytes(item) == 0)
        return fail_at(error, E_FORMAT, "an item type that does not exist, of the key", key);
    if (__builtin_mul_overflow(value->count, (uint64_t)type_bytes(item), &bytes) || !skip(r, bytes))
        return fail_at(error, E_TRUNCATED, truncated, key);
    return OK;
}

int gguf_find_in(const struct gguf_keys *keys, const char *key, struct gguf_value *value) {
    struct error ignored; /* what gguf_open accepted cannot fail here */
    for (uint32_t i = 0; i < keys->keys; i++) {
        struct gguf_reader r = reader_at(keys->file, keys->part, keys->key_at[i]);
        struct gguf_string name;
        if (read_string(&r, &name) && text_equal(name.text, name.length, key))
            return gguf_read_value(&r, &name, value, &ignored) == OK;
    }
    return 0;
}

static struct gguf_keys keys_of(const struct gguf *file) {
    return (struct gguf_keys){.file = file, .key_at = file->key_at, .keys = file->keys};
}

int gguf_find(const struct gguf *file, const char *key, struct gguf_value *value) {
    struct gguf_keys keys = keys_of(file);
    return gguf_find_in(&keys, key, value);
}

static enum status missing(const char *key, int there, struct error *error) {
    const char *what = there ? "a key of the wrong type" : "a key is missing";
    return fail(error, E_FORMAT, what, key, text_length(key));
}

enum status gguf_u32_in(const struct gguf_keys *keys, const char *key, uint32_t *out, struct error *error) {
    struct gguf_value value;
    if (!gguf_find_in(keys, key, &value)) return missing(key, 0, error);
    enum gguf_type type = value.type;
    int is_signed = type == GGUF_I8 || type == GGUF_I16 || type == GGUF_I32 || type == GGUF_I64;
    int is_unsigned = type == GGUF_U8 || type == GGUF_U16 || type == GGUF_U32 || type == GGUF_U64;
    if (!is_signed && !is_unsigned) return missing(key, 1, error);
    size_t n = type_bytes(type);
    uint64_t number = load(reader_at(keys->file, keys->part, value.at).bytes + value.at, n);
    int negative = is_signed && number >> (8 * n - 1) != 0;
    if (negative || number > UINT32_MAX)
        return fail(error, E_RANGE, "a negative or too large number, of the key", key, text_length(key));
    *out = (uint32_t)number;
    return OK;
}

enum status gguf_u32(const struct gguf *file, const char *key, uint32_t *out, struct error *error) {
    struct gguf_keys keys = keys_of(file);
    return gguf_u32_in(&keys, key, out, error);
}

enum status gguf_f32(const struct gguf *file, const char *key, float *out, struct error *error) {
    struct gguf_value value;
    if (!gguf_find(file, key, &value)) return missing(key, 0, error);
    union { uint64_t bits; double number; } wide;
    union { uint32_t bits; float number; } narrow;
    if (value.type == GGUF_F32) {
        narrow.bits = (uint32_t)load(file->bytes + value.at, 4);
        *out = narrow.number;
    } else if (value.type == GGUF_F64) {
        wide.bits = load(file->bytes + value.at, 8);
        *out = (float)wide.number;
    } else {
        return missing(key, 1, error);
    }
    return OK;
}

enum status gguf_text(const struct gguf *file, const char *key, struct gguf_string *out,
                      struct error *error) {
    struct gguf_value value;
    if (!gguf_find(file, key, &value)) return missing(key, 0, error);
    struct gguf_reader r = reader_at(file, 0, value.at);
    if (value.type != GGUF_STRING || !read_string(&r, out)) return missing(key, 1, error);
    return OK;
}

int gguf_next_string(const struct gguf *file, struct gguf_value *array, struct gguf_string *out) {
    struct gguf_reader r = reader_at(file, 0, array->at);
    if (array->item != GGUF_STRING || array->count == 0 || !read_string(&r, out)) return 0;
    array->at = r.at;
    array->count--;
    return 1;
}
