/* What a file is, and what it holds. */
#include "model.h"
#include "llama2c_file.h"
#include "model_gguf.h"

int model_is_gguf(const struct pieces *file) {
    const char *start = pieces_find(file, 0, 4);
    return start && text_equal(start, 4, "GGUF");
}

static enum status load_gguf(struct model *model, const struct model_files *files, const struct platform *platform,
                             struct error *error) {
    if (files->tokenizer)
        return fail(error, E_IO, "a GGUF file holds its tokenizer; no other is used", NULL, 0);
    enum status status = gguf_open(&model->file, files->parts, files->count, error);
    if (status == OK) status = model_read_config(model, error);
    if (status == OK) status = tokenizer_load(&model->tokenizer, &model->file, platform, error);
    if (status != OK) return status;
    model->shape.vocab = model->tokenizer.vocab;
    status = model_read_tensors(model, platform, error);
    if (status != OK) model_close(model, platform);
    return status;
}

static enum status load_llama2c(struct model *model, const struct model_files *files,
                                const struct platform *platform, struct error *error) {
    const struct pieces *words = files->tokenizer;
    if (files->count != 1) return fail(error, E_UNSUPPORTED, "a llama2.c model of several files", NULL, 0);
    enum status status = llama2c_read(model, files->parts, platform, error);
    if (status == OK && !words)
        status = fail(error, E_IO, "a llama2.c file needs its tokenizer, and none was given", NULL, 0);
    if (status == OK && words->count > 1)
        status = fail(error, E_MEMORY, "no piece of memory holds the whole tokenizer", NULL, 0);
    if (status == OK)
        status = tokenizer_load_llama2c(&model->tokenizer, words->piece[0].bytes, (size_t)words->size,
                                        model->shape.vocab, platform, error);
    if (status != OK) memory_release(&model->memory, platform);
    return status;
}

enum status model_load(struct model *model, const struct model_files *files, const struct platform *platform,
                       struct error *error) {
    model->shape = (struct shape){.vocab = 0};
    model->parameters = model->weight_bytes = model->bytes_per_token = 0;
    model->types = 0;
    model->ends_at_bos = 0;
    model->memory = (struct memory){.last = NULL};
    int gguf = files->count > 0 && model_is_gguf(&files->parts[0]);
    enum status status = gguf ? load_gguf(model, files, platform, error) : load_llama2c(model, files, platform, error);
    model->context = model->shape.context;
    return status;
}

void model_close(struct model *model, const struct platform *platform) {
    tokenizer_close(&model->tokenizer, platform);
    memory_release(&model->memory, platform);
}

static void show_number(struct text *out, const char *name, uint64_t number) {
    text_add(out, name);
    text_add_u64(out, number);
}

void model_show(const struct model *model, struct text *out) {
    static const char *const tokenizers[] = {"bytes", "bpe", "spm"};
    const struct shape *c = &model->shape;
    text_add(out, "name=");
    text_add(out, model->name);
    show_number(out, " params=", model->parameters);
    show_number(out, " context=", c->context);
    text_add(out, " tokenizer=");
    text_add(out, tokenizers[model->tokenizer.kind]);
    show_number(out, " layers=", c->layers);
    show_number(out, " heads=", c->heads);
    show_number(out, " kv_heads=", c->kv_heads);
    show_number(out, " width=", c->width);
    show_number(out, " hidden=", c->hidden);
    show_number(out, " vocab=", c->vocab);
    text_add(out, model->architecture == MODEL_LLAMA ? " arch=llama types=" : " arch=gpt2 types=");
    for (unsigned type = 0, shown = 0; type <= TENSOR_Q8_G; type++) {
        if (!(model->types >> type & 1)) continue;
        if (shown++ > 0) text_add(out, ",");
        text_add(out, tensor_type_name((enum tensor_type)type));
    }
}

void model_start(const struct model *model, struct state *state) {
    if (model->architecture == MODEL_LLAMA) llama_start(&model->llama, &model->shape, state);
}

void model_run(const struct model *model, struct state *state, const uint32_t *tokens, size_t m, uint32_t pos) {
    if (model->architecture == MODEL_LLAMA) llama_forward(&model->llama, &model->shape, state, tokens, m, pos);
    else gpt2_forward(&model->gpt2, &model->shape, state, tokens, m, pos);
}

void model_logits(const struct model *model, struct state *state, size_t row) {
    if (model->architecture == MODEL_LLAMA) llama_logits(&model->llama, &model->shape, state, row);
    else gpt2_logits(&model->gpt2, &model->shape, state, row);
}
