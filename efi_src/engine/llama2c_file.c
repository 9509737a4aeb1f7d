/* llama2.c's files. v0: 7 int32 (width, hidden, layers, heads, kv_heads, vocab, context; a vocab below 0: a head of
 * its own), then fp32. v2: "ak42" (as a number), version, the 7, u8 tied, i32 group, zeros to 256 bytes; then
 * the norms in fp32, then for each matrix its int8 and their fp32 scales. */
#include "llama2c_file.h"

#define V2_MAGIC 0x616b3432u
#define V0_HEADER 28
#define V2_HEADER 256

struct reader {
    const struct pieces *file;
    const uint8_t *header; /* its first bytes */
    uint64_t at;    /* <= file->size */
    uint32_t group; /* 0: fp32 */
    int look;       /* whether all is there: nothing is kept, copied or expanded yet */
    struct model *model;
    const struct platform *platform;
    struct error *error;
    enum status status; /* of the first failure; nothing is read after it */
};

static uint32_t u32_at(const uint8_t *bytes, size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) value |= (uint32_t)bytes[at + i] << 8 * i;
    return value;
}

/* n bytes of new memory; NULL when there are none, and then nothing is read any more */
static void *get_memory(struct reader *r, uint64_t n, const char *name) {
    void *block = memory_take(&r->model->memory, r->platform, n, 1, name, r->error);
    if (!block) r->status = E_MEMORY;
    return block;
}

/* The next n bytes are not needed. */
static void pass(struct reader *r, uint64_t n, const char *name) {
    if (r->status == OK && n > r->file->size - r->at)
        r->status = fail(r->error, E_TRUNCATED, "the file ends inside", name, text_length(name));
    if (r->status == OK) r->at += n;
}

/* The next n bytes, or a copy where they lie in two pieces; NULL when the file has not as many, and to look */
static const void *take(struct reader *r, uint64_t n, const char *name) {
    uint64_t at = r->at;
    pass(r, n, name);
    if (r->status != OK || r->look) return NULL;
    const void *part = pieces_find(r->file, at, n);
    if (part) return part;
    void *copy = get_memory(r, n, name);
    if (copy) pieces_copy(r->file, at, (size_t)n, copy);
    return copy;
}

static void count(struct reader *r, uint64_t parameters, uint64_t bytes) {
    r->model->parameters += parameters;
    r->model->weight_bytes += bytes;
}

static const float *take_vector(struct reader *r, uint64_t n, const char *name) {
    count(r, n, n * sizeof(float));
    return take(r, n * sizeof(float), name);
}

/* values (n), each times the scale of its group -> the same in fp32; `scales` may be unaligned */
static const float *expand(struct reader *r, const int8_t *values, const uint8_t *scales, uint64_t n,
                           const char *name) {
    float *out = r->look ? NULL : get_memory(r, n * sizeof(float), name);
    if (!out) return NULL;
    for (uint64_t i = 0; i < n; i++) {
        union { uint32_t bits; float number; } scale = {.bits = u32_at(scales, i / r->group * sizeof(float))};
        out[i] = (float)values[i] * scale.number;
    }
    return out;
}

static struct tensor take_matrix(struct reader *r, uint64_t rows, uint64_t cols, const char *name) {
    struct tensor t = {.type = TENSOR_F32, .rows = rows, .cols = cols};
    uint64_t n = rows * cols; /* at most 2^40 each */
    if (r->group == 0) {
        t.data = take(r, n * sizeof(float), name);
    } else {
        const int8_t *values = take(r, n, name);
        const void *scales = take(r, n / r->group * sizeof(float), name);
        if (r->status != OK) return t;
        if (r->group % 32 != 0) {
            t.data = expand(r, values, scales, n, name);
        } else {
            t.type = TENSOR_Q8_G;
            t.data = values;
            t.scales = scales;
            t.group = r->group;
        }
    }
    r->model->types |= 1u << t.type;
    count(r, n, tensor_bytes(&t) + tensor_scale_bytes(&t));
    return t;
}

