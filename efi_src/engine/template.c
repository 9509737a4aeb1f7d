/* The forms that are known, and turns written in them. Forms: the model makers' published templates. */
#include "template.h"
#include "text.h"
#include "tokenizer.h"

#define CONTENT "\1" /* the text of the user or of the system message */
#define BOS "\2"
#define EOS "\3"
enum { PARTS = 8 };
enum trim { TRIM_NOT, TRIM_EACH, TRIM_WHOLE };

/* Parts in their order; what begins with '<' or '[' is a token where the vocabulary has it, else text. */
struct template_form {
    const char *name;
    const char *system[PARTS];        /* before the first turn; or */
    const char *inside[PARTS];        /* within it, behind `open` */
    const char *open[PARTS];          /* a user's turn */
    const char *user[PARTS];          /* and the rest of it, up to the reply */
    const char *end[PARTS];           /* behind a reply; the first part ends it */
    enum trim trim;                   /* white space around each text goes; or around all of a turn's together */
};

static const struct template_form forms[] = {
    {.name = "chatml",
     .system = {"<|im_start|>", "system\n", CONTENT, "<|im_end|>", "\n"},
     .open = {"<|im_start|>", "user\n"},
     .user = {CONTENT, "<|im_end|>", "\n", "<|im_start|>", "assistant\n"},
     .end = {"<|im_end|>", "\n"}},
    {.name = "llama3",
     .system = {"<|start_header_id|>", "system", "<|end_header_id|>", "\n\n", CONTENT, "<|eot_id|>"},
     .open = {"<|start_header_id|>", "user", "<|end_header_id|>", "\n\n"},
     .user = {CONTENT, "<|eot_id|>", "<|start_header_id|>", "assistant", "<|end_header_id|>", "\n\n"},
     .end = {"<|eot_id|>"},
     .trim = TRIM_EACH},
    {.name = "llama2",
     .inside = {"<<SYS>>\n", CONTENT, "\n<</SYS>>\n\n"},
     .open = {"[INST]", " "},
     .user = {CONTENT, " ", "[/INST]"},
     .end = {EOS, BOS},
     .trim = TRIM_WHOLE},
    {.name = "llama2-plain", /* mistral's first, without a system message of its own */
     .inside = {CONTENT, "\n"},
     .open = {"[INST]", " "},
     .user = {CONTENT, " ", "[/INST]"},
     .end = {EOS}},
    {.name = "mistral-v1",
     .inside = {CONTENT, "\n\n"},
     .open = {" ", "[INST]", " "},
     .user = {CONTENT, " ", "[/INST]"},
     .end = {EOS}},
    {.name = "mistral-v3",
     .inside = {CONTENT, "\n\n"},
     .open = {"[INST]", " "},
     .user = {CONTENT, "[/INST]"},
     .end = {EOS}},
    {.name = "mistral-v3-tekken",
     .inside = {CONTENT, "\n\n"},
     .open = {"[INST]"},
     .user = {CONTENT, "[/INST]"},
     .end = {EOS}},
    {.name = "mistral-v7",
     .system = {"[SYSTEM_PROMPT]", " ", CONTENT, "[/SYSTEM_PROMPT]"},
     .open = {"[INST]", " "},
     .user = {CONTENT, "[/INST]"},
     .end = {EOS}},
    {.name = "zephyr", /* tinyllama's too */
     .system = {"<|system|>", "\n", CONTENT, EOS, "\n"},
     .open = {"<|user|>", "\n"},
     .user = {CONTENT, EOS, "\n", "<|assistant|>", "\n"},
     .end = {EOS, "\n"}},
    {.name = "gemma",
     .inside = {CONTENT, "\n\n"},
     .open = {"<start_of_turn>", "user\n"},
     .user = {CONTENT, "<end_of_turn>", "\n", "<start_of_turn>", "model\n"},
     .end = {"<end_of_turn>", "\n"},
     .trim = TRIM_EACH},
    {.name = "phi3",
     .system = {"<|system|>", "\n", CONTENT, "<|end|>", "\n"},
     .open = {"<|user|>", "\n"},
     .user = {CONTENT, "<|end|>", "\n", "<|assistant|>", "\n"},
     .end = {"<|end|>", "\n"}},
};
enum { FORMS = sizeof forms / sizeof forms[0] };

/* The first line whose marks are all there, and whose last is not, says what a template is. */
static const struct {
    const char *name; /* NULL: none of ours */
    const char *with[3];
    const char *without;
} tells[] = {
    {NULL, {"<|im_start|>", "<|im_sep|>"}, NULL},
    {NULL, {"<|im_start|>", "<end_of_utterance>"}, NULL},
    {"chatml", {"<|im_start|>"}, NULL},
    {"mistral-v7", {"[INST]", "[SYSTEM_PROMPT]"}, NULL},
    {"mistral-v1", {"' [INST] ' + system_message"}, NULL},
    {"mistral-v1", {"[AVAILABLE_TOOLS]", " [INST]"}, NULL},
    {"mistral-v3-tekken", {"[AVAILABLE_TOOLS]", "\"[INST]\""}, NULL},
    {"mistral-v3", {"[AVAILABLE_TOOLS]", "[INST]"}, NULL},
    {"llama2", {"[INST]", "<<SYS>>"}, NULL},
    {"llama2-plain", {"[INST]"}, NULL},
    {"phi3", {"<|assistant|>", "<|end|>"}, NULL},
    {"zephyr", {"<|user|>", "<|assistant|>", "['content'] + eos_token"}, "<|im_"},
    {"zephyr", {"<|user|>", "<|endoftext|>"}, "<sop>"},
    {"gemma", {"<start_of_turn>"}, NULL},
    {"llama3", {"<|start_header_id|>", "<|end_header_id|>"}, NULL},
};
enum { TELLS = sizeof tells / sizeof tells[0] };

