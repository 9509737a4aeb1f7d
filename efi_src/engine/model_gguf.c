/* The architectures gpt2 and llama in GGUF. */
#include "model_gguf.h"
#include "weights.h"

/* A key of the architecture: "llama." + name */
struct key {
    char text[64];
};

static struct key key_of(const struct model *model, const char *name) {
    struct key key;
    struct text t = text_into(key.text, sizeof key.text);
    text_add(&t, model->architecture == MODEL_LLAMA ? "llama." : "gpt2.");
    text_add(&t, name);
    return key;
}

static int has(const struct model *model, const char *name) {
    struct key key = key_of(model, name);
    struct gguf_value ignored;
    return gguf_find(&model->file, key.text, &ignored);
}

/* A whole number from lowest to highest. */
static enum status read_size(const struct model *model, const char *name, uint32_t lowest, uint32_t highest,
                             uint32_t *out, struct error *error) {
    struct key key = key_of(model, name);
    enum status status = gguf_u32(&model->file, key.text, out, error);
    if (status != OK || (*out >= lowest && *out <= highest)) return status;
    struct text t = error_text(error, E_RANGE);
    text_add(&t, key.text);
    text_add(&t, " is ");
    text_add_u64(&t, *out);
    text_add(&t, "; this engine runs ");
    text_add_u64(&t, lowest);
    text_add(&t, " to ");
    text_add_u64(&t, highest);
    return E_RANGE;
}

/* The same, of a key that may be missing: *out is as it was then. */
static enum status read_optional(const struct model *model, const char *name, uint32_t lowest, uint32_t highest,
                                 uint32_t *out, struct error *error) {
    return has(model, name) ? read_size(model, name, lowest, highest, out, error) : OK;
}

/* A number above lowest and below highest. */
static enum status read_float(const struct model *model, const char *name, float lowest, float highest, float *out,
                              struct error *error) {
    struct key key = key_of(model, name);
    enum status status = gguf_f32(&model->file, key.text, out, error);
    if (status != OK || (*out > lowest && *out < highest)) return status;
    struct text t = error_text(error, E_RANGE);
    text_add(&t, key.text);
    text_add(&t, " is not between ");
    text_add_short(&t, (double)lowest);
    text_add(&t, " and ");
    text_add_short(&t, (double)highest);
    return E_RANGE;
}

/* What both architectures have; every product of two of these sizes stays far inside 64 bits. */
static enum status read_common(struct model *model, uint32_t most_layers, struct error *error) {
    const uint32_t most = 1 << 20;
    struct shape *c = &model->shape;
    enum status status = read_size(model, "context_length", 1, most, &c->context, error);
    if (status == OK) status = read_size(model, "embedding_length", 1, most, &c->width, error);
    if (status == OK) status = read_size(model, "block_count", 1, most_layers, &c->layers, error);
    if (status == OK) status = read_size(model, "feed_forward_length", 1, most, &c->hidden, error);
    if (status == OK) status = read_size(model, "attention.head_count", 1, c->width, &c->heads, error);
    return status;
}

static enum status read_head_width(struct model *model, struct error *error) {
    struct shape *c = &model->shape;
    struct key key = key_of(model, "embedding_length");
    if (c->width % c->heads != 0)
        return fail(error, E_FORMAT, "the head count does not divide", key.text, text_length(key.text));
    c->head_width = c->width / c->heads;
    return OK;
}

static enum status read_gpt2(struct model *model, struct error *error) {
    struct shape *c = &model->shape;
    enum status status = read_common(model, GPT2_MAX_LAYERS, error);
    if (status == OK) status = read_head_width(model, error);
    if (status == OK) status = read_float(model, "attention.layer_norm_epsilon", 0, 1, &c->eps, error);
    c->kv_heads = c->heads;
    return status;
}

