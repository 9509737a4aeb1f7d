/* Saving and loading. The numbers in a file lie as in memory: this engine runs on x86-64 alone. */
#include "session_file.h"
#include "rope.h"

enum { SETTINGS_MAX = 32, VERSION = 1 };

struct head {
    char magic[8];
    uint32_t version, bytes;      /* of this head */
    uint8_t digest[SHA256_BYTES]; /* of all that follows it in the file */
    uint8_t model[SHA256_BYTES];
    uint32_t used, pending;
    uint64_t rng;
    uint64_t settings[SETTINGS_MAX]; /* floats by their bits */
    uint32_t settings_n, system_n;
    char system[TEMPLATE_SYSTEM_MAX];
    /* then the tokens of the window (n), the keys and the values of its slots: for each layer and kv head
     * (n,head_width), n = min(used, context), fp32 */
};
enum { DIGESTED_AT = __builtin_offsetof(struct head, model) };

static const char magic[8] = {'I', 'N', 'G', 'O', 'T', 'S', 'E', 'S'};

static void copy(void *to, const void *from, size_t n) {
    for (size_t i = 0; i < n; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
}

static int same(const void *a, const void *b, size_t n) {
    int differ = 0;
    for (size_t i = 0; i < n; i++) differ |= ((const uint8_t *)a)[i] ^ ((const uint8_t *)b)[i];
    return !differ;
}

/* What a session belongs to: the model by its shape, name and last norm, which no training leaves alone; and the
 * settings that there are. */
static void identify(const struct model *model, const struct sha_kernel *sha, uint8_t digest[SHA256_BYTES]) {
    const struct shape *c = &model->shape;
    const float *norm = model->architecture == MODEL_LLAMA ? model->llama.norm : model->gpt2.norm_w;
    const uint64_t facts[] = {
        model->architecture, c->vocab, c->context, c->layers, c->heads, c->kv_heads, c->width, c->head_width, c->hidden,
        model->types, model->parameters, model->weight_bytes, model->tokenizer.kind, model->tokenizer.bos,
        model->tokenizer.eos, model->tokenizer.eot, model->tokenizer.chat.end};
    struct sha256 hash;
    sha256_open(&hash, sha);
    sha256_add(&hash, facts, sizeof facts);
    sha256_add(&hash, model->name, text_length(model->name));
    sha256_add(&hash, norm, c->width * sizeof *norm);
    for (size_t i = 0; setting_at(i); i++) sha256_add(&hash, setting_at(i)->name, text_length(setting_at(i)->name) + 1);
    sha256_close(&hash, digest);
}

static uint64_t get_setting(const struct setting *setting, const struct settings *from) {
    const char *at = (const char *)from + setting->at;
    uint32_t bits;
    if (setting->kind != SETTING_NUMBER) return *(const uint64_t *)(const void *)at;
    copy(&bits, at, sizeof bits);
    return bits;
}

/* 0 when it is out of its range. */
static int put_setting(const struct setting *setting, struct settings *to, uint64_t value) {
    char *at = (char *)to + setting->at;
    uint32_t bits = (uint32_t)value;
    float number;
    if (setting->kind != SETTING_NUMBER) {
        *(uint64_t *)(void *)at = value;
        return (double)value >= setting->lowest && (double)value <= setting->highest;
    }
    copy(&number, &bits, sizeof number);
    copy(at, &bits, sizeof bits);
    return value == bits && number >= (float)setting->lowest && number <= (float)setting->highest;
}

static size_t slots_of(const struct model *model, uint32_t used) {
    return used < model->shape.context ? used : model->shape.context;
}

static size_t heads_of(const struct model *model) { return (size_t)model->shape.layers * model->shape.kv_heads; }

size_t session_parts(const struct model *model) { return 2 + 2 * heads_of(model); }

/* Where the session's n slots lie; their number */
static size_t list_parts(const struct session *s, size_t n, struct platform_part *parts) {
    const struct shape *c = &s->model->shape;
    const float *const all[] = {s->state.keys, s->state.values};
    size_t count = 0;
    parts[count++] = (struct platform_part){s->window, n * sizeof *s->window};
    for (size_t i = 0; i < 2; i++)
        for (size_t head = 0; head < heads_of(s->model); head++)
            parts[count++] = (struct platform_part){all[i] + head * c->context * c->head_width,
                                                    n * c->head_width * sizeof(float)};
    return count;
}

enum status session_save(const struct session *s, const struct session_about *about,
                         const struct session_room *room, const char *name, struct error *error) {
    struct head head = {.version = VERSION, .bytes = sizeof head, .used = s->used, .pending = s->pending,
                        .rng = s->sampler.rng, .system_n = (uint32_t)about->system_n};
    struct sha256 hash;
    copy(head.magic, magic, sizeof magic);
    copy(head.system, about->system, about->system_n);
    identify(s->model, room->sha, head.model);
    for (const struct setting *t; head.settings_n < SETTINGS_MAX && (t = setting_at(head.settings_n)) != NULL;)
        head.settings[head.settings_n++] = get_setting(t, &about->settings);
    size_t count = 1 + list_parts(s, slots_of(s->model, s->used), room->parts + 1);
    sha256_open(&hash, room->sha);
    sha256_add(&hash, (const char *)&head + DIGESTED_AT, sizeof head - DIGESTED_AT);
    for (size_t i = 1; i < count; i++) sha256_add(&hash, room->parts[i].bytes, room->parts[i].size);
    sha256_close(&hash, head.digest);
    room->parts[0] = (struct platform_part){&head, sizeof head};
    return room->platform->file_write(room->platform->ctx, name, room->parts, count, error);
}

static enum status refuse(struct error *error, enum status code, const char *what, const char *name) {
    return fail(error, code, what, name, text_length(name));
}

/* All that a digest does not say: anyone can make a file. */
static enum status check_head(const struct head *h, const struct session *s, const struct session_room *room,
                              const char *name, struct session_about *out, struct error *error) {
    const struct model *model = s->model;
    uint32_t most = model->architecture == MODEL_LLAMA ? ROPE_MAX_POSITION : model->shape.context;
    uint8_t own[SHA256_BYTES];
    size_t n = 0;
    identify(model, room->sha, own);
    if (!same(h->model, own, sizeof own))
        return refuse(error, E_UNSUPPORTED, "a session of another model, or of another context", name);
    int right = h->used <= most && h->rng != 0 && h->system_n <= TEMPLATE_SYSTEM_MAX &&
                (h->pending == TOKEN_NONE || h->pending < model->shape.vocab);
    for (const struct setting *t; right && n < SETTINGS_MAX && (t = setting_at(n)) != NULL; n++)
        right = n < h->settings_n && put_setting(t, &out->settings, h->settings[n]);
    if (!right || h->settings_n != n) return refuse(error, E_FORMAT, "a damaged session", name);
    out->system_n = h->system_n;
    copy(out->system, h->system, h->system_n);
    return OK;
}

/* Reads the head and, for its digest, everything. */
static enum status check_file(struct head *h, const struct session *s, const struct session_room *room,
                              const char *name, struct session_about *out, struct error *error) {
    const struct platform *p = room->platform;
    uint64_t size, at = sizeof *h;
    struct sha256 hash;
    uint8_t digest[SHA256_BYTES];
    enum status status = p->file_size(p->ctx, name, &size, error);
    if (status != OK) return status;
    if (size < sizeof *h) return refuse(error, E_FORMAT, "too short for a session", name);
    status = p->file_read(p->ctx, name, 0, h, sizeof *h, error);
    if (status != OK) return status;
    if (!same(h->magic, magic, sizeof magic)) return refuse(error, E_FORMAT, "no session", name);
    if (h->version != VERSION || h->bytes != sizeof *h)
        return refuse(error, E_UNSUPPORTED, "a session of another version of this program", name);
    status = check_head(h, s, room, name, out, error);
    if (status != OK) return status;
    size_t count = list_parts(s, slots_of(s->model, h->used), room->parts);
    for (size_t i = 0; i < count; i++) at += room->parts[i].size;
    if (at != size) return refuse(error, E_FORMAT, "a session that is cut off or too long", name);
    sha256_open(&hash, room->sha);
    sha256_add(&hash, (const char *)h + DIGESTED_AT, sizeof *h - DIGESTED_AT);
    for (at = sizeof *h; at < size;) {
        size_t n = size - at < room->page_size ? (size_t)(size - at) : room->page_size;
        status = p->file_read(p->ctx, name, at, room->page, n, error);
        if (status != OK) return status;
        sha256_add(&hash, room->page, n);
        at += n;
    }
    sha256_close(&hash, digest);
    return same(digest, h->digest, sizeof digest) ? OK : refuse(error, E_FORMAT, "a damaged session", name);
}

enum status session_load(struct session *s, struct session_about *about, const struct session_room *room,
                         const char *name, struct error *error) {
    const struct platform *p = room->platform;
    struct session_about found = *about;
    struct head head;
    uint64_t at = sizeof head;
    enum status status = check_file(&head, s, room, name, &found, error);
    if (status != OK) return status;
    size_t n = slots_of(s->model, head.used), count = list_parts(s, n, room->parts);
    session_reset(s);
    for (size_t i = 0; status == OK && i < count; i++) {
        /* the parts are the session's own memory */
        status = p->file_read(p->ctx, name, at, (void *)(uintptr_t)room->parts[i].bytes, room->parts[i].size, error);
        at += room->parts[i].size;
    }
    for (size_t i = 0; status == OK && i < n; i++)
        if (s->window[i] >= s->model->shape.vocab) status = refuse(error, E_FORMAT, "a damaged session", name);
    if (status != OK) return status;
    s->used = head.used;
    s->pending = head.pending;
    s->sampler.rng = head.rng;
    *about = found;
    return OK;
}
