#include "select.h"

#include "cpu.h"

#define ROWS 40
#define COLUMNS 136 /* neither is a multiple of 16: the tails are checked too */
#define QUANTS 416  /* 13 blocks: groups of 8 and 4, and one alone */
#define BATCH 3     /* rows of x */
#define TRIALS 5    /* of each table, in turns: the best counts, so a busy moment misleads nobody */
#define TRIAL_US 200
#define TRIAL_ROUNDS 2000 /* ends a trial whose clock stands still */

static const struct {
    const struct kernels *table;
    uint32_t needs;
} tables[KERNEL_TABLES] = {
    {&kernels_scalar, 0},
    {&kernels_sse2, CPU_SSE2},
    {&kernels_avx2, CPU_AVX2 | CPU_F16C},
    {&kernels_avx512, CPU_AVX512 | CPU_F16C},
    {&kernels_avx512vnni, CPU_AVX512 | CPU_AVX512VNNI | CPU_F16C},
};

/* One small pseudo-random problem, and what a table makes of it. */
struct problem {
    float w[ROWS * COLUMNS], x[BATCH * QUANTS], gain[COLUMNS], shift[COLUMNS], scale[ROWS * QUANTS / QUANT_BLOCK];
    uint8_t quants[ROWS * QUANTS / QUANT_BLOCK * sizeof(struct q8_0)];
};

struct answer {
    float y[ROWS], mixed[COLUMNS], norm[COLUMNS], wide[COLUMNS], product[ROWS * COLUMNS];
    float f32[BATCH * ROWS], f16[BATCH * ROWS], turned[COLUMNS];
    float q8_0[BATCH * ROWS], q4_0[BATCH * ROWS], q8_g[BATCH * ROWS];
    float d[BATCH * QUANTS / QUANT_BLOCK];
    int8_t q[BATCH * QUANTS];
};

static uint32_t draw(uint32_t *state) { return *state = *state * 1664525u + 1013904223u; }

static void fill(float *x, size_t n, uint32_t *state) {
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((int32_t)draw(state) >> 8) * (1.0f / 4194304.0f); /* -2 to 2 */
}

static void make_problem(struct problem *p) {
    uint32_t state = 1;
    fill(p->w, ROWS * COLUMNS, &state);
    fill(p->x, BATCH * QUANTS, &state);
    fill(p->gain, COLUMNS, &state);
    fill(p->shift, COLUMNS, &state);
    fill(p->scale, sizeof p->scale / sizeof p->scale[0], &state);
    for (size_t i = 0; i < sizeof p->quants; i++) {
        /* no halves of infinity and NaN, wherever a format has its scales */
        uint8_t byte = (uint8_t)(draw(&state) >> 24);
        p->quants[i] = (byte & 0x7c) == 0x7c ? byte ^ 0x40 : byte;
    }
}

static void solve_floats(const struct kernels *k, const struct problem *p, struct answer *a) {
    k->matmul_f32(a->f32, ROWS, p->w, p->x, ROWS, COLUMNS, 1);
    k->rmsnorm(a->norm, p->x, p->gain, COLUMNS, 1e-5f);
    k->softmax(a->norm, COLUMNS);
}

static void solve_int8(const struct kernels *k, const struct problem *p, struct answer *a) {
    struct q8_rows x = {a->q, a->d};
    k->matmul_q8_0(a->q8_0, ROWS, (const struct q8_0 *)p->quants, &x, ROWS, QUANTS, 1);
}

/* Every function that inference calls */
static void solve(const struct kernels *k, const struct problem *p, struct answer *a) {
    struct q8_rows x = {a->q, a->d};
    *a = (struct answer){0};
    k->layernorm(a->norm, p->x, p->gain, p->shift, COLUMNS, 1e-5f);
    k->matvec(a->y, p->w, a->norm, p->shift, ROWS, COLUMNS);
    k->scale(a->y, 0.25f, ROWS);
    k->softmax(a->y, ROWS);
    k->mix(a->mixed, a->y, p->w, ROWS, COLUMNS, COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++)
        a->wide[i] = a->turned[i] = p->x[i];
    k->add(a->wide, a->mixed, COLUMNS);
    k->gelu(a->wide, COLUMNS);
    k->swiglu(a->wide, p->x, COLUMNS);
    k->gemm(a->product, COLUMNS, p->w, COLUMNS, 1, p->w, COLUMNS, ROWS, COLUMNS, ROWS, 0);
    k->rope(a->turned, p->gain, p->shift, COLUMNS - 2);
    k->rmsnorm(a->turned, a->turned, p->gain, COLUMNS, 1e-5f);
    k->matmul_f32(a->f32, ROWS, p->w, p->x, ROWS, COLUMNS, BATCH);
    k->matmul_f16(a->f16, ROWS, (const uint16_t *)p->quants, p->x, ROWS, COLUMNS, BATCH);
    for (size_t r = 0; r < BATCH; r++)
        k->quantize(a->q + r * QUANTS, a->d + r * QUANTS / QUANT_BLOCK, p->x + r * QUANTS, QUANTS);
    k->matmul_q8_0(a->q8_0, ROWS, (const struct q8_0 *)p->quants, &x, ROWS, QUANTS, BATCH);
    k->matmul_q4_0(a->q4_0, ROWS, (const struct q4_0 *)p->quants, &x, ROWS, QUANTS, BATCH);
    k->matmul_q8_g(a->q8_g, ROWS, (const int8_t *)p->quants, p->scale, QUANT_BLOCK, &x, ROWS, QUANTS, BATCH);
}