/* The tensors in the order of the file; each kind holds those of all layers. */
static void take_norms(struct reader *r, int which) {
    const struct shape *c = &r->model->shape;
    for (uint32_t l = 0; l < c->layers; l++) {
        struct llama_layer *w = &r->model->llama.layer[l];
        if (which == 1) w->norm1 = take_vector(r, c->width, "rms_att");
        else w->norm2 = take_vector(r, c->width, "rms_ffn");
    }
}

static void take_attention(struct reader *r) {
    const struct shape *c = &r->model->shape;
    struct llama_layer *w = r->model->llama.layer;
    uint64_t narrow = (uint64_t)c->kv_heads * c->head_width;
    for (uint32_t l = 0; l < c->layers; l++) w[l].q = take_matrix(r, c->width, c->width, "wq");
    for (uint32_t l = 0; l < c->layers; l++) w[l].k = take_matrix(r, narrow, c->width, "wk");
    for (uint32_t l = 0; l < c->layers; l++) w[l].v = take_matrix(r, narrow, c->width, "wv");
    for (uint32_t l = 0; l < c->layers; l++) w[l].proj = take_matrix(r, c->width, c->width, "wo");
}

static void take_feed_forward(struct reader *r) {
    const struct shape *c = &r->model->shape;
    struct llama_layer *w = r->model->llama.layer;
    for (uint32_t l = 0; l < c->layers; l++) w[l].gate = take_matrix(r, c->hidden, c->width, "w1");
    for (uint32_t l = 0; l < c->layers; l++) w[l].down = take_matrix(r, c->width, c->hidden, "w2");
    for (uint32_t l = 0; l < c->layers; l++) w[l].up = take_matrix(r, c->hidden, c->width, "w3");
}

static void take_v0(struct reader *r) {
    const struct shape *c = &r->model->shape;
    struct llama *g = &r->model->llama;
    g->token = take_matrix(r, c->vocab, c->width, "the embeddings");
    take_norms(r, 1);
    take_attention(r);
    take_norms(r, 2);
    take_feed_forward(r);
    g->norm = take_vector(r, c->width, "rms_final");
    pass(r, (uint64_t)c->context * (c->head_width / 2) * 2 * sizeof(float), "the rotary table");
}

static void take_v2(struct reader *r) {
    const struct shape *c = &r->model->shape;
    struct llama *g = &r->model->llama;
    take_norms(r, 1);
    take_norms(r, 2);
    g->norm = take_vector(r, c->width, "rms_final");
    g->token = take_matrix(r, c->vocab, c->width, "the embeddings");
    take_attention(r);
    take_feed_forward(r);
}

/* All tensors, from the end of the header on. */
static enum status take_all(struct reader *r, int v2, size_t header, int tied) {
    const struct shape *c = &r->model->shape;
    struct llama *g = &r->model->llama;
    r->at = header;
    r->model->parameters = r->model->weight_bytes = 0;
    if (v2) take_v2(r);
    else take_v0(r);
    g->head = g->token;
    if (!tied) g->head = take_matrix(r, c->vocab, c->width, "wcls");
    if (r->status != OK) return r->status;
    if (r->at != r->file->size) return fail(r->error, E_FORMAT, "bytes after the last tensor", NULL, 0);
    r->model->bytes_per_token = r->model->weight_bytes;
    if (!tied) /* a row of the embeddings, not all of them */
        r->model->bytes_per_token -=
            (tensor_bytes(&g->token) + tensor_scale_bytes(&g->token)) / c->vocab * (c->vocab - 1);
    return OK;
}

/* E_FORMAT: the field is no number that a llama2.c file has there. */
static enum status refuse(struct error *error, const char *field, uint32_t value) {
    struct text t = error_text(error, E_FORMAT);
    text_add(&t, "no GGUF file, and no llama2.c file: its ");
    text_add(&t, field);
    text_add(&t, " would be ");
    text_add_u64(&t, value);
    return E_FORMAT;
}

