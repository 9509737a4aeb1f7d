#include "sample.h"

#include "rng.h"

#include "../engine/state.h"
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

static struct tensor matrix_view(const float *data, size_t rows, size_t cols) {
    return (struct tensor){.type = TENSOR_F32, .rows = rows, .cols = cols, .data = data};
}

/* The engine's view of the weights at `base`, tied head. */
static void engine_view(const struct params *p, const float *base, struct gpt2 *model) {
    const struct shape *c = &p->config;
    size_t width = c->width, hidden = c->hidden;
    struct view v;
    params_view(p, (float *)base, &v); /* only read through *model */
    model->token = model->head = matrix_view(v.token, c->vocab, width);
    model->position = matrix_view(v.position, c->context, width);
    for (uint32_t l = 0; l < c->layers; l++) {
        const struct layer_view *from = &v.layer[l];
        struct tensor qkv = matrix_view(from->qkv_w, 3 * width, width);
        model->layer[l] = (struct gpt2_layer){
            .ln1_w = from->ln1_w, .ln1_b = from->ln1_b,
            .proj_w = matrix_view(from->proj_w, width, width), .proj_b = from->proj_b,
            .ln2_w = from->ln2_w, .ln2_b = from->ln2_b,
            .up_w = matrix_view(from->up_w, hidden, width), .up_b = from->up_b,
            .down_w = matrix_view(from->down_w, width, hidden), .down_b = from->down_b,
        };
        gpt2_split(&model->layer[l], &qkv, from->qkv_b);
    }
    model->norm_w = v.norm_w;
    model->norm_b = v.norm_b;
}

static void *room(size_t bytes) { return bytes < SIZE_MAX ? aligned_alloc(64, bytes) : NULL; }

enum status sample_text(const struct trainer *t, struct buffer *out, struct error *error) {
    const struct shape *c = &t->params.config;
    const struct kernels *k = t->model.k;
    struct rng rng = rng_stream(t->options.seed, RNG_SAMPLE, 0);
    size_t kv_bytes = state_kv_bytes(c), act_bytes = state_act_bytes(c, 1, 1);
    struct gpt2 *model = malloc(sizeof *model);
    struct arena kv = {.base = room(kv_bytes), .size = kv_bytes};
    struct arena acts = {.base = room(act_bytes), .size = act_bytes};
    uint32_t tokens[SAMPLE_TOKENS + 1] = {START < c->vocab ? START : 0};
    struct state state;
    bool ok = model && kv.base && acts.base && state_open(&state, c, 1, k, &cores_one, &kv, &acts);
    struct utf8 text = {0};
    if (ok)
        engine_view(&t->params, t->weights, model);
    uint32_t first = 0; /* the token at position 0: the older half is dropped when the context is full */
    for (uint32_t i = 0; ok && i < SAMPLE_TOKENS; i++) {
        if (i - first == c->context) {
            uint32_t keep = c->context / 2 > 0 ? c->context / 2 : 1;
            first = i - keep + 1;
            for (uint32_t j = first; j < i; j++)
                gpt2_forward(model, c, &state, &tokens[j], 1, j - first);
        }
        gpt2_forward(model, c, &state, &tokens[i], 1, i - first);
        gpt2_logits(model, c, &state, 0);
        tokens[i + 1] = draw(k, state.logits, c->vocab, &rng);
        ok = show(out, &text, tokens[i + 1], c->vocab);
    }
    char rest[UTF8_PUSH_MAX];
    ok = ok && buffer_add(out, rest, utf8_end(&text, rest));
    free(acts.base);
    free(kv.base);
    free(model);
    return ok ? OK : fail_with(error, E_MEMORY, "not enough memory to draw a sample");
}
