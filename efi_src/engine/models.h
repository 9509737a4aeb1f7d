/* The models that a host has. One of them is open at a time. */
#ifndef INGOT_MODELS_H
#define INGOT_MODELS_H

#include "model.h"
#include "status.h"
#include <stddef.h>
#include <stdint.h>

struct models {
    void *ctx;
    size_t count;
    /* What /model calls it: printable ASCII without spaces, each name once. */
    const char *(*name)(void *ctx, size_t i);
    uint64_t (*bytes)(void *ctx, size_t i); /* of its files */
    /* Reads, checks and opens model i. None is open before it, nor after a failure. */
    enum status (*open)(void *ctx, size_t i, struct model *model, struct error *error);
    /* Gives back all that open has taken. */
    void (*close)(void *ctx, struct model *model);
};

#endif