/* The 7 numbers at `bytes`. */
static enum status read_shape(struct shape *c, const uint8_t *bytes, int *tied, struct error *error) {
    const uint32_t most = 1 << 20; /* keeps every product of two sizes far inside 64 bits */
    const struct {
        const char *name;
        uint32_t highest, *to;
    } fields[] = {
        {"width", most, &c->width},  {"hidden width", most, &c->hidden}, {"layers", SHAPE_MAX_LAYERS, &c->layers},
        {"heads", most, &c->heads},  {"kv heads", most, &c->kv_heads},
        {"vocabulary", TOKENIZER_MAX_VOCAB, &c->vocab}, {"context", most, &c->context},
    };
    *tied = 1;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint32_t value = u32_at(bytes, 4 * i);
        if (i == 5 && value >> 31 != 0) { /* negative */
            value = 0 - value;
            *tied = 0;
        }
        if (value < 1 || value > fields[i].highest) return refuse(error, fields[i].name, value);
        *fields[i].to = value;
    }
    if (c->width % c->heads != 0 || c->width / c->heads % 2 != 0) return refuse(error, "heads", c->heads);
    if (c->heads % c->kv_heads != 0) return refuse(error, "kv heads", c->kv_heads);
    c->head_width = c->width / c->heads;
    c->eps = 1e-5f;
    c->rope_theta = 10000;
    return OK;
}

static enum status read_v2(struct reader *r, int *tied) {
    struct shape *c = &r->model->shape;
    uint32_t version = u32_at(r->header, 4);
    if (version != 2) {
        struct text t = error_text(r->error, E_UNSUPPORTED);
        text_add(&t, "a llama2.c file of version ");
        text_add_u64(&t, version);
        text_add(&t, "; this engine reads versions 0 and 2");
        return E_UNSUPPORTED;
    }
    enum status status = read_shape(c, r->header + 8, tied, r->error);
    if (status != OK) return status;
    if (!*tied) return refuse(r->error, "vocabulary", u32_at(r->header, 28));
    *tied = r->header[36] != 0;
    r->group = u32_at(r->header, 37);
    if (r->group == 0 || c->width % r->group != 0 || c->hidden % r->group != 0)
        return refuse(r->error, "group", r->group);
    return OK;
}

enum status llama2c_read(struct model *model, const struct pieces *file, const struct platform *platform,
                         struct error *error) {
    struct reader r = {.file = file, .model = model, .platform = platform, .error = error, .look = 1};
    const uint8_t *magic = pieces_find(file, 0, 8);
    int v2 = magic && u32_at(magic, 0) == V2_MAGIC, tied = 1;
    size_t header = v2 ? V2_HEADER : V0_HEADER;
    struct text name = text_into(model->name, sizeof model->name);
    r.header = pieces_find(file, 0, header);
    if (!r.header)
        return fail(error, v2 ? E_TRUNCATED : E_FORMAT, v2 ? "the file ends inside its header"
                    : "neither a GGUF nor a llama2.c file: too short", NULL, 0);
    for (unsigned i = 0; i < file->count; i++)
        if ((uintptr_t)file->piece[i].bytes % sizeof(float) != 0)
            return fail(error, E_FORMAT, "the file does not lie at an aligned address", NULL, 0);
    enum status status = v2 ? read_v2(&r, &tied) : read_shape(&model->shape, r.header, &tied, error);
    if (status != OK) return status;
    text_add(&name, "llama2.c");
    model->architecture = MODEL_LLAMA;
    model->ends_at_bos = 1;
    model->llama.rope_factors = NULL;
    status = take_all(&r, v2, header, tied);
    r.look = 0;
    return status == OK ? take_all(&r, v2, header, tied) : status;
}
