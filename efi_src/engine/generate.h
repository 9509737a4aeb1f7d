/* From a prompt to its continuation, token by token. */
#ifndef INGOT_GENERATE_H
#define INGOT_GENERATE_H

#include "../kernels/kernels.h"
#include "arena.h"
#include "cores.h"
#include "failsafe.h"
#include "model.h"
#include "platform.h"
#include "ringlog.h"
#include "sampler.h"
#include "sentinel.h"
#include "state.h"
#include "status.h"
#include "stop.h"
#include <stddef.h>
#include <stdint.h>

/* Tokens of a prompt that are computed at once: each weight is read once for all of them. */
#define PREFILL_BATCH 32

#define SESSION_LEAST_CONTEXT 64 /* or all of a model's, when that is less */

#define SESSION_LOG_BYTES 65536 /* of memory for the log: Zone C */

/* What a session computes with. Kernels, cores and batch do not change a bit of what it gives. */
struct session_setup {
    struct model *model; /* session_plan may set its context */
    const struct kernels *kernels;
    const struct cores *cores;
    size_t batch; /* PREFILL_BATCH; 1 or more */
    const struct platform *platform; /* whose memory bounds the context; NULL: nothing does */
};

/* One sequence: what the model has seen of it. */
struct session {
    const struct model *model;
    struct state state;
    struct sampler sampler;   /* settings_apply sets it; rng is the caller's to set */
    int stop_you, stop_nl;    /* stop sequences that are on (stop.h): the caller's to set */
    struct sentinel sentinel; /* its ticks are microseconds; strict and budgets are the caller's to set */
    enum failsafe failsafe;   /* what the next turn trips over: /test_failsafe */
    struct ringlog log;
    uint32_t *window;         /* (context): the token of each slot of the cache */
    uint32_t used;            /* positions so far; in a ring of rotary positions more than the context */
    uint32_t pending;         /* the text's last token, when it is not yet in the cache; TOKEN_NONE: none */
    uint64_t slid;            /* tokens that left a full context to make room, since the session was opened */
};

/* Sizes every arena; `scratch`: what the caller will carve from it besides. A context that does not fit into the
 * memory there is, with some to spare, becomes the largest multiple of SESSION_LEAST_CONTEXT that does: the model has
 * it from here on, and its window slides sooner. E_MEMORY when not even the least fits. */
enum status session_plan(struct arena_plan *plan, const struct session_setup *setup, size_t scratch,
                         struct error *error);
/* "context 131072 -> 8192: 16480 MiB needed, 1103 MiB found"; 0 and nothing when the model has what it asks for. */
int session_show_context(const struct arena_plan *plan, struct text *out);
/* Lays a session out over arenas of that plan. */
enum status session_open(struct session *session, const struct session_setup *setup, struct arenas *arenas,
                         struct error *error);
/* Forgets the text: the next one begins with an empty context. What is set stays, random numbers included. */
void session_reset(struct session *session);
int session_is_empty(const struct session *session);

/* What generate tells its caller; each may be NULL, and gets `ctx`. */
struct generate_hooks {
    void *ctx;
    void (*text)(void *ctx, const char *utf8, size_t n); /* safe to show (utf8.h), whole code points */
    int (*stop)(void *ctx);                              /* asked before each batch: not 0 ends the work */
    void (*logits)(void *ctx, const float *logits, size_t vocab); /* of each token fed */
    int turn;       /* the prompt is a turn of a conversation: no bos is put before it, and text gets the reply alone */
    int reply_only; /* text gets the reply alone */
};

struct generate_result {
    uint64_t prompt_tokens, tokens;  /* given; new (eos not counted) */
    uint64_t prompt_us, tokens_us;   /* spent up to the last prompt token; from it on */
};

/* Goes on from the text that the session holds: feeds the prompt's tokens, then produces up to `most` new ones; text
 * gets the prompt and them. Where the session is empty the tokenizer's bos goes before a prompt with which the model's
 * texts begin, and before an empty one; it is not shown. When the context is full, a model with rotary positions
 * forgets the oldest token for each new one; of one with learned positions the older half is dropped and the rest
 * computed anew at its new place.
 * OK: `most` reached, a stop sequence (it is not shown), or the end of the text or turn (eos, eot, the chat template's
 * end; in llama2.c's files bos too), which the text then does not hold.
 * E_STOPPED: hooks->stop said so, or with sentinel.stopped the sentinel, and the error says what took how long. What
 * was said so far stays in the session; of a prompt that was not fed to its end nothing does: the text is what it was
 * before, or if that has left the context, empty; and so it is when the older half was just being dropped.
 * E_FORMAT: the model gives a logit that is no finite number.
 * E_UNSUPPORTED: an empty prompt with nothing to go on from. E_RANGE: more positions than ROPE_MAX_POSITION. After
 * those the session is empty. E_RANGE too, and the session as it was: a prompt of more tokens than the context holds.
 * The result is filled always. */
enum status generate(struct session *session, const struct platform *platform, const uint32_t *prompt,
                     size_t count, uint64_t most, const struct generate_hooks *hooks,
                     struct generate_result *result, struct error *error);

/* Adds "tokens=N time_ms=N tok_s=F prompt_tokens=N": of the new tokens, the time they took and their
 * number per second. */
void generate_show(const struct generate_result *result, struct text *out);

#endif
