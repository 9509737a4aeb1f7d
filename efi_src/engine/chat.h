/* The read-eval loop of the EFI program and of `ingot --chat`: reads a line, runs a command or lets
 * the model continue it, until /quit or the end of input. */
#ifndef INGOT_CHAT_H
#define INGOT_CHAT_H

#include "../kernels/kernels.h"
#include "cores.h"
#include "models.h"
#include "platform.h"
#include "ringlog.h"
#include "settings.h"
#include "status.h"

struct chat_host {
    const struct platform *platform;
    const struct kernels *kernels; /* the table to compute with */
    const struct cores *cores;     /* to compute on */
    uint32_t features;             /* cpu_features(): which tables this CPU can run */
    const char *cpu;               /* for [cpu] and /cpu: "vendor=AuthenticAMD features=sse2,avx" */
    const char *keys;              /* for [keys]: what leaves this host; NULL: /quit alone */
    const char *version;           /* of the program */
    struct settings settings;      /* to begin with: settings_default() */
    uint32_t given;                /* bit i: setting_at(i) is the user's wish already; the settings file leaves it */
    int kernels_given;             /* and so are the kernels */
    /* Memory of SESSION_LOG_BYTES that holds a log (ringlog.h) to go on with; NULL: it lies in the arena zonec. */
    void *log;
    const struct ringlog *last_log; /* of the run before this one, where the memory has kept it; NULL */
};

/* Reads the settings file, opens the model that it names or the first into `model`, prints the banner lines [cpu],
 * [model], [memory] and [keys], allocates once for each model through the platform and talks until /quit, Ctrl-D on
 * an empty line or the end of input (OK). E_MEMORY when the model's working memory cannot be had. Everything that
 * goes wrong later is printed as a line `error: …` and the prompt comes back.
 *
 * The prompt is "\n> ", and ". " where a line that ended in '\' goes on. After /script it is ENQ (0x05), input is not echoed, LF is a literal newline
 * (CR submits), and a reply's text stands between STX (0x02) and ETX (0x03). */
enum status chat_run(const struct chat_host *host, const struct models *models, struct model *model,
                     struct error *error);

#endif
