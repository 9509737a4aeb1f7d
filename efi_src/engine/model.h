/* A GGUF file, checked and ready to run; its tensors are used in place. */
#ifndef INGOT_MODEL_H
#define INGOT_MODEL_H

#include "gguf.h"
#include "gpt2.h"
#include "status.h"
#include "tokenizer.h"

struct model {
    struct gguf file;
    struct gpt2 gpt2;
    struct tokenizer tokenizer;
    char name[64];         /* general.name, printable ASCII */
    uint64_t parameters;   /* a tied head counts once */
    uint64_t weight_bytes; /* of all tensors */
    uint64_t bytes_per_token; /* weights read to compute one token's logits */
};

/* Reads a model from `size` bytes at `bytes` (4-byte aligned; they must outlive the model). Every
 * shape is checked against the configuration before a pointer is kept. The struct is large (about
 * 50 KB): keep it static, not on a stack. */
enum status model_load(struct model *model, const void *bytes, size_t size, struct error *error);

#endif
