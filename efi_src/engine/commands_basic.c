/* Commands that steer the loop. */
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

static void clear(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    const struct platform *platform = chat->host->platform;
    (void)command, (void)argument, (void)n;
    platform->clear(platform->ctx);
}

/* What the demonstration does: a line about it, and a reply. */
static const struct scene {
    const char *about, *prompt;
    float temp, top_p, repeat;
    uint64_t seed;
} scenes[] = {
    {"temp=0: always the most probable token", "Once upon a time", 0, 1, 1, 1},
    {"temp=0 repeat=1.3: the same, but tokens that came lately are less probable", "Once upon a time", 0, 1, 1.3f, 1},
    {"temp=1 top_p=0.9 seed=1: drawn, from what is probable", "Once upon a time", 1, 0.9f, 1, 1},
    {"temp=1 top_p=0.9 seed=2: another seed, another story", "Once upon a time", 1, 0.9f, 1, 2},
    {"temp=1 top_p=0.9 seed=1: the first seed, and the same words again", "Once upon a time", 1, 0.9f, 1, 1},
    {"temp=2 top_p=1 seed=1: drawn from every token there is", "One day, a little girl", 2, 1, 1, 1},
};
enum { SCENE_TOKENS = 60 };

static void demo(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    struct settings before = chat->settings, *now = &chat->settings;
    uint64_t rng = chat->session.sampler.rng;
    enum status status = OK;
    (void)command, (void)argument, (void)n;
    talk_forget(chat); /* no scene goes on from another text */
    for (size_t i = 0; status == OK && i < sizeof scenes / sizeof scenes[0]; i++) {
        const struct scene *scene = &scenes[i];
        char buffer[128];
        struct text line = text_into(buffer, sizeof buffer);
        text_add(&line, "[demo] ");
        text_add(&line, scene->about);
        chat_say(chat, buffer);
        *now = settings_default();
        now->temp = scene->temp;
        now->top_p = scene->top_p;
        now->repeat = scene->repeat;
        now->seed = scene->seed;
        now->max_tokens = before.max_tokens < SCENE_TOKENS ? before.max_tokens : SCENE_TOKENS;
        chat_set_seed(chat);
        status = chat_reply(chat, scene->prompt, text_length(scene->prompt));
        talk_reset(chat);
    }
    chat->settings = before;
    chat->session.sampler.rng = rng;
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
    {"demo", NULL, "a few stories, each with other settings", demo},
    {"clear", NULL, "empty the screen", clear},
    {"script", NULL, "framing for programs: ENQ asks for a line, STX and ETX enclose a reply", script},
    {"quit", NULL, "leave", quit},
    {.name = NULL},
};
