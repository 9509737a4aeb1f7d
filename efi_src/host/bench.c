/* `ingot --bench`. */
#include "bench.h"
#include <stdio.h>

#define BENCH_US 1000000

/* Positions 0 to n-1, in batches. */
static void prefill(struct session *s, uint32_t n) {
    uint32_t tokens[PREFILL_BATCH];
    for (uint32_t pos = 0, m; pos < n; pos += m) {
        m = n - pos < s->state.batch ? n - pos : (uint32_t)s->state.batch;
        for (uint32_t i = 0; i < m; i++) tokens[i] = (pos + i) % s->model->shape.vocab;
        model_run(s->model, &s->state, tokens, m, pos);
    }
    model_logits(s->model, &s->state, 0);
}

void bench(struct session *s, const struct platform *platform) {
    uint32_t context = s->model->shape.context, half = context / 2;
    uint64_t prompt_us = 0, decode_us = 0, prompt_tokens = 0, decode_tokens = 0;
    s->sampler.temp = 0;
    while (prompt_us < BENCH_US || decode_us < BENCH_US) {
        uint32_t token = 0;
        uint64_t start = platform->now_us(platform->ctx);
        if (half > 0) prefill(s, half);
        uint64_t middle = platform->now_us(platform->ctx);
        for (uint32_t pos = half; pos < context; pos++) {
            model_run(s->model, &s->state, &token, 1, pos);
            model_logits(s->model, &s->state, 0);
            token = sampler_pick(&s->sampler, s->state.compute.kernels, s->state.logits, (struct history){0});
        }
        prompt_us += middle - start;
        decode_us += platform->now_us(platform->ctx) - middle;
        prompt_tokens += half;
        decode_tokens += context - half;
        if (half == 0) prompt_us = BENCH_US; /* a context of one token has no prompt to measure */
    }
    /* a name is printable ASCII: two characters are special in JSON */
    printf("{\"model\": \"");
    for (const char *c = s->model->name; *c; c++) printf(*c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    printf("\", \"kernel\": \"%s\", \"threads\": %u, \"prefill_tok_s\": %.1f, \"decode_tok_s\": %.1f, "
           "\"bytes_per_token\": %llu}\n",
           s->state.compute.kernels->name, s->state.compute.cores->count,
           (double)prompt_tokens * 1e6 / (double)prompt_us,
           (double)decode_tokens * 1e6 / (double)decode_us, (unsigned long long)s->model->bytes_per_token);
}
