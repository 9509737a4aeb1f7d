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
    ringlog_add(&chat->session.log, platform->now_us(platform->ctx), level, text, text_length(text));
}

void chat_show_log(struct chat *chat) { ringlog_dump(&chat->session.log, put, chat); }

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
    text_add(&line, chat->host->kernels->name);
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

static int stopped(void *ctx) { return input_stopped(&((struct chat *)ctx)->input); }

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

enum status chat_reply(struct chat *chat, const char *prompt, size_t n) {
    int turn = talk_is_turn(chat);
    struct generate_hooks hooks = {.ctx = chat, .text = put_reply, .stop = stopped, .turn = turn,
                                   .reply_only = chat->reply != NULL};
    struct generate_result result;
    struct error error;
    size_t count;
    enum status status = talk_begin(chat, prompt, n, &count, &error);
    if (status != OK) {
        chat_fail(chat, &error);
        return status;
    }
    settings_apply(&chat->settings, &chat->session.sampler);
    chat->session.stop_you = chat->settings.stop_you != 0;
    chat->session.stop_nl = chat->settings.stop_nl != 0;
    log_begin(chat, count);
    int kept = !session_is_empty(&chat->session);
    if (chat->script) put_byte(chat, STX);
    if (chat->script && turn && !chat->reply) talk_show_prompt(chat, prompt, n);
    status = generate(&chat->session, chat->host->platform, chat->talk.tokens, count, chat->settings.max_tokens,
                      &hooks, &result, &error);
    if (chat->script) put_byte(chat, ETX);
    put_byte(chat, '\n');
    show_end(chat, status, &result, &error);
    if (kept && session_is_empty(&chat->session)) chat_say(chat, "[reset] the conversation begins anew");
    return status;
}

/* Working memory, by the plan. */
static enum status prepare(struct chat *chat, const struct chat_host *host, const struct models *models,
                           struct model *model, struct error *error) {
    const struct session_setup setup = {
        .model = model, .kernels = host->kernels, .cores = host->cores, .batch = PREFILL_BATCH,
        .platform = host->platform};
    struct arenas arenas;
    size_t needed = arena_sum(arena_sum(talk_need(model), draw_need()), arena_need(CHAT_LINE_MAX, 1));
    *chat = (struct chat){
        .host = host, .models = models, .model = model, .settings = host->settings, .stats = 1};
    enum status status = session_plan(&chat->plan, &setup, needed, error);
    if (status != OK) return status;
    chat_show_cpu(chat);
    chat_show_model(chat);
    status = arenas_open(&arenas, &chat->plan, host->platform, error);
    if (status != OK) return status;
    status = session_open(&chat->session, &setup, &arenas, error);
    if (status != OK) {
        arenas_close(&arenas, host->platform);
        return status;
    }
    talk_open(chat, &arenas.scratch);
    draw_open(chat, &arenas.scratch);
    chat->line.line = arena_take(&arenas.scratch, CHAT_LINE_MAX, 1);
    chat->line.size = CHAT_LINE_MAX;
    chat->line.platform = chat->input.platform = host->platform;
    chat_set_seed(chat);
    return OK;
}

/* The next line; LINE_END when there is none. */
static enum line_event read_line(struct chat *chat) {
    lineedit_start(&chat->line);
    if (chat->script) put_byte(chat, ENQ);
    else put(chat, "\n> ", 3);
    for (;;) {
        int byte = input_next(&chat->input);
        if (byte == PLATFORM_END) return chat->line.used > 0 ? LINE_READY : LINE_END;
        enum line_event event = lineedit_push(&chat->line, (uint8_t)byte);
        if (event != LINE_MORE) return event;
    }
}

static void answer(struct chat *chat) {
    const char *line = chat->line.line;
    size_t n = chat->line.used;
    if (chat->line.too_long && chat->script) chat_say(chat, "error: a line of more than 16384 bytes");
    else if (n >= 2 && line[0] == '/' && line[1] == '/') chat_reply(chat, line + 1, n - 1);
    else if (n >= 1 && line[0] == '/') command_run(chat, line, n);
    else if (n >= 1 || chat->script) chat_reply(chat, line, n);
}

enum status chat_run(const struct chat_host *host, const struct models *models, struct model *model,
                     struct error *error) {
    struct chat chat;
    enum status status = models->open(models->ctx, 0, model, error);
    if (status == OK) status = prepare(&chat, host, models, model, error);
    if (status != OK) return status;
    show_keys(&chat);
    while (!chat.quit && read_line(&chat) == LINE_READY) answer(&chat);
    return OK;
}
