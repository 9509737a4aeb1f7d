/* Stop sequences: a reply ends where one begins, though it may come in pieces. What may still become one
 * is held back; nothing of it is shown. */
#ifndef INGOT_STOP_H
#define INGOT_STOP_H

#include <stddef.h>
#include <stdint.h>

#define STOP_HELD_MAX 5             /* of "\nYou:", the longest */
#define STOP_PUSH_MAX STOP_HELD_MAX /* what stop_push may write */

struct stop {
    int you, nl;  /* end at "\nYou:"; at a blank line, "\n\n" */
    int matched;  /* a sequence is complete: all that is pushed from now on is dropped */
    uint8_t used; /* of held */
    char held[STOP_HELD_MAX];
};

/* Before each reply. */
struct stop stop_start(int you, int nl);

/* Takes a byte, writes what can no longer be part of a sequence to out (STOP_PUSH_MAX) and returns its
 * length. */
size_t stop_push(struct stop *s, char byte, char *out);

/* The end of the text: writes what is held to out (STOP_PUSH_MAX), unless a sequence is complete, and
 * returns its length. */
size_t stop_end(struct stop *s, char *out);

#endif
