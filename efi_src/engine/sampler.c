/* Sampling, after llama2.c's run.c. */
#include "sampler.h"

uint32_t sampler_u32(uint64_t *rng) {
    *rng ^= *rng >> 12;
    *rng ^= *rng << 25;
    *rng ^= *rng >> 27;
    return (uint32_t)((*rng * 0x2545F4914F6CDD1Dull) >> 32);
}

float sampler_f32(uint64_t *rng) { return (float)(sampler_u32(rng) >> 8) / 16777216.0f; }

static uint32_t first_highest(const float *x, uint32_t n) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

static uint32_t pick_any(const float *p, uint32_t n, float coin) {
    float sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += p[i];
        if (coin < sum) return i;
    }
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

/* Among the first of the n candidates: at most `most`, and no more than it takes to pass `limit`. The
 * heap gives them in order and only as many as are needed; the first one taken lies last. */
static uint32_t pick_top(struct candidate *c, uint32_t n, uint32_t most, float limit, float coin) {
    float sum = 0;
    uint32_t left = n;
    make_heap(c, n);
    while (left > n - most && !(sum > limit)) sum += pop(c, &left);
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

uint32_t sampler_pick(struct sampler *s, const struct kernels *k, const float *logits) {
    uint32_t n = s->vocab, kept = 0;
    if (s->temp == 0 || n < 2) return first_highest(logits, n);
    for (uint32_t i = 0; i < n; i++) s->probs[i] = logits[i] / s->temp;
    k->softmax(s->probs, n);
    float coin = sampler_f32(&s->rng);
    int use_p = s->top_p > 0 && s->top_p < 1, use_k = s->top_k > 0 && s->top_k < n;
    if (!use_p && !use_k) return pick_any(s->probs, n, coin);

    /* llama2.c: what is below this cannot be among the top p */
    float cutoff = use_p && !use_k ? (1.0f - s->top_p) / (float)(n - 1) : 0;
    for (uint32_t i = 0; i < n; i++)
        if (s->probs[i] >= cutoff) s->candidates[kept++] = (struct candidate){.p = s->probs[i], .id = i};
    if (kept == 0) return first_highest(s->probs, n); /* a tiny top_p, all equally probable */
    if (!use_k) return pick_top(s->candidates, kept, kept, s->top_p, coin);
    uint32_t most = (uint32_t)s->top_k;
    float limit = use_p ? s->top_p * sum_top(s->candidates, kept, most) : 2.0f; /* 2: never passed */
    return pick_top(s->candidates, kept, most, limit, coin);
}
