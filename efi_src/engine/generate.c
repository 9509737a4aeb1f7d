/* The loop that runs a model. */
#include "generate.h"
#include "rope.h"
#include "text.h"
#include "utf8.h"

/* One run of generate. */
struct run {
    struct session *session;
    const struct platform *platform;
    const struct generate_hooks *hooks;
    struct utf8 utf8;
    struct stop ending; /* what the reply ends at */
    uint32_t last;      /* token shown, or bos; TOKEN_NONE at the start */
    int moved;          /* positions that were there before this run are there no more */
    int torn;           /* and some of what shall take their place is missing */
    struct error *error;
};

static int stopped(const struct run *r) { return r->hooks->stop && r->hooks->stop(r->hooks->ctx); }

static enum status stop(const struct run *r) { return fail(r->error, E_STOPPED, "stopped", NULL, 0); }

static uint64_t now(const struct run *r) { return r->platform->now_us(r->platform->ctx); }

/* Tells the sentinel of m tokens that took from `start` until now, and the log what it says. */
static enum status watch(struct run *r, enum sentinel_phase phase, uint64_t start, size_t m) {
    struct session *s = r->session;
    char buffer[RINGLOG_TEXT + 1];
    struct text line = text_into(buffer, sizeof buffer);
    uint64_t time = now(r);
    enum sentinel_verdict verdict = sentinel_step(&s->sentinel, phase, time - start, m);
    if (verdict == SENTINEL_FINE) return OK;
    if (verdict == SENTINEL_STOP) {
        struct text t = error_text(r->error, E_STOPPED);
        sentinel_show_step(&s->sentinel, "us", &t);
        return E_STOPPED;
    }
    text_add(&line, verdict == SENTINEL_RAISED ? "raised: " : "overrun: ");
    sentinel_show_step(&s->sentinel, "us", &line);
    ringlog_add(&s->log, time, verdict == SENTINEL_RAISED ? LOG_INFO : LOG_WARNING, line.at, line.used);
    return OK;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Appends m tokens to the sequence, which has room for them. */
static void run_batch(struct session *s, const uint32_t *tokens, size_t m) {
    uint32_t context = s->model->shape.context;
    model_run(s->model, &s->state, tokens, m, s->used);
    for (size_t i = 0; i < m; i++) s->window[s->used++ % context] = tokens[i];
}

/* Learned positions cannot move: the older half goes, the rest is computed anew from position 0. */
static enum status drop_older_half(struct run *r) {
    struct session *s = r->session;
    uint32_t keep = s->model->shape.context / 2, from = s->used - keep;
    s->used = 0;
    r->moved = r->torn = 1;
    s->slid += from;
    for (uint32_t i = 0; i < keep; i++) s->window[i] = s->window[from + i];
    while (s->used < keep) {
        if (stopped(r)) return stop(r);
        size_t m = least(keep - s->used, s->state.batch);
        uint64_t start = now(r);
        run_batch(s, s->window + s->used, m);
        enum status status = watch(r, SENTINEL_PREFILL, start, m);
        if (status != OK) return status;
    }
    r->torn = 0;
    return OK;
}

/* Room for the next of `count` tokens: how many of them go into one batch -> *m */
static enum status make_room(struct run *r, size_t count, size_t *m) {
    struct session *s = r->session;
    uint32_t context = s->model->shape.context;
    enum status status = OK;
    int ring = s->model->architecture == MODEL_LLAMA;
    if (s->used >= context && !ring) status = drop_older_half(r);
    if (ring && s->used >= ROPE_MAX_POSITION)
        status = fail(r->error, E_RANGE, "a text of more than 1048576 tokens", NULL, 0);
    r->moved |= s->used >= context;
    if (s->used >= context && status == OK) s->slid++;
    *m = s->used < context ? least(least(count, s->state.batch), context - s->used) : 1;
    return status;
}

/* The logits of row `row` of the last batch -> state.logits */
static enum status compute_logits(struct run *r, size_t row) {
    struct session *s = r->session;
    uint32_t vocab = s->model->shape.vocab;
    model_logits(s->model, &s->state, row);
    if (s->failsafe) failsafe_trip(&s->failsafe, &s->state);
    for (uint32_t i = 0; i < vocab; i++) {
        float logit = s->state.logits[i];
        if (logit - logit != 0) /* NaN for infinities too */
            return fail(r->error, E_FORMAT, "the model gives a logit that is no finite number", NULL, 0);
    }
    if (r->hooks->logits) r->hooks->logits(r->hooks->ctx, s->state.logits, vocab);
    return OK;
}

/* Appends tokens to the sequence; state.logits follow the last when want_logits, every one when a hook wants them. */
static enum status feed(struct run *r, enum sentinel_phase phase, const uint32_t *tokens, size_t count,
                        int want_logits) {
    size_t m;
    for (size_t i = 0; i < count; i += m) {
        if (stopped(r)) return stop(r);
        enum status status = make_room(r, count - i, &m);
        if (status != OK) return status;
        uint64_t start = now(r);
        run_batch(r->session, tokens + i, m);
        r->session->pending = TOKEN_NONE;
        size_t row = r->hooks->logits ? 0 : want_logits && i + m == count ? m - 1 : m;
        for (; status == OK && row < m; row++) status = compute_logits(r, row);
        if (status == OK) status = watch(r, phase, start, m);
        if (status != OK) return status;
    }
    return OK;
}

/* Whole code points, but for what may begin a stop sequence. */
static void emit(struct run *r, const char *utf8, size_t n) {
    char out[UTF8_PUSH_MAX + STOP_PUSH_MAX];
    size_t length = 0;
    for (size_t i = 0; i < n; i++) length += stop_push(&r->ending, utf8[i], out + length);
    if (length > 0 && r->hooks->text) r->hooks->text(r->hooks->ctx, out, length);
}

/* The text of a token, as far as its code points are complete. */
static void show(struct run *r, uint32_t token) {
    const uint8_t *bytes;
    size_t n = tokenizer_decode(&r->session->model->tokenizer, r->last, token, &bytes);
    r->last = token;
    for (size_t i = 0; i < n; i++) {
        char out[UTF8_PUSH_MAX];
        emit(r, out, utf8_push(&r->utf8, bytes[i], out));
    }
}

static void show_end(struct run *r) {
    char out[UTF8_PUSH_MAX];
    emit(r, out, utf8_end(&r->utf8, out));
    size_t length = stop_end(&r->ending, out);
    if (length > 0 && r->hooks->text) r->hooks->text(r->hooks->ctx, out, length);
}

static int ends(const struct model *model, uint32_t token) {
    const struct tokenizer *t = &model->tokenizer;
    return token == t->eos || token == t->eot || token == t->chat.end || (model->ends_at_bos && token == t->bos);
}

/* Up to `most` tokens after `token`, counted in *made. The last one is pending then. */
static enum status produce(struct run *r, uint32_t token, uint64_t most, uint64_t *made) {
    struct session *s = r->session;
    s->pending = token;
    for (*made = 0; *made < most && !r->ending.matched; ++*made) {
        enum status status = feed(r, SENTINEL_DECODE, &token, 1, 1);
        if (status != OK) return status;
        struct history history = {.window = s->window, .size = s->model->shape.context, .used = s->used};
        token = sampler_pick(&s->sampler, s->state.compute.kernels, s->state.logits, history);
        if (ends(s->model, token)) return OK;
        show(r, token);
        s->pending = token;
    }
    return OK;
}

/* What is still to be fed of the text so far, or where there is none bos where it belongs; then every token of the
 * prompt but the last, which is the first that a new token follows from -> *last */
static enum status feed_prompt(struct run *r, const uint32_t *prompt, size_t count, uint32_t *last) {
    struct session *s = r->session;
    const struct tokenizer *t = &s->model->tokenizer;
    int fresh = session_is_empty(s);
    uint32_t before = fresh && !r->hooks->turn && (t->add_bos || count == 0) ? t->bos : s->pending;
    *last = count == 0 ? before : prompt[count - 1];
    if (*last == TOKEN_NONE)
        return fail(r->error, E_UNSUPPORTED,
                    fresh ? "an empty prompt, and the model has no first token"
                          : "an empty prompt, and the text before it has ended", NULL, 0);
    if (count == 0) return OK;
    enum status status = before != TOKEN_NONE ? feed(r, SENTINEL_PREFILL, &before, 1, 0) : OK;
    return status == OK ? feed(r, SENTINEL_PREFILL, prompt, count - 1, 0) : status;
}

/* The last token of the text so far; bos, or none, before a new one. */
static uint32_t last_of(const struct session *s, size_t count) {
    const struct tokenizer *t = &s->model->tokenizer;
    if (s->pending != TOKEN_NONE) return s->pending;
    if (s->used > 0) return s->window[(s->used - 1) % s->model->shape.context];
    return t->add_bos || count == 0 ? t->bos : TOKEN_NONE;
}

/* The prompt was not fed to its end: as if it had not begun, or where that is gone from the cache, nothing. */
static void take_back(const struct run *r, uint32_t used, uint32_t pending) {
    session_reset(r->session);
    if (r->moved) return;
    r->session->used = used;
    r->session->pending = pending;
}

/* What would leave the context before the first new token could look at it was not meant to be dropped in silence. */
static enum status check_prompt(const struct session *s, size_t count, struct error *error) {
    uint32_t context = s->model->shape.context;
    if (count <= context) return OK;
    struct text t = error_text(error, E_RANGE);
    text_add(&t, "the prompt has ");
    text_add_u64(&t, count);
    text_add(&t, " tokens; the context holds ");
    text_add_u64(&t, context);
    return E_RANGE;
}

enum status generate(struct session *session, const struct platform *platform, const uint32_t *prompt,
                     size_t count, uint64_t most, const struct generate_hooks *hooks,
                     struct generate_result *result, struct error *error) {
    struct run r = {.session = session, .platform = platform, .hooks = hooks, .error = error};
    uint32_t last = 0, used = session->used, pending = session->pending;
    *result = (struct generate_result){.prompt_tokens = count};
    enum status status = check_prompt(session, count, error);
    if (status != OK) return status;
    sentinel_turn(&session->sentinel);
    r.last = last_of(session, count);
    if ((hooks->turn || hooks->reply_only) && count > 0) r.last = prompt[count - 1];
    else
        for (size_t i = 0; i < count; i++) show(&r, prompt[i]);
    r.ending = stop_start(session->stop_you, session->stop_nl);
    uint64_t start = now(&r);
    status = most > 0 ? feed_prompt(&r, prompt, count, &last) : OK;
    uint64_t middle = now(&r);
    if (status != OK) take_back(&r, used, pending);
    else if (most > 0) status = produce(&r, last, most, &result->tokens);
    if (r.torn || (status != OK && status != E_STOPPED)) session_reset(session);
    show_end(&r);
    result->prompt_us = middle - start;
    result->tokens_us = now(&r) - middle;
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
