/* A saved session: u8 flags, then changes to a good file's bytes (u16 where, u8 what). Bit 0: it gets the right digest
 * again; bit 1: it ends at the u16 that follows. What loads goes on for a few tokens. */
#include "../engine/session_file.h"
#include "../kernels/sha.h"
#include "disk.h"
#include "fuzz.h"
#include "tiny.h"
#include <string.h>

enum { DIGEST_AT = 16, DIGESTED_AT = DIGEST_AT + SHA256_BYTES, PAGE = 512, PARTS = 16 };

static struct model model;
static struct session session;
static struct session_about about;
static struct platform platform;

static void go_on(uint64_t tokens) {
    const uint32_t prompt[] = {4, 5};
    struct generate_hooks hooks = {.turn = 1};
    struct generate_result result;
    struct error error;
    enum status status = generate(&session, &platform, prompt, 2, tokens, &hooks, &result, &error);
    if (status != OK) fuzz_error(status, &error);
}

static void change(struct fuzz_input *in) {
    size_t size;
    uint8_t *bytes = fuzz_disk_bytes("s", &size);
    struct sha256 hash;
    uint32_t flags = fuzz_u8(in);
    size_t end = flags & 2 ? fuzz_u16(in) : size;
    while (in->left > 0) {
        size_t at = fuzz_u16(in) % size;
        bytes[at] = (uint8_t)fuzz_u8(in);
    }
    if (end < size) size = end;
    if (flags & 1 && size >= DIGESTED_AT) {
        sha256_open(&hash, sha_select(0));
        sha256_add(&hash, bytes + DIGESTED_AT, size - DIGESTED_AT);
        sha256_close(&hash, bytes + DIGEST_AT);
    }
    fuzz_disk_cut("s", size);
}

static void save_and_load(struct fuzz_input *in) {
    static uint8_t page[PAGE];
    static struct platform_part parts[PARTS];
    const struct session_room room = {
        .platform = &platform, .sha = sha_select(0), .parts = parts, .page = page, .page_size = sizeof page};
    struct error error;
    FUZZ_PROMISE(session_parts(&model) <= PARTS);
    go_on(3);
    FUZZ_PROMISE(session_save(&session, &about, &room, "s", &error) == OK);
    change(in);
    enum status status = session_load(&session, &about, &room, "s", &error);
    if (status != OK) fuzz_error(status, &error);
    FUZZ_PROMISE(about.system_n <= TEMPLATE_SYSTEM_MAX);
    settings_apply(&about.settings, &session.sampler);
    go_on(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct session_setup setup = {.model = &model, .kernels = &kernels_scalar, .cores = &cores_one, .batch = 2};
    const struct model_files files = fuzz_tiny(0);
    struct fuzz_input in = {data, size};
    struct arena_plan plan;
    struct arenas arenas;
    struct error error;
    platform = fuzz_platform;
    fuzz_disk(&platform);
    fuzz_begin(0);
    FUZZ_PROMISE(model_load(&model, &files, &platform, &error) == OK);
    FUZZ_PROMISE(session_plan(&plan, &setup, 0, &error) == OK);
    FUZZ_PROMISE(arenas_open(&arenas, &plan, &platform, &error) == OK);
    FUZZ_PROMISE(session_open(&session, &setup, &arenas, &error) == OK);
    about = (struct session_about){.settings = settings_default()};
    about.settings.temp = 0;
    settings_apply(&about.settings, &session.sampler);
    session.sampler.rng = 1;
    save_and_load(&in);
    arenas_close(&arenas, &platform);
    model_close(&model, &platform);
    fuzz_end(0);
    return 0;
}
