/* A tokenizer that loads encodes a text and decodes it. */
#include "use_tokenizer.h"
#include "fuzz.h"
#include <stdlib.h>

static void decode(const struct tokenizer *t, const uint32_t *ids, size_t count) {
    uint32_t before = TOKEN_NONE;
    volatile uint8_t sum = 0; /* reads every byte */
    for (size_t i = 0; i < count; i++) {
        const uint8_t *piece;
        FUZZ_PROMISE(ids[i] < t->vocab);
        size_t n = tokenizer_decode(t, before, ids[i], &piece);
        for (size_t j = 0; j < n; j++) sum = (uint8_t)(sum + piece[j]);
        before = ids[i];
    }
}

/* Into memory of exactly the size that was promised to do; fewer ids than there are is an error. */
static void encode(const struct tokenizer *t, const uint8_t *text, size_t n, size_t most) {
    struct error error;
    size_t count = 0, bytes = tokenizer_scratch(t, n);
    void *scratch = malloc(bytes);
    uint32_t *ids = malloc(most * sizeof *ids);
    FUZZ_PROMISE(scratch && ids);
    enum status status = tokenizer_encode(t, (const char *)text, n, scratch, ids, most, &count, &error);
    free(scratch);
    if (status != OK) fuzz_error(status, &error);
    else FUZZ_PROMISE(count <= most);
    if (status == OK) decode(t, ids, count);
    free(ids);
}

/* The text as the user's and the system's, where the file has a chat template that is known. */
static void encode_turn(const struct tokenizer *t, const uint8_t *text, size_t n, int first) {
    const struct template_turn turn = {
        .first = first, .system = (const char *)text, .system_n = n, .user = (const char *)text, .n = n};
    struct template_room room = {.size = n + TEMPLATE_SYSTEM_MAX + TEMPLATE_MARKS_MAX};
    struct error error;
    uint32_t ids[1024];
    size_t count = 0;
    room.text = malloc(room.size);
    room.scratch = malloc(tokenizer_scratch(t, room.size));
    FUZZ_PROMISE(room.text && room.scratch);
    enum status status = template_encode(t, &turn, &room, ids, sizeof ids / sizeof ids[0], &count, &error);
    free(room.text);
    free(room.scratch);
    if (status != OK) fuzz_error(status, &error);
    else decode(t, ids, count);
}

void fuzz_tokenizer(struct tokenizer *t, const uint8_t *text, size_t n) {
    encode(t, text, n, n + 1);
    encode(t, text, n, n / 2);
    if (t->chat.form) {
        encode_turn(t, text, n, 1);
        encode_turn(t, text, n, 0);
    }
    for (uint32_t id = 0; id < t->vocab && id < 600; id++) decode(t, &id, 1);
    uint32_t id = tokenizer_special(t, "<s>");
    FUZZ_PROMISE(id == TOKEN_NONE || id < t->vocab);
    FUZZ_PROMISE(t->bos == TOKEN_NONE || t->bos < t->vocab);
    FUZZ_PROMISE(t->eos == TOKEN_NONE || t->eos < t->vocab);
    tokenizer_close(t, &fuzz_platform);
}
