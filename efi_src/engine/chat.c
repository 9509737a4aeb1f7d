/* The read-eval loop. */
#include "chat.h"
#include "commands.h"
#include "text.h"

enum { STX = 0x02, ETX = 0x03, ENQ = 0x05 };

static void put(void *ctx, const char *text, size_t n) {
    const struct platform *platform = ((struct chat *)ctx)->host->platform;
    platform->write(platform->ctx, text, n);
}

static void put_byte(struct chat *chat, char byte) { put(chat, &byte, 1); }

void chat_say(struct chat *chat, const char *text) {
    put(chat, text, text_length(text));
    put_byte(chat, '\n');
}

static void log_line(struct chat *chat, enum ringlog_level level, const char *text) {
    const struct platform *platform = chat->host->platform;
    if (chat->session.log.count == 0) return; /* no session is open */
    ringlog_add(&chat->session.log, platform->now_us(platform->ctx), level, text, text_length(text));
}

void chat_show_log(struct chat *chat, const struct ringlog *log) { ringlog_dump(log, put, chat); }

void chat_fail(struct chat *chat, const struct error *error) {
    log_line(chat, LOG_ERROR, error->text);
    put(chat, "error: ", 7);
    chat_say(chat, error->text);
}

void chat_show_cpu(struct chat *chat) {
    char buffer[256];
    struct text line = text_into(buffer, sizeof buffer);
    text_add(&line, "[cpu] ");
    text_add(&line, chat->host->cpu);
    text_add(&line, " kernel=");
    text_add(&line, chat->kernels->name);
    chat_say(chat, buffer);
}

void chat_show_model(struct chat *chat) {
    char buffer[384];
    struct text line = text_into(buffer, sizeof buffer);
    text_add(&line, "[model] ");
    model_show(chat->model, &line);
    const char *template = template_name(&chat->model->tokenizer.chat);
    if (template) text_add(&line, " template=");
    if (template) text_add(&line, template);
    if (template && !talk_is_turn(chat)) text_add(&line, ": plain continuation");
    chat_say(chat, buffer);
    line = text_into(buffer, sizeof buffer);
    text_add(&line, "[memory] ");
    arena_show(&chat->plan, &line);
    chat_say(chat, buffer);
    line = text_into(buffer, sizeof buffer);
    text_add(&line, "[memory] ");
    if (session_show_context(&chat->plan, &line)) chat_say(chat, buffer);
}

/* "[log] 12 records of the last run: /log last" */
static void show_last_log(struct chat *chat) {
    char buffer[96];
    struct text line = text_into(buffer, sizeof buffer);
    uint64_t number = 0, count = 0;
    if (!chat->host->last_log) return;
    while (ringlog_next(chat->host->last_log, &number)) count++;
    text_add(&line, "[log] ");
    text_add_u64(&line, count);
    text_add(&line, " records of the last run: /log last");
    chat_say(chat, buffer);
}

static void show_keys(struct chat *chat) {
    char buffer[256];
    struct text line = text_into(buffer, sizeof buffer);
    text_add(&line, "[keys] Enter sends; Esc or Ctrl-C stops a reply; /help lists commands; /quit leaves");
    if (chat->host->keys) {
        text_add(&line, "; ");
        text_add(&line, chat->host->keys);
    }
    chat_say(chat, buffer);
}

void chat_set_seed(struct chat *chat) {
    const struct platform *platform = chat->host->platform;
    if (chat->settings.seed == 0) chat->settings.seed = platform->now_us(platform->ctx) | 1; /* not 0 */
    chat->session.sampler.rng = chat->settings.seed;
}

int chat_stopped(struct chat *chat) { return input_stopped(&chat->input); }

static int stopped(void *ctx) { return chat_stopped(ctx); }

static void log_begin(struct chat *chat, size_t prompt_tokens) {
    char buffer[64];
    struct text line = text_into(buffer, sizeof buffer);
    text_add(&line, "turn begins: prompt_tokens=");
    text_add_u64(&line, prompt_tokens);
    log_line(chat, LOG_INFO, buffer);
}

/* The lines below a reply, and what the log gets. */
static void show_end(struct chat *chat, enum status status, const struct generate_result *result,
                     const struct error *error) {
    char buffer[256];
    struct text line = text_into(buffer, sizeof buffer);
    int sentinel = status == E_STOPPED && chat->session.sentinel.stopped;
    if (status == E_STOPPED) {
        text_add(&line, "[stopped]");
        if (sentinel) text_add(&line, " ");
        if (sentinel) text_add(&line, error->text);
        log_line(chat, sentinel ? LOG_WARNING : LOG_INFO, buffer);
        chat_say(chat, buffer);
    } else if (status != OK) {
        chat_fail(chat, error);
    }
    line = text_into(buffer, sizeof buffer);
    text_add(&line, "[stats] ");
    generate_show(result, &line);
    if (chat->stats) chat_say(chat, buffer);
    log_line(chat, LOG_INFO, buffer);
}

static void put_reply(void *ctx, const char *text, size_t n) {
    struct chat *chat = ctx;
    put(chat, text, n);
    if (chat->reply) text_add_bytes(chat->reply, text, n);
}

/* generate, as platform->guard calls it */
struct turn {
    struct chat *chat;
    size_t count;
    struct generate_hooks hooks;
    struct generate_result result;
    struct error *error;
};

static enum status run_turn(void *arg) {
    struct turn *turn = arg;
    struct chat *chat = turn->chat;
    return generate(&chat->session, chat->host->platform, chat->talk.tokens, turn->count,
                    chat->settings.max_tokens, &turn->hooks, &turn->result, turn->error);
}

/* Guarded where the host can: after a CPU exception the text begins anew, with the random numbers that the turn
 * began with. */