static bool same_bits(const struct answer *a, const struct answer *b) {
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;
    for (size_t i = 0; i < sizeof *a; i++)
        if (x[i] != y[i])
            return false;
    return true;
}

typedef void solver(const struct kernels *k, const struct problem *p, struct answer *a);

/* Rounds a second, or *best if that is more */
static void measure(uint32_t *best, solver *solve_one, const struct kernels *k, const struct problem *p,
                    struct answer *a, uint64_t (*now_us)(void *ctx), void *ctx) {
    uint64_t start = now_us(ctx), spent = 0, rounds = 0;
    while (spent < TRIAL_US && rounds < TRIAL_ROUNDS) {
        solve_one(k, p, a);
        rounds++;
        spent = now_us(ctx) - start;
    }
    uint32_t rounds_s = spent ? (uint32_t)(rounds * 1000000 / spent) : 0;
    if (rounds_s > *best)
        *best = rounds_s;
}

static bool same_text(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* Appends to a text in `room` bytes, as far as it reaches. */
static void append(char *to, size_t room, const char *text) {
    size_t at = 0;
    while (to[at])
        at++;
    while (*text && at + 1 < room)
        to[at++] = *text++;
    to[at] = 0;
}

static enum status fail(struct error *error, enum status code, const char *before, const char *name,
                        const char *after) {
    error->code = code;
    error->text[0] = 0;
    append(error->text, sizeof error->text, before);
    append(error->text, sizeof error->text, name);
    append(error->text, sizeof error->text, after);
    return code;
}

/* Faster by more than what two measurements of one thing differ by */
static bool faster(uint32_t a, uint32_t b) { return a > b + b / 16; }

/* The fastest correct table for floats, with the int8 products of the fastest for those; the widest at about the
 * same speed. */
static void choose(struct selection *out) {
    const struct kernel_trial *floats = NULL, *int8 = NULL;
    for (size_t i = KERNEL_TABLES; i-- > 0;) {
        const struct kernel_trial *t = &out->trial[i];
        if (t->correct && (!floats || faster(t->float_rounds_s, floats->float_rounds_s)))
            floats = t;
        if (t->correct && (!int8 || faster(t->int8_rounds_s, int8->int8_rounds_s)))
            int8 = t;
    }
    if (!floats) /* then no table was correct, int8 is NULL too */
        return;
    out->chosen = floats->table;
    if (floats == int8)
        return;
    out->mixed = *floats->table;
    out->mixed.matmul_q8_0 = int8->table->matmul_q8_0;
    out->mixed.matmul_q4_0 = int8->table->matmul_q4_0;
    out->mixed.matmul_q8_g = int8->table->matmul_q8_g;
    out->mixed_name[0] = 0;
    append(out->mixed_name, sizeof out->mixed_name, floats->table->name);
    append(out->mixed_name, sizeof out->mixed_name, "+");
    append(out->mixed_name, sizeof out->mixed_name, int8->table->name);
    out->mixed.name = out->mixed_name;
    out->chosen = &out->mixed;
}

enum status kernels_select(struct selection *out, const char *wanted, uint32_t features,
                           uint64_t (*now_us)(void *ctx), void *ctx, struct error *error) {
    bool automatic = same_text(wanted, "auto");
    static struct problem problem; /* too large for firmware's stack */
    static struct answer reference, answer;
    make_problem(&problem);
    solve(&kernels_scalar, &problem, &reference);

    out->chosen = NULL;
    bool known = automatic;
    for (size_t i = 0; i < KERNEL_TABLES; i++) {
        struct kernel_trial *t = &out->trial[i];
        *t = (struct kernel_trial){.table = tables[i].table};
        t->usable = (features & tables[i].needs) == tables[i].needs;
        bool named = same_text(wanted, t->table->name);
        known = known || named;
        if (!t->usable || !(automatic || named))
            continue;
        solve(t->table, &problem, &answer);
        t->correct = same_bits(&answer, &reference);
        if (!t->correct)
            continue;
        if (named)
            out->chosen = t->table;
    }
    for (size_t trial = 0; automatic && trial < TRIALS; trial++)
        for (size_t i = 0; i < KERNEL_TABLES; i++) {
            struct kernel_trial *t = &out->trial[i];
            if (!t->correct)
                continue;
            measure(&t->float_rounds_s, solve_floats, t->table, &problem, &answer, now_us, ctx);
            measure(&t->int8_rounds_s, solve_int8, t->table, &problem, &answer, now_us, ctx);
        }
    if (automatic)
        choose(out);
    if (!known)
        return fail(error, E_RANGE, "no kernel is called ", wanted,
                    "; there are auto, scalar, sse2, avx2, avx512 and avx512vnni");
    if (!out->chosen) {
        for (size_t i = 0; i < KERNEL_TABLES; i++)
            if (same_text(wanted, tables[i].table->name) && out->trial[i].usable)
                return fail(error, E_UNSUPPORTED, "kernel ", wanted,
                            " gives other bits than scalar on this CPU");
        return fail(error, E_UNSUPPORTED, "kernel ", wanted,
                    " needs instructions that this CPU, or its XCR0, lacks");
    }
    return OK;
}
