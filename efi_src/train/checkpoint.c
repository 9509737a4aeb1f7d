#include "checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Followed by weights, moment1, moment2 (fp32), log and samples (bytes), and the checksum of all
 * before it (8 bytes). */
struct header {
    char magic[8];
    uint64_t identity, step, floats, log_size, samples_size;
};

static const char magic[8] = "INGOTC1";

uint64_t checkpoint_identity(const struct trainer *t) {
    const struct options *o = &t->options;
    const struct shape *c = &o->config;
    char text[512];
    int n = snprintf(text, sizeof text,
                     "v1 layers %" PRIu32 " heads %" PRIu32 " width %" PRIu32 " context %" PRIu32
                     " vocab %" PRIu32 " steps %" PRIu64 " batch %" PRIu64 " lr %.17g warmup %" PRIu64
                     " decay %.17g seed %" PRIu64 " eval %" PRIu64 " sample %" PRIu64 " log %" PRIu64
                     " train %" PRIx64 " val %" PRIx64,
                     c->layers, c->heads, c->width, c->context, c->vocab, o->steps, o->batch, o->lr,
                     o->warmup, o->decay, o->seed, o->eval_every, o->sample_every, o->log_every,
                     t->train.sum, t->val.sum);
    return fnv(FNV_START, text, (size_t)n);
}

enum status checkpoint_save(const struct trainer *t, const char *path, struct error *error) {
    size_t bytes = t->params.floats * sizeof(float);
    struct header header = {.identity = checkpoint_identity(t), .step = t->step, .floats = t->params.floats,
                            .log_size = t->log.size, .samples_size = t->samples.size};
    memcpy(header.magic, magic, sizeof magic);
    uint64_t sum = FNV_START;
    struct part parts[] = {
        {&header, sizeof header}, {t->weights, bytes},         {t->moment1, bytes},
        {t->moment2, bytes},      {t->log.bytes, t->log.size}, {t->samples.bytes, t->samples.size},
        {&sum, sizeof sum},
    };
    size_t count = sizeof parts / sizeof parts[0];
    for (size_t i = 0; i + 1 < count; i++)
        sum = fnv(sum, parts[i].bytes, parts[i].size);
    return files_write(&(struct output){path, parts, count}, 1, error);
}

/* Whether the file is complete and belongs to this run. */
static enum status check(const struct trainer *t, const struct buffer *file, const char *path,
                         struct error *error) {
    struct header header;
    uint64_t sum;
    if (file->size < sizeof header + sizeof sum)
        return fail_with(error, E_TRUNCATED, "%s is damaged: too short", path);
    memcpy(&header, file->bytes, sizeof header);
    memcpy(&sum, file->bytes + file->size - sizeof sum, sizeof sum);
    if (memcmp(header.magic, magic, sizeof magic) != 0)
        return fail_with(error, E_FORMAT, "%s is not a checkpoint", path);
    if (sum != fnv(FNV_START, file->bytes, file->size - sizeof sum))
        return fail_with(error, E_FORMAT, "%s is damaged: its checksum does not match", path);
    if (header.identity != checkpoint_identity(t))
        return fail_with(error, E_RANGE, "%s belongs to a run with other options or data", path);
    size_t rest = file->size - sizeof header - sizeof sum, tensors = 3 * t->params.floats * sizeof(float);
    if (header.floats != t->params.floats || rest < tensors || header.log_size > rest - tensors
        || header.samples_size != rest - tensors - header.log_size || header.step > t->options.steps)
        return fail_with(error, E_FORMAT, "%s is damaged: its sizes do not add up", path);
    return OK;
}

enum status checkpoint_load(struct trainer *t, const char *path, struct error *error) {
    struct buffer file = {0}, log = {0}, samples = {0};
    enum status status = file_read(path, &file, error);
    if (status == OK)
        status = check(t, &file, path, error);
    if (status == OK) {
        struct header header;
        memcpy(&header, file.bytes, sizeof header);
        size_t bytes = t->params.floats * sizeof(float);
        const unsigned char *at = file.bytes + sizeof header, *text = at + 3 * bytes;
        if (buffer_add(&log, text, header.log_size)
            && buffer_add(&samples, text + header.log_size, header.samples_size)) {
            memcpy(t->weights, at, bytes);
            memcpy(t->moment1, at + bytes, bytes);
            memcpy(t->moment2, at + 2 * bytes, bytes);
            t->log = log;
            t->samples = samples;
            t->step = header.step;
        } else {
            status = fail_with(error, E_MEMORY, "not enough memory to read %s", path);
            buffer_free(&log);
            buffer_free(&samples);
        }
    }
    buffer_free(&file);
    return status;
}
