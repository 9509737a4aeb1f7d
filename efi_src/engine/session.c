/* Sizing and opening sessions. */
#include "generate.h"

/* Sampler's room and the window: carved by session_open, in this order. */
static size_t scratch_bytes(const struct shape *c) {
    size_t bytes = arena_need(c->vocab, sizeof(float)); /* sampler.probs */
    bytes = arena_sum(bytes, arena_need(c->vocab, sizeof(struct candidate)));
    return arena_sum(bytes, arena_need(c->context, sizeof(uint32_t))); /* window */
}

static size_t batch_of(const struct session_setup *setup) {
    size_t context = setup->model->shape.context;
    return setup->batch < context ? setup->batch : context;
}

/* The arenas for a context, which becomes the model's; what they need in all. */
static size_t size_arenas(struct arena_plan *plan, const struct session_setup *setup, size_t scratch,
                          uint32_t context) {
    struct shape *c = &setup->model->shape;
    c->context = plan->context = context;
    plan->kv = state_kv_bytes(c);
    plan->acts = state_act_bytes(c, batch_of(setup), setup->cores->count);
    plan->scratch = arena_sum(scratch, scratch_bytes(c));
    plan->zonec = SESSION_LOG_BYTES;
    return arena_total(plan);
}

/* What the arenas may take of the largest piece of memory, in which all of them would fit: a 16th of it, and at least
 * 16 MiB, stay free for what the host does later. */
static size_t room_of(const struct platform *platform) {
    const uint64_t least = 16 << 20;
    uint64_t largest = SIZE_MAX;
    if (!platform || !platform->memory_free) return SIZE_MAX - 1;
    platform->memory_free(platform->ctx, &largest);
    uint64_t spare = largest / 16 > least ? largest / 16 : least;
    return largest > spare ? (size_t)(largest - spare) : 0;
}

/* The most steps of the context that fit; 0: not even one. */
static uint32_t most_steps(struct arena_plan *plan, const struct session_setup *setup, size_t scratch) {
    uint32_t fits = 0, beyond = (plan->asked - 1) / SESSION_LEAST_CONTEXT + 1;
    while (beyond - fits > 1) {
        uint32_t middle = fits + (beyond - fits) / 2;
        if (size_arenas(plan, setup, scratch, middle * SESSION_LEAST_CONTEXT) <= plan->room) fits = middle;
        else beyond = middle;
    }
    return fits;
}

/* Names the largest of the arenas. */
static enum status refuse(const struct arena_plan *plan, struct error *error) {
    size_t total = arena_total(plan);
    struct text t = error_text(error, E_MEMORY);
    text_add(&t, "not enough memory for the arenas (the largest: ");
    text_add(&t, plan->kv >= plan->acts && plan->kv >= plan->scratch ? "kv" :
             plan->acts >= plan->scratch ? "acts" : "scratch");
    text_add(&t, ") of a context of ");
    text_add_u64(&t, plan->context);
    text_add(&t, ": ");
    text_add_mib(&t, total);
    text_add(&t, " MiB needed, ");
    text_add_mib(&t, plan->room);
    text_add(&t, " MiB found");
    return E_MEMORY;
}

enum status session_plan(struct arena_plan *plan, const struct session_setup *setup, size_t scratch,
                         struct error *error) {
    *plan = (struct arena_plan){.weights = (size_t)setup->model->weight_bytes, .asked = setup->model->context};
    plan->room = room_of(setup->platform);
    plan->asked_total = size_arenas(plan, setup, scratch, plan->asked);
    if (plan->asked_total <= plan->room) return OK;
    uint32_t steps = most_steps(plan, setup, scratch), context = steps * SESSION_LEAST_CONTEXT;
    if (steps == 0) context = plan->asked < SESSION_LEAST_CONTEXT ? plan->asked : SESSION_LEAST_CONTEXT;
    size_t total = size_arenas(plan, setup, scratch, context);
    if (total == SIZE_MAX)
        return fail(error, E_MEMORY, "the model's working memory does not fit an address space", NULL, 0);
    return total <= plan->room ? OK : refuse(plan, error);
}

int session_show_context(const struct arena_plan *plan, struct text *out) {
    if (plan->context == plan->asked) return 0;
    text_add(out, "context ");
    text_add_u64(out, plan->asked);
    text_add(out, " -> ");
    text_add_u64(out, plan->context);
    text_add(out, ": ");
    text_add_mib(out, plan->asked_total);
    text_add(out, " MiB needed, ");
    text_add_mib(out, plan->room);
    text_add(out, " MiB found");
    return 1;
}

enum status session_open(struct session *s, const struct session_setup *setup, struct arenas *arenas,
                         struct error *error) {
    const struct shape *c = &setup->model->shape;
    *s = (struct session){.model = setup->model, .pending = TOKEN_NONE};
    int fits = state_open(&s->state, c, batch_of(setup), setup->kernels, setup->cores, &arenas->kv, &arenas->acts);
    s->sampler.vocab = c->vocab;
    s->sampler.probs = arena_take(&arenas->scratch, c->vocab, sizeof(float));
    s->sampler.candidates = arena_take(&arenas->scratch, c->vocab, sizeof(struct candidate));
    s->window = arena_take(&arenas->scratch, c->context, sizeof(uint32_t));
    void *log = arena_take(&arenas->zonec, SESSION_LOG_BYTES, 1);
    if (!fits || !log || !s->sampler.probs || !s->sampler.candidates || !s->window)
        return fail(error, E_MEMORY, "the arenas are smaller than their plan", NULL, 0);
    s->sentinel = sentinel_default();
    model_start(s->model, &s->state);
    return ringlog_create(&s->log, log, SESSION_LOG_BYTES, error);
}

void session_reset(struct session *s) {
    s->used = 0;
    s->pending = TOKEN_NONE;
}

int session_is_empty(const struct session *s) { return s->used == 0 && s->pending == TOKEN_NONE; }