static int has(struct gguf_string where, const char *what) {
    size_t n = text_length(what);
    for (size_t i = 0; i + n <= where.length; i++)
        if (text_equal(where.text + i, n, what)) return 1;
    return 0;
}

static const struct template_form *recognise(struct gguf_string text) {
    for (size_t i = 0; i < TELLS; i++) {
        int fits = !tells[i].without || !has(text, tells[i].without);
        for (size_t w = 0; w < 3 && tells[i].with[w]; w++) fits = fits && has(text, tells[i].with[w]);
        if (!fits) continue;
        for (size_t f = 0; tells[i].name && f < FORMS; f++)
            if (text_equal(tells[i].name, text_length(tells[i].name), forms[f].name)) return &forms[f];
        return NULL;
    }
    return NULL;
}

/* The token that a part is; TOKEN_NONE: it is text. */
static uint32_t token_of(const struct tokenizer *t, const char *part) {
    if (*part == *BOS) return t->bos;
    if (*part == *EOS) return t->eos;
    return *part == '<' || *part == '[' ? tokenizer_special(t, part) : TOKEN_NONE;
}

static void guard_marks(struct tokenizer *t, const struct template_form *form) {
    const char *const *const all[] = {form->system, form->inside, form->open, form->user, form->end};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (size_t p = 0; p < PARTS && all[i][p]; p++) {
            uint32_t id = token_of(t, all[i][p]);
            if (id != TOKEN_NONE) t->tokens.pieces[id].type = PIECE_CONTROL;
        }
}

void template_open(struct chat_template *t, struct tokenizer *tokenizer, const struct gguf *file) {
    struct gguf_string text;
    struct error ignored; /* it is optional */
    *t = (struct chat_template){.end = TOKEN_NONE};
    if (gguf_text(file, "tokenizer.chat_template", &text, &ignored) != OK || text.length == 0) return;
    if (text.length <= TEMPLATE_BYTES_MAX) t->form = recognise(text);
    if (t->form) t->end = token_of(tokenizer, t->form->end[0]);
    if (t->end == TOKEN_NONE) t->form = NULL; /* nothing would end a reply */
    t->unknown = !t->form;
    t->bos = tokenizer->bos != TOKEN_NONE && (tokenizer->add_bos || (t->form && has(text, "bos_token")));
    if (t->form) guard_marks(tokenizer, t->form);
}

const char *template_name(const struct chat_template *t) {
    return t->form ? t->form->name : t->unknown ? "unknown" : NULL;
}

/* A turn being written: text is gathered until a token ends it. */
struct writer {
    const struct tokenizer *t;
    const struct template_room *room;
    size_t used; /* of room->text */
    uint32_t *ids;
    size_t most, count;
    enum status status;
    struct error *error;
};

static void flush(struct writer *w) {
    size_t count = 0;
    if (w->used > 0 && w->status == OK)
        w->status = tokenizer_encode(w->t, w->room->text, w->used, w->room->scratch, w->ids + w->count,
                                     w->most - w->count, &count, w->error);
    w->count += count;
    w->used = 0;
}

static void put_text(struct writer *w, const char *text, size_t n) {
    if (w->status != OK) return;
    if (n > w->room->size - w->used) {
        w->status = fail(w->error, E_RANGE, "the prompt is too long", NULL, 0);
        return;
    }
    for (size_t i = 0; i < n; i++) w->room->text[w->used++] = text[i];
}

static void put_token(struct writer *w, uint32_t id) {
    flush(w);
    if (w->status != OK) return;
    if (w->count == w->most) w->status = fail(w->error, E_RANGE, "the prompt is too long", NULL, 0);
    else w->ids[w->count++] = id;
}

static int is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* A text, without white space at the sides that are to be trimmed. */
struct content {
    const char *text;
    size_t n;
    int left, right;
};

static void put_content(struct writer *w, struct content c) {
    while (c.right && c.n > 0 && is_space(c.text[c.n - 1])) c.n--;
    while (c.left && c.n > 0 && is_space(c.text[0])) c.text++, c.n--;
    put_text(w, c.text, c.n);
}

static void put_parts(struct writer *w, const char *const *parts, struct content content) {
    for (size_t i = 0; i < PARTS && parts[i]; i++) {
        uint32_t id = token_of(w->t, parts[i]);
        if (*parts[i] == *CONTENT) put_content(w, content);
        else if (id != TOKEN_NONE) put_token(w, id);
        else if (*parts[i] != *BOS) put_text(w, parts[i], text_length(parts[i]));
    }
}

enum status template_encode(const struct tokenizer *tokenizer, const struct template_turn *turn,
                            const struct template_room *room, uint32_t *ids, size_t most, size_t *count,
                            struct error *error) {
    const struct template_form *form = tokenizer->chat.form;
    struct writer w = {.t = tokenizer, .room = room, .ids = ids, .most = most, .status = OK, .error = error};
    int told = turn->first && turn->system, each = form->trim == TRIM_EACH, whole = form->trim == TRIM_WHOLE;
    const struct content nothing = {.n = 0};
    const struct content system = {.text = turn->system, .n = turn->system_n, .left = each, .right = each};
    const struct content user = {.text = turn->user, .n = turn->n, .left = each || (whole && !told),
                                 .right = each || whole};
    if (!turn->first) put_parts(&w, form->end, nothing);
    else if (tokenizer->chat.bos) put_token(&w, tokenizer->bos);
    if (told) put_parts(&w, form->system, system);
    put_parts(&w, form->open, nothing);
    if (told) put_parts(&w, form->inside, system);
    put_parts(&w, form->user, user);
    flush(&w);
    *count = w.count;
    return w.status;
}
