#include "model_file.h"
#include "../engine/text.h"
#include "file.h"
#include "load.h"
#include "mem.h"
#include "memory.h"

#define SHOWN 8 /* bytes of a digest in a message: enough to tell two files apart */

static const char NOT_IT[] = " is not the file that this program was built for (";

static enum status refuse_size(const struct file *file, uint64_t wanted, struct failure *failure) {
    struct text text = error_text(&failure->error, E_FORMAT);

    text_add(&text, file->name);
    text_add(&text, NOT_IT);
    text_add_u64(&text, file->size);
    text_add(&text, " bytes, expected ");
    text_add_u64(&text, wanted);
    text_add(&text, ")");
    failure->hint = "the file was altered or comes from another build: write the image anew";
    return E_FORMAT;
}

static enum status refuse_digest(const char *name, const uint8_t *found, const uint8_t *wanted,
                                 struct failure *failure) {
    struct text text = error_text(&failure->error, E_FORMAT);

    text_add(&text, name);
    text_add(&text, NOT_IT);
    text_add(&text, "sha256 ");
    sha256_show(found, SHOWN, &text);
    text_add(&text, "..., expected ");
    sha256_show(wanted, SHOWN, &text);
    text_add(&text, "...)");
    failure->hint = "the file was altered or comes from another build: write the image anew";
    return E_FORMAT;
}

static enum status refuse_memory(const struct file *file, EFI_BOOT_SERVICES *bs, struct failure *failure) {
    struct text text = error_text(&failure->error, E_MEMORY);

    text_add(&text, file->name);
    text_add(&text, " needs ");
    load_show_mib(file->size, &text);
    text_add(&text, " MiB of memory in one piece; the largest free one has ");
    load_show_mib(memory_largest(bs), &text);
    text_add(&text, " MiB");
    failure->hint = "give the machine more memory (in QEMU: mem=4G)";
    return E_MEMORY;
}

/* "[load] model.gguf 500 MiB in 11.2 s, 44.6 MB/s, sha256 checked (scalar)" */
static void say_loaded(const struct platform *platform, const struct file *file, uint64_t us, const char *sha) {
    char buffer[160];
    uint64_t size = file->size;
    struct text line = text_into(buffer, sizeof(buffer));

    text_add(&line, "[load] ");
    text_add(&line, file->name);
    text_add(&line, " ");
    load_show_mib(size, &line);
    text_add(&line, " MiB in ");
    text_add_fixed(&line, (double)us / 1e6, us < 10000000 ? 2 : 1);
    text_add(&line, " s, ");
    text_add_fixed(&line, us > 0 ? (double)size / (double)us : 0, 1);
    text_add(&line, " MB/s, sha256 checked (");
    text_add(&line, sha);
    text_add(&line, ")\n");
    platform->write(platform->ctx, buffer, line.used);
}

static const uint8_t *take(void *ctx, uint64_t at, const uint8_t *bytes, size_t n) {
    return memcpy((uint8_t *)ctx + at, bytes, n);
}

/* The open file into memory of its size */
static enum status read_in(struct pieces *out, struct file *file, const struct reference *wanted,
                           EFI_BOOT_SERVICES *bs, const struct platform *platform, uint32_t features,
                           struct failure *failure) {
    uint8_t digest[SHA256_BYTES];
    uint64_t start = platform->now_us(platform->ctx);

    if (file->size != wanted->size || file->size == 0)
        return refuse_size(file, wanted->size, failure);
    uint8_t *piece = memory_low(bs, LOAD_PIECE), *bytes = piece ? memory_pages(bs, file->size) : NULL;
    struct load how = {
        .platform = platform, .sha = sha_select(features), .piece = piece, .take = take, .ctx = bytes};
    enum status status = bytes ? load(&how, file, digest, failure) : refuse_memory(file, bs, failure);
    if (piece)
        memory_free(bs, piece, LOAD_PIECE);
    if (status == OK && memcmp(digest, wanted->sha256, SHA256_BYTES) != 0)
        status = refuse_digest(file->name, digest, wanted->sha256, failure);
    if (status != OK && bytes)
        memory_free(bs, bytes, file->size);
    if (status != OK)
        return status;
    say_loaded(platform, file, platform->now_us(platform->ctx) - start, how.sha->name);
    *out = pieces_one(bytes, file->size);
    return OK;
}

enum status model_file_load(struct pieces *out, const char *name, const struct reference *wanted,
                            EFI_HANDLE image, EFI_BOOT_SERVICES *bs, const struct platform *platform,
                            uint32_t features, struct failure *failure) {
    struct file file;
    enum status status = file_open(&file, image, bs, name, failure);

    if (status != OK)
        return status;
    status = read_in(out, &file, wanted, bs, platform, features, failure);
    file_close(&file);
    return status;
}

void model_file_release(struct pieces *file, EFI_BOOT_SERVICES *bs) {
    for (unsigned i = 0; i < file->count; i++)
        memory_free(bs, (void *)file->piece[i].bytes, file->piece[i].size);
    *file = (struct pieces){.count = 0};
}
