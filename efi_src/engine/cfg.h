/* The settings file: lines `name = value`, `#` at the start of a line or after white space begins a
 * comment, LF or CR LF, an UTF-8 byte order mark is passed over. Of a name given twice the last counts. */
#ifndef INGOT_CFG_H
#define INGOT_CFG_H

#include "status.h"
#include <stddef.h>
#include <stdint.h>

#define CFG_NAME "ingot.cfg"
#define CFG_BYTES_MAX 65536 /* of a file */
#define CFG_LINE_MAX 512
#define CFG_NAME_MAX 31
#define CFG_PROBLEMS_MAX 8 /* told one by one */

struct cfg_hooks {
    void *ctx;
    /* A setting: a name of at most CFG_NAME_MAX bytes, ended by NUL, and a value. What is not OK is told. */
    enum status (*set)(void *ctx, const char *name, const char *value, size_t n, struct error *error);
    /* A line to show, of printable ASCII: "ingot.cfg:3: no setting tmep; nearest: temp" */
    void (*problem)(void *ctx, const char *text);
};

/* Reads a file, and uses what is right in it. Returns how many problems there are; the first
 * CFG_PROBLEMS_MAX are told, then one line says how many more. Nothing of a file that is too large, or
 * UTF-16, is used. */
size_t cfg_read(const void *bytes, size_t size, const struct cfg_hooks *hooks);

#endif
