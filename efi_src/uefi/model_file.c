#include "model_file.h"
#include "../engine/text.h"
#include "file.h"
#include "load.h"
#include "mem.h"
#include "memory.h"
#include "split.h"
#include <stdbool.h>

#define SPARE (UINT64_C(32) << 20) /* stays free below 4 GiB */
#define ATTEMPTS 3
#define SHOWN 8 /* bytes of a digest in a message: enough to tell two files apart */

_Static_assert(SPLIT_STEP % LOAD_PIECE == 0, "what is read at once goes into one block");

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

static enum status refuse_memory(const struct file *file, uint64_t found, struct failure *failure) {
    struct text text = error_text(&failure->error, E_MEMORY);

    text_add(&text, "not enough memory for ");
    text_add(&text, file->name);
    text_add(&text, ": ");
    text_add_mib(&text, file->size);
    text_add(&text, " MiB needed, ");
    text_add_mib(&text, found);
    text_add(&text, " MiB found");
    failure->hint = "give the machine more memory (in QEMU: mem=4G)";
    return E_MEMORY;
}

/* Before anything is allocated: "[memory] model.gguf: 3072 MiB in 2 pieces, of 3890 MiB free" */
static void say_plan(const struct platform *platform, const struct file *file, const struct split *plan) {
    char buffer[160];
    struct text line = text_into(buffer, sizeof(buffer));

    text_add(&line, "[memory] ");
    text_add(&line, file->name);
    text_add(&line, ": ");
    text_add_mib(&line, file->size);
    text_add(&line, " MiB in ");
    text_add_u64(&line, plan->count);
    text_add(&line, plan->count == 1 ? " piece, of " : " pieces, of ");
    text_add_mib(&line, plan->found);
    text_add(&line, " MiB free\n");
    platform->write(platform->ctx, buffer, line.used);
}

/* "[load] model.gguf 500 MiB in 11.2 s, 44.6 MB/s, sha256 checked (scalar)" */
static void say_loaded(const struct platform *platform, const struct file *file, uint64_t us, const char *sha) {
    char buffer[160];
    uint64_t size = file->size;
    struct text line = text_into(buffer, sizeof(buffer));

    text_add(&line, "[load] ");
    text_add(&line, file->name);
    text_add(&line, " ");
    text_add_mib(&line, size);
    text_add(&line, " MiB in ");
    text_add_fixed(&line, (double)us / 1e6, us < 10000000 ? 2 : 1);
    text_add(&line, " s, ");
    text_add_fixed(&line, us > 0 ? (double)size / (double)us : 0, 1);
    text_add(&line, " MB/s, sha256 checked (");
    text_add(&line, sha);
    text_add(&line, ")\n");
    platform->write(platform->ctx, buffer, line.used);
}

/* Every block of the plan, or none */
static bool take_blocks(struct pieces *out, const struct split *plan, uint64_t size, EFI_BOOT_SERVICES *bs) {
    *out = (struct pieces){.count = 0};
    for (size_t i = 0; i < plan->count; i++) {
        uint64_t left = size - out->size;
        size_t n = plan->block[i].bytes < left ? plan->block[i].bytes : left;
        void *block = memory_at(bs, plan->block[i].at, n);
        if (block) {
            pieces_add(out, block, n);
        } else {
            model_file_release(out, bs);
            return false;
        }
    }
    return true;
}

/* Memory for the file. What is said may itself take memory: then the plan is made anew. */
static enum status make_room(struct pieces *out, const struct file *file, EFI_BOOT_SERVICES *bs,
                             const struct platform *platform, struct failure *failure) {
    struct split plan = {.found = 0};
    struct region *regions;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        size_t n = memory_regions(bs, &regions);
        if (!split_plan(&plan, regions, n, file->size, SPARE))
            break;
        if (attempt == 0)
            say_plan(platform, file, &plan);
        if (take_blocks(out, &plan, file->size, bs))
            return OK;
    }
    return refuse_memory(file, plan.found, failure);
}

static const uint8_t *take(void *ctx, uint64_t at, const uint8_t *bytes, size_t n) {
    return memcpy((void *)pieces_find(ctx, at, n), bytes, n);
}

/* The open file into `out`; what is not the file that is wanted is given back */
static enum status read_in(struct pieces *out, struct file *file, const struct reference *wanted, uint8_t *piece,
                           EFI_BOOT_SERVICES *bs, const struct platform *platform, uint32_t features,
                           struct failure *failure) {
    uint8_t digest[SHA256_BYTES];
    uint64_t start = platform->now_us(platform->ctx);
    struct load how = {
        .platform = platform, .sha = sha_select(features), .piece = piece, .take = take, .ctx = out};

    enum status status = make_room(out, file, bs, platform, failure);
    if (status != OK)
        return status;
    status = load(&how, file, digest, failure);
    if (status == OK && memcmp(digest, wanted->sha256, SHA256_BYTES) != 0)
        status = refuse_digest(file->name, digest, wanted->sha256, failure);
    if (status == OK)
        say_loaded(platform, file, platform->now_us(platform->ctx) - start, how.sha->name);
    else
        model_file_release(out, bs);
    return status;
}

enum status model_file_load(struct pieces *out, const char *name, const struct reference *wanted,
                            EFI_HANDLE image, EFI_BOOT_SERVICES *bs, const struct platform *platform,
                            uint32_t features, struct failure *failure) {
    struct file file;
    enum status status = file_open(&file, image, bs, name, failure);

    if (status != OK)
        return status;
    if (file.size != wanted->size || file.size == 0)
        status = refuse_size(&file, wanted->size, failure);
    uint8_t *piece = status == OK ? memory_low(bs, LOAD_PIECE) : NULL;
    if (piece)
        status = read_in(out, &file, wanted, piece, bs, platform, features, failure);
    else if (status == OK)
        status = refuse_memory(&file, 0, failure);
    if (piece)
        memory_free(bs, piece, LOAD_PIECE);
    file_close(&file);
    return status;
}

void model_file_release(struct pieces *file, EFI_BOOT_SERVICES *bs) {
    for (unsigned i = 0; i < file->count; i++)
        memory_free(bs, (void *)file->piece[i].bytes, file->piece[i].size);
    *file = (struct pieces){.count = 0};
}
