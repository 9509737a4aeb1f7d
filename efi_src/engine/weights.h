/* The tensors of a GGUF file, taken by name and checked against the shape that the model needs. */
#ifndef INGOT_WEIGHTS_H
#define INGOT_WEIGHTS_H

#include "gguf.h"
#include "memory.h"
#include "status.h"
#include "tensor.h"

/* What has been taken. The first failure stays, and nothing is taken after it. */
struct weights {
    const struct gguf *file;
    struct memory *memory; /* for tensors that lie in two pieces of a file: they are copied */
    const struct platform *platform;
    uint32_t taken;
    uint64_t parameters, bytes;
    unsigned types; /* bit 1 << enum tensor_type: of the matrices */
    struct error *error;
    enum status status;
};

/* What the names of tensors start with: NO_LAYER for those outside the layers, else "blk.LAYER." */
#define NO_LAYER UINT32_MAX

/* A matrix (rows,cols) of any type. */
struct tensor weights_matrix(struct weights *w, uint32_t layer, const char *name, uint64_t rows, uint64_t cols);
/* A vector (n) of F32. */
const float *weights_vector(struct weights *w, uint32_t layer, const char *name, uint64_t n);
/* Whether there is such a tensor outside the layers. */
int weights_has(const struct weights *w, const char *name);
/* The status; E_UNSUPPORTED when the file has tensors that nobody took. */
enum status weights_end(struct weights *w, const char *architecture);

#endif
