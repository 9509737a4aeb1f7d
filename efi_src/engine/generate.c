/* The loop that runs a model. */
#include "generate.h"
#include "text.h"
#include "utf8.h"

size_t session_scratch(const struct gpt2_config *c) {
    size_t bytes = arena_need(c->vocab, sizeof(float)); /* sampler.probs */
    bytes = arena_sum(bytes, arena_need(c->vocab, sizeof(struct candidate)));
    return arena_sum(bytes, arena_need(c->context, sizeof(uint32_t))); /* window */
}

enum status session_open(struct session *s, const struct model *model, const struct kernels *kernels,
                         struct arena *kv, struct arena *acts, struct arena *scratch, struct error *error) {
    const struct gpt2_config *c = &model->gpt2.config;
    void *cache = arena_take(kv, gpt2_kv_bytes(c), 1), *work = arena_take(acts, gpt2_act_bytes(c), 1);
    *s = (struct session){.model = model, .kernels = kernels};
    s->sampler.vocab = c->vocab;
    s->sampler.probs = arena_take(scratch, c->vocab, sizeof(float));
    s->sampler.candidates = arena_take(scratch, c->vocab, sizeof(struct candidate));
    s->window = arena_take(scratch, c->context, sizeof(uint32_t));
    if (!cache || !work || !s->sampler.probs || !s->sampler.candidates || !s->window)
        return fail(error, E_MEMORY, "the arenas are smaller than their plan", NULL, 0);
    gpt2_state_init(&s->state, c, cache, work);
    return OK;
}

/* One run of generate. */
struct run {
    struct session *session;
    const struct generate_hooks *hooks;
    struct utf8 utf8;
    struct error *error;
};

static int stopped(const struct run *r) { return r->hooks->stop && r->hooks->stop(r->hooks->ctx); }

static enum status stop(const struct run *r) { return fail(r->error, E_STOPPED, "stopped", NULL, 0); }

/* Learned positions cannot move: the older half goes, the rest is computed anew from position 0. */
static enum status drop_older_half(struct run *r) {
    struct session *s = r->session;
    const struct gpt2 *gpt2 = &s->model->gpt2;
    uint32_t keep = gpt2->config.context / 2, from = s->used - keep;
    s->used = 0;
    for (uint32_t i = 0; i < keep; i++) {
        if (stopped(r)) return stop(r);
        s->window[i] = s->window[from + i];
        gpt2_forward(gpt2, &s->state, s->kernels, s->window[i], i, 0);
        s->used++;
    }
    return OK;
}

/* Appends a token to the sequence; state.logits follow when want_logits, or a hook wants them. */
static enum status feed(struct run *r, uint32_t token, int want_logits) {
    struct session *s = r->session;
    const struct gpt2 *gpt2 = &s->model->gpt2;
    if (stopped(r)) return stop(r);
    if (s->used == gpt2->config.context) {
        enum status status = drop_older_half(r);
        if (status != OK) return status;
    }
    want_logits = want_logits || r->hooks->logits;
    gpt2_forward(gpt2, &s->state, s->kernels, token, s->used, want_logits);
    s->window[s->used++] = token;
    if (!want_logits) return OK;
    for (uint32_t i = 0; i < gpt2->config.vocab; i++) {
        float logit = s->state.logits[i];
        if (logit - logit != 0) /* NaN for infinities too */
            return fail(r->error, E_FORMAT, "the model gives a logit that is no finite number", NULL, 0);
    }
    if (r->hooks->logits) r->hooks->logits(r->hooks->ctx, s->state.logits, gpt2->config.vocab);
    return OK;
}

/* The text of a token, as far as its code points are complete. */
static void show(struct run *r, uint32_t token) {
    const uint8_t *bytes;
    size_t n = tokenizer_decode(&r->session->model->tokenizer, token, &bytes);
    for (size_t i = 0; i < n; i++) {
        char out[UTF8_PUSH_MAX];
        size_t length = utf8_push(&r->utf8, bytes[i], out);
        if (length > 0 && r->hooks->text) r->hooks->text(r->hooks->ctx, out, length);
    }
}

static void show_end(struct run *r) {
    char out[UTF8_PUSH_MAX];
    size_t length = utf8_end(&r->utf8, out);
    if (length > 0 && r->hooks->text) r->hooks->text(r->hooks->ctx, out, length);
}

/* Every token of the prompt but its last, which is the first that a new token follows from. */
static enum status feed_prompt(struct run *r, const uint32_t *prompt, size_t count) {
    for (size_t i = 0; i + 1 < count; i++) {
        enum status status = feed(r, prompt[i], 0);
        if (status != OK) return status;
    }
    return OK;
}

/* Up to `most` tokens after `token`, counted in *made. */
static enum status produce(struct run *r, uint32_t token, uint64_t most, uint64_t *made) {
    struct session *s = r->session;
    for (*made = 0; *made < most; ++*made) {
        enum status status = feed(r, token, 1);
        if (status != OK) return status;
        token = sampler_pick(&s->sampler, s->kernels, s->state.logits);
        if (token == s->model->tokenizer.eos) return OK;
        show(r, token);
    }
    return OK;
}

enum status generate(struct session *session, const struct platform *platform, const uint32_t *prompt,
                     size_t count, uint64_t most, const struct generate_hooks *hooks,
                     struct generate_result *result, struct error *error) {
    struct run r = {.session = session, .hooks = hooks, .error = error};
    const uint32_t *bos = &session->model->tokenizer.bos;
    *result = (struct generate_result){.prompt_tokens = count};
    session->used = 0;
    for (size_t i = 0; i < count; i++) show(&r, prompt[i]);
    if (count == 0 && most > 0) {
        if (*bos == TOKEN_NONE)
            return fail(error, E_UNSUPPORTED, "an empty prompt, and the model has no first token", NULL, 0);
        prompt = bos;
        count = 1;
    }
    uint64_t start = platform->now_us(platform->ctx);
    enum status status = most > 0 ? feed_prompt(&r, prompt, count) : OK;
    uint64_t middle = platform->now_us(platform->ctx);
    if (status == OK && most > 0) status = produce(&r, prompt[count - 1], most, &result->tokens);
    show_end(&r);
    result->prompt_us = middle - start;
    result->tokens_us = platform->now_us(platform->ctx) - middle;
    return status;
}

void generate_show(const struct generate_result *result, struct text *out) {
    double seconds = (double)result->tokens_us / 1e6;
    text_add(out, "tokens=");
    text_add_u64(out, result->tokens);
    text_add(out, " time_ms=");
    text_add_u64(out, (result->tokens_us + 500) / 1000);
    text_add(out, " tok_s=");
    text_add_fixed(out, seconds > 0 ? (double)result->tokens / seconds : 0, 1);
    text_add(out, " prompt_tokens=");
    text_add_u64(out, result->prompt_tokens);
}
