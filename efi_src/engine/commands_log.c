/* Commands about what goes wrong: budgets and the log. */
#include "commands.h"
#include "text.h"

#define DUMP_TOKENS 2048 /* of the sequence, in a dump */

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
    struct error error;
    (void)command;
    if (n == 0) {
        chat_show_log(chat, &chat->session.log);
    } else if (!text_equal(argument, n, "last")) {
        fail(&error, E_RANGE, "log shows this run's, or with last the run's before, not", argument, n);
        chat_fail(chat, &error);
    } else if (chat->host->last_log) {
        chat_show_log(chat, chat->host->last_log);
    } else {
        chat_say(chat, "no log of the last run: the memory has not kept it");
    }
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

static void add_number(struct text *page, const char *name, uint64_t number) {
    text_add(page, name);
    text_add_u64(page, number);
}

/* What has gone in: the sequence's latest tokens, and where the sampler stands. */
static void add_session(struct text *page, const struct session *s) {
    uint32_t context = s->model->shape.context, first = s->used > DUMP_TOKENS ? s->used - DUMP_TOKENS : 0;
    if (s->used - first > context) first = s->used - context;
    sentinel_show(&s->sentinel, "us", page);
    add_number(page, "\nused=", s->used);
    add_number(page, " pending=", s->pending);
    add_number(page, " rng=", s->sampler.rng);
    text_add(page, "\ntokens:");
    for (uint32_t i = first; i < s->used; i++) add_number(page, " ", s->window[i % context]);
    text_add(page, "\n");
}

/* docs/chat.md tells its parts. The log of the last run comes last: it is cut where the page ends. */
static void save_dump(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    const struct platform *platform = chat->host->platform;
    struct text page = text_into(chat->page, CHAT_PAGE_MAX);
    (void)command, (void)argument, (void)n;
    text_add(&page, "== machine\ningot ");
    text_add(&page, chat->host->version);
    text_add(&page, " ");
    text_add(&page, chat->host->cpu);
    text_add(&page, " kernel=");
    text_add(&page, chat->kernels->name);
    add_number(&page, " cores=", chat->host->cores->count);
    text_add(&page, "\n== model\n");
    model_show(chat->model, &page);
    text_add(&page, "\n== memory\n");
    arena_show(&chat->plan, &page);
    text_add(&page, "\n== settings\n");
    for (size_t i = 0; setting_at(i); i++) {
        settings_show(&chat->settings, setting_at(i)->name, &page);
        text_add(&page, "\n");
    }
    text_add(&page, "== session\n");
    add_session(&page, &chat->session);
    text_add(&page, "== exception\n");
    if (platform->fault_report) text_add(&page, platform->fault_report(platform->ctx));
    text_add(&page, "== log\n");
    ringlog_dump(&chat->session.log, add, &page);
    text_add(&page, "== last log\n");
    if (chat->host->last_log) ringlog_dump(chat->host->last_log, add, &page);
    chat_save(chat, "dump.txt", &page);
}

_Static_assert(SESSION_LOG_BYTES / sizeof(struct ringlog_record) * RINGLOG_LINE_MAX < CHAT_PAGE_MAX,
               "a page holds the whole log");

const struct command commands_log[] = {
    {"budget", "NAME VALUE", "time a token may take: strict on|off, prefill N, decode N us; 0: learnt", budget},
    {"test_failsafe", "WHAT", "budget, nan, exception or worker: the next reply trips over it", test_failsafe},
    {"log", "last", "what happened: turns, overruns, errors; last: before a warm reset", show_log},
    {"save_dump", NULL, "writes state, exception and log to the file dump.txt", save_dump},
    {"save_log", NULL, "writes it to the file log.txt", save_log},
    {.name = NULL},
};
