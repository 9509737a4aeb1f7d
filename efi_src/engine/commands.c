/* The commands: one for every setting, and a table of the others. */
#include "commands.h"
#include "text.h"

struct command {
    const char *name;     /* without its slash */
    const char *argument; /* for /help; NULL: takes none */
    const char *help;
    void (*run)(struct chat *chat, const struct command *command, const char *argument, size_t n);
};

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

static void test_failsafe(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    (void)command, (void)argument, (void)n;
    chat->session.sentinel.test = 1;
    chat_say(chat, "the next reply stops as if it were over its budget");
}

static void show_log(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    (void)command, (void)argument, (void)n;
    chat_show_log(chat);
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

/* What is no setting. */
static const struct command commands[] = {
    {"help", NULL, "this list", help},
    {"stats", "on|off", "the line of numbers after a reply", stats},
    {"model", NULL, "the model and its memory", model},
    {"cpu", NULL, "the processor and the kernels in use", cpu},
    {"budget", "NAME VALUE", "time a token may take: strict on|off, prefill N, decode N us; 0: learnt", budget},
    {"test_failsafe", NULL, "the next reply is stopped by the sentinel", test_failsafe},
    {"log", NULL, "what happened: turns, overruns, errors", show_log},
    {"clear", NULL, "empty the screen", clear},
    {"demo", NULL, "a few stories", demo},
    {"script", NULL, "framing for programs: ENQ asks for a line, STX and ETX enclose a reply", script},
    {"quit", NULL, "leave", quit},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* Every setting, then every other command; 0 past the last. */
static int command_at(size_t i, struct command *out) {
    size_t settings = 0;
    for (const struct setting *s; (s = setting_at(settings)) != NULL; settings++) {
        if (settings != i) continue;
        *out = (struct command){s->name, s->argument, s->help, setting};
        return 1;
    }
    if (i - settings >= COMMANDS) return 0;
    *out = commands[i - settings];
    return 1;
}

static void help(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    struct command c;
    (void)command, (void)argument, (void)n;
    for (size_t i = 0; command_at(i, &c); i++) {
        char buffer[160];
        struct text line = text_into(buffer, sizeof buffer);
        text_add(&line, "/");
        text_add(&line, c.name);
        if (c.argument) {
            text_add(&line, " ");
            text_add(&line, c.argument);
        }
        do text_add(&line, " ");
        while (line.used < 18);
        text_add(&line, c.help);
        chat_say(chat, buffer);
    }
    chat_say(chat, "A command without its value shows it. Any other line is continued by the model;");
    chat_say(chat, "start it with // when it shall begin with a slash.");
}

/* `name` is without its slash. */
static void unknown(struct chat *chat, const char *name, size_t n) {
    size_t least = SIZE_MAX, length = n < 32 ? n : 32;
    const char *nearest = "";
    struct command c;
    struct error error;
    char lower[32];
    for (size_t i = 0; i < length; i++) {
        int upper = name[i] >= 'A' && name[i] <= 'Z';
        lower[i] = (char)(upper ? name[i] + ('a' - 'A') : name[i]);
    }
    for (size_t i = 0; command_at(i, &c); i++) {
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
    size_t name = 1;
    while (n > 1 && line[n - 1] == ' ') n--;
    while (name < n && line[name] != ' ') name++;
    size_t argument = name;
    while (argument < n && line[argument] == ' ') argument++;
    for (size_t i = 0; command_at(i, &c); i++) {
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
