/* The model files that the command line names, for the chat; one is open at a time. */
#ifndef INGOT_HOST_LIBRARY_H
#define INGOT_HOST_LIBRARY_H

#include "../engine/models.h"
#include "mapped.h"
#include "options.h"

#define LIBRARY_NAME 40

struct library { /* large: static */
    const struct options *options;
    char name[OPTIONS_MODELS][LIBRARY_NAME + 1]; /* of the file, as `./doit boot model=` makes it */
    uint64_t bytes[OPTIONS_MODELS];              /* of the file, or the first of its parts */
    struct mapped open;
};

void library_find(struct library *library, const struct options *options);
struct models library_models(struct library *library);

#endif
