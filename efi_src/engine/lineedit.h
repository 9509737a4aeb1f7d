/* Input bytes to a line. */
#ifndef INGOT_LINEEDIT_H
#define INGOT_LINEEDIT_H

#include "typed.h"
#include "linerow.h"
#include "platform.h"
#include "utf8.h"
#include <stddef.h>
#include <stdint.h>

/* An escape byte that nothing follows within this time is the Esc key alone. It begins when no more bytes are waiting: a
 * machine that was busy elsewhere has not waited. */
#define ESCAPE_US 50000

struct lineedit {
    const struct platform *platform; /* for the echo and the clock */
    char *line;                      /* not NUL-terminated */
    size_t size, used;
    int literal;            /* for programs: no echo, LF and TAB belong to the line, only CR submits */
    int too_long;           /* bytes were lost because the line was full; none is taken until it is empty */
    struct typed history; /* bytes NULL: none */
    char *draft;            /* (size): what was typed, while a line of the history stands in its place */
    /* private */
    size_t base;   /* of a text of several lines: where this one begins */
    size_t cursor; /* a byte of line: what is typed comes before it */
    size_t same;   /* bytes before it are as linerow has shown them */
    size_t recall; /* 0: the line being typed; i: the i-th newest of the history */
    size_t drafted;
    struct utf8 partial;
    struct linerow row;
    int late; /* the row is to be drawn */
    int after_cr;
    enum { ESCAPE_NONE, ESCAPE_SEEN, ESCAPE_SEQUENCE, ESCAPE_LAST } escape;
    unsigned number; /* the first of a sequence; 100: complete */
    int alone;          /* nothing was waiting behind an escape byte, at escape_at */
    uint64_t escape_at;
};

enum line_event {
    LINE_MORE,
    LINE_READY,  /* line (used) is complete */
    LINE_CANCEL, /* Ctrl-C: a text of several lines is given up */
    LINE_END,    /* Ctrl-D on an empty line */
};

/* An empty line, behind a prompt of two columns that is on the screen already. */
void lineedit_start(struct lineedit *l, const char *prompt);

/* The next line of a text: appended to what there is, which can no longer be edited. */
void lineedit_continue(struct lineedit *l, const char *prompt);

/* Takes a byte. What is not literal is made well-formed UTF-8 (U+FFFD for what is not) without control bytes
 * but TAB. Keys: arrows, Home, End, Delete, Backspace (0x08, 0x7F), Ctrl-A, E, K, U, W, Ctrl-C (empties the line);
 * other escape sequences and control bytes are swallowed. The bell rings when the line is full. When literal:
 * Backspace erases a code point, Ctrl-U and Ctrl-C the line, all other controls are swallowed. */
enum line_event lineedit_push(struct lineedit *l, uint8_t byte);

/* Draws what lineedit_push has put off: to be called when no more bytes are waiting. */
void lineedit_show(struct lineedit *l);

/* The input has ended: the line is as complete as it will ever be. */
void lineedit_finish(struct lineedit *l);

#endif
