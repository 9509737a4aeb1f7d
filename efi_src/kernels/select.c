#include "select.h"

#include "cpu.h"

#define ROWS 40
#define COLUMNS 136 /* neither is a multiple of 16: the tails are checked too */
#define TRIALS 5    /* of each table, in turns: the best counts, so a busy moment misleads nobody */
#define TRIAL_US 400
#define TRIAL_ROUNDS 2000 /* ends a trial whose clock stands still */

static const struct {
    const struct kernels *table;
    uint32_t needs;
} tables[KERNEL_TABLES] = {
    {&kernels_scalar, 0},
    {&kernels_sse2, CPU_SSE2},
    {&kernels_avx2, CPU_AVX2},
    {&kernels_avx512, CPU_AVX512},
};

/* One small pseudo-random problem, and what a table makes of it. */
struct problem {
    float w[ROWS * COLUMNS], x[COLUMNS], gain[COLUMNS], shift[COLUMNS];
};

struct answer {
    float y[ROWS], mixed[COLUMNS], norm[COLUMNS], wide[COLUMNS], product[ROWS * COLUMNS];
};

static void make_problem(struct problem *p) {
    uint32_t state = 1;
    float *all = (float *)p;
    for (size_t i = 0; i < sizeof *p / sizeof(float); i++) {
        state = state * 1664525u + 1013904223u;
        all[i] = (float)((int32_t)state >> 8) * (1.0f / 4194304.0f); /* -2 to 2 */
    }
}

static void solve(const struct kernels *k, const struct problem *p, struct answer *a) {
    k->layernorm(a->norm, p->x, p->gain, p->shift, COLUMNS, 1e-5f);
    k->matvec(a->y, p->w, a->norm, p->shift, ROWS, COLUMNS);
    k->scale(a->y, 0.25f, ROWS);
    k->softmax(a->y, ROWS);
    k->mix(a->mixed, a->y, p->w, ROWS, COLUMNS, COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++)
        a->wide[i] = p->x[i];
    k->add(a->wide, a->mixed, COLUMNS);
    k->gelu(a->wide, COLUMNS);
    k->gemm(a->product, COLUMNS, p->w, COLUMNS, 1, p->w, COLUMNS, ROWS, COLUMNS, ROWS, 0);
}

static bool same_bits(const struct answer *a, const struct answer *b) {
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;
    for (size_t i = 0; i < sizeof *a; i++)
        if (x[i] != y[i])
            return false;
    return true;
}

static uint32_t measure(const struct kernels *k, const struct problem *p, struct answer *a,
                        uint64_t (*now_us)(void *ctx), void *ctx) {
    uint64_t start = now_us(ctx), spent = 0, rounds = 0;
    while (spent < TRIAL_US && rounds < TRIAL_ROUNDS) {
        solve(k, p, a);
        rounds++;
        spent = now_us(ctx) - start;
    }
    return spent ? (uint32_t)(rounds * 1000000 / spent) : 0;
}

static bool same_text(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* Appends to error->text, as far as it reaches. */
static void say(struct error *error, const char *text) {
    size_t at = 0;
    while (error->text[at])
        at++;
    while (*text && at + 1 < sizeof error->text)
        error->text[at++] = *text++;
    error->text[at] = 0;
}

static enum status fail(struct error *error, enum status code, const char *before, const char *name,
                        const char *after) {
    error->code = code;
    error->text[0] = 0;
    say(error, before);
    say(error, name);
    say(error, after);
    return code;
}

enum status kernels_select(struct selection *out, const char *wanted, uint32_t features,
                           uint64_t (*now_us)(void *ctx), void *ctx, struct error *error) {
    bool automatic = same_text(wanted, "auto");
    struct problem problem;
    struct answer reference, answer;
    make_problem(&problem);
    solve(&kernels_scalar, &problem, &reference);

    out->chosen = NULL;
    bool known = automatic;
    uint32_t best = 0;
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
            uint32_t rounds_s = measure(t->table, &problem, &answer, now_us, ctx);
            if (rounds_s > t->rounds_s)
                t->rounds_s = rounds_s;
        }
    for (size_t i = 0; automatic && i < KERNEL_TABLES; i++)
        if (out->trial[i].correct && (!out->chosen || out->trial[i].rounds_s >= best)) {
            best = out->trial[i].rounds_s;
            out->chosen = out->trial[i].table;
        }
    if (!known)
        return fail(error, E_RANGE, "no kernel is called ", wanted,
                    "; there are auto, scalar, sse2, avx2 and avx512");
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
