/* Sessions as files: a text with its keys and values, so that it goes on later as if it had never stopped. For the
 * same model, context and version of the program alone. */
#ifndef INGOT_SESSION_FILE_H
#define INGOT_SESSION_FILE_H

#include "generate.h"
#include "settings.h"
#include "sha256.h"

/* What is kept besides the session itself and its random numbers. */
struct session_about {
    struct settings settings;
    char system[TEMPLATE_SYSTEM_MAX];
    size_t system_n;
};

/* What saving and loading work with. */
struct session_room {
    const struct platform *platform; /* with files */
    const struct sha_kernel *sha;
    struct platform_part *parts; /* (session_parts(model)) */
    void *page;                  /* (page_size): what is read at once to be checked */
    size_t page_size;
};

/* Parts of a session's file. */
size_t session_parts(const struct model *model);

/* Writes the session. E_IO. */
enum status session_save(const struct session *session, const struct session_about *about,
                         const struct session_room *room, const char *name, struct error *error);

/* Reads one. The whole file is checked before anything changes: E_FORMAT when it is damaged or no session,
 * E_UNSUPPORTED when it is of another model, context or version, E_MISSING, E_IO. When reading fails after that the
 * session is empty. */
enum status session_load(struct session *session, struct session_about *about, const struct session_room *room,
                         const char *name, struct error *error);

#endif
