/* One function a command, one table. */
#include "commands.h"
#include "text.h"

struct command {
    const char *name;     /* with its slash */
    const char *argument; /* for /help; NULL: takes none */
    const char *help;
    void (*run)(struct chat *chat, const struct command *command, const char *argument, size_t n);
};

static void help(struct chat *chat, const struct command *command, const char *argument, size_t n);

/* Shows a setting, or sets it when there is an argument. */
static void setting(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    const char *name = command->name + 1;
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

static void stats(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    struct error error;
    (void)command;
    if (text_equal(argument, n, "on")) chat->stats = 1;
    else if (text_equal(argument, n, "off")) chat->stats = 0;
    else if (n > 0) {
        fail(&error, E_RANGE, "stats must be on or off, not", argument, n);
        chat_fail(chat, &error);
        return;
    }
    chat_say(chat, chat->stats ? "stats=on" : "stats=off");
}

static void model(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    (void)command, (void)argument, (void)n;
    chat_show_model(chat);
}

static void cpu(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    (void)command, (void)argument, (void)n;
    chat_show_cpu(chat);
}

static void clear(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    const struct platform *platform = chat->host->platform;
    (void)command, (void)argument, (void)n;
    platform->clear(platform->ctx);
}

static void demo(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    static const char *const prompts[] = {"Once upon a time", "One day, a little girl", "The old man said"};
    (void)command, (void)argument, (void)n;
    for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++)
        if (chat_reply(chat, prompts[i], text_length(prompts[i])) != OK) return;
}

static void script(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    (void)command, (void)argument, (void)n;
    chat->script = 1;
    chat->line.literal = 1;
}

static void quit(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    (void)command, (void)argument, (void)n;
    chat->quit = 1;
}

static const struct command commands[] = {
    {"/help", NULL, "this list", help},
    {"/temp", "T", "randomness, 0 to 100; 0 always takes the most probable token", setting},
    {"/top_k", "K", "choose among the K most probable tokens; 0: all", setting},
    {"/top_p", "P", "choose among the most probable tokens that together reach P; 0 or 1: all", setting},
    {"/seed", "N", "start the random numbers at N; 0: at a number from the clock", setting},
    {"/max_tokens", "N", "the most new tokens of a reply, 1 to 1000000", setting},
    {"/stats", "on|off", "the line of numbers after a reply", stats},
    {"/model", NULL, "the model and its memory", model},
    {"/cpu", NULL, "the processor and the kernels in use", cpu},
    {"/clear", NULL, "empty the screen", clear},
    {"/demo", NULL, "a few stories", demo},
    {"/script", NULL, "framing for programs: ENQ asks for a line, STX and ETX enclose a reply", script},
    {"/quit", NULL, "leave", quit},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void help(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    (void)command, (void)argument, (void)n;
    for (size_t i = 0; i < COMMANDS; i++) {
        char buffer[160];
        struct text line = text_into(buffer, sizeof buffer);
        text_add(&line, commands[i].name);
        if (commands[i].argument) {
            text_add(&line, " ");
            text_add(&line, commands[i].argument);
        }
        while (line.used < 16) text_add(&line, " ");
        text_add(&line, commands[i].help);
        chat_say(chat, buffer);
    }
    chat_say(chat, "A command without its value shows it. Any other line is continued by the model;");
    chat_say(chat, "start it with // when it shall begin with a slash.");
}

static void unknown(struct chat *chat, const char *name, size_t n) {
    size_t nearest = 0, least = SIZE_MAX, length = n < 32 ? n : 32;
    struct error error;
    char lower[32];
    for (size_t i = 0; i < length; i++) {
        int upper = name[i] >= 'A' && name[i] <= 'Z';
        lower[i] = (char)(upper ? name[i] + ('a' - 'A') : name[i]);
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        size_t distance = text_distance(lower, length, commands[i].name);
        if (distance < least) {
            least = distance;
            nearest = i;
        }
    }
    struct text t = error_text(&error, E_RANGE);
    text_add(&t, "no command ");
    text_add_name(&t, name, n);
    text_add(&t, "; nearest: ");
    text_add(&t, commands[nearest].name);
    chat_fail(chat, &error);
}

void command_run(struct chat *chat, const char *line, size_t n) {
    size_t name = 0;
    while (n > 0 && line[n - 1] == ' ') n--;
    while (name < n && line[name] != ' ') name++;
    size_t argument = name;
    while (argument < n && line[argument] == ' ') argument++;
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *c = &commands[i];
        struct error error;
        if (!text_equal(line, name, c->name)) continue;
        if (c->argument || argument == n) {
            c->run(chat, c, line + argument, n - argument);
        } else {
            fail(&error, E_RANGE, "a command that takes no value", c->name, name);
            chat_fail(chat, &error);
        }
        return;
    }
    unknown(chat, line, name);
}
