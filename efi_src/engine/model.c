/* Architecture gpt2, F32, with llama.cpp's names for tensors and metadata. */
#include "model.h"
#include "text.h"

/* The tensors taken so far, and the file they come from. */
struct taker {
    const struct gguf *file;
    struct model *model;
    uint32_t taken;
    struct error *error;
    enum status status; /* of the first failure; nothing is taken after it */
};

/* "blk.L.NAME" -> buffer */
static const char *layer_name(char *buffer, size_t size, uint32_t layer, const char *name) {
    struct text t = text_into(buffer, size);
    text_add(&t, "blk.");
    text_add_u64(&t, layer);
    text_add(&t, ".");
    text_add(&t, name);
    return buffer;
}

/* The F32 tensor (rows,cols), or the vector (cols) when rows is 1; NULL after a failure. */
static const float *take(struct taker *k, const char *name, uint64_t rows, uint64_t cols) {
    struct gguf_tensor t;
    size_t n = text_length(name);
    if (k->status != OK) return NULL;
    if (!gguf_find_tensor(k->file, name, &t)) {
        k->status = fail(k->error, E_FORMAT, "a tensor is missing", name, n);
    } else if (t.type != GGML_F32) {
        k->status = fail(k->error, E_UNSUPPORTED, "a tensor that is not F32; this engine runs F32", name, n);
    } else if (t.shape[0] != cols || t.shape[1] != rows || t.shape[2] != 1 || t.shape[3] != 1) {
        k->status = E_FORMAT;
        struct text text = error_text(k->error, E_FORMAT);
        text_add(&text, "a tensor of the wrong shape, not (");
        if (rows != 1) text_add_u64(&text, rows);
        if (rows != 1) text_add(&text, ",");
        text_add_u64(&text, cols);
        text_add(&text, "): ");
        text_add_name(&text, name, n);
    } else if ((uintptr_t)t.data % sizeof(float) != 0) {
        k->status = fail(k->error, E_FORMAT, "the file does not lie at an aligned address", NULL, 0);
    }
    if (k->status != OK) return NULL;
    k->taken++;
    k->model->weight_bytes += t.bytes;
    return t.data;
}

static const float *take_layer(struct taker *k, uint32_t layer, const char *name, uint64_t rows,
                               uint64_t cols) {
    char buffer[64];
    return take(k, layer_name(buffer, sizeof buffer, layer, name), rows, cols);
}

static void take_layers(struct taker *k) {
    const struct gpt2_config *c = &k->model->gpt2.config;
    uint64_t width = c->width, hidden = c->hidden;
    for (uint32_t l = 0; l < c->layers; l++) {
        struct gpt2_layer *w = &k->model->gpt2.layer[l];
        w->ln1_w = take_layer(k, l, "attn_norm.weight", 1, width);
        w->ln1_b = take_layer(k, l, "attn_norm.bias", 1, width);
        w->qkv_w = take_layer(k, l, "attn_qkv.weight", 3 * width, width);
        w->qkv_b = take_layer(k, l, "attn_qkv.bias", 1, 3 * width);
        w->proj_w = take_layer(k, l, "attn_output.weight", width, width);
        w->proj_b = take_layer(k, l, "attn_output.bias", 1, width);
        w->ln2_w = take_layer(k, l, "ffn_norm.weight", 1, width);
        w->ln2_b = take_layer(k, l, "ffn_norm.bias", 1, width);
        w->up_w = take_layer(k, l, "ffn_up.weight", hidden, width);
        w->up_b = take_layer(k, l, "ffn_up.bias", 1, hidden);
        w->down_w = take_layer(k, l, "ffn_down.weight", width, hidden);
        w->down_b = take_layer(k, l, "ffn_down.bias", 1, width);
    }
}

