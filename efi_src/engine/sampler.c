/* Sampling, after llama2.c's run.c. Nothing here writes to the logits: what changes is probs, made anew
 * from them for every choice. */
#include "sampler.h"

uint32_t sampler_u32(uint64_t *rng) {
    *rng ^= *rng >> 12;
    *rng ^= *rng << 25;
    *rng ^= *rng >> 27;
    return (uint32_t)((*rng * 0x2545F4914F6CDD1Dull) >> 32);
}

float sampler_f32(uint64_t *rng) { return (float)(sampler_u32(rng) >> 8) / 16777216.0f; }

/* In two passes: the maxima of LANES stripes wait for nothing, where one would wait for each comparison. */
#define LANES 16
static uint32_t first_highest(const float *x, uint32_t n) {
    float max[LANES];
    uint32_t i = 0;
    for (int l = 0; l < LANES; l++) max[l] = x[0];
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) max[l] = x[i + l] > max[l] ? x[i + l] : max[l];
    for (; i < n; i++) max[0] = x[i] > max[0] ? x[i] : max[0];
    for (int l = 1; l < LANES; l++) max[0] = max[l] > max[0] ? max[l] : max[0];
    for (i = 0; i < n; i++)
        if (x[i] == max[0]) return i;
    return 0; /* x[0] is not a number */
}

static int finite(float x) { return x - x == 0; }

/* By the probabilities of all. */
static uint32_t pick_any(const float *p, uint32_t n, float coin, int banned) {
    float sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += p[i];
        if (coin < sum) return i;
    }
    while (banned && n > 1 && !(p[n - 1] > 0)) n--;
    return n - 1; /* rounding */
}

/* Whether a comes before b: descending, equal ones by id (as glibc's stable qsort leaves them). */
static int before(struct candidate a, struct candidate b) {
    return a.p > b.p || (a.p == b.p && a.id < b.id);
}

static void sift_down(struct candidate *heap, uint32_t n, uint32_t root) {
    for (uint32_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], heap[root])) return;
        struct candidate swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
    }
}

static void make_heap(struct candidate *c, uint32_t n) {
    for (uint32_t i = n / 2; i-- > 0;) sift_down(c, n, i);
}

/* Moves the first of the heap of *left candidates behind it, and returns its probability. */
static float pop(struct candidate *c, uint32_t *left) {
    struct candidate top = c[0];
    c[0] = c[--*left];
    c[*left] = top;
    sift_down(c, *left, 0);
    return top.p;
}

/* Among the first of the n candidates: at most `most`, no more than it takes to pass `limit`, none below
 * `floor` but the first. The heap gives them in order and only as many as are needed; the first one taken
 * lies last. */
static uint32_t pick_top(struct candidate *c, uint32_t n, uint32_t most, float limit, float floor, float coin) {
    float sum = 0;
    uint32_t left = n;
    make_heap(c, n);
    while (left > n - most && !(sum > limit) && (left == n || c[0].p >= floor)) sum += pop(c, &left);
    float r = coin * sum, passed = 0;
    for (uint32_t i = n; i-- > left;) {
        passed += c[i].p;
        if (r < passed) return c[i].id;
    }
    return c[left].id; /* rounding */
}

/* The sum of the first `most` of n candidates. */
static float sum_top(struct candidate *c, uint32_t n, uint32_t most) {
    float sum = 0;
    uint32_t left = n;
    make_heap(c, n);
    while (left > n - most) sum += pop(c, &left);
    return sum;
}

/* A choice by x (vocab), which may be the logits or probs; probs is overwritten. */
static uint32_t choose(struct sampler *s, const struct kernels *k, const float *x, int banned) {
    uint32_t n = s->vocab, kept = 0, best = first_highest(x, n);
    if (s->temp == 0 || n < 2) return best;
    for (uint32_t i = 0; i < n; i++) s->probs[i] = x[i] / s->temp;
    if (!finite(s->probs[best])) return best; /* so small a temperature is as good as 0 */
    k->softmax(s->probs, n);
    float coin = sampler_f32(&s->rng);
    int use_p = s->top_p > 0 && s->top_p < 1, use_k = s->top_k > 0 && s->top_k < n, use_min = s->min_p > 0;
    if (!use_p && !use_k && !use_min) return pick_any(s->probs, n, coin, banned);

    float floor = use_min ? s->min_p * s->probs[best] : 0;
    float cutoff = 0;
    if (!use_k) { /* llama2.c: what is below this cannot be among the top p */
        cutoff = use_p ? (1.0f - s->top_p) / (float)(n - 1) : 0;
        if (cutoff < floor) cutoff = floor;
    }
    for (uint32_t i = 0; i < n; i++)
        if (s->probs[i] > 0 && s->probs[i] >= cutoff)
            s->candidates[kept++] = (struct candidate){.p = s->probs[i], .id = i};
    if (kept == 0) return first_highest(s->probs, n); /* a tiny top_p, all equally probable */
    uint32_t most = use_k && s->top_k < kept ? (uint32_t)s->top_k : kept;
    float limit = 2.0f; /* never passed */
    if (use_p) limit = use_k ? s->top_p * sum_top(s->candidates, kept, most) : s->top_p;
    return pick_top(s->candidates, kept, most, limit, floor, coin);
}

static int any_left(const float *x, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (finite(x[i])) return 1;
    return 0;
}

/* Fills probs with the logits as the window changes them; 0, and whatever they are, when nothing would be
 * left to choose. */
static int weigh(struct sampler *s, const float *logits, struct history h, int escape) {
    for (uint32_t i = 0; i < s->vocab; i++) s->probs[i] = logits[i];
    if (s->repeat > 0 && s->repeat != 1)
        penalty_repeat(s->probs, logits, s->vocab, h, s->repeat_last, s->repeat);
    penalty_ngram(s->probs, s->vocab, h, s->norepeat);
    if (escape) penalty_loop(s->probs, s->vocab, h, s->loop);
    return any_left(s->probs, s->vocab);
}

uint32_t sampler_pick(struct sampler *s, const struct kernels *k, const float *logits, struct history h) {
    int changed = s->norepeat > 0 || (s->repeat > 0 && s->repeat != 1);
    int weighed = changed && h.used > 0 && weigh(s, logits, h, 0);
    uint32_t token = choose(s, k, weighed ? s->probs : logits, weighed);
    if (s->loop < 2 || !penalty_in_loop(h, s->loop, token)) return token;
    return weigh(s, logits, h, 1) ? choose(s, k, s->probs, 1) : token;
}
