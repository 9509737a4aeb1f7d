/* Text drawn from the current weights, by the engine's own forward pass. */
#ifndef INGOT_TRAIN_SAMPLE_H
#define INGOT_TRAIN_SAMPLE_H

#include "trainer.h"

#define SAMPLE_TOKENS 100
#define SAMPLE_TEMPERATURE 0.8

/* Appends SAMPLE_TOKENS tokens to out: as text that is safe to show (engine/utf8.h) when the
 * vocabulary is one of bytes, else as numbers. The same for the same weights. */
enum status sample_text(const struct trainer *trainer, struct buffer *out, struct error *error);

#endif
