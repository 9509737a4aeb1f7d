/* The chat's models: opening one, and another in its place. */
#include "commands.h"
#include "text.h"

/* What the chat carves from SCRATCH beside the session. */
static size_t scratch_bytes(const struct model *model) {
    size_t bytes = arena_sum(talk_need(model), draw_need());
    bytes = arena_sum(bytes, arena_need(CHAT_LINE_MAX, 1)); /* line */
    bytes = arena_sum(bytes, arena_need(CHAT_LINE_MAX, 1)); /* draft */
    return arena_sum(bytes, arena_need(TYPED_BYTES, 1));
}

static void carve(struct chat *chat) {
    struct arena *scratch = &chat->arenas.scratch;
    struct lineedit *l = &chat->line;
    talk_open(chat, scratch);
    draw_open(chat, scratch);
    l->line = arena_take(scratch, CHAT_LINE_MAX, 1);
    l->size = CHAT_LINE_MAX;
    l->draft = arena_take(scratch, CHAT_LINE_MAX, 1);
    l->history = (struct typed){.bytes = arena_take(scratch, TYPED_BYTES, 1), .size = TYPED_BYTES};
}

/* (SESSION_LOG_BYTES) */
static char *log_memory(const struct chat *chat) {
    return chat->host->log ? chat->host->log : chat->arenas.zonec.base;
}

static enum status open_session(struct chat *chat, struct error *error) {
    const struct platform *platform = chat->host->platform;
    const struct session_setup setup = {
        .model = chat->model, .kernels = chat->kernels, .cores = chat->host->cores, .batch = PREFILL_BATCH,
        .platform = platform};
    enum status status = session_plan(&chat->plan, &setup, scratch_bytes(chat->model), error);
    if (status != OK) return status;
    chat_show_model(chat);
    status = arenas_open(&chat->arenas, &chat->plan, platform, error);
    if (status == OK) status = session_open(&chat->session, &setup, &chat->arenas, error);
    if (status != OK) return status;
    if (chat->host->log) ringlog_open(&chat->session.log, log_memory(chat), SESSION_LOG_BYTES);
    carve(chat);
    return OK;
}

/* After it no model is open, and nothing points into its memory. */
static void close_all(struct chat *chat) {
    arenas_close(&chat->arenas, chat->host->platform);
    chat->session = (struct session){.used = 0};
    chat->line.line = chat->line.draft = NULL;
    chat->line.size = chat->line.used = 0;
    chat->line.history = (struct typed){.bytes = NULL};
    chat->models->close(chat->models->ctx, chat->model);
}

enum status chat_open(struct chat *chat, size_t i, struct error *error) {
    enum status status = chat->models->open(chat->models->ctx, i, chat->model, error);
    if (status != OK) return status;
    chat->current = i;
    status = open_session(chat, error);
    if (status != OK) close_all(chat);
    else chat_set_seed(chat);
    return status;
}

/* What outlives a model: the log, the lines typed before, the system message, the watch's strictness. */
struct kept {
    char *bytes; /* (SESSION_LOG_BYTES + TYPED_BYTES); NULL: there was no memory for it */
    struct typed history;
    struct talk talk;
    int strict;
};
enum { KEPT_BYTES = SESSION_LOG_BYTES + TYPED_BYTES };

static void copy(char *to, const char *from, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] = from[i];
}

static struct kept keep(const struct chat *chat) {
    const struct platform *platform = chat->host->platform;
    struct kept kept = {.history = chat->line.history, .talk = chat->talk, .strict = chat->session.sentinel.strict};
    kept.bytes = platform->alloc(platform->ctx, KEPT_BYTES);
    if (!kept.bytes) return kept;
    copy(kept.bytes, log_memory(chat), SESSION_LOG_BYTES);
    copy(kept.bytes + SESSION_LOG_BYTES, kept.history.bytes, kept.history.used);
    return kept;
}

static void bring_back(struct chat *chat, struct kept *kept) {
    const struct platform *platform = chat->host->platform;
    struct typed *history = &chat->line.history;
    chat->session.sentinel.strict = kept->strict;
    chat->talk.system_n = kept->talk.system_n;
    copy(chat->talk.system, kept->talk.system, kept->talk.system_n);
    if (!kept->bytes) return;
    copy(log_memory(chat), kept->bytes, SESSION_LOG_BYTES);
    ringlog_open(&chat->session.log, log_memory(chat), SESSION_LOG_BYTES);
    copy(history->bytes, kept->bytes + SESSION_LOG_BYTES, kept->history.used);
    kept->history.bytes = history->bytes;
    *history = kept->history;
    if (platform->release) platform->release(platform->ctx, kept->bytes, KEPT_BYTES);
}

void chat_switch(struct chat *chat, size_t i) {
    struct error error;
    size_t former = chat->current;
    int forgets = talk_goes_on(chat);
    struct kept kept = keep(chat);
    close_all(chat);
    enum status status = chat_open(chat, i, &error), again = status;
    if (status != OK) again = chat_open(chat, former, chat->error);
    if (again == OK) {
        bring_back(chat, &kept);
        if (status != OK) chat_fail(chat, &error);
        if (forgets) talk_say_reset(chat);
        return;
    }
    chat_fail(chat, &error);
    chat->status = again;
    chat->quit = 1;
}

enum status chat_find_model(const struct chat *chat, const char *name, size_t n, size_t *i, struct error *error) {
    const struct models *models = chat->models;
    size_t least = SIZE_MAX, nearest = 0;
    for (*i = 0; *i < models->count; ++*i) {
        const char *other = models->name(models->ctx, *i);
        if (text_equal(name, n, other)) return OK;
        size_t distance = text_distance(name, n, other);
        if (distance < least) nearest = *i;
        if (distance < least) least = distance;
    }
    struct text t = error_text(error, E_RANGE);
    text_add(&t, "no model ");
    text_add_name(&t, name, n);
    text_add(&t, "; nearest: ");
    text_add_name(&t, models->name(models->ctx, nearest), text_length(models->name(models->ctx, nearest)));
    return E_RANGE;
}

enum status chat_use_kernels(struct chat *chat, const char *name, size_t n, struct error *error) {
    const struct platform *platform = chat->host->platform;
    struct selection selection;
    char wanted[16];
    struct text t = text_into(wanted, sizeof wanted);
    text_add_name(&t, name, n < sizeof wanted ? n : sizeof wanted - 1);
    enum status status = kernels_select(&selection, wanted, chat->host->features, platform->now_us, platform->ctx, error);
    if (status != OK) return status;
    chat->selection = selection;
    chat->kernels = selection.chosen == &selection.mixed ? &chat->selection.mixed : selection.chosen;
    chat->selection.mixed.name = chat->selection.mixed_name;
    chat->session.state.compute.kernels = chat->kernels;
    return OK;
}
