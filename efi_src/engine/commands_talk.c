/* Conversations: how a prompt becomes tokens, and the commands about it. */
#include "commands.h"
#include "session_file.h"
#include "text.h"
#include "utf8.h"

enum { TEXT_MAX = CHAT_LINE_MAX + TEMPLATE_SYSTEM_MAX + TEMPLATE_MARKS_MAX };

static const struct template_form *form_of(const struct chat *chat) { return chat->model->tokenizer.chat.form; }

/* Of the tokenizer's working memory, which is a page for files too. */
static size_t scratch_size(const struct model *model) {
    size_t bytes = tokenizer_scratch(&model->tokenizer, TEXT_MAX);
    return bytes < CHAT_PAGE_MAX ? CHAT_PAGE_MAX : bytes;
}

size_t talk_need(const struct model *model) {
    size_t bytes = arena_need(CHAT_TOKENS_MAX, sizeof(uint32_t));
    bytes = arena_sum(bytes, arena_need(TEXT_MAX, 1));
    bytes = arena_sum(bytes, arena_need(session_parts(model), sizeof(struct platform_part)));
    return arena_sum(bytes, arena_need(scratch_size(model), 1));
}

void talk_open(struct chat *chat, struct arena *scratch) {
    struct talk *talk = &chat->talk;
    *talk = (struct talk){.room = {.size = TEXT_MAX}};
    talk->tokens = arena_take(scratch, CHAT_TOKENS_MAX, sizeof(uint32_t));
    talk->parts = arena_take(scratch, session_parts(chat->model), sizeof *talk->parts);
    talk->room.text = arena_take(scratch, TEXT_MAX, 1);
    talk->room.scratch = chat->page = arena_take(scratch, scratch_size(chat->model), 1);
}

enum status talk_begin(struct chat *chat, const char *prompt, size_t n, size_t *count, struct error *error) {
    struct talk *talk = &chat->talk;
    const struct tokenizer *t = &chat->model->tokenizer;
    const struct template_turn turn = {
        .first = session_is_empty(&chat->session), .system = talk->system_n > 0 ? talk->system : NULL,
        .system_n = talk->system_n, .user = prompt, .n = n};
    if (form_of(chat)) return template_encode(t, &turn, &talk->room, talk->tokens, CHAT_TOKENS_MAX, count, error);
    enum status status =
        tokenizer_encode(t, prompt, n, talk->room.scratch, talk->tokens, CHAT_TOKENS_MAX, count, error);
    if (status != OK) return status; /* it was never said: what was loaded still waits for a line */
    if (!talk->go_on) session_reset(&chat->session);
    talk->go_on = 0;
    return OK;
}

int talk_is_turn(const struct chat *chat) { return form_of(chat) != NULL; }

void talk_show_prompt(struct chat *chat, const char *prompt, size_t n) {
    const struct platform *platform = chat->host->platform;
    utf8_show(prompt, n, platform->write, platform->ctx);
    platform->write(platform->ctx, "\n", 1);
}

void talk_reset(struct chat *chat) {
    session_reset(&chat->session);
    chat->talk.go_on = 0;
}

int talk_goes_on(const struct chat *chat) {
    return !session_is_empty(&chat->session) && (talk_is_turn(chat) || chat->talk.go_on);
}

void talk_say_reset(struct chat *chat) { chat_say(chat, "[reset] the conversation begins anew"); }

void talk_forget(struct chat *chat) {
    if (talk_goes_on(chat)) talk_say_reset(chat);
    talk_reset(chat);
}

static void reset(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    (void)command, (void)argument, (void)n;
    talk_reset(chat);
    chat_say(chat, talk_is_turn(chat) ? "the conversation begins anew"
                                      : "nothing is kept: without a chat template each line is a text of its own");
}

static void show_system(struct chat *chat) {
    const struct platform *platform = chat->host->platform;
    if (chat->talk.system_n == 0) {
        chat_say(chat, "system=off");
        return;
    }
    platform->write(platform->ctx, "system=", 7);
    talk_show_prompt(chat, chat->talk.system, chat->talk.system_n);
}

static void set_system(struct chat *chat, const char *text, size_t n) {
    struct talk *talk = &chat->talk;
    talk->system_n = text_equal(text, n, "off") ? 0 : n;
    for (size_t i = 0; i < talk->system_n; i++) talk->system[i] = text[i];
    talk_reset(chat);
}

static void system_message(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    struct error error;
    (void)command;
    if (!talk_is_turn(chat)) {
        fail(&error, E_UNSUPPORTED, "the model has no chat template, so there is no place for a system message", NULL,
             0);
        chat_fail(chat, &error);
    } else if (n > TEMPLATE_SYSTEM_MAX) {
        fail(&error, E_RANGE, "a system message of more than 2048 bytes", NULL, 0);
        chat_fail(chat, &error);
    } else {
        if (n > 0) set_system(chat, argument, n);
        show_system(chat);
    }
}

const struct command commands_talk[] = {
    {"system", "TEXT|off", "what the model is told first; begins the conversation anew", system_message},
    {"reset", NULL, "begin the conversation anew", reset},
    {.name = NULL},
};
