/* The commands of the chat loop: lines that start with '/'. */
#ifndef INGOT_COMMANDS_H
#define INGOT_COMMANDS_H

#include "../kernels/select.h"
#include "arena.h"
#include "chat.h"
#include "generate.h"
#include "input.h"
#include "lineedit.h"
#include "settings.h"

#define CHAT_LINE_MAX 16384
#define CHAT_PAGE_MAX (256u << 10) /* of text for a file */
/* A token a byte, what a tokenizer puts first, and a template's marks. */
#define CHAT_TOKENS_MAX (CHAT_LINE_MAX + TEMPLATE_SYSTEM_MAX + TEMPLATE_MARKS_MAX + 2)

/* From lines to turns of a conversation. */
struct talk {
    uint32_t *tokens;           /* (CHAT_TOKENS_MAX): of the prompt */
    struct template_room room;
    struct platform_part *parts; /* (session_parts(model)): of a session's file, and one for its head */
    char system[TEMPLATE_SYSTEM_MAX];
    size_t system_n;            /* of system; 0: none */
    int go_on;                  /* without a template: the next line goes on from the text there is */
};

/* What a command may look at and change. */
struct chat {
    const struct chat_host *host;
    const struct models *models;
    size_t current; /* which of them is open, in: */
    struct model *model;
    struct settings settings;
    const struct kernels *kernels; /* the host's, or those of: */
    struct selection selection;
    struct arena_plan plan;
    struct arenas arenas;
    struct session session;
    uint64_t turns;   /* replies that were begun */
    struct input input;
    struct lineedit line;
    struct talk talk;
    uint32_t *picture;  /* draw.h */
    struct text *reply; /* gets what the model says, and the prompt is not shown; NULL: as ever */
    char *page;       /* (CHAT_PAGE_MAX): where commands put together a file's text; the tokenizer's memory */
    int stats;        /* show [stats] after a reply */
    int script;       /* framing for programs */
    int quit;
    enum status status; /* why, when it is not the user's wish: */
    struct error *error;
};

/* A command; its arguments are the n bytes behind its name. */
struct command {
    const char *name;     /* without its slash; NULL ends a table */
    const char *argument; /* for /help; NULL: takes none */
    const char *help;
    void (*run)(struct chat *chat, const struct command *command, const char *argument, size_t n);
};

/* The tables, one a subject: each in the file of its name. */
extern const struct command commands_basic[];
extern const struct command commands_model[];
extern const struct command commands_log[];
extern const struct command commands_talk[];
extern const struct command commands_save[];
extern const struct command commands_draw[];

/* Runs the command in the n bytes at `line` ("/temp 0.8"), by its exact name. What it has to say, a
 * line `error: …` for one that does not exist or is misused included, is printed. */
void command_run(struct chat *chat, const char *line, size_t n);

/* Every command there is, settings among them; 0 past the last. `title`: of the group that it begins, or NULL. */
int command_at(size_t i, struct command *out, const char **title);

/* What commands use of chat.c. */
void chat_say(struct chat *chat, const char *text);               /* a line */
void chat_fail(struct chat *chat, const struct error *error);     /* a line `error: …`; logged */
void chat_show_cpu(struct chat *chat);                            /* the line [cpu] */
void chat_show_model(struct chat *chat);                          /* the lines [model] and [memory] */
void chat_show_log(struct chat *chat, const struct ringlog *log); /* its records, a line each */
void chat_save(struct chat *chat, const char *name, const struct text *page); /* a file; says so, or why not */
void chat_set_seed(struct chat *chat);                            /* starts the random numbers anew */
int chat_stopped(struct chat *chat);                              /* Esc or Ctrl-C was pressed */
enum status chat_reply(struct chat *chat, const char *prompt, size_t n); /* prints a reply; E_STOPPED */

/* commands_talk.c: its part of the scratch arena, with the model open. */
size_t talk_need(const struct model *model);
void talk_open(struct chat *chat, struct arena *scratch);
/* The prompt as tokens -> talk.tokens: a turn of the conversation, or without a template a text of its own, for which
 * the session is made empty. */
enum status talk_begin(struct chat *chat, const char *prompt, size_t n, size_t *count, struct error *error);
int talk_is_turn(const struct chat *chat);
void talk_reset(struct chat *chat);        /* begins anew */
void talk_forget(struct chat *chat);       /* begins anew, and says so where the next line would have gone on */
int talk_goes_on(const struct chat *chat); /* whether it would have */
void talk_say_reset(struct chat *chat);
void talk_show_prompt(struct chat *chat, const char *prompt, size_t n); /* a line of text, safe to show */

/* commands_draw.c: its part of the scratch arena */
size_t draw_need(void);
void draw_open(struct chat *chat, struct arena *scratch);

/* chat_models.c */
/* Opens model i and a session on it, and prints its lines. After a failure nothing is open. */
enum status chat_open(struct chat *chat, size_t i, struct error *error);
/* Model i in place of the one that is open. After a failure, which is printed, the former one is open again; when that
 * fails too, the chat ends. */
void chat_switch(struct chat *chat, size_t i);
/* The model of that name -> *i; E_RANGE names the nearest. */
enum status chat_find_model(const struct chat *chat, const char *name, size_t n, size_t *i, struct error *error);
/* Computes with the table of that name, or "auto": the fastest. The session goes on. */
enum status chat_use_kernels(struct chat *chat, const char *name, size_t n, struct error *error);

/* chat_cfg.c: reads the settings file and prints its problems; the model to open first -> *first */
void chat_read_cfg(struct chat *chat, size_t *first);

#endif
