/* Chat templates: how the turns of a conversation are written for a model that was trained on them. A file's own
 * template (tokenizer.chat_template, a program in Jinja) is never run: it is recognised by telling marks, as llama.cpp
 * does, and the form it stands for is built in. */
#ifndef INGOT_TEMPLATE_H
#define INGOT_TEMPLATE_H

#include "gguf.h"
#include "status.h"
#include <stddef.h>
#include <stdint.h>

#define TEMPLATE_SYSTEM_MAX 2048 /* bytes of a system message */
#define TEMPLATE_MARKS_MAX 256   /* bytes of all that a template writes around one turn's texts */
#define TEMPLATE_BYTES_MAX (1u << 20) /* of tokenizer.chat_template; a longer one is not looked at */

struct tokenizer;
struct template_form;

struct chat_template {
    const struct template_form *form; /* NULL: none that is known */
    int unknown;                      /* the file has one that is not known, or lacks its marks */
    int bos;                          /* a conversation begins with bos */
    uint32_t end;                     /* the token that ends a turn; TOKEN_NONE without a form */
};

/* One turn. System and user are texts: no mark ever comes out of them. */
struct template_turn {
    int first;                /* of the conversation; else the reply before it is closed */
    const char *system;       /* written in the first turn; NULL: none */
    size_t system_n;          /* up to TEMPLATE_SYSTEM_MAX */
    const char *user;
    size_t n;
};

/* Working memory: text of n + TEMPLATE_SYSTEM_MAX + TEMPLATE_MARKS_MAX bytes, and tokenizer_scratch for as many. */
struct template_room {
    char *text;
    size_t size;
    void *scratch;
};

/* For tokenizer_load, when the vocabulary is there: what the file's template is. Its marks become control tokens, so
 * that no text turns into them. */
void template_open(struct chat_template *t, struct tokenizer *tokenizer, const struct gguf *file);

/* The tokens of a turn up to where the reply begins -> ids, their number -> *count. E_RANGE when there are more than
 * `most`, or more text than there is room for. The template is tokenizer->chat, and known. */
enum status template_encode(const struct tokenizer *tokenizer, const struct template_turn *turn,
                            const struct template_room *room, uint32_t *ids, size_t most, size_t *count,
                            struct error *error);

/* "chatml"; NULL: the file has none; "unknown" */
const char *template_name(const struct chat_template *t);

#endif