/* Rotary positions that grow slower or faster than the token count would be wrong without their rule. */
static enum status refuse_scaling(const struct model *model, struct error *error) {
    static const char *const factors[] = {"rope.scaling.factor", "rope.scale_linear"};
    struct gguf_string kind = {.text = "linear", .length = 6}; /* llama.cpp's rule where none is named */
    struct key type = key_of(model, "rope.scaling.type");
    uint32_t experts = 0;
    enum status status = read_optional(model, "expert_count", 0, UINT32_MAX, &experts, error);
    if (status == OK && has(model, "rope.scaling.type")) status = gguf_text(&model->file, type.text, &kind, error);
    if (status != OK) return status;
    if (experts > 0) return fail(error, E_UNSUPPORTED, "a mixture of experts", NULL, 0);
    if (text_equal(kind.text, kind.length, "none")) return OK;
    if (!text_equal(kind.text, kind.length, "linear"))
        return fail(error, E_UNSUPPORTED, "rotary positions scaled by the rule", kind.text, kind.length);
    for (size_t i = 0; i < 2; i++) {
        struct key key = key_of(model, factors[i]);
        float factor = 1;
        if (has(model, factors[i])) status = gguf_f32(&model->file, key.text, &factor, error);
        if (status != OK) return status;
        if (factor != 1 && factor != 0) /* 0: none */
            return fail(error, E_UNSUPPORTED, "rotary positions scaled by", key.text, text_length(key.text));
    }
    return OK;
}

/* attention.key_length and value_length, one number for both; embedding_length / head_count when absent */
static enum status read_rotation(struct model *model, struct error *error) {
    struct shape *c = &model->shape;
    const uint32_t most = 1 << 16;
    enum status status = OK;
    if (has(model, "attention.key_length"))
        status = read_size(model, "attention.key_length", 2, most, &c->head_width, error);
    else status = read_head_width(model, error);
    uint32_t values = c->head_width, rotated = c->head_width;
    if (status == OK) status = read_optional(model, "attention.value_length", 1, most, &values, error);
    if (status == OK) status = read_optional(model, "rope.dimension_count", 0, most, &rotated, error);
    if (status != OK) return status;
    if (values != c->head_width)
        return fail(error, E_UNSUPPORTED, "values that are not as wide as keys", NULL, 0);
    if (rotated != c->head_width || c->head_width % 2 != 0)
        return fail(error, E_UNSUPPORTED, "heads that are rotated in part", NULL, 0);
    return OK;
}

static enum status read_llama(struct model *model, struct error *error) {
    struct shape *c = &model->shape;
    enum status status = read_common(model, SHAPE_MAX_LAYERS, error);
    c->kv_heads = c->heads;
    c->rope_theta = 10000;
    if (status == OK) status = read_optional(model, "attention.head_count_kv", 1, c->heads, &c->kv_heads, error);
    if (status == OK) status = read_rotation(model, error);
    if (status == OK) status = read_float(model, "attention.layer_norm_rms_epsilon", 0, 1, &c->eps, error);
    if (status == OK && has(model, "rope.freq_base"))
        status = read_float(model, "rope.freq_base", 1, 1e12f, &c->rope_theta, error);
    if (status == OK) status = refuse_scaling(model, error);
    if (status == OK && c->heads % c->kv_heads != 0)
        status = fail(error, E_FORMAT, "llama.attention.head_count_kv does not divide the head count", NULL, 0);
    return status;
}

static void take_gpt2_layer(struct weights *k, const struct shape *c, uint32_t l, struct gpt2_layer *w) {
    uint64_t width = c->width, hidden = c->hidden;
    w->ln1_w = weights_vector(k, l, "attn_norm.weight", width);
    w->ln1_b = weights_vector(k, l, "attn_norm.bias", width);
    struct tensor qkv_w = weights_matrix(k, l, "attn_qkv.weight", 3 * width, width);
    const float *qkv_b = weights_vector(k, l, "attn_qkv.bias", 3 * width);
    w->proj_w = weights_matrix(k, l, "attn_output.weight", width, width);
    w->proj_b = weights_vector(k, l, "attn_output.bias", width);
    w->ln2_w = weights_vector(k, l, "ffn_norm.weight", width);
    w->ln2_b = weights_vector(k, l, "ffn_norm.bias", width);
    w->up_w = weights_matrix(k, l, "ffn_up.weight", hidden, width);
    w->up_b = weights_vector(k, l, "ffn_up.bias", hidden);
    w->down_w = weights_matrix(k, l, "ffn_down.weight", width, hidden);
    w->down_b = weights_vector(k, l, "ffn_down.bias", width);
    if (k->status == OK) gpt2_split(w, &qkv_w, qkv_b);
}

