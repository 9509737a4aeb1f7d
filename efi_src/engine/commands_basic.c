/* Commands that show what there is, and those that steer the loop. */
#include "commands.h"
#include "text.h"

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

const struct command commands_basic[] = {
    {"stats", "on|off", "the line of numbers after a reply", stats},
    {"model", NULL, "the model and its memory", model},
    {"cpu", NULL, "the processor and the kernels in use", cpu},
    {"clear", NULL, "empty the screen", clear},
    {"demo", NULL, "a few stories", demo},
    {"script", NULL, "framing for programs: ENQ asks for a line, STX and ETX enclose a reply", script},
    {"quit", NULL, "leave", quit},
    {.name = NULL},
};
