/* Commands about what goes wrong: budgets and the log. */
#include "commands.h"
#include "text.h"

/* "strict on", "decode 20000"; 0 when the n bytes are nothing of the kind. */
static int set_budget(struct sentinel *sentinel, const char *argument, size_t n) {
    size_t name = 0;
    uint64_t budget;
    while (name < n && argument[name] != ' ') name++;
    size_t value = name;
    while (value < n && argument[value] == ' ') value++;
    const char *text = argument + value;
    size_t length = n - value;
    if (text_equal(argument, name, "strict")) {
        int on = text_equal(text, length, "on");
        if (!on && !text_equal(text, length, "off")) return 0;
        sentinel->strict = on;
        return 1;
    }
    int prefill = text_equal(argument, name, "prefill");
    if (!prefill && !text_equal(argument, name, "decode")) return 0;
    if (!text_read_u64(text, length, &budget)) return 0;
    sentinel_set_budget(sentinel, prefill ? SENTINEL_PREFILL : SENTINEL_DECODE, budget);
    return 1;
}

static void budget(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    struct sentinel *sentinel = &chat->session.sentinel;
    char buffer[192];
    struct text line = text_into(buffer, sizeof buffer);
    struct error error;
    (void)command;
    if (n > 0 && !set_budget(sentinel, argument, n)) {
        fail(&error, E_RANGE, "budget must be strict on|off, prefill N or decode N, not", argument, n);
        chat_fail(chat, &error);
        return;
    }
    sentinel_show(sentinel, "us", &line);
    chat_say(chat, buffer);
}

static const struct {
    const char *name;
    enum failsafe what;
    const char *says;
} failsafes[] = {
    {"budget", FAILSAFE_OFF, "the next reply stops as if it were over its budget"},
    {"nan", FAILSAFE_NAN, "the next reply meets a logit that is no number"},
    {"exception", FAILSAFE_EXCEPTION, "the next reply reads an address that there is not"},
    {"worker", FAILSAFE_WORKER, "the next reply runs an invalid instruction on another core"},
};

static void test_failsafe(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    const struct platform *platform = chat->host->platform;
    struct error error;
    (void)command;
    for (size_t i = 0; i < sizeof failsafes / sizeof failsafes[0]; i++) {
        enum failsafe what = failsafes[i].what;
        if (n > 0 ? !text_equal(argument, n, failsafes[i].name) : i > 0) continue;
        if (what >= FAILSAFE_EXCEPTION && !platform->guard) break;
        if (what == FAILSAFE_WORKER && chat->host->cores->count < 2) break;
        chat->session.failsafe = what;
        chat->session.sentinel.test = what == FAILSAFE_OFF;
        chat_say(chat, failsafes[i].says);
        return;
    }
    fail(&error, E_RANGE, "not to be tested here (budget, nan; on bare metal exception; on two cores worker)",
         argument, n);
    chat_fail(chat, &error);
}

static void show_log(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    (void)command, (void)argument, (void)n;
    chat_show_log(chat);
}

void chat_save(struct chat *chat, const char *name, const struct text *page) {
    const struct platform *platform = chat->host->platform;
    const struct platform_part part = {page->at, page->used};
    struct error error;
    char buffer[128];
    struct text line = text_into(buffer, sizeof buffer);
    if (!platform->file_write) {
        fail(&error, E_UNSUPPORTED, "there is no disk to write to for", name, text_length(name));
        chat_fail(chat, &error);
    } else if (platform->file_write(platform->ctx, name, &part, 1, &error) != OK) {
        chat_fail(chat, &error);
    } else {
        text_add(&line, "[saved] ");
        text_add(&line, name);
        text_add(&line, " bytes=");
        text_add_u64(&line, page->used);
        chat_say(chat, buffer);
    }
}

static void add(void *ctx, const char *text, size_t n) { text_add_bytes(ctx, text, n); }

static void save_log(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    struct text page = text_into(chat->page, CHAT_PAGE_MAX);
    (void)command, (void)argument, (void)n;
    ringlog_dump(&chat->session.log, add, &page);
    chat_save(chat, "log.txt", &page);
}

_Static_assert(SESSION_LOG_BYTES / sizeof(struct ringlog_record) * RINGLOG_LINE_MAX < CHAT_PAGE_MAX,
               "a page holds the whole log");

const struct command commands_log[] = {
    {"budget", "NAME VALUE", "time a token may take: strict on|off, prefill N, decode N us; 0: learnt", budget},
    {"test_failsafe", "WHAT", "budget, nan, exception or worker: the next reply trips over it", test_failsafe},
    {"log", NULL, "what happened: turns, overruns, errors", show_log},
    {"save_log", NULL, "writes it to the file log.txt", save_log},
    {.name = NULL},
};
