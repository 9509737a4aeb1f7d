/* The chat's settings file. */
#include "cfg.h"
#include "commands.h"
#include "text.h"

struct reading {
    struct chat *chat;
    size_t *first;
};

enum { OWN_STATS, OWN_ATTN, OWN_MODEL };
static const char *const own[] = {"stats", "attn", "model"}; /* what is no setting of a reply */

static enum status set_stats(struct chat *chat, const char *value, size_t n, struct error *error) {
    int on = text_equal(value, n, "on");
    if (!on && !text_equal(value, n, "off")) return fail(error, E_RANGE, "stats must be on or off, not", value, n);
    chat->stats = on;
    return OK;
}

static enum status set_kernels(struct chat *chat, const char *value, size_t n, struct error *error) {
    enum status status = chat_use_kernels(chat, value, n, error);
    if (chat->host->kernels_given) chat->kernels = chat->host->kernels;
    return status;
}

static enum status unknown(const char *name, struct error *error) {
    size_t n = text_length(name);
    const char *nearest = setting_nearest(name, n)->name;
    size_t least = text_distance(name, n, nearest);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (text_distance(name, n, own[i]) >= least) continue;
        nearest = own[i];
        least = text_distance(name, n, nearest);
    }
    struct text t = error_text(error, E_RANGE);
    text_add(&t, "no setting ");
    text_add_name(&t, name, n);
    text_add(&t, "; nearest: ");
    text_add(&t, nearest);
    return E_RANGE;
}

static enum status set(void *ctx, const char *name, const char *value, size_t n, struct error *error) {
    struct reading *r = ctx;
    size_t length = text_length(name);
    if (text_equal(name, length, own[OWN_STATS])) return set_stats(r->chat, value, n, error);
    if (text_equal(name, length, own[OWN_ATTN])) return set_kernels(r->chat, value, n, error);
    if (text_equal(name, length, own[OWN_MODEL])) {
        size_t i;
        enum status status = chat_find_model(r->chat, value, n, &i, error);
        if (status == OK) *r->first = i;
        return status;
    }
    if (!setting_find(name)) return unknown(name, error);
    struct settings unused = r->chat->settings, *to = &r->chat->settings;
    for (size_t i = 0; setting_at(i); i++)
        if (setting_at(i) == setting_find(name) && r->chat->host->given >> i & 1) to = &unused;
    return settings_set(to, name, value, n, error);
}

static void problem(void *ctx, const char *text) { chat_say(((struct reading *)ctx)->chat, text); }

void chat_read_cfg(struct chat *chat, size_t *first) {
    const struct platform *platform = chat->host->platform;
    struct reading reading = {.chat = chat, .first = first};
    struct cfg_hooks hooks = {.ctx = &reading, .set = set, .problem = problem};
    struct error error;
    uint64_t size = 0;
    if (!platform->file_read) return;
    enum status status = platform->file_size(platform->ctx, CFG_NAME, &size, &error);
    if (status == E_MISSING || (status == OK && size == 0)) return;
    size_t held = size > CFG_BYTES_MAX ? CFG_BYTES_MAX + 1 : (size_t)size; /* cfg_read refuses what is too large */
    void *bytes = status == OK ? platform->alloc(platform->ctx, held) : NULL;
    if (status == OK && !bytes) status = fail(&error, E_MEMORY, "no memory to read " CFG_NAME, NULL, 0);
    if (status == OK) status = platform->file_read(platform->ctx, CFG_NAME, 0, bytes, held, &error);
    if (status == OK) cfg_read(bytes, held, &hooks);
    else chat_fail(chat, &error);
    if (bytes && platform->release) platform->release(platform->ctx, bytes, held);
}
