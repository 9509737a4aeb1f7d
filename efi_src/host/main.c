/* ingot: the engine on Linux. Text goes to stdout, all else to stderr. */
#include "../engine/chat.h"
#include "../engine/generate.h"
#include "../engine/utf8.h"
#include "../kernels/cpu.h"
#include "../kernels/select.h"
#include "bench.h"
#include "library.h"
#include "options.h"
#include "platform.h"
#include "threads.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef INGOT_VERSION
#error "compile with -DINGOT_VERSION=\"…\""
#endif

static struct model model; /* too large for a stack */
static struct library library;

static int report(const struct error *error, const char *hint) {
    fprintf(stderr, "ingot: %s\nhint: %s\n", error->text, hint);
    return 1;
}

static const char *model_hint(enum status status) {
    switch (status) {
    case E_UNSUPPORTED:
        return "this engine runs llama2.c files, and GGUF of the architectures llama and gpt2 in F32, F16, Q8_0 "
               "and Q4_0";
    case E_IO: return "give the path of a GGUF file, or of a llama2.c file and, with -z, of its tokenizer";
    case E_MEMORY: return "the model needs more memory than this machine gives";
    default: return "the file is damaged or no model; make or fetch it anew";
    }
}

/* Everything that one text needs, allocated. */
struct job {
    struct session session;
    struct arena_plan plan;
    uint32_t *prompt;
    size_t count;
};

/* llama2.c's -n asks for the text's continuation; --tokens for what the chat would answer. */
static int is_turn(const struct options *o) { return o->tokens_given && model.tokenizer.chat.form != NULL; }

static enum status prepare(struct job *job, const struct options *o, const struct session_setup *setup,
                           struct error *error) {
    const struct platform *platform = host_platform();
    struct arenas arenas;
    size_t length = strlen(o->prompt), size = length + TEMPLATE_MARKS_MAX;
    size_t most = size + 2; /* a token a byte, and what a tokenizer puts first */
    size_t encoding = tokenizer_scratch(&model.tokenizer, size);
    size_t needed = arena_sum(arena_need(most, sizeof(uint32_t)), arena_need(encoding, 1));
    needed = arena_sum(needed, arena_need(size, 1));
    enum status status = session_plan(&job->plan, setup, needed, error);
    if (status != OK) return status;
    char buffer[384];
    struct text line = text_into(buffer, sizeof buffer);
    model_show(&model, &line);
    fprintf(stderr, "[model] %s\n", buffer);
    line = text_into(buffer, sizeof buffer);
    arena_show(&job->plan, &line);
    fprintf(stderr, "[memory] %s\n", buffer);
    line = text_into(buffer, sizeof buffer);
    if (session_show_context(&job->plan, &line)) fprintf(stderr, "[memory] %s\n", buffer);
    status = arenas_open(&arenas, &job->plan, platform, error);
    if (status == OK) status = session_open(&job->session, setup, &arenas, error);
    if (status != OK) return status;
    job->prompt = arena_take(&arenas.scratch, most, sizeof(uint32_t));
    const struct template_room room = {.scratch = arena_take(&arenas.scratch, encoding, 1),
                                       .text = arena_take(&arenas.scratch, size, 1), .size = size};
    const struct template_turn turn = {.first = 1, .user = o->prompt, .n = length};
    if (is_turn(o)) return template_encode(&model.tokenizer, &turn, &room, job->prompt, most, &job->count, error);
    return tokenizer_encode(&model.tokenizer, o->prompt, length, room.scratch, job->prompt, most, &job->count, error);
}

static void put_text(void *ctx, const char *utf8, size_t n) {
    const struct platform *platform = host_platform();
    (void)ctx;
    platform->write(platform->ctx, utf8, n);
    host_flush();
}

static void put_logits(void *ctx, const float *logits, size_t vocab) {
    fwrite(logits, sizeof(float), vocab, ctx); /* checked when it is closed */
}

