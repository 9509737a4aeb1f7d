/* The commands: one for every setting, and tables of the others. */
#include "commands.h"
#include "text.h"

static void help(struct chat *chat, const struct command *command, const char *argument, size_t n);

/* Shows a setting, or sets it when there is an argument. */
static void setting(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    const char *name = command->name;
    char buffer[64];
    struct text line = text_into(buffer, sizeof buffer);
    struct error error;
    if (n > 0 && settings_set(&chat->settings, name, argument, n, &error) != OK) {
        chat_fail(chat, &error);
        return;
    }
    if (n > 0 && text_equal(name, text_length(name), "seed")) chat_set_seed(chat);
    settings_show(&chat->settings, name, &line);
    chat_say(chat, buffer);
}

static const struct command list[] = {{"help", NULL, "this list", help}, {.name = NULL}};
static const struct {
    const char *title;
    const struct command *commands;
} groups[] = {
    {"The chat", list},
    {NULL, commands_basic}, /* goes on */
    {"Conversation", commands_talk},
    {NULL, commands_save},
    {"Drawing", commands_draw},
    {"Model and machine", commands_model},
    {"Budgets and log", commands_log},
};
enum { GROUPS = sizeof groups / sizeof groups[0] };

int command_at(size_t i, struct command *out, const char **title) {
    size_t settings = 0;
    for (const struct setting *s; (s = setting_at(settings)) != NULL; settings++) {
        if (settings != i) continue;
        *out = (struct command){s->name, s->argument, s->help, setting};
        *title = i == 0 ? "Replies" : NULL;
        return 1;
    }
    i -= settings;
    for (size_t g = 0; g < GROUPS; g++)
        for (const struct command *c = groups[g].commands; c->name; c++) {
            if (i-- > 0) continue;
            *out = *c;
            *title = c == groups[g].commands ? groups[g].title : NULL;
            return 1;
        }
    return 0;
}

static void show_title(struct chat *chat, const char *title, int first) {
    char buffer[64];
    struct text line = text_into(buffer, sizeof buffer);
    if (!first) chat_say(chat, "");
    text_add(&line, title);
    text_add(&line, ":");
    chat_say(chat, buffer);
}

static void show_command(struct chat *chat, const struct command *c, size_t width) {
    char buffer[192];
    struct text line = text_into(buffer, sizeof buffer);
    text_add(&line, "  /");
    text_add(&line, c->name);
    if (c->argument) text_add(&line, " ");
    if (c->argument) text_add(&line, c->argument);
    do text_add(&line, " ");
    while (line.used < width + 5);
    text_add(&line, c->help);
    chat_say(chat, buffer);
}

static void help(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    const char *title;
    struct command c;
    size_t width = 0;
    (void)command, (void)argument, (void)n;
    for (size_t i = 0; command_at(i, &c, &title); i++) {
        size_t length = text_length(c.name) + (c.argument ? 1 + text_length(c.argument) : 0);
        if (length > width) width = length;
    }
    for (size_t i = 0; command_at(i, &c, &title); i++) {
        if (title) show_title(chat, title, i == 0);
        show_command(chat, &c, width);
    }
    chat_say(chat, "");
    chat_say(chat, "A command without its value shows it. Any other line goes to the model; start it with // when it");
    chat_say(chat, "shall begin with a slash. A line that ends in \\ goes on in the next; ;; ends such a text at once.");
    chat_say(chat, "Keys: arrows, Home, End, Delete, Backspace; up and down bring earlier lines; Ctrl-A and E go to the");
    chat_say(chat, "ends, Ctrl-U, K and W erase to the left, to the right, a word; Ctrl-C empties the line.");
}

/* `name` is without its slash. */
static void unknown(struct chat *chat, const char *name, size_t n) {
    size_t least = SIZE_MAX, length = n < 32 ? n : 32;
    const char *nearest = "";
    struct command c;
    struct error error;
    const char *title;
    char lower[32];
    for (size_t i = 0; i < length; i++) {
        int upper = name[i] >= 'A' && name[i] <= 'Z';
        lower[i] = (char)(upper ? name[i] + ('a' - 'A') : name[i]);
    }
    for (size_t i = 0; command_at(i, &c, &title); i++) {
        size_t distance = text_distance(lower, length, c.name);
        if (distance < least) {
            least = distance;
            nearest = c.name;
        }
    }
    struct text t = error_text(&error, E_RANGE);
    text_add(&t, "no command /");
    text_add_name(&t, name, n);
    text_add(&t, "; nearest: /");
    text_add(&t, nearest);
    chat_fail(chat, &error);
}

void command_run(struct chat *chat, const char *line, size_t n) {
    struct command c;
    struct error error;
    const char *title;
    size_t name = 1;
    while (n > 1 && line[n - 1] == ' ') n--;
    while (name < n && line[name] != ' ') name++;
    size_t argument = name;
    while (argument < n && line[argument] == ' ') argument++;
    for (size_t i = 0; command_at(i, &c, &title); i++) {
        if (!text_equal(line + 1, name - 1, c.name)) continue;
        if (c.argument || argument == n) {
            c.run(chat, &c, line + argument, n - argument);
        } else {
            fail(&error, E_RANGE, "a command that takes no value", line, name);
            chat_fail(chat, &error);
        }
        return;
    }
    unknown(chat, line + 1, name - 1);
}
