/* A model that loads is run for a few tokens. */
#include "run_model.h"
#include "../engine/generate.h"
#include "../engine/settings.h"
#include "fuzz.h"

#define SMALL ((size_t)8 << 20)
#define PROMPT 6

static struct model model;

static void text(void *ctx, const char *utf8, size_t n) { (void)ctx, (void)utf8, (void)n; }

/* Ids of a text, and the ends of the vocabulary. */
static size_t prompt(uint32_t *ids, void *scratch) {
    struct error error;
    size_t count;
    if (tokenizer_encode(&model.tokenizer, "a b", 3, scratch, ids, PROMPT - 2, &count, &error) != OK) count = 0;
    for (size_t i = 0; i < count; i++) FUZZ_PROMISE(ids[i] < model.shape.vocab);
    ids[count++] = model.shape.vocab - 1;
    ids[count++] = 0;
    return count;
}

static void run(struct session *session, struct arenas *arenas, size_t encoding) {
    struct generate_hooks hooks = {.text = text};
    struct generate_result result;
    struct error error;
    uint32_t ids[PROMPT];
    struct settings settings = settings_default();
    size_t count = prompt(ids, arena_take(&arenas->scratch, encoding, 1));
    settings.repeat = 1.1f;
    settings_apply(&settings, &session->sampler);
    session->sampler.rng = 1;
    enum status status = generate(session, &fuzz_platform, ids, count, 3, &hooks, &result, &error);
    if (status != OK) fuzz_error(status, &error);
}

void fuzz_model(const struct model_files *files) {
    const struct session_setup setup = {.model = &model, .kernels = &kernels_scalar, .cores = &cores_one, .batch = 2,
                                        .platform = &fuzz_platform};
    struct arena_plan plan;
    struct arenas arenas;
    struct session session;
    struct error error = {.code = OK, .text = ""};
    enum status status = model_load(&model, files, &fuzz_platform, &error);
    if (status != OK) {
        fuzz_error(status, &error);
        return;
    }
    size_t encoding = tokenizer_scratch(&model.tokenizer, 3);
    status = session_plan(&plan, &setup, arena_need(encoding, 1), &error);
    if (status == OK && arena_total(&plan) < SMALL) {
        status = arenas_open(&arenas, &plan, &fuzz_platform, &error);
        if (status == OK) {
            status = session_open(&session, &setup, &arenas, &error);
            if (status == OK) run(&session, &arenas, encoding);
            arenas_close(&arenas, &fuzz_platform);
        }
    }
    if (status != OK) fuzz_error(status, &error);
    model_close(&model, &fuzz_platform);
}
