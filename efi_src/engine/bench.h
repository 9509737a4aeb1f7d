/* How fast a model runs here. */
#ifndef INGOT_BENCH_H
#define INGOT_BENCH_H

#include "generate.h"

#define BENCH_JSON_MAX 384

struct bench {
    uint64_t prefill_tokens, prefill_us; /* a prompt of half a context, in batches */
    uint64_t decode_tokens, decode_us;   /* the other half, token by token */
};

/* Measures each for about a second: whole halves, but no more than some five seconds of one. What the session held is
 * lost; its sampler is as before. `stop` (may be NULL) is asked now and then: E_STOPPED. */
enum status bench_run(struct session *session, const struct platform *platform, int (*stop)(void *ctx), void *ctx,
                      struct bench *out, struct error *error);

/* Adds one JSON object: model, kernel, threads, prefill_tok_s, decode_tok_s, bytes_per_token (weights read). Needs
 * BENCH_JSON_MAX bytes. */
void bench_show(const struct bench *bench, const struct session *session, struct text *out);

#endif
