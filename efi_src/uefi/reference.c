#include "reference.h"
#include "../engine/text.h"

#define MAGIC "INGOTREF"
#define MAGIC_BYTES (sizeof(MAGIC) - 1)
#define COUNT_BYTES 4
#define SIZE_BYTES 8

/* The bytes that are left, and what was wrong with those that were read */
struct reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};

/* The next n bytes; NULL, and bad, where there are fewer */
static const uint8_t *take(struct reader *r, size_t n) {
    const uint8_t *found = r->at;

    if (r->bad || r->left < n) {
        r->bad = true;
        return NULL;
    }
    r->at += n;
    r->left -= n;
    return found;
}

static uint64_t read_number(struct reader *r, size_t n) {
    const uint8_t *bytes = take(r, n);
    uint64_t number = 0;

    for (size_t i = 0; bytes && i < n; i++)
        number |= (uint64_t)bytes[i] << (8 * i);
    return number;
}

/* A file's name may have a dot inside; a program reads it as a path, so nothing else is let in. */
static bool fits(uint8_t c, bool dots) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           (dots && c == '.');
}

static void read_name(struct reader *r, char out[REFERENCE_NAME + 1], bool dots) {
    const uint8_t *bytes = take(r, REFERENCE_NAME);
    size_t n = 0;

    out[0] = 0;
    if (!bytes)
        return;
    for (; n < REFERENCE_NAME && bytes[n]; n++) {
        r->bad |= !fits(bytes[n], dots && n > 0);
        out[n] = (char)bytes[n];
    }
    out[n] = 0;
    r->bad |= n == 0;
    for (size_t i = n; i < REFERENCE_NAME; i++)
        r->bad |= bytes[i] != 0;
}

static void read_file(struct reader *r, struct reference *out) {
    read_name(r, out->name, true);
    out->size = read_number(r, SIZE_BYTES);
    const uint8_t *digest = take(r, SHA256_BYTES);
    for (size_t i = 0; digest && i < SHA256_BYTES; i++)
        out->sha256[i] = digest[i];
    r->bad |= out->size == 0 || out->size > UINT32_MAX; /* as FAT32 has them */
}

static void read_model(struct reader *r, struct reference_model *out) {
    read_name(r, out->name, false);
    uint64_t count = read_number(r, COUNT_BYTES);
    if (count == 0 || count > REFERENCE_FILES)
        r->bad = true;
    out->bytes = 0;
    for (out->count = 0; !r->bad && out->count < count; out->count++) {
        read_file(r, &out->file[out->count]);
        out->bytes += out->file[out->count].size;
    }
}

static bool known(const struct references *all, const char *name) {
    for (size_t i = 0; i < all->count; i++)
        if (text_equal(name, text_length(name), all->model[i].name))
            return true;
    return false;
}

bool references_start(const uint8_t *bytes, size_t size) {
    return size >= MAGIC_BYTES && text_equal((const char *)bytes, MAGIC_BYTES, MAGIC);
}

enum status references_read(struct references *out, const uint8_t *bytes, size_t size, struct error *error) {
    struct reader r = {bytes, size, !references_start(bytes, size)};

    out->count = 0;
    take(&r, MAGIC_BYTES);
    while (!r.bad && r.left > 0 && out->count < REFERENCE_MODELS) {
        read_model(&r, &out->model[out->count]);
        r.bad |= known(out, out->model[out->count].name);
        out->count++;
    }
    if (!r.bad && r.left == 0 && out->count > 0)
        return OK;
    out->count = 0;
    return fail(error, E_FORMAT, "the program's list of its models is damaged", NULL, 0);
}