/* Prints the prompt and its continuation. */
static int print_text(struct job *job, const struct options *o) {
    struct sampler *sampler = &job->session.sampler;
    uint64_t context = model.shape.context, most = o->settings.max_tokens;
    struct generate_hooks hooks = {.text = put_text, .turn = is_turn(o)};
    struct generate_result result;
    struct error error;
    if (!o->tokens_given) { /* -n counts the prompt, and ends at the context */
        uint64_t steps = o->steps == 0 || o->steps > context ? context : o->steps;
        if (job->count > steps) job->count = (size_t)steps;
        most = steps - job->count;
    }
    FILE *logits = NULL;
    if (o->logits) {
        logits = fopen(o->logits, "wb");
        if (!logits) {
            fail(&error, E_IO, strerror(errno), o->logits, strlen(o->logits));
            return report(&error, "--logits takes the path of a file to write");
        }
        hooks.logits = put_logits;
        hooks.ctx = logits;
    }
    if (hooks.turn) { /* as the chat does for programs */
        utf8_show(o->prompt, strlen(o->prompt), put_text, NULL);
        put_text(NULL, "\n", 1);
    }
    settings_apply(&o->settings, sampler);
    sampler->rng = o->settings.seed;
    enum status status = generate(&job->session, host_platform(), job->prompt, job->count, most, &hooks,
                                  &result, &error);
    if (!o->tokens_given) put_text(NULL, "\n", 1);
    int written = host_flush();
    if (logits) written &= !ferror(logits) & (fclose(logits) == 0);
    if (status != OK) return report(&error, status == E_RANGE ? "a shorter prompt, or a model with a longer context"
                                              : "the model's weights are damaged, or its training failed");
    if (!written) {
        fail(&error, E_IO, "the output could not be written", NULL, 0);
        return report(&error, "is the disk full?");
    }
    char buffer[128];
    struct text line = text_into(buffer, sizeof buffer);
    generate_show(&result, &line);
    fprintf(stderr, "[stats] %s\n", buffer);
    return 0;
}

int main(int argc, char **argv) {
    struct options o;
    struct error error;
    struct selection selection;
    struct job job;
    const char *hint;
    enum options_result result = options_read(&o, argc, argv, &error, &hint);
    if (result == OPTIONS_HELP) return fputs(options_usage, stdout) < 0;
    if (result == OPTIONS_WRONG) {
        report(&error, hint);
        return 2;
    }
    library_find(&library, &o);
    const struct models models = library_models(&library);
    enum status status = o.chat ? OK : models.open(models.ctx, 0, &model, &error); /* the chat opens it itself */
    if (status != OK) return report(&error, model_hint(status));

    const struct platform *platform = host_platform();
    struct cpu_leaves leaves = cpu_detect();
    char features[96], cpu[160];
    cpu_features_text(cpu_features(&leaves), features, sizeof features);
    snprintf(cpu, sizeof cpu, "vendor=%s features=%s", leaves.vendor, features);
    status = kernels_select(&selection, o.kernel, cpu_features(&leaves), platform->now_us, platform->ctx,
                            &error);
    if (status != OK) return report(&error, "--kernel auto takes the fastest that runs here");

    const struct cores *cores = threads_start(o.threads, &error);
    if (!cores) return report(&error, "give fewer threads: -j 1");
    atexit(threads_stop);

    if (o.chat) {
        struct chat_host host = {.platform = host_chat_platform(), .kernels = selection.chosen, .cores = cores,
                                 .features = cpu_features(&leaves), .cpu = cpu, .keys = "so does Ctrl-D",
                                 .version = INGOT_VERSION, .settings = o.settings, .given = o.given,
                                 .kernels_given = o.kernel_given};
        host_raw_terminal();
        status = chat_run(&host, &models, &model, &error);
        if (!host_flush() && status == OK)
            status = fail(&error, E_IO, "the output could not be written", NULL, 0);
        return status == OK ? 0 : report(&error, model_hint(status));
    }
    if (o.settings.seed == 0) o.settings.seed = (uint64_t)time(NULL);
    fprintf(stderr, "[cpu] %s kernel=%s\n", cpu, selection.chosen->name);
    struct session_setup setup = {
        .model = &model, .kernels = selection.chosen, .cores = cores, .batch = (size_t)o.batch, .platform = platform};
    status = prepare(&job, &o, &setup, &error);
    if (status != OK) return report(&error, model_hint(status));
    if (!o.bench) return print_text(&job, &o);
    bench(&job.session, platform);
    return host_flush() ? 0 : 1;
}
