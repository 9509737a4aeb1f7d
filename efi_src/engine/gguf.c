/* GGUF, bounds first. Layout: "GGUF", u32 version, u64 tensors, u64 keys; each key: string, u32 type,
 * value; each tensor: string, u32 dims, u64 shape[dims], u32 type, u64 offset; padding; data. */
#include "gguf_reader.h"

/* What a tensor type needs: `bytes` for each `block` of elements. */
static int block_of(uint32_t type, uint64_t *block, uint64_t *bytes) {
    *block = type == GGML_Q4_0 || type == GGML_Q8_0 ? 32 : 1;
    *bytes = type == GGML_F32 ? 4 : type == GGML_F16 ? 2 : type == GGML_Q4_0 ? 18 : 34;
    return type == GGML_F32 || type == GGML_F16 || type == GGML_Q4_0 || type == GGML_Q8_0;
}

static int same(const struct gguf_string *a, const struct gguf_string *b) {
    if (a->length != b->length) return 0;
    for (size_t i = 0; i < a->length; i++)
        if (a->text[i] != b->text[i]) return 0;
    return 1;
}

/* Whether one of the n names that start at `at` in a part is this one. */
static int repeated(const struct gguf *file, size_t part, const size_t *at, uint32_t n,
                    const struct gguf_string *name) {
    for (uint32_t i = 0; i < n; i++) {
        struct gguf_reader r = reader_at(file, part, at[i]);
        struct gguf_string other;
        if (read_string(&r, &other) && same(&other, name)) return 1;
    }
    return 0;
}

/* The keys of a part, behind those of the first: only these are kept. */
static enum status read_keys(struct gguf *file, size_t part, struct gguf_reader *r, uint64_t count,
                             struct gguf_keys *keys, struct error *error) {
    size_t *key_at = file->key_at + file->keys;
    *keys = (struct gguf_keys){.file = file, .part = part, .key_at = key_at};
    if (count > GGUF_MAX_KEYS - file->keys) return fail(error, E_UNSUPPORTED, "more than 512 keys", NULL, 0);
    for (uint64_t i = 0; i < count; i++) {
        struct gguf_string key;
        struct gguf_value value;
        size_t at = r->at;
        if (!read_string(r, &key))
            return fail(error, E_TRUNCATED, "the file ends inside the name of a key", NULL, 0);
        if (key.length == 0) return fail(error, E_FORMAT, "a key without a name", NULL, 0);
        if (key.length > GGUF_MAX_KEY) return fail_at(error, E_UNSUPPORTED, "the name of a key is too long", &key);
        if (repeated(file, part, key_at, keys->keys, &key))
            return fail_at(error, E_FORMAT, "a key that is there twice", &key);
        enum status status = gguf_read_value(r, &key, &value, error);
        if (status != OK) return status;
        key_at[keys->keys++] = at;
    }
    return OK;
}

