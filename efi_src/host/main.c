/* ingot: the engine on Linux. Text goes to stdout, all else to stderr. */
#include "../engine/chat.h"
#include "../engine/generate.h"
#include "../kernels/cpu.h"
#include "../kernels/select.h"
#include "bench.h"
#include "options.h"
#include "platform.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct model model; /* too large for a stack */

/* The file's bytes, in place. */
static enum status map_file(const char *path, const void **bytes, size_t *size, struct error *error) {
    struct stat info;
    void *memory = MAP_FAILED;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int known = fd >= 0 && fstat(fd, &info) == 0;
    if (known && !S_ISREG(info.st_mode)) {
        close(fd);
        return fail(error, E_IO, "not a regular file", path, strlen(path));
    }
    if (known && info.st_size == 0) {
        close(fd);
        return fail(error, E_TRUNCATED, "an empty file", path, strlen(path));
    }
    if (known) memory = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int reason = errno;
    if (fd >= 0) close(fd);
    if (memory == MAP_FAILED) return fail(error, E_IO, strerror(reason), path, strlen(path));
    *bytes = memory;
    *size = (size_t)info.st_size;
    return OK;
}

static int report(const struct error *error, const char *hint) {
    fprintf(stderr, "ingot: %s\nhint: %s\n", error->text, hint);
    return 1;
}

static const char *model_hint(enum status status) {
    switch (status) {
    case E_UNSUPPORTED: return "this engine runs GGUF files of the architecture gpt2, F32, with byte tokens";
    case E_IO: return "give the path of a GGUF file, such as build/tales/model.gguf";
    case E_MEMORY: return "the model needs more memory than this machine gives";
    default: return "the file is damaged or no GGUF; make or fetch it anew";
    }
}

/* Everything that one text needs, allocated. */
struct job {
    struct session session;
    struct arena_plan plan;
    uint32_t *prompt;
    size_t count;
};

static enum status prepare(struct job *job, const struct options *o, const struct kernels *kernels,
                           struct error *error) {
    const struct platform *platform = host_platform();
    const struct gpt2_config *config = &model.gpt2.config;
    struct arena kv, acts, scratch;
    size_t length = strlen(o->prompt);
    size_t needed = arena_sum(session_scratch(config), arena_need(length, sizeof(uint32_t)));
    enum status status = arena_plan(&job->plan, config, (size_t)model.weight_bytes, needed, error);
    if (status != OK) return status;
    char buffer[256];
    struct text line = text_into(buffer, sizeof buffer);
    arena_show(&job->plan, &line);
    fprintf(stderr, "[memory] %s\n", buffer);
    status = arena_open(&kv, platform, "kv", job->plan.kv, error);
    if (status == OK) status = arena_open(&acts, platform, "acts", job->plan.acts, error);
    if (status == OK) status = arena_open(&scratch, platform, "scratch", job->plan.scratch, error);
    if (status == OK) status = session_open(&job->session, &model, kernels, &kv, &acts, &scratch, error);
    if (status != OK) return status;
    job->prompt = arena_take(&scratch, length, sizeof(uint32_t));
    return tokenizer_encode(&model.tokenizer, o->prompt, length, job->prompt, length, &job->count, error);
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
    uint64_t context = model.gpt2.config.context, most = o->settings.max_tokens;
    struct generate_hooks hooks = {.text = put_text};
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
    sampler->temp = o->settings.temp;
    sampler->top_p = o->settings.top_p;
    sampler->top_k = o->settings.top_k;
    sampler->rng = o->settings.seed;
    enum status status = generate(&job->session, host_platform(), job->prompt, job->count, most, &hooks,
                                  &result, &error);
    if (!o->tokens_given) put_text(NULL, "\n", 1);
    int written = host_flush();
    if (logits) written &= !ferror(logits) & (fclose(logits) == 0);
    if (status != OK) return report(&error, "the model's weights are damaged, or its training failed");
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
    const void *bytes = NULL;
    size_t size = 0;
    enum options_result result = options_read(&o, argc, argv, &error, &hint);
    if (result == OPTIONS_HELP) return fputs(options_usage, stdout) < 0;
    if (result == OPTIONS_WRONG) {
        report(&error, hint);
        return 2;
    }
    enum status status = map_file(o.model, &bytes, &size, &error);
    if (status == OK) status = model_load(&model, bytes, size, &error);
    if (status != OK) return report(&error, model_hint(status));

    const struct platform *platform = host_platform();
    struct cpu_leaves leaves = cpu_detect();
    char features[96], cpu[160];
    cpu_features_text(cpu_features(&leaves), features, sizeof features);
    snprintf(cpu, sizeof cpu, "vendor=%s features=%s", leaves.vendor, features);
    status = kernels_select(&selection, o.kernel, cpu_features(&leaves), platform->now_us, platform->ctx,
                            &error);
    if (status != OK) return report(&error, "--kernel auto takes the fastest that runs here");

    if (o.chat) {
        struct chat_host host = {.platform = platform, .kernels = selection.chosen, .cpu = cpu,
                                 .keys = "so does Ctrl-D", .settings = o.settings};
        host_raw_terminal();
        status = chat_run(&host, &model, &error);
        if (!host_flush() && status == OK)
            status = fail(&error, E_IO, "the output could not be written", NULL, 0);
        return status == OK ? 0 : report(&error, model_hint(status));
    }
    if (o.settings.seed == 0) o.settings.seed = (uint64_t)time(NULL);
    fprintf(stderr, "[cpu] %s kernel=%s\n", cpu, selection.chosen->name);
    status = prepare(&job, &o, selection.chosen, &error);
    if (status != OK) return report(&error, model_hint(status));
    if (!o.bench) return print_text(&job, &o);
    bench(&job.session, platform);
    return host_flush() ? 0 : 1;
}