static enum status take_all(struct model *model, struct error *error) {
    struct gpt2 *g = &model->gpt2;
    const struct gpt2_config *c = &g->config;
    struct taker k = {.file = &model->file, .model = model, .taken = 0, .error = error, .status = OK};
    struct gguf_tensor head;
    g->position = take(&k, "position_embd.weight", c->context, c->width);
    uint64_t positions = model->weight_bytes;
    g->token = take(&k, "token_embd.weight", c->vocab, c->width);
    uint64_t embeddings = model->weight_bytes - positions;
    take_layers(&k);
    g->norm_w = take(&k, "output_norm.weight", 1, c->width);
    g->norm_b = take(&k, "output_norm.bias", 1, c->width);
    int tied = !gguf_find_tensor(&model->file, "output.weight", &head);
    g->head = tied ? g->token : take(&k, "output.weight", c->vocab, c->width);
    if (k.status != OK) return k.status;
    if (k.taken != model->file.tensors)
        return fail(error, E_UNSUPPORTED, "tensors that the architecture gpt2 does not have", NULL, 0);
    model->parameters = model->weight_bytes / sizeof(float);
    /* one row of the positions; of the embeddings one row, or all of them as the head */
    uint64_t row = (uint64_t)c->width * sizeof(float);
    model->bytes_per_token = model->weight_bytes - positions + row - (tied ? 0 : embeddings - row);
    return OK;
}

/* A whole number from lowest to highest. */
static enum status read_size(const struct gguf *file, const char *key, uint32_t lowest, uint32_t highest,
                             uint32_t *out, struct error *error) {
    enum status status = gguf_u32(file, key, out, error);
    if (status != OK || (*out >= lowest && *out <= highest)) return status;
    struct text t = error_text(error, E_RANGE);
    text_add(&t, key);
    text_add(&t, " is ");
    text_add_u64(&t, *out);
    text_add(&t, "; this engine runs ");
    text_add_u64(&t, lowest);
    text_add(&t, " to ");
    text_add_u64(&t, highest);
    return E_RANGE;
}

static enum status read_config(struct gpt2_config *c, const struct gguf *file, struct error *error) {
    const uint32_t most = 1 << 20; /* keeps every product of two sizes far inside 64 bits */
    enum status status = read_size(file, "gpt2.context_length", 1, most, &c->context, error);
    if (status == OK) status = read_size(file, "gpt2.embedding_length", 1, most, &c->width, error);
    if (status == OK) status = read_size(file, "gpt2.block_count", 1, GPT2_MAX_LAYERS, &c->layers, error);
    if (status == OK) status = read_size(file, "gpt2.feed_forward_length", 1, most, &c->hidden, error);
    if (status == OK) status = read_size(file, "gpt2.attention.head_count", 1, c->width, &c->heads, error);
    if (status == OK) status = gguf_f32(file, "gpt2.attention.layer_norm_epsilon", &c->eps, error);
    if (status != OK) return status;
    if (c->width % c->heads != 0)
        return fail(error, E_FORMAT, "the head count does not divide gpt2.embedding_length", NULL, 0);
    if (!(c->eps > 0 && c->eps < 1))
        return fail(error, E_RANGE, "gpt2.attention.layer_norm_epsilon is not between 0 and 1", NULL, 0);
    return OK;
}

static void read_name(struct model *model) {
    struct text t = text_into(model->name, sizeof model->name);
    struct gguf_string name;
    struct error ignored; /* the name is optional */
    int named = gguf_text(&model->file, "general.name", &name, &ignored) == OK;
    if (named) text_add_name(&t, name.text, name.length);
    else text_add(&t, "unnamed");
}

enum status model_load(struct model *model, const void *bytes, size_t size, struct error *error) {
    struct gguf_string architecture;
    model->weight_bytes = 0;
    enum status status = gguf_open(&model->file, bytes, size, error);
    if (status == OK) status = gguf_text(&model->file, "general.architecture", &architecture, error);
    if (status != OK) return status;
    if (!text_equal(architecture.text, architecture.length, "gpt2"))
        return fail(error, E_UNSUPPORTED, "an architecture that is not gpt2", architecture.text,
                    architecture.length);
    status = tokenizer_load(&model->tokenizer, &model->file, error);
    if (status == OK) status = read_config(&model->gpt2.config, &model->file, error);
    if (status != OK) return status;
    model->gpt2.config.vocab = model->tokenizer.vocab;
    read_name(model);
    return take_all(model, error);
}