static enum status guard_turn(struct turn *turn) {
    const struct platform *platform = turn->chat->host->platform;
    struct session *session = &turn->chat->session;
    uint64_t rng = session->sampler.rng;
    if (!platform->guard) return run_turn(turn);
    enum status status = platform->guard(platform->ctx, run_turn, turn, turn->error);
    if (status != E_FAULT) return status;
    session_reset(session);
    session->sampler.rng = rng;
    return E_FAULT;
}

/* What the processor was doing, to the log and to a file. */
static void keep_fault(struct chat *chat) {
    const struct platform *platform = chat->host->platform;
    const char *report = platform->fault_report ? platform->fault_report(platform->ctx) : "";
    struct text page = text_into(chat->page, CHAT_PAGE_MAX);
    text_add(&page, report);
    for (size_t n; *report; report += n + (report[n] == '\n')) {
        for (n = 0; report[n] && report[n] != '\n';) n++;
        ringlog_add(&chat->session.log, platform->now_us(platform->ctx), LOG_CRASH, report, n);
    }
    if (platform->file_write) chat_save(chat, "crash.txt", &page);
}

enum status chat_reply(struct chat *chat, const char *prompt, size_t n) {
    struct error error;
    struct turn turn = {.chat = chat, .error = &error};
    turn.hooks = (struct generate_hooks){.ctx = chat, .text = put_reply, .stop = stopped, .turn = talk_is_turn(chat),
                                         .reply_only = chat->reply != NULL};
    enum status status = talk_begin(chat, prompt, n, &turn.count, &error);
    if (status != OK) {
        chat_fail(chat, &error);
        return status;
    }
    settings_apply(&chat->settings, &chat->session.sampler);
    chat->session.stop_you = chat->settings.stop_you != 0;
    chat->session.stop_nl = chat->settings.stop_nl != 0;
    log_begin(chat, turn.count);
    int kept = !session_is_empty(&chat->session);
    chat->turns++;
    if (chat->script) put_byte(chat, STX);
    if (chat->script && turn.hooks.turn && !chat->reply) talk_show_prompt(chat, prompt, n);
    status = guard_turn(&turn);
    if (chat->script) put_byte(chat, ETX);
    put_byte(chat, '\n');
    show_end(chat, status, &turn.result, &error);
    if (status == E_FAULT) keep_fault(chat);
    kept |= turn.hooks.turn && turn.result.tokens > 0;
    if (kept && session_is_empty(&chat->session)) talk_say_reset(chat);
    return status;
}

/* What follows the last byte of a line: another one of the same text? `\` at its end says so. In a text of several
 * lines `;;` at the end of one is left out, so that a line of it alone ends the text. */
static int goes_on(struct chat *chat) {
    struct lineedit *l = &chat->line;
    if (chat->script || l->too_long || l->used == l->base) return 0;
    if (l->line[l->used - 1] == '\\' && l->used < l->size) {
        l->line[l->used - 1] = '\n';
        return 1;
    }
    if (l->base == 0 || l->used - l->base < 2 || !text_equal(l->line + l->used - 2, 2, ";;")) return 0;
    l->used -= 2;
    if (l->used == l->base) l->used--; /* the line before it was the last */
    return 0;
}

/* The next line; LINE_END when there is none. */
static enum line_event edit_line(struct chat *chat) {
    for (;;) {
        int byte = input_now(&chat->input);
        if (byte == -1) {
            lineedit_show(&chat->line);
            byte = input_next(&chat->input);
        }
        if (byte == PLATFORM_END) {
            lineedit_finish(&chat->line);
            return chat->line.used > 0 ? LINE_READY : LINE_END;
        }
        enum line_event event = lineedit_push(&chat->line, (uint8_t)byte);
        if (event != LINE_MORE) return event;
    }
}

/* The next text, of one line or several; LINE_END when there is none. */
static enum line_event read_text(struct chat *chat) {
    enum line_event event = LINE_CANCEL;
    while (event == LINE_CANCEL) {
        lineedit_start(&chat->line, "> ");
        if (chat->script) put_byte(chat, ENQ);
        else put(chat, "\n> ", 3);
        while ((event = edit_line(chat)) == LINE_READY && goes_on(chat)) {
            lineedit_continue(&chat->line, ". ");
            put(chat, ". ", 2);
        }
        if (event == LINE_CANCEL) put_byte(chat, '\n');
    }
    return event;
}

static void answer(struct chat *chat) {
    const char *line = chat->line.line;
    size_t n = chat->line.used;
    struct error error;
    if (chat->line.too_long) {
        fail(&error, E_RANGE, "a line of more than 16384 bytes", NULL, 0);
        chat_fail(chat, &error);
    } else if (n >= 2 && line[0] == '/' && line[1] == '/') {
        chat_reply(chat, line + 1, n - 1);
    } else if (n >= 1 && line[0] == '/') {
        command_run(chat, line, n);
    } else if (n >= 1 || chat->script) {
        chat_reply(chat, line, n);
    }
}

_Static_assert(CHAT_LINE_MAX == 16384, "what a line that is too long is told");

enum status chat_run(const struct chat_host *host, const struct models *models, struct model *model,
                     struct error *error) {
    struct chat chat = {.host = host, .models = models, .model = model, .settings = host->settings,
                        .kernels = host->kernels, .stats = 1, .error = error};
    size_t first = 0;
    chat.line.platform = chat.input.platform = host->platform;
    chat_read_cfg(&chat, &first);
    chat_show_cpu(&chat);
    enum status status = chat_open(&chat, first, error);
    if (status != OK) return status;
    show_last_log(&chat);
    show_keys(&chat);
    while (!chat.quit && read_text(&chat) == LINE_READY) answer(&chat);
    return chat.status;
}
