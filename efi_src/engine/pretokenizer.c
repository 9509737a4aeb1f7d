/* The regular expressions, by hand: every alternative takes all it can, and the first that takes anything wins. */
#include "pretokenizer.h"
#include "text.h"
#include "unicode.h"

/* What stands at one place of the text. */
struct here {
    uint32_t code;
    enum unicode_class class;
    size_t bytes; /* 0: the text ends */
};

static struct here look(const uint8_t *text, size_t n, size_t at) {
    struct here h = {.code = 0, .class = UNICODE_OTHER, .bytes = 0};
    if (at >= n) return h;
    h.bytes = unicode_next(text + at, n - at, &h.code);
    h.class = unicode_class_of(h.code);
    return h;
}

/* The end of the run of this class that starts at `at`; of `most` characters at most. */
static size_t run(const uint8_t *text, size_t n, size_t at, enum unicode_class class, size_t most) {
    for (struct here h; most > 0 && (h = look(text, n, at)).bytes > 0 && h.class == class; most--) at += h.bytes;
    return at;
}

static uint8_t lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte; }

/* 's 't 're 've 'm 'll 'd; 0 when there is none. */
static size_t contraction(const uint8_t *text, size_t n, int any_case) {
    static const char endings[7][3] = {"s", "t", "re", "ve", "m", "ll", "d"};
    if (n < 2 || text[0] != '\'') return 0;
    for (size_t i = 0; i < 7; i++) {
        size_t length = text_length(endings[i]), same = 0;
        while (same < length && 1 + same < n &&
               (any_case ? lower(text[1 + same]) : text[1 + same]) == (uint8_t)endings[i][same]) same++;
        if (same == length) return 1 + length;
    }
    return 0;
}

/* \s+(?!\S)|\s+ : all the space, but its last character where something follows more than one. */
static size_t spaces(const uint8_t *text, size_t n) {
    size_t at = 0, last = 0;
    for (struct here h; (h = look(text, n, at)).bytes > 0 && h.class == UNICODE_SPACE; at += h.bytes) last = at;
    return at < n && last > 0 ? last : at;
}

/* \s*[\r\n]+ : up to the last line end of the space; 0 when it has none. */
static size_t lines(const uint8_t *text, size_t n) {
    size_t end = 0, at = 0;
    for (struct here h; (h = look(text, n, at)).bytes > 0 && h.class == UNICODE_SPACE;) {
        at += h.bytes;
        if (h.code == '\n' || h.code == '\r') end = at;
    }
    return end;
}

static size_t gpt2_word(const uint8_t *text, size_t n) {
    size_t length = contraction(text, n, 0), start = text[0] == ' ';
    if (length > 0) return length;
    struct here h = look(text, n, start);
    if (h.bytes > 0 && h.class != UNICODE_SPACE) return run(text, n, start, h.class, SIZE_MAX);
    return spaces(text, n);
}

static size_t llama3_word(const uint8_t *text, size_t n, size_t digits) {
    size_t length = contraction(text, n, 1), start = text[0] == ' ';
    if (length > 0) return length;
    struct here first = look(text, n, 0), second = look(text, n, first.bytes);
    if (first.class == UNICODE_LETTER) return run(text, n, 0, UNICODE_LETTER, SIZE_MAX);
    if (first.class == UNICODE_NUMBER) return run(text, n, 0, UNICODE_NUMBER, digits);
    int line_end = first.code == '\n' || first.code == '\r';
    if (!line_end && second.bytes > 0 && second.class == UNICODE_LETTER)
        return run(text, n, first.bytes, UNICODE_LETTER, SIZE_MAX);
    length = run(text, n, start, UNICODE_OTHER, SIZE_MAX);
    if (length > start) {
        while (length < n && (text[length] == '\n' || text[length] == '\r')) length++;
        return length;
    }
    length = lines(text, n);
    return length > 0 ? length : spaces(text, n);
}

size_t pretokenizer_part(enum pretokenizer which, const uint8_t *text, size_t n) {
    size_t at = 0;
    if (which != PRETOKENIZER_SMOLLM) return n;
    for (struct here h; (h = look(text, n, at)).bytes > 0; at += h.bytes)
        if (h.class == UNICODE_NUMBER) return at > 0 ? at : h.bytes;
    return at;
}

size_t pretokenizer_word(enum pretokenizer which, const uint8_t *text, size_t n) {
    switch (which) {
    case PRETOKENIZER_LLAMA3: return llama3_word(text, n, 3);
    case PRETOKENIZER_QWEN2: return llama3_word(text, n, 1);
    case PRETOKENIZER_SMOLLM:
    case PRETOKENIZER_GPT2: break;
    }
    return gpt2_word(text, n);
}

int pretokenizer_find(const char *name, size_t n, enum pretokenizer *out) {
    static const struct {
        char name[12];
        enum pretokenizer which;
    } known[] = {
        {"gpt2", PRETOKENIZER_GPT2},     {"gpt-2", PRETOKENIZER_GPT2},       {"llama-bpe", PRETOKENIZER_LLAMA3},
        {"llama3", PRETOKENIZER_LLAMA3}, {"llama-v3", PRETOKENIZER_LLAMA3},  {"smollm", PRETOKENIZER_SMOLLM},
        {"qwen2", PRETOKENIZER_QWEN2},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!text_equal(name, n, known[i].name)) continue;
        *out = known[i].which;
        return 1;
    }
    return 0;
}
