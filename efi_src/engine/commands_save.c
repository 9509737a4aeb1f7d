/* Sessions on disk. */
#include "commands.h"
#include "filename.h"
#include "session_file.h"

/* NAME.session; of no name chat.session. */
static enum status name_file(const char *name, size_t n, struct filename *out, struct error *error) {
    return filename_make(out, name, n, "chat", ".session", error);
}

static struct session_room room_of(const struct chat *chat) {
    return (struct session_room){.platform = chat->host->platform, .sha = sha_select(chat->host->features),
                                 .parts = chat->talk.parts, .page = chat->page, .page_size = CHAT_PAGE_MAX};
}

static struct session_about about_of(const struct chat *chat) {
    struct session_about about = {.settings = chat->settings, .system_n = chat->talk.system_n};
    for (size_t i = 0; i < about.system_n; i++) about.system[i] = chat->talk.system[i];
    return about;
}

/* "[saved] chat.session tokens=123" */
static void say(struct chat *chat, const char *what, const char *name) {
    char buffer[128];
    struct text line = text_into(buffer, sizeof buffer);
    text_add(&line, what);
    text_add(&line, name);
    text_add(&line, " tokens=");
    text_add_u64(&line, (uint64_t)chat->session.used + (chat->session.pending != TOKEN_NONE));
    chat_say(chat, buffer);
}

static enum status start(struct chat *chat, const char *argument, size_t n, struct filename *name,
                         struct error *error) {
    enum status status = name_file(argument, n, name, error);
    if (status == OK && !chat->host->platform->file_read)
        status = fail(error, E_UNSUPPORTED, "there is no disk for", name->text, text_length(name->text));
    return status;
}

static void save(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    const struct session_room room = room_of(chat);
    const struct session_about about = about_of(chat);
    struct filename name;
    struct error error;
    (void)command;
    enum status status = start(chat, argument, n, &name, &error);
    if (status == OK && session_is_empty(&chat->session))
        status = fail(&error, E_RANGE, "nothing was said yet", NULL, 0);
    if (status == OK) status = session_save(&chat->session, &about, &room, name.text, &error);
    if (status == OK) say(chat, "[saved] ", name.text);
    else chat_fail(chat, &error);
}

static void load(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    const struct session_room room = room_of(chat);
    struct session_about about = about_of(chat);
    struct filename name;
    struct error error;
    int kept = !session_is_empty(&chat->session);
    (void)command;
    enum status status = start(chat, argument, n, &name, &error);
    if (status == OK) status = session_load(&chat->session, &about, &room, name.text, &error);
    if (status != OK) {
        chat_fail(chat, &error);
        if (kept && session_is_empty(&chat->session)) talk_say_reset(chat);
        return;
    }
    chat->settings = about.settings;
    chat->talk.system_n = about.system_n;
    for (size_t i = 0; i < about.system_n; i++) chat->talk.system[i] = about.system[i];
    chat->talk.go_on = !talk_is_turn(chat);
    say(chat, "[loaded] ", name.text);
}

const struct command commands_save[] = {
    {"save", "[NAME]", "the conversation or text so far to a file, with all that it needs to go on", save},
    {"load", "[NAME]", "go on from such a file", load},
    {.name = NULL},
};
