/* Tensors by name. */
#include "weights.h"
#include "text.h"

static enum tensor_type type_of(enum ggml_type type) {
    switch (type) {
    case GGML_F32: return TENSOR_F32;
    case GGML_F16: return TENSOR_F16;
    case GGML_Q8_0: return TENSOR_Q8_0;
    default: return TENSOR_Q4_0; /* gguf_open lets no other pass */
    }
}

static void wrong_shape(struct weights *w, const char *name, uint64_t rows, uint64_t cols) {
    struct text text = error_text(w->error, E_FORMAT);
    text_add(&text, "a tensor of the wrong shape, not (");
    if (rows != 1) text_add_u64(&text, rows);
    if (rows != 1) text_add(&text, ",");
    text_add_u64(&text, cols);
    text_add(&text, "): ");
    text_add_name(&text, name, text_length(name));
    w->status = E_FORMAT;
}

/* Where the tensor lies, or a copy where it lies in two pieces. */
static const void *place(struct weights *w, const struct gguf_tensor *t) {
    const void *data = pieces_find(t->file, t->at, t->bytes);
    char name[96];
    struct text what = text_into(name, sizeof name);
    if (data) return data;
    text_add(&what, "the tensor ");
    text_add_name(&what, t->name.text, t->name.length);
    void *copy = memory_take(w->memory, w->platform, t->bytes, 1, name, w->error);
    if (copy) pieces_copy(t->file, t->at, (size_t)t->bytes, copy);
    else w->status = E_MEMORY;
    return copy;
}

static struct tensor take(struct weights *w, uint32_t layer, const char *name, uint64_t rows, uint64_t cols) {
    struct tensor none = {.data = NULL};
    struct gguf_tensor t;
    char buffer[64];
    struct text full = text_into(buffer, sizeof buffer);
    if (w->status != OK) return none;
    if (layer != NO_LAYER) {
        text_add(&full, "blk.");
        text_add_u64(&full, layer);
        text_add(&full, ".");
    }
    text_add(&full, name);
    if (!gguf_find_tensor(w->file, buffer, &t)) {
        w->status = fail(w->error, E_FORMAT, "a tensor is missing", buffer, full.used);
    } else if (t.shape[0] != cols || t.shape[1] != rows || t.shape[2] != 1 || t.shape[3] != 1) {
        wrong_shape(w, buffer, rows, cols);
    } else if (rows == 1 && t.type != GGML_F32) {
        w->status = fail(w->error, E_UNSUPPORTED, "a vector that is not F32", buffer, full.used);
    }
    const void *data = w->status == OK ? place(w, &t) : NULL;
    if (data && (uintptr_t)data % sizeof(float) != 0)
        w->status = fail(w->error, E_FORMAT, "the file does not lie at an aligned address", NULL, 0);
    if (w->status != OK) return none;
    w->taken++;
    w->parameters += rows * cols;
    w->bytes += t.bytes;
    return (struct tensor){.type = type_of(t.type), .rows = rows, .cols = cols, .data = data};
}

struct tensor weights_matrix(struct weights *w, uint32_t layer, const char *name, uint64_t rows, uint64_t cols) {
    struct tensor t = take(w, layer, name, rows, cols);
    if (t.data) w->types |= 1u << t.type;
    return t;
}

const float *weights_vector(struct weights *w, uint32_t layer, const char *name, uint64_t n) {
    return take(w, layer, name, 1, n).data;
}

int weights_has(const struct weights *w, const char *name) {
    struct gguf_tensor ignored;
    return gguf_find_tensor(w->file, name, &ignored);
}

enum status weights_end(struct weights *w, const char *architecture) {
    if (w->status != OK || w->taken == w->file->tensors) return w->status;
    struct text t = error_text(w->error, E_UNSUPPORTED);
    text_add(&t, "tensors that the architecture ");
    text_add(&t, architecture);
    text_add(&t, " does not have");
    return w->status = E_UNSUPPORTED;
}
