#include "sample.h"

#include "rng.h"

#include "../engine/utf8.h"
#include <stdio.h>
#include <stdlib.h>

#define START '\n' /* the first token, never shown */

/* Index drawn from softmax(logits / temperature); overwrites logits. */
static uint32_t draw(const struct kernels *k, float *logits, uint32_t vocab, struct rng *rng) {
    k->scale(logits, (float)(1.0 / SAMPLE_TEMPERATURE), vocab);
    k->softmax(logits, vocab);
    double left = rng_unit(rng);
    for (uint32_t i = 0; i < vocab; i++) {
        left -= (double)logits[i];
        if (left < 0.0)
            return i;
    }
    return vocab - 1; /* rounding kept the sum below 1 */
}

static bool show(struct buffer *out, struct utf8 *text, uint32_t token, uint32_t vocab) {
    char shown[16];
    if (vocab <= 256)
        return buffer_add(out, shown, utf8_push(text, (uint8_t)token, shown));
    return buffer_add(out, shown, (size_t)snprintf(shown, sizeof shown, "%u ", (unsigned)token));
}

enum status sample_text(const struct trainer *t, struct buffer *out, struct error *error) {
    const struct gpt2_config *c = &t->options.config;
    const struct kernels *k = t->model.k;
    struct rng rng = rng_stream(t->options.seed, RNG_SAMPLE, 0);
    size_t kv_bytes = gpt2_kv_bytes(c), act_bytes = gpt2_act_bytes(c);
    struct gpt2 *model = malloc(sizeof *model);
    void *kv = kv_bytes ? aligned_alloc(64, kv_bytes) : NULL;
    void *acts = act_bytes ? aligned_alloc(64, act_bytes) : NULL;
    uint32_t tokens[SAMPLE_TOKENS + 1] = {START < c->vocab ? START : 0};
    bool ok = model && kv && acts;
    struct gpt2_state state;
    struct utf8 text = {0};
    if (ok) {
        params_engine_view(&t->params, t->weights, model);
        gpt2_state_init(&state, c, kv, acts);
    }
    uint32_t first = 0; /* the token at position 0: the older half is dropped when the context is full */
    for (uint32_t i = 0; ok && i < SAMPLE_TOKENS; i++) {
        if (i - first == c->context) {
            uint32_t keep = c->context / 2 > 0 ? c->context / 2 : 1;
            first = i - keep + 1;
            for (uint32_t j = first; j < i; j++)
                gpt2_forward(model, &state, k, tokens[j], j - first, 0);
        }
        gpt2_forward(model, &state, k, tokens[i], i - first, 1);
        tokens[i + 1] = draw(k, state.logits, c->vocab, &rng);
        ok = show(out, &text, tokens[i + 1], c->vocab);
    }
    char rest[UTF8_PUSH_MAX];
    ok = ok && buffer_add(out, rest, utf8_end(&text, rest));
    free(acts);
    free(kv);
    free(model);
    return ok ? OK : fail_with(error, E_MEMORY, "not enough memory to draw a sample");
}
