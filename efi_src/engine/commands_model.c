/* Commands about the model and the machine that it runs on. */
#include "bench.h"
#include "commands.h"
#include "text.h"

#define BENCH_FILE "bench.json"

static void add_spaces(struct text *line, size_t until) {
    while (line->used < until) text_add(line, " ");
}

static void list_models(struct chat *chat) {
    const struct models *models = chat->models;
    size_t width = 0;
    for (size_t i = 0; i < models->count; i++) {
        size_t length = text_length(models->name(models->ctx, i));
        if (length > width) width = length;
    }
    for (size_t i = 0; i < models->count; i++) {
        char buffer[192];
        struct text line = text_into(buffer, sizeof buffer);
        const char *name = models->name(models->ctx, i);
        text_add(&line, i == chat->current ? "* " : "  ");
        text_add_name(&line, name, text_length(name));
        add_spaces(&line, width + 4);
        text_add_fixed(&line, (double)models->bytes(models->ctx, i) / (1 << 20), 1);
        text_add(&line, " MiB");
        chat_say(chat, buffer);
    }
}

static void model(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    struct error error;
    size_t i;
    (void)command;
    if (n == 0) {
        list_models(chat);
        chat_show_model(chat);
    } else if (chat_find_model(chat, argument, n, &i, &error) != OK) {
        chat_fail(chat, &error);
    } else if (i == chat->current) {
        chat_show_model(chat);
    } else {
        chat_switch(chat, i);
    }
}

static void cpu(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    (void)command, (void)argument, (void)n;
    chat_show_cpu(chat);
}

static void attn(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    char buffer[64];
    struct text line = text_into(buffer, sizeof buffer);
    struct error error;
    (void)command;
    if (n > 0 && chat_use_kernels(chat, argument, n, &error) != OK) {
        chat_fail(chat, &error);
        return;
    }
    text_add(&line, "attn=");
    text_add(&line, chat->kernels->name);
    chat_say(chat, buffer);
}

/* Positions that a full context has forgotten or dropped. */
static void ctx(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    const struct session *s = &chat->session;
    uint64_t context = s->model->shape.context;
    char buffer[128];
    struct text line = text_into(buffer, sizeof buffer);
    (void)command, (void)argument, (void)n;
    text_add(&line, "[ctx] used=");
    text_add_u64(&line, s->used < context ? s->used : context);
    text_add(&line, " context=");
    text_add_u64(&line, context);
    text_add(&line, " slid=");
    text_add_u64(&line, s->slid);
    text_add(&line, " turns=");
    text_add_u64(&line, chat->turns);
    chat_say(chat, buffer);
}

static void add_address(struct text *line, const void *at) {
    uint64_t address = (uint64_t)(uintptr_t)at;
    char digits[] = "0x0000000000000000";
    for (size_t i = sizeof digits - 2; address > 0; i--, address >>= 4) digits[i] = "0123456789abcdef"[address & 15];
    text_add(line, digits);
}

static void show_zone(struct chat *chat, const char *name, const struct arena *arena) {
    char buffer[128];
    struct text line = text_into(buffer, sizeof buffer);
    text_add(&line, name);
    add_spaces(&line, 8);
    text_add(&line, " base=");
    add_address(&line, arena->base);
    text_add(&line, " size=");
    text_add_u64(&line, arena->size);
    text_add(&line, " used=");
    text_add_u64(&line, arena->used);
    chat_say(chat, buffer);
}

static void zones(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    char buffer[128];
    struct text line = text_into(buffer, sizeof buffer);
    (void)command, (void)argument, (void)n;
    text_add(&line, "weights  where they were read to, size=");
    text_add_u64(&line, chat->plan.weights);
    chat_say(chat, buffer);
    show_zone(chat, "kv", &chat->arenas.kv);
    show_zone(chat, "acts", &chat->arenas.acts);
    show_zone(chat, "scratch", &chat->arenas.scratch);
    show_zone(chat, "zonec", &chat->arenas.zonec);
}

static int stopped(void *chat) { return chat_stopped(chat); }

static void bench(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    char json[BENCH_JSON_MAX];
    struct text line = text_into(json, sizeof json);
    struct bench result;
    struct error error;
    (void)command, (void)argument, (void)n;
    chat_say(chat, "measuring for a few seconds; Esc stops it");
    talk_forget(chat); /* what the session holds will be overwritten */
    enum status status = bench_run(&chat->session, chat->host->platform, stopped, chat, &result, &error);
    if (status == E_STOPPED) {
        chat_say(chat, "[stopped]");
        return;
    }
    bench_show(&result, &chat->session, &line);
    chat_say(chat, json);
    text_add(&line, "\n");
    if (chat->host->platform->file_write) chat_save(chat, BENCH_FILE, &line);
}

static void version(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    char buffer[64];
    struct text line = text_into(buffer, sizeof buffer);
    (void)command, (void)argument, (void)n;
    text_add(&line, "ingot ");
    text_add(&line, chat->host->version);
    chat_say(chat, buffer);
}

const struct command commands_model[] = {
    {"model", "NAME", "the models there are, or another one in place of this", model},
    {"cpu", NULL, "the processor and the kernels in use", cpu},
    {"attn", "NAME", "kernels: auto, scalar, sse2, avx2, avx512 or avx512vnni; the text stays the same", attn},
    {"ctx", NULL, "how much of the context is used, and how often it slid", ctx},
    {"zones", NULL, "where the memory is", zones},
    {"bench", NULL, "measure the model; also into the file " BENCH_FILE, bench},
    {"version", NULL, "of this program", version},
    {.name = NULL},
};
