/* A model file, checked and ready to run; its tensors are used in place. */
#ifndef INGOT_MODEL_H
#define INGOT_MODEL_H

#include "gguf.h"
#include "gpt2.h"
#include "llama.h"
#include "memory.h"
#include "pieces.h"
#include "platform.h"
#include "shape.h"
#include "status.h"
#include "text.h"
#include "tokenizer.h"

enum architecture { MODEL_GPT2, MODEL_LLAMA };

struct model {
    enum architecture architecture;
    struct shape shape;    /* its context may become less than: */
    uint32_t context;      /* the one that the file says */
    union {
        struct gpt2 gpt2;
        struct llama llama;
    };
    struct tokenizer tokenizer;
    int ends_at_bos;       /* llama2.c's files: the next text's bos ends this one */
    struct memory memory;  /* of tensors that cannot be used in place */
    struct gguf file;      /* of a GGUF; the tokenizer reads it */
    char name[64];         /* general.name, printable ASCII */
    unsigned types;        /* bit 1 << enum tensor_type: of the matrices */
    uint64_t parameters;   /* a tied head counts once */
    uint64_t weight_bytes; /* of all tensors */
    uint64_t bytes_per_token; /* weights read to compute one token's logits */
};

/* The files of a model; their bytes must outlive it. */
struct model_files {
    const struct pieces *parts; /* a GGUF (the parts of one that is split), or a llama2.c file */
    size_t count;
    const struct pieces *tokenizer; /* tokenizer.bin of a llama2.c file, in one piece; NULL: none */
};

/* Every shape is checked against the configuration before a pointer is kept. Tensors are used where they lie; one
 * that lies in two pieces is copied. The struct is large (about 150 KB): keep it static, not on a stack. After a
 * failure there is nothing to close. */
enum status model_load(struct model *model, const struct model_files *files, const struct platform *platform,
                       struct error *error);
void model_close(struct model *model, const struct platform *platform);

/* Whether these bytes start a file that holds its tokenizer. */
int model_is_gguf(const struct pieces *file);

/* "name=… params=… context=… …" */
void model_show(const struct model *model, struct text *out);

/* The architecture's forward pass: see gpt2.h and llama.h. */
void model_start(const struct model *model, struct state *state);
void model_run(const struct model *model, struct state *state, const uint32_t *tokens, size_t m, uint32_t pos);
void model_logits(const struct model *model, struct state *state, size_t row);

#endif
