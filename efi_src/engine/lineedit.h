/* Input bytes to a line. */
#ifndef INGOT_LINEEDIT_H
#define INGOT_LINEEDIT_H

#include "platform.h"
#include "utf8.h"
#include <stddef.h>
#include <stdint.h>

/* An escape byte that nothing follows within this time is the Esc key alone. */
#define ESCAPE_US 50000

struct lineedit {
    const struct platform *platform; /* for the echo and the clock */
    char *line;                      /* not NUL-terminated */
    size_t size, used;
    int literal;  /* for programs: no echo, LF and TAB belong to the line, only CR submits */
    int too_long; /* bytes were lost because the line is full */
    /* private */
    struct utf8 echo;
    int after_cr;
    enum { ESCAPE_NONE, ESCAPE_SEEN, ESCAPE_SEQUENCE, ESCAPE_LAST } escape;
    uint64_t escape_at;
};

enum line_event { LINE_MORE, LINE_READY, LINE_END };

/* An empty line. */
void lineedit_start(struct lineedit *l);

/* Takes a byte. LINE_READY: line (used) is complete. LINE_END: Ctrl-D on an empty line (not when
 * literal). Backspace (0x08, 0x7F) erases a whole code point, Ctrl-U and Ctrl-C the line; escape
 * sequences and other control bytes are swallowed; a full line rings the bell. */
enum line_event lineedit_push(struct lineedit *l, uint8_t byte);

#endif
