/* Matrix products over all cores. */
#include "linear.h"

/* Rows are dealt out in units: one cache line of results, and whole groups of rows for a kernel. */
#define UNIT 16
/* Multiplications that are not worth waking another core for. */
#define SMALL 65536

struct work {
    const struct compute *compute;
    const struct product *products;
    size_t count, rows; /* products, and their rows together */
    const float *x;
    struct q8_rows quantised; /* x, when a product needs it */
    size_t n, m;
};

/* Rows from..to-1 of one product. */
static void multiply(const struct work *k, const struct product *p, size_t from, size_t to) {
    const struct kernels *kernels = k->compute->kernels;
    struct tensor w = tensor_rows(p->w, from, to - from);
    size_t d = w.rows, n = k->n, m = k->m, ldo = p->w->rows;
    float *out = p->out + from;
    switch (w.type) {
    case TENSOR_F32: kernels->matmul_f32(out, ldo, w.data, k->x, d, n, m); break;
    case TENSOR_F16: kernels->matmul_f16(out, ldo, w.data, k->x, d, n, m); break;
    case TENSOR_Q8_0: kernels->matmul_q8_0(out, ldo, w.data, &k->quantised, d, n, m); break;
    case TENSOR_Q4_0: kernels->matmul_q4_0(out, ldo, w.data, &k->quantised, d, n, m); break;
    case TENSOR_Q8_G:
        kernels->matmul_q8_g(out, ldo, w.data, w.scales, w.group, &k->quantised, d, n, m);
        break;
    }
    if (!p->bias) return;
    for (size_t r = 0; r < m; r++) kernels->add(out + r * ldo, p->bias + from, d);
}

/* This part's share of the rows of all products, as if they were one matrix. */
static void multiply_share(void *arg, unsigned part, unsigned parts) {
    const struct work *k = arg;
    size_t from, to, first = 0; /* of the product, in that matrix */
    cores_share(k->rows, UNIT, part, parts, &from, &to);
    for (size_t i = 0; i < k->count; i++) {
        const struct product *p = &k->products[i];
        size_t end = first + p->w->rows, begin = from > first ? from : first, stop = to < end ? to : end;
        if (begin < stop) multiply(k, p, begin - first, stop - first);
        first = end;
    }
}

static int is_quantised(enum tensor_type type) { return type != TENSOR_F32 && type != TENSOR_F16; }

void linear(const struct compute *c, const struct product *products, size_t count, const float *x, size_t m) {
    struct work work = {.compute = c, .products = products, .count = count, .x = x, .m = m};
    int quantised = 0;
    work.n = products[0].w->cols;
    for (size_t i = 0; i < count; i++) {
        work.rows += products[i].w->rows;
        quantised |= is_quantised(products[i].w->type);
    }
    if (quantised) {
        c->kernels->quantize(c->quants, c->quant_scales, x, m * work.n); /* rows are whole blocks */
        work.quantised = (struct q8_rows){.q = c->quants, .d = c->quant_scales};
    }
    if (c->cores->count == 1 || work.rows * work.n * m <= SMALL) multiply_share(&work, 0, 1);
    else c->cores->run(c->cores->ctx, multiply_share, &work);
}
