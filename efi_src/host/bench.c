/* `ingot --bench`. */
#include "bench.h"
#include <stdio.h>

#define BENCH_US 1000000

void bench(struct session *s, const struct platform *platform) {
    const struct gpt2 *gpt2 = &s->model->gpt2;
    uint32_t context = gpt2->config.context, half = context / 2;
    uint64_t prompt_us = 0, decode_us = 0, prompt_tokens = 0, decode_tokens = 0;
    s->sampler.temp = 0;
    while (prompt_us < BENCH_US || decode_us < BENCH_US) {
        uint32_t token = 0;
        uint64_t start = platform->now_us(platform->ctx);
        for (uint32_t pos = 0; pos < half; pos++)
            gpt2_forward(gpt2, &s->state, s->kernels, pos % gpt2->config.vocab, pos, pos + 1 == half);
        uint64_t middle = platform->now_us(platform->ctx);
        for (uint32_t pos = half; pos < context; pos++) {
            gpt2_forward(gpt2, &s->state, s->kernels, token, pos, 1);
            token = sampler_pick(&s->sampler, s->kernels, s->state.logits);
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
    printf("\", \"kernel\": \"%s\", \"threads\": 1, \"prefill_tok_s\": %.1f, \"decode_tok_s\": %.1f, "
           "\"bytes_per_token\": %llu}\n",
           s->kernels->name, (double)prompt_tokens * 1e6 / (double)prompt_us,
           (double)decode_tokens * 1e6 / (double)decode_us, (unsigned long long)s->model->bytes_per_token);
}
