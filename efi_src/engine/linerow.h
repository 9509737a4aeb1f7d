/* How a line that is being edited is shown, with nothing but text, spaces and backspaces, so that a serial
 * terminal and a screen of the firmware show the same. A line that is only typed on flows over as many rows as it
 * takes. Any other change is drawn within one row: of a longer line it shows the part around the cursor, with '<'
 * and '>' where there is more; a line that had flowed goes on in a new row. */
#ifndef INGOT_LINEROW_H
#define INGOT_LINEROW_H

#include "platform.h"
#include <stddef.h>

#define LINEROW_COLUMNS 76 /* of text, after a prompt of two: 80 columns are never filled */

struct linerow {
    const struct platform *platform;
    const char *prompt; /* of two columns; the row begins behind it */
    /* private: what is on the screen */
    size_t start, end; /* these bytes of the text, */
    size_t at;         /* with the cursor here */
    size_t columns;    /* of them, with '<' and '>' */
    size_t column;     /* of the cursor */
    int flowing, more; /* over several rows; '>' is shown */
};

/* An empty row behind the prompt. */
void linerow_start(struct linerow *row);

/* Shows the n bytes of text, well-formed UTF-8 whose only control byte is TAB (one column), with the cursor at a
 * byte where a unit begins. The first `same` bytes are as they were last time. */
void linerow_show(struct linerow *row, const char *text, size_t n, size_t cursor, size_t same);

/* Whether that takes but a few bytes for a change at the end of a text of which the cursor is at the end. */
int linerow_is_quick(const struct linerow *row, size_t n, size_t same);

/* Units: a character and those of no width that follow it. Where the one at `at` (below n) ends, and where the one
 * that ends at `at` (above 0) begins. */
size_t linerow_after(const char *text, size_t n, size_t at);
size_t linerow_before(const char *text, size_t at);

#endif
