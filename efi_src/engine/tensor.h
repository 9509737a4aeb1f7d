/* One weight matrix as it lies in a model file. */
#ifndef INGOT_TENSOR_H
#define INGOT_TENSOR_H

#include <stddef.h>
#include <stdint.h>

enum tensor_type { TENSOR_F32, TENSOR_F16, TENSOR_Q8_0, TENSOR_Q4_0, TENSOR_Q8_G };

struct tensor {
    enum tensor_type type;
    size_t rows, cols;   /* cols are contiguous; a multiple of 32 for the quantised types */
    const void *data;    /* F32: 4-byte aligned; F16: 2-byte aligned */
    const float *scales; /* Q8_G alone: (rows, cols/group) */
    size_t group;        /* Q8_G alone: a multiple of 32 */
};

/* Bytes of the data (scales not counted), and of its scales. */
size_t tensor_bytes(const struct tensor *t);
size_t tensor_scale_bytes(const struct tensor *t);

/* "F32", "Q8_0", … */
const char *tensor_type_name(enum tensor_type type);

/* Row `row` as floats -> out (cols): an embedding. */
void tensor_row(const struct tensor *t, size_t row, float *out);

/* `rows` rows of t, from row `from` on. */
struct tensor tensor_rows(const struct tensor *t, size_t from, size_t rows);

#endif