static void take_llama_layer(struct weights *k, const struct shape *c, uint32_t l, struct llama_layer *w) {
    uint64_t width = c->width, hidden = c->hidden;
    uint64_t wide = (uint64_t)c->heads * c->head_width, narrow = (uint64_t)c->kv_heads * c->head_width;
    w->norm1 = weights_vector(k, l, "attn_norm.weight", width);
    w->q = weights_matrix(k, l, "attn_q.weight", wide, width);
    w->k = weights_matrix(k, l, "attn_k.weight", narrow, width);
    w->v = weights_matrix(k, l, "attn_v.weight", narrow, width);
    w->proj = weights_matrix(k, l, "attn_output.weight", width, wide);
    w->norm2 = weights_vector(k, l, "ffn_norm.weight", width);
    w->gate = weights_matrix(k, l, "ffn_gate.weight", hidden, width);
    w->up = weights_matrix(k, l, "ffn_up.weight", hidden, width);
    w->down = weights_matrix(k, l, "ffn_down.weight", width, hidden);
}

/* Embeddings and head, which may be one: a token reads a row of the embeddings and the whole head. */
static void take_ends(struct weights *k, struct model *model, struct tensor *token, struct tensor *head) {
    const struct shape *c = &model->shape;
    *token = *head = weights_matrix(k, NO_LAYER, "token_embd.weight", c->vocab, c->width);
    if (k->status != OK || !weights_has(k, "output.weight")) return;
    *head = weights_matrix(k, NO_LAYER, "output.weight", c->vocab, c->width);
    model->bytes_per_token -= tensor_bytes(token) / c->vocab * (c->vocab - 1); /* of the sum that is still to come */
}

static enum status take_gpt2(struct weights *k, struct model *model) {
    struct gpt2 *g = &model->gpt2;
    const struct shape *c = &model->shape;
    g->position = weights_matrix(k, NO_LAYER, "position_embd.weight", c->context, c->width);
    if (k->status == OK)
        model->bytes_per_token -= tensor_bytes(&g->position) / c->context * (c->context - 1);
    take_ends(k, model, &g->token, &g->head);
    for (uint32_t l = 0; l < c->layers; l++) take_gpt2_layer(k, c, l, &g->layer[l]);
    g->norm_w = weights_vector(k, NO_LAYER, "output_norm.weight", c->width);
    g->norm_b = weights_vector(k, NO_LAYER, "output_norm.bias", c->width);
    return weights_end(k, "gpt2");
}

static enum status take_llama(struct weights *k, struct model *model) {
    struct llama *g = &model->llama;
    const struct shape *c = &model->shape;
    take_ends(k, model, &g->token, &g->head);
    for (uint32_t l = 0; l < c->layers; l++) take_llama_layer(k, c, l, &g->layer[l]);
    g->norm = weights_vector(k, NO_LAYER, "output_norm.weight", c->width);
    g->rope_factors = NULL;
    if (weights_has(k, "rope_freqs.weight"))
        g->rope_factors = weights_vector(k, NO_LAYER, "rope_freqs.weight", c->head_width / 2);
    return weights_end(k, "llama");
}

static void read_name(struct model *model) {
    struct text t = text_into(model->name, sizeof model->name);
    struct gguf_string name;
    struct error ignored; /* the name is optional */
    int named = gguf_text(&model->file, "general.name", &name, &ignored) == OK;
    if (named) text_add_name(&t, name.text, name.length);
    else text_add(&t, "unnamed");
}

enum status model_read_config(struct model *model, struct error *error) {
    struct gguf_string name;
    enum status status = gguf_text(&model->file, "general.architecture", &name, error);
    if (status != OK) return status;
    int llama = text_equal(name.text, name.length, "llama");
    if (!llama && !text_equal(name.text, name.length, "gpt2"))
        return fail(error, E_UNSUPPORTED, "an architecture that is neither llama nor gpt2", name.text, name.length);
    model->architecture = llama ? MODEL_LLAMA : MODEL_GPT2;
    read_name(model);
    return llama ? read_llama(model, error) : read_gpt2(model, error);
}

enum status model_read_tensors(struct model *model, const struct platform *platform, struct error *error) {
    struct weights k = {.file = &model->file, .memory = &model->memory, .platform = platform, .error = error};
    enum status status = model->architecture == MODEL_LLAMA ? take_llama(&k, model) : take_gpt2(&k, model);
    model->types = k.types;
    model->parameters = k.parameters;
    model->weight_bytes = k.bytes;
    model->bytes_per_token += k.bytes;
    return status;
}
