/* Measuring a model. */
#include "bench.h"
#include "text.h"

#define ENOUGH_US 1000000 /* of a phase, when a half of the context is complete */
#define MOST_US 5000000   /* when it is not */

struct run {
    struct session *session;
    const struct platform *platform;
    int (*stop)(void *ctx);
    void *ctx;
    struct error *error;
};

static uint64_t now(const struct run *r) { return r->platform->now_us(r->platform->ctx); }

static enum status look(const struct run *r) {
    if (!r->stop || !r->stop(r->ctx)) return OK;
    return fail(r->error, E_STOPPED, "stopped", NULL, 0);
}

/* Positions 0 to half-1, in batches. */
static enum status prefill(struct run *r, struct bench *b, uint32_t half) {
    struct session *s = r->session;
    uint32_t tokens[PREFILL_BATCH], pos = 0, batch = (uint32_t)s->state.batch;
    uint64_t start = now(r), spent = 0;
    if (batch > PREFILL_BATCH) batch = PREFILL_BATCH;
    while (pos < half && spent < MOST_US) {
        enum status status = look(r);
        if (status != OK) return status;
        uint32_t m = half - pos < batch ? half - pos : batch;
        for (uint32_t i = 0; i < m; i++) tokens[i] = (pos + i) % s->model->shape.vocab;
        model_run(s->model, &s->state, tokens, m, pos);
        pos += m;
        spent = now(r) - start;
    }
    if (half > 0) model_logits(s->model, &s->state, 0);
    b->prefill_tokens += pos;
    b->prefill_us += now(r) - start;
    return OK;
}

/* Positions half to context-1, one by one. */
static enum status decode(struct run *r, struct bench *b, uint32_t half) {
    struct session *s = r->session;
    uint32_t token = 0, pos = half;
    uint64_t start = now(r), spent = 0;
    while (pos < s->model->shape.context && spent < MOST_US) {
        enum status status = look(r);
        if (status != OK) return status;
        model_run(s->model, &s->state, &token, 1, pos++);
        model_logits(s->model, &s->state, 0);
        token = sampler_pick(&s->sampler, s->state.compute.kernels, s->state.logits, (struct history){0});
        spent = now(r) - start;
    }
    b->decode_tokens += pos - half;
    b->decode_us += now(r) - start;
    return OK;
}

enum status bench_run(struct session *session, const struct platform *platform, int (*stop)(void *ctx), void *ctx,
                      struct bench *out, struct error *error) {
    struct run r = {.session = session, .platform = platform, .stop = stop, .ctx = ctx, .error = error};
    struct sampler before = session->sampler;
    uint32_t half = session->model->shape.context / 2;
    enum status status = OK;
    *out = (struct bench){0};
    session->used = 0;
    session->sampler.temp = 0;
    while (status == OK && half > 0 && out->prefill_us < ENOUGH_US) status = prefill(&r, out, half);
    while (status == OK && out->decode_us < ENOUGH_US) status = decode(&r, out, half);
    session->sampler = before;
    return status;
}

static void add_rate(struct text *t, const char *name, uint64_t tokens, uint64_t us) {
    text_add(t, name);
    text_add_fixed(t, us > 0 ? (double)tokens * 1e6 / (double)us : 0, 1);
}

void bench_show(const struct bench *b, const struct session *s, struct text *t) {
    text_add(t, "{\"model\": \"");
    for (const char *c = s->model->name; *c; c++) { /* printable ASCII, of which JSON wants two escaped */
        if (*c == '"' || *c == '\\') text_add(t, "\\");
        text_add_bytes(t, c, 1);
    }
    text_add(t, "\", \"kernel\": \"");
    text_add(t, s->state.compute.kernels->name);
    text_add(t, "\", \"threads\": ");
    text_add_u64(t, s->state.compute.cores->count);
    add_rate(t, ", \"prefill_tok_s\": ", b->prefill_tokens, b->prefill_us);
    add_rate(t, ", \"decode_tok_s\": ", b->decode_tokens, b->decode_us);
    text_add(t, ", \"bytes_per_token\": ");
    text_add_u64(t, s->model->bytes_per_token);
    text_add(t, "}");
}
