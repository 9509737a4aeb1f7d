/* The settings file. */
#include "cfg.h"
#include "text.h"

/* A part of the file; only pieces of `bytes` are ever made. */
struct piece {
    const char *at;
    size_t n;
};

struct cfg {
    const struct cfg_hooks *hooks;
    size_t line, problems;
};

static int blank(char c) { return c == ' ' || c == '\t'; }

static struct piece trimmed(struct piece p) {
    while (p.n > 0 && blank(p.at[p.n - 1])) p.n--;
    while (p.n > 0 && blank(p.at[0])) p = (struct piece){.at = p.at + 1, .n = p.n - 1};
    return p;
}

/* Of a whole file when `line` is 0. */
static void problem(struct cfg *c, const char *text) {
    char buffer[256];
    struct text t = text_into(buffer, sizeof buffer);
    if (c->problems++ >= CFG_PROBLEMS_MAX) return;
    text_add(&t, CFG_NAME ":");
    if (c->line > 0) {
        text_add_u64(&t, c->line);
        text_add(&t, ":");
    }
    text_add(&t, " ");
    text_add(&t, text);
    c->hooks->problem(c->hooks->ctx, buffer);
}

static int is_name(struct piece p) {
    for (size_t i = 0; i < p.n; i++)
        if (p.at[i] <= ' ' || p.at[i] > '~') return 0;
    return p.n > 0 && p.n <= CFG_NAME_MAX;
}

static void set(struct cfg *c, struct piece name, struct piece value) {
    char copy[CFG_NAME_MAX + 1] = "";
    struct error error = {.code = OK, .text = ""};
    if (!is_name(name)) fail(&error, E_FORMAT, "no name of a setting", name.at, name.n);
    else {
        for (size_t i = 0; i < name.n; i++) copy[i] = name.at[i];
        error.code = c->hooks->set(c->hooks->ctx, copy, value.at, value.n, &error);
    }
    if (error.code != OK) problem(c, error.text);
}

static struct piece without_comment(struct piece p) {
    for (size_t i = 0; i < p.n; i++)
        if (p.at[i] == '#' && (i == 0 || blank(p.at[i - 1]))) p.n = i;
    return p;
}

static void read_line(struct cfg *c, struct piece p) {
    struct error error;
    size_t equals = 0;
    if (p.n > 0 && p.at[p.n - 1] == '\r') p.n--;
    if (p.n > CFG_LINE_MAX) {
        problem(c, "a line of more than 512 bytes");
        return;
    }
    p = trimmed(without_comment(p));
    if (p.n == 0) return;
    while (equals < p.n && p.at[equals] != '=') equals++;
    if (equals == p.n) {
        fail(&error, E_FORMAT, "a line is name = value, not", p.at, p.n);
        problem(c, error.text);
        return;
    }
    set(c, trimmed((struct piece){.at = p.at, .n = equals}),
        trimmed((struct piece){.at = p.at + equals + 1, .n = p.n - equals - 1}));
}

/* How many problems were not told */
static void say_rest(struct cfg *c) {
    char buffer[64];
    struct text t = text_into(buffer, sizeof buffer);
    if (c->problems <= CFG_PROBLEMS_MAX) return;
    text_add(&t, CFG_NAME ": ");
    text_add_u64(&t, c->problems - CFG_PROBLEMS_MAX);
    text_add(&t, " more problems");
    c->hooks->problem(c->hooks->ctx, buffer);
}

static int starts_with(struct piece p, const char *start, size_t n) {
    if (p.n < n) return 0;
    for (size_t i = 0; i < n; i++)
        if (p.at[i] != start[i]) return 0;
    return 1;
}

size_t cfg_read(const void *bytes, size_t size, const struct cfg_hooks *hooks) {
    struct cfg c = {.hooks = hooks};
    struct piece file = {.at = bytes, .n = size};
    if (size > CFG_BYTES_MAX) {
        problem(&c, "larger than 65536 bytes: not used");
        return c.problems;
    }
    if (starts_with(file, "\xFF\xFE", 2) || starts_with(file, "\xFE\xFF", 2)) {
        problem(&c, "UTF-16: not used; save it as UTF-8");
        return c.problems;
    }
    for (size_t i = starts_with(file, "\xEF\xBB\xBF", 3) ? 3 : 0, end; i < size; i = end + 1) {
        for (end = i; end < size && file.at[end] != '\n';) end++;
        c.line++;
        read_line(&c, (struct piece){.at = file.at + i, .n = end - i});
    }
    say_rest(&c);
    return c.problems;
}
