/* Input bytes that came and were not read yet: one ring for the keyboard and all serial lines. */
#ifndef INGOT_UEFI_QUEUE_H
#define INGOT_UEFI_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#define QUEUE_BYTES 16384u /* a power of two */

struct queue {
    uint32_t head, tail; /* read at head, written at tail, both modulo 2^32 */
    uint8_t bytes[QUEUE_BYTES];
};

static inline size_t queue_room(const struct queue *q) {
    return QUEUE_BYTES - (q->tail - q->head);
}

/* The caller has looked for room. */
static inline void queue_put(struct queue *q, uint8_t byte) {
    q->bytes[q->tail++ % QUEUE_BYTES] = byte;
}

/* The oldest byte, or -1 */
static inline int queue_take(struct queue *q) {
    return q->head == q->tail ? -1 : q->bytes[q->head++ % QUEUE_BYTES];
}

#endif
