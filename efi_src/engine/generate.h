/* From a prompt to its continuation, token by token. */
#ifndef INGOT_GENERATE_H
#define INGOT_GENERATE_H

#include "../kernels/kernels.h"
#include "arena.h"
#include "model.h"
#include "platform.h"
#include "sampler.h"
#include "status.h"
#include <stddef.h>
#include <stdint.h>

/* One sequence: what the model has seen of it. */
struct session {
    const struct model *model;
    const struct kernels *kernels;
    struct gpt2_state state;
    struct sampler sampler; /* temp, top_p, top_k and rng are the caller's to set */
    uint32_t *window;       /* (context): the tokens whose keys and values are in the cache */
    uint32_t used;          /* of them */
};

/* What session_open carves from `scratch`. */
size_t session_scratch(const struct gpt2_config *config);
/* Lays a session out over its arenas (plan->kv, plan->acts; session_scratch of scratch). */
enum status session_open(struct session *session, const struct model *model, const struct kernels *kernels,
                         struct arena *kv, struct arena *acts, struct arena *scratch, struct error *error);

/* What generate tells its caller; each may be NULL, and gets `ctx`. */
struct generate_hooks {
    void *ctx;
    void (*text)(void *ctx, const char *utf8, size_t n); /* safe to show (utf8.h), whole code points */
    int (*stop)(void *ctx);                              /* asked before each token: not 0 ends the work */
    void (*logits)(void *ctx, const float *logits, size_t vocab); /* of each token fed */
};

struct generate_result {
    uint64_t prompt_tokens, tokens;  /* given; new (eos not counted) */
    uint64_t prompt_us, tokens_us;   /* spent up to the last prompt token; from it on */
};

/* Feeds the prompt's tokens, then produces up to `most` new ones; text gets the prompt and them. An
 * empty prompt starts from the tokenizer's bos, which is not shown. Begins with an empty context.
 * When the context is full, the older half is dropped and the rest computed anew at its new place.
 * OK: `most` reached, or eos. E_STOPPED: hooks->stop said so. E_FORMAT: the model gives a logit that
 * is no finite number. E_UNSUPPORTED: an empty prompt and no bos. The result is filled always. */
enum status generate(struct session *session, const struct platform *platform, const uint32_t *prompt,
                     size_t count, uint64_t most, const struct generate_hooks *hooks,
                     struct generate_result *result, struct error *error);

/* Adds "tokens=N time_ms=N tok_s=F prompt_tokens=N": of the new tokens, the time they took and their
 * number per second. */
void generate_show(const struct generate_result *result, struct text *out);

#endif
