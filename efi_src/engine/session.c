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

enum status session_plan(struct arena_plan *plan, const struct session_setup *setup, size_t scratch,
                         struct error *error) {
    const struct shape *c = &setup->model->shape;
    *plan = (struct arena_plan){.weights = (size_t)setup->model->weight_bytes};
    plan->kv = state_kv_bytes(c);
    plan->acts = state_act_bytes(c, batch_of(setup), setup->cores->count);
    plan->scratch = arena_sum(scratch, scratch_bytes(c));
    plan->zonec = SESSION_LOG_BYTES;
    if (arena_sum(arena_sum(arena_sum(plan->kv, plan->acts), plan->scratch), plan->zonec) == SIZE_MAX)
        return fail(error, E_MEMORY, "the model's working memory does not fit an address space", NULL, 0);
    return OK;
}

enum status session_open(struct session *s, const struct session_setup *setup, struct arenas *arenas,
                         struct error *error) {
    const struct shape *c = &setup->model->shape;
    *s = (struct session){.model = setup->model};
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
