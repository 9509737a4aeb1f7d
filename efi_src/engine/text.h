/* Strings and numbers without libc: bounded building, strict reading. */
#ifndef INGOT_TEXT_H
#define INGOT_TEXT_H

#include "status.h"
#include <stddef.h>
#include <stdint.h>

/* A buffer being filled. It always ends in NUL; what does not fit is cut. */
struct text {
    char *at;
    size_t size, used; /* used < size */
};

struct text text_into(char *buffer, size_t size); /* size >= 1 */
void text_add(struct text *t, const char *s);
void text_add_bytes(struct text *t, const char *s, size_t n);
/* A name out of a file or from a user: printable ASCII as it is, '?' for the rest, 64 at most. */
void text_add_name(struct text *t, const char *s, size_t n);
void text_add_u64(struct text *t, uint64_t value);
/* `decimals` (0 to 9) digits after the point, rounded half up; "nan", "inf" and "-inf" as such. */
void text_add_fixed(struct text *t, double value, unsigned decimals);
/* As few decimals, at most 6, as the value needs: 0.8, 1, 0.05. */
void text_add_short(struct text *t, double value);

/* A size in MiB: "500", and "0.1" or "9.8" below 10 */
void text_add_mib(struct text *t, uint64_t bytes);

/* Starts an error: sets its code and returns its text, for more to be added. */
struct text error_text(struct error *error, enum status code);
/* A whole error: `what`, and when name is not NULL ": " and the name. Returns code. */
enum status fail(struct error *error, enum status code, const char *what, const char *name, size_t n);

size_t text_length(const char *s);
int text_equal(const char *a, size_t n, const char *b); /* the n bytes at a are the string b */

/* A whole number of decimal digits alone; 0 when it is anything else or does not fit. */
int text_read_u64(const char *s, size_t n, uint64_t *out);
/* [-]digits[.digits], as strtod reads it; at most 15 digits from the first that is not 0, at most 22
 * after the point (then the value is rounded once). 0 when it is anything else. */
int text_read_decimal(const char *s, size_t n, double *out);

/* Insertions, deletions and changes that make b of the n bytes at a (both cut at 32). */
size_t text_distance(const char *a, size_t n, const char *b);

#endif