/* One tensor's description; `data` is not set yet. */
static enum status read_tensor(struct gguf_reader *r, struct gguf_tensor *t, struct error *error) {
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

/* Which of a part's tensors, of all, is the first. */
static uint32_t first_tensor(const struct gguf *file, size_t part) {
    return part == 0 ? 0 : file->part[part - 1].tensors_end;
}

static int tensor_repeated(const struct gguf *file, const struct gguf_string *name) {
    for (size_t part = 0; part < file->parts; part++) {
        uint32_t first = first_tensor(file, part);
        if (repeated(file, part, file->tensor_at + first, file->part[part].tensors_end - first, name)) return 1;
    }
    return 0;
}

/* The tensors of the last part. */
static enum status read_tensors(struct gguf *file, struct gguf_reader *r, uint64_t count, struct error *error) {
    if (count > GGUF_MAX_TENSORS - file->tensors)
        return fail(error, E_UNSUPPORTED, "more than 4096 tensors", NULL, 0);
    for (uint64_t i = 0; i < count; i++) {
        struct gguf_tensor tensor;
        size_t at = r->at;
        enum status status = read_tensor(r, &tensor, error);
        if (status != OK) return status;
        if (tensor.name.length > GGUF_MAX_NAME)
            return fail_at(error, E_UNSUPPORTED, "the name of a tensor is too long", &tensor.name);
        if (tensor_repeated(file, &tensor.name))
            return fail_at(error, E_FORMAT, "a tensor that is there twice", &tensor.name);
        file->tensor_at[file->tensors++] = at;
        file->part[file->parts - 1].tensors_end = file->tensors;
    }
    return OK;
}

/* Every tensor of a part aligned, after the one before it, and inside the file. */
static enum status place_tensors(const struct gguf *file, size_t p, struct error *error) {
    const struct gguf_part *part = &file->part[p];
    uint64_t room = part->file.size - part->data_at, end = 0;
    for (uint32_t i = first_tensor(file, p); i < part->tensors_end; i++) {
        struct gguf_reader r = reader_at(file, p, file->tensor_at[i]);
        struct gguf_tensor t;
        enum status status = read_tensor(&r, &t, error);
        if (status != OK) return status;
        if (t.offset % part->alignment != 0)
            return fail_at(error, E_FORMAT, "a tensor that is not aligned", &t.name);
        if (t.offset < end)
            return fail_at(error, E_FORMAT, "a tensor that overlaps the one before it", &t.name);
        if (t.offset > room || t.bytes > room - t.offset)
            return fail_at(error, E_TRUNCATED, "the file ends before the data of the tensor", &t.name);
        end = t.offset + t.bytes;
    }
    return OK;
}

static enum status read_header(struct gguf_reader *r, uint64_t *tensors, uint64_t *keys, struct error *error) {
    uint32_t magic, version;
    if (!read_u32(r, &magic) || magic != 0x46554747) return fail(error, E_FORMAT, "not a GGUF file", NULL, 0);
    if (!read_u32(r, &version)) return fail(error, E_TRUNCATED, "the file ends inside its header", NULL, 0);
    if ((version & 0xFFFF) == 0 && version != 0)
        return fail(error, E_UNSUPPORTED, "a big-endian GGUF file", NULL, 0);
    if (version != 2 && version != 3) {
        struct text t = error_text(error, E_UNSUPPORTED);
        text_add(&t, "GGUF version ");
        text_add_u64(&t, version);
        text_add(&t, "; this engine reads versions 2 and 3");
        return E_UNSUPPORTED;
    }
    if (!read_number(r, 8, tensors) || !read_number(r, 8, keys))
        return fail(error, E_TRUNCATED, "the file ends inside its header", NULL, 0);
    return OK;
}

/* general.alignment (32 when absent), and from it where the data of the last part starts; `at`: behind all else. */
static enum status find_data(struct gguf *file, const struct gguf_keys *keys, size_t at, struct error *error) {
    struct gguf_part *part = &file->part[keys->part];
    struct gguf_value value;
    uint32_t alignment = 32;
    if (gguf_find_in(keys, "general.alignment", &value)) {
        enum status status = gguf_u32_in(keys, "general.alignment", &alignment, error);
        if (status != OK) return status;
    }
    if (alignment < 4 || alignment > 1 << 20 || (alignment & (alignment - 1)) != 0)
        return fail(error, E_FORMAT, "general.alignment is no power of two from 4 to 1048576", NULL, 0);
    part->alignment = alignment;
    uint64_t padding = (alignment - at % alignment) % alignment;
    if (padding > part->file.size - at) {
        if (part->tensors_end > first_tensor(file, keys->part))
            return fail(error, E_TRUNCATED, "the file ends before its tensors' data", NULL, 0);
        padding = part->file.size - at; /* nothing follows */
    }
    part->data_at = at + padding;
    return OK;
}

/* A key of a part that must have this value. */
static enum status expect(const struct gguf_keys *keys, const char *key, size_t wanted, struct error *error) {
    uint32_t found;
    enum status status = gguf_u32_in(keys, key, &found, error);
    if (status != OK || found == wanted) return status;
    struct text t = error_text(error, E_FORMAT);
    text_add(&t, key);
    text_add(&t, " is ");
    text_add_u64(&t, found);
    text_add(&t, ", and not ");
    text_add_u64(&t, wanted);
    return E_FORMAT;
}

/* Whether a part is the one that belongs there, of as many. */
static enum status check_split(const struct gguf_keys *keys, size_t parts, struct error *error) {
    struct gguf_value value;
    if (parts == 1 && !gguf_find_in(keys, "split.count", &value)) return OK;
    enum status status = expect(keys, "split.count", parts, error);
    return status == OK ? expect(keys, "split.no", keys->part, error) : status;
}

/* All that describes the next part, which has to lie in its first piece. */
static enum status read_part(struct gguf *file, const struct pieces *bytes, size_t parts, struct gguf_keys *keys,
                             struct error *error) {
    size_t p = file->parts++;
    uint64_t tensors = 0, n = 0;
    file->part[p] = (struct gguf_part){.file = *bytes, .tensors_end = file->tensors};
    struct gguf_reader r = reader_at(file, p, 0);
    enum status status = read_header(&r, &tensors, &n, error);
    if (status == OK) status = read_keys(file, p, &r, n, keys, error);
    if (status == OK) status = check_split(keys, parts, error);
    if (status == OK) status = read_tensors(file, &r, tensors, error);
    if (status == E_TRUNCATED && bytes->count > 1)
        return fail(error, E_MEMORY, "no piece of memory holds the whole description of the file", NULL, 0);
    if (status == OK) status = find_data(file, keys, r.at, error);
    return status == OK ? place_tensors(file, p, error) : status;
}

/* "in part 2 of 3: " and the error */
static void name_part(struct error *error, size_t part, size_t parts) {
    char old[sizeof error->text];
    struct text t = text_into(old, sizeof old);
    text_add(&t, error->text);
    t = error_text(error, error->code);
    text_add(&t, "in part ");
    text_add_u64(&t, part + 1);
    text_add(&t, " of ");
    text_add_u64(&t, parts);
    text_add(&t, ": ");
    text_add(&t, old);
}

enum status gguf_open(struct gguf *file, const struct pieces *parts, size_t count, struct error *error) {
    struct gguf_keys keys;
    enum status status = OK;
    file->keys = file->tensors = file->parts = 0;
    if (count < 1 || count > GGUF_MAX_PARTS)
        return fail(error, E_UNSUPPORTED, "a model of no file, or of more than 16", NULL, 0);
    file->bytes = parts[0].piece[0].bytes;
    for (size_t p = 0; p < count && status == OK; p++) {
        status = read_part(file, &parts[p], count, &keys, error);
        if (p == 0) file->keys = keys.keys;
        if (status != OK && count > 1) name_part(error, p, count);
    }
    if (status != OK || count == 1) return status;
    keys = (struct gguf_keys){.file = file, .key_at = file->key_at, .keys = file->keys};
    return expect(&keys, "split.tensors.count", file->tensors, error);
}

int gguf_find_tensor(const struct gguf *file, const char *name, struct gguf_tensor *tensor) {
    struct error ignored;
    size_t p = 0;
    for (uint32_t i = 0; i < file->tensors; i++) {
        while (i >= file->part[p].tensors_end) p++;
        struct gguf_reader r = reader_at(file, p, file->tensor_at[i]);
        if (read_tensor(&r, tensor, &ignored) != OK) return 0;
        if (!text_equal(tensor->name.text, tensor->name.length, name)) continue;
        const struct gguf_part *part = &file->part[p];
        tensor->file = &part->file;
        tensor->at = part->data_at + tensor->offset;
        return 1;
    }
    return 0;
}
