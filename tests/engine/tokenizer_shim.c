/* Tokenizers for tests: functions for ctypes, and with -DPROGRAM one that tries many files under sanitizers. */
#include "engine/gguf.h"
#include "engine/tokenizer.h"
#include "engine/unicode.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct case_tokenizer {
    struct tokenizer tokenizer;
    struct gguf file;
};

static size_t held; /* bytes allocated and not given back */

static void *take(void *ctx, size_t bytes) {
    void *memory = bytes > (size_t)1 << 30 ? NULL : aligned_alloc(64, (bytes + 63) / 64 * 64);
    (void)ctx;
    if (memory) held += bytes;
    return memory ? memset(memory, 0, bytes) : NULL;
}

static void give(void *ctx, void *memory, size_t bytes) {
    (void)ctx;
    held -= bytes;
    free(memory);
}

static const struct platform platform = {.alloc = take, .release = give};

/* vocab 0: GGUF, else a tokenizer.bin of so many tokens. */
EXPORT struct case_tokenizer *shim_open(const void *bytes, size_t size, uint32_t vocab, struct error *error) {
    struct case_tokenizer *c = calloc(1, sizeof *c);
    enum status status;
    error->code = OK;
    if (vocab != 0) {
        status = tokenizer_load_llama2c(&c->tokenizer, bytes, size, vocab, &platform, error);
    } else {
        struct pieces parts = pieces_one(bytes, size);
        status = gguf_open(&c->file, &parts, 1, error);
        if (status == OK) status = tokenizer_load(&c->tokenizer, &c->file, &platform, error);
    }
    if (status != error->code) abort(); /* the text belongs to the status */
    if (status == OK) return c;
    free(c);
    return NULL;
}

EXPORT void shim_close(struct case_tokenizer *c) {
    tokenizer_close(&c->tokenizer, &platform);
    free(c);
}

EXPORT size_t shim_held(void) { return held; }

/* kind, vocab, bos, eos, add_bos */
EXPORT void shim_facts(const struct case_tokenizer *c, uint32_t facts[5]) {
    const struct tokenizer *t = &c->tokenizer;
    facts[0] = (uint32_t)t->kind, facts[1] = t->vocab, facts[2] = t->bos, facts[3] = t->eos;
    facts[4] = (uint32_t)t->add_bos;
}

/* The number of tokens; SIZE_MAX when there are more than `most`. Memory of exactly the right size. */
EXPORT size_t shim_encode(const struct case_tokenizer *c, const char *text, size_t n, uint32_t *ids, size_t most) {
    struct error error;
    size_t count, bytes = tokenizer_scratch(&c->tokenizer, n);
    char *copy = malloc(n ? n : 1);
    void *scratch = malloc(bytes);
    memcpy(copy, text, n);
    enum status status = tokenizer_encode(&c->tokenizer, copy, n, scratch, ids, most, &count, &error);
    free(scratch);
    free(copy);
    return status == OK ? count : SIZE_MAX;
}

/* The bytes of a token -> out (4096); their number */
EXPORT size_t shim_decode(const struct case_tokenizer *c, uint32_t before, uint32_t id, uint8_t *out) {
    const uint8_t *bytes;
    size_t n = tokenizer_decode(&c->tokenizer, before, id, &bytes);
    memcpy(out, bytes, n);
    return n;
}

EXPORT uint32_t shim_special(const struct case_tokenizer *c, const char *text) {
    return tokenizer_special(&c->tokenizer, text);
}

EXPORT size_t shim_scratch(const struct case_tokenizer *c, size_t n) { return tokenizer_scratch(&c->tokenizer, n); }

/* The template's name; whether bos comes first, and the token that ends a turn. */
EXPORT const char *shim_template(const struct case_tokenizer *c, uint32_t facts[2]) {
    facts[0] = (uint32_t)c->tokenizer.chat.bos, facts[1] = c->tokenizer.chat.end;
    return template_name(&c->tokenizer.chat);
}

/* The tokens of a turn, as shim_encode; system NULL: none. */
EXPORT size_t shim_turn(const struct case_tokenizer *c, int first, const char *system, const char *user,
                        uint32_t *ids, size_t most) {
    struct error error;
    const struct template_turn turn = {
        .first = first, .system = system, .system_n = system ? strlen(system) : 0, .user = user, .n = strlen(user)};
    size_t count, size = turn.n + turn.system_n + TEMPLATE_MARKS_MAX;
    struct template_room room = {
        .text = malloc(size), .size = size, .scratch = malloc(tokenizer_scratch(&c->tokenizer, size))};
    enum status status = template_encode(&c->tokenizer, &turn, &room, ids, most, &count, &error);
    free(room.text);
    free(room.scratch);
    return status == OK ? count : SIZE_MAX;
}

/* The lengths of a text's words -> lengths; their number */
EXPORT size_t shim_words(int which, const uint8_t *text, size_t n, uint32_t *lengths) {
    enum pretokenizer p = (enum pretokenizer)which;
    size_t count = 0;
    while (n > 0) {
        size_t part = pretokenizer_part(p, text, n);
        for (size_t at = 0; at < part;) {
            lengths[count] = (uint32_t)pretokenizer_word(p, text + at, part - at);
            at += lengths[count++];
        }
        text += part;
        n -= part;
    }
    return count;
}

EXPORT int shim_class(uint32_t code) { return (int)unicode_class_of(code); }

#ifdef PROGRAM
static void use(const struct case_tokenizer *c) {
    static const char *const texts[] = {"", " ", "a", "Hello,  world's 123\n", "\xF0\x9F\x98\x80 \xE2\x96\x81x",
                                        "\xE2\x82 \xFF\x80\x80\x80\x80 <s></s><0x41>", "aaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    static uint8_t out[VOCAB_LONGEST];
    uint32_t ids[256];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t n = shim_encode(c, texts[i], strlen(texts[i]), ids, 256);
        for (size_t j = 0; n != SIZE_MAX && j < n; j++) {
            if (ids[j] >= c->tokenizer.vocab) abort();
            shim_decode(c, j > 0 ? ids[j - 1] : TOKEN_NONE, ids[j], out);
        }
    }
    for (uint32_t id = 0; id < c->tokenizer.vocab; id++) shim_decode(c, c->tokenizer.bos, id, out);
}

/* stdin: for each file u64 vocab, u64 length, bytes. stdout: for each a line "code text". */
int main(void) {
    uint64_t head[2];
    while (fread(head, sizeof head, 1, stdin) == 1) {
        struct error error = {.text = ""};
        uint8_t *bytes = malloc(head[1]);
        if ((!bytes && head[1] > 0) || fread(bytes, 1, head[1], stdin) != head[1]) return 1;
        struct case_tokenizer *c = shim_open(bytes, head[1], (uint32_t)head[0], &error);
        if (c) {
            use(c);
            shim_close(c);
        }
        if (held != 0) abort(); /* a failed load, too, gives everything back */
        printf("%d %s\n", (int)error.code, c ? "" : error.text);
        free(bytes);
    }
    return 0;
}
#endif
