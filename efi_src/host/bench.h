#ifndef INGOT_HOST_BENCH_H
#define INGOT_HOST_BENCH_H

#include "../engine/generate.h"

/* Measures for about two seconds and prints one JSON object: model, kernel, threads, prefill_tok_s
 * (a prompt of half a context), decode_tok_s (the other half), bytes_per_token (weights read). */
void bench(struct session *session, const struct platform *platform);

#endif
