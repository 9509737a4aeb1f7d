/* The tokens of a tokenizer: their bytes, and which token some bytes are. */
#ifndef INGOT_VOCAB_H
#define INGOT_VOCAB_H

#include "memory.h"
#include "platform.h"
#include "status.h"
#include <stddef.h>
#include <stdint.h>

#define VOCAB_LONGEST 4096 /* bytes of a token */

/* As in tokenizer.ggml.token_type. */
enum piece_type {
    PIECE_UNDEFINED, PIECE_NORMAL, PIECE_UNKNOWN, PIECE_CONTROL, PIECE_OWN /* "user defined" */, PIECE_UNUSED,
    PIECE_BYTE, PIECE_TYPES,
};

struct piece {
    const uint8_t *text; /* what the token writes; of control tokens their name */
    uint32_t length;
    uint32_t order;      /* SPM: the smaller is merged first */
    uint8_t type;
};

/* Bytes -> id: open addressing, linear. */
struct word_table {
    uint32_t *slots; /* id + 1; 0 is free */
    uint32_t mask;
};

struct vocab {
    struct piece *pieces; /* (count) */
    uint32_t count;
    struct word_table words;    /* pieces that text turns into */
    struct word_table specials; /* control and own pieces, by their exact text */
    uint32_t byte_id[256];      /* the token of each byte */
    uint32_t longest;           /* bytes of the longest word */
};

/* Room for `count` pieces, all still to be set. */
enum status vocab_open(struct vocab *v, uint32_t count, struct memory *m, const struct platform *platform,
                       struct error *error);

/* Enters every piece into its tables, once all are set. E_FORMAT when two are the same. */
enum status vocab_index(struct vocab *v, struct error *error);

/* E_UNSUPPORTED names a byte that no token has (byte_id). */
enum status vocab_check_bytes(const struct vocab *v, struct error *error);

/* The id of these bytes; TOKEN_NONE (UINT32_MAX) when there is none. */
uint32_t vocab_word(const struct vocab *v, const uint8_t *text, size_t n);
uint32_t vocab_special(const struct vocab *v, const uint8_t *text, size_t n);

/* 64 bits of these; and slots for `count` entries, a power of two: never more than half of them full. */
uint64_t vocab_mix(uint64_t value);
uint32_t vocab_slots(uint32_t count);

/* How many slots a search may look at: a table that needs more was made to be slow. */
#define VOCAB_PROBES 1024

#endif
