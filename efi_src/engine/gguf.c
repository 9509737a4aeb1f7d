/* GGUF, bounds first. Layout: "GGUF", u32 version, u64 tensors, u64 keys; each key: string, u32 type,
 * value; each tensor: string, u32 dims, u64 shape[dims], u32 type, u64 offset; padding; data. */
#include "gguf.h"
#include "text.h"

struct reader {
    const uint8_t *bytes;
    size_t size, at; /* at <= size */
};

static uint64_t load(const uint8_t *at, size_t n) {
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static int skip(struct reader *r, uint64_t n) {
    if (n > r->size - r->at) return 0;
    r->at += (size_t)n;
    return 1;
}

static int read_number(struct reader *r, size_t n, uint64_t *out) {
    size_t at = r->at;
    if (!skip(r, n)) return 0;
    *out = load(r->bytes + at, n);
    return 1;
}

static int read_u32(struct reader *r, uint32_t *out) {
    uint64_t value;
    if (!read_number(r, 4, &value)) return 0;
    *out = (uint32_t)value;
    return 1;
}

static int read_string(struct reader *r, struct gguf_string *out) {
    uint64_t length;
    if (!read_number(r, 8, &length)) return 0;
    out->text = (const char *)r->bytes + r->at;
    out->length = (size_t)length;
    return skip(r, length);
}

static enum status fail_at(struct error *error, enum status code, const char *what,
                           const struct gguf_string *name) {
    return fail(error, code, what, name->text, name->length);
}

static struct reader reader_at(const struct gguf *file, size_t at) {
    return (struct reader){.bytes = file->bytes, .size = file->size, .at = at};
}

/* Bytes of a value of a fixed size; 0 for strings, arrays and types that do not exist. */
static size_t type_bytes(uint32_t type) {
    static const uint8_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof bytes ? bytes[type] : 0;
}

/* What a tensor type needs: `bytes` for each `block` of elements. */
static int block_of(uint32_t type, uint64_t *block, uint64_t *bytes) {
    *block = type == GGML_Q4_0 || type == GGML_Q8_0 ? 32 : 1;
    *bytes = type == GGML_F32 ? 4 : type == GGML_F16 ? 2 : type == GGML_Q4_0 ? 18 : 34;
    return type == GGML_F32 || type == GGML_F16 || type == GGML_Q4_0 || type == GGML_Q8_0;
}

static enum status read_value(struct reader *r, const struct gguf_string *key, struct gguf_value *value,
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

static int same(const struct gguf_string *a, const struct gguf_string *b) {
    if (a->length != b->length) return 0;
    for (size_t i = 0; i < a->length; i++)
        if (a->text[i] != b->text[i]) return 0;
    return 1;
}

/* Whether one of the n names that start at `at` is this one. */
static int repeated(const struct gguf *file, const size_t *at, uint32_t n, const struct gguf_string *name) {
    for (uint32_t i = 0; i < n; i++) {
        struct reader r = reader_at(file, at[i]);
        struct gguf_string other;
        if (read_string(&r, &other) && same(&other, name)) return 1;
    }
    return 0;
}

static enum status read_keys(struct gguf *file, struct reader *r, uint64_t count, struct error *error) {
    for (uint64_t i = 0; i < count; i++) {
        struct gguf_string key;
        struct gguf_value value;
        size_t at = r->at;
        if (!read_string(r, &key))
            return fail(error, E_TRUNCATED, "the file ends inside the name of a key", NULL, 0);
        if (key.length == 0) return fail(error, E_FORMAT, "a key without a name", NULL, 0);
        if (key.length > GGUF_MAX_KEY) return fail_at(error, E_UNSUPPORTED, "the name of a key is too long", &key);
        if (repeated(file, file->key_at, file->keys, &key))
            return fail_at(error, E_FORMAT, "a key that is there twice", &key);
        enum status status = read_value(r, &key, &value, error);
        if (status != OK) return status;
        file->key_at[file->keys++] = at;
    }
    return OK;
}

/* One tensor's description; `data` is not set yet. */
static enum status read_tensor(struct reader *r, struct gguf_tensor *t, struct error *error) {
    uint32_t type;
    *t = (struct gguf_tensor){.dims = 0, .shape = {1, 1, 1, 1}};
    if (!read_string(r, &t->name))
        return fail(error, E_TRUNCATED, "the file ends inside the name of a tensor", NULL, 0);
    const struct gguf_string *name = &t->name;
    if (name->length == 0) return fail(error, E_FORMAT, "a tensor without a name", NULL, 0);
    if (!read_u32(r, &t->dims)) return fail_at(error, E_TRUNCATED, "the file ends inside the tensor", name);
    if (t->dims < 1 || t->dims > GGUF_MAX_DIMS)
        return fail_at(error, E_FORMAT, "a tensor that has not 1 to 4 dimensions", name);
    for (uint32_t i = 0; i < t->dims; i++)
        if (!read_number(r, 8, &t->shape[i]))
            return fail_at(error, E_TRUNCATED, "the file ends inside the tensor", name);
    if (!read_u32(r, &type) || !read_number(r, 8, &t->offset))
        return fail_at(error, E_TRUNCATED, "the file ends inside the tensor", name);
    uint64_t block, block_bytes, elements = 1;
    if (!block_of(type, &block, &block_bytes))
        return fail_at(error, E_UNSUPPORTED, "a tensor that is not F32, F16, Q8_0 or Q4_0", name);
    t->type = (enum ggml_type)type;
    for (uint32_t i = 0; i < GGUF_MAX_DIMS; i++)
        if (t->shape[i] == 0 || __builtin_mul_overflow(elements, t->shape[i], &elements))
            return fail_at(error, E_FORMAT, "a tensor with a size that cannot be", name);
    if (t->shape[0] % block != 0)
        return fail_at(error, E_FORMAT, "a tensor whose rows are no whole number of blocks", name);
    if (__builtin_mul_overflow(elements / block, block_bytes, &t->bytes))
        return fail_at(error, E_FORMAT, "a tensor with a size that cannot be", name);
    return OK;
}

static enum status read_tensors(struct gguf *file, struct reader *r, uint64_t count, struct error *error) {
    for (uint64_t i = 0; i < count; i++) {
        struct gguf_tensor tensor;
        size_t at = r->at;
        enum status status = read_tensor(r, &tensor, error);
        if (status != OK) return status;
        if (tensor.name.length > GGUF_MAX_NAME)
            return fail_at(error, E_UNSUPPORTED, "the name of a tensor is too long", &tensor.name);
        if (repeated(file, file->tensor_at, file->tensors, &tensor.name))
            return fail_at(error, E_FORMAT, "a tensor that is there twice", &tensor.name);
        file->tensor_at[file->tensors++] = at;
    }
    return OK;
}

/* Every tensor aligned, after the one before it, and inside the file. */
static enum status place_tensors(const struct gguf *file, struct error *error) {
    uint64_t room = file->size - file->data_at, end = 0;
    for (uint32_t i = 0; i < file->tensors; i++) {
        struct reader r = reader_at(file, file->tensor_at[i]);
        struct gguf_tensor t;
        enum status status = read_tensor(&r, &t, error);
        if (status != OK) return status;
        if (t.offset % file->alignment != 0)
            return fail_at(error, E_FORMAT, "a tensor that is not aligned", &t.name);
        if (t.offset < end)
            return fail_at(error, E_FORMAT, "a tensor that overlaps the one before it", &t.name);
        if (t.offset > room || t.bytes > room - t.offset)
            return fail_at(error, E_TRUNCATED, "the file ends before the data of the tensor", &t.name);
        end = t.offset + t.bytes;
    }
    return OK;
}

static enum status read_header(struct gguf *file, struct reader *r, uint64_t *tensors, uint64_t *keys,
                               struct error *error) {
    uint32_t magic;
    if (!read_u32(r, &magic) || magic != 0x46554747) return fail(error, E_FORMAT, "not a GGUF file", NULL, 0);
    if (!read_u32(r, &file->version))
        return fail(error, E_TRUNCATED, "the file ends inside its header", NULL, 0);
    if ((file->version & 0xFFFF) == 0 && file->version != 0)
        return fail(error, E_UNSUPPORTED, "a big-endian GGUF file", NULL, 0);
    if (file->version != 2 && file->version != 3) {
        struct text t = error_text(error, E_UNSUPPORTED);
        text_add(&t, "GGUF version ");
        text_add_u64(&t, file->version);
        text_add(&t, "; this engine reads versions 2 and 3");
        return E_UNSUPPORTED;
    }
    if (!read_number(r, 8, tensors) || !read_number(r, 8, keys))
        return fail(error, E_TRUNCATED, "the file ends inside its header", NULL, 0);
    if (*keys > GGUF_MAX_KEYS) return fail(error, E_UNSUPPORTED, "more than 512 keys", NULL, 0);
    if (*tensors > GGUF_MAX_TENSORS) return fail(error, E_UNSUPPORTED, "more than 4096 tensors", NULL, 0);
    return OK;
}

/* general.alignment (32 when absent), and from it where the data starts. */
static enum status find_data(struct gguf *file, const struct reader *r, struct error *error) {
    struct gguf_value value;
    uint32_t alignment = 32;
    if (gguf_find(file, "general.alignment", &value)) {
        enum status status = gguf_u32(file, "general.alignment", &alignment, error);
        if (status != OK) return status;
    }
    if (alignment < 4 || alignment > 1 << 20 || (alignment & (alignment - 1)) != 0)
        return fail(error, E_FORMAT, "general.alignment is no power of two from 4 to 1048576", NULL, 0);
    file->alignment = alignment;
    size_t padding = (alignment - r->at % alignment) % alignment;
    if (padding > file->size - r->at) {
        if (file->tensors > 0)
            return fail(error, E_TRUNCATED, "the file ends before its tensors' data", NULL, 0);
        padding = file->size - r->at; /* nothing follows */
    }
    file->data_at = r->at + padding;
    return OK;
}

enum status gguf_open(struct gguf *file, const void *bytes, size_t size, struct error *error) {
    file->bytes = bytes;
    file->size = size;
    file->keys = file->tensors = 0;
    struct reader r = reader_at(file, 0);
    uint64_t tensors = 0, keys = 0;
    enum status status = read_header(file, &r, &tensors, &keys, error);
    if (status == OK) status = read_keys(file, &r, keys, error);
    if (status == OK) status = read_tensors(file, &r, tensors, error);
    if (status == OK) status = find_data(file, &r, error);
    if (status == OK) status = place_tensors(file, error);
    return status;
}

int gguf_find(const struct gguf *file, const char *key, struct gguf_value *value) {
    struct error ignored; /* what gguf_open accepted cannot fail here */
    for (uint32_t i = 0; i < file->keys; i++) {
        struct reader r = reader_at(file, file->key_at[i]);
        struct gguf_string name;
        if (read_string(&r, &name) && text_equal(name.text, name.length, key))
            return read_value(&r, &name, value, &ignored) == OK;
    }
    return 0;
}

int gguf_find_tensor(const struct gguf *file, const char *name, struct gguf_tensor *tensor) {
    struct error ignored;
    for (uint32_t i = 0; i < file->tensors; i++) {
        struct reader r = reader_at(file, file->tensor_at[i]);
        if (read_tensor(&r, tensor, &ignored) != OK) return 0;
        if (!text_equal(tensor->name.text, tensor->name.length, name)) continue;
        tensor->data = file->bytes + file->data_at + tensor->offset;
        return 1;
    }
    return 0;
}

static enum status missing(const char *key, int there, struct error *error) {
    const char *what = there ? "a key of the wrong type" : "a key is missing";
    return fail(error, E_FORMAT, what, key, text_length(key));
}

enum status gguf_u32(const struct gguf *file, const char *key, uint32_t *out, struct error *error) {
    struct gguf_value value;
    if (!gguf_find(file, key, &value)) return missing(key, 0, error);
    enum gguf_type type = value.type;
    int is_signed = type == GGUF_I8 || type == GGUF_I16 || type == GGUF_I32 || type == GGUF_I64;
    int is_unsigned = type == GGUF_U8 || type == GGUF_U16 || type == GGUF_U32 || type == GGUF_U64;
    if (!is_signed && !is_unsigned) return missing(key, 1, error);
    size_t n = type_bytes(type);
    uint64_t number = load(file->bytes + value.at, n);
    int negative = is_signed && number >> (8 * n - 1) != 0;
    if (negative || number > UINT32_MAX)
        return fail(error, E_RANGE, "a negative or too large number, of the key", key, text_length(key));
    *out = (uint32_t)number;
    return OK;
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
    struct reader r = reader_at(file, value.at);
    if (value.type != GGUF_STRING || !read_string(&r, out)) return missing(key, 1, error);
    return OK;
}

int gguf_next_string(const struct gguf *file, struct gguf_value *array, struct gguf_string *out) {
    struct reader r = reader_at(file, array->at);
    if (array->item != GGUF_STRING || array->count == 0 || !read_string(&r, out)) return 0;
    array->at = r.at;
    array->count--;
    return 1;
}
