/* A llama2.c model of a token a byte, made in memory. */
#ifndef INGOT_FUZZ_TINY_H
#define INGOT_FUZZ_TINY_H

#include "../engine/model.h"

/* One of a width of 8, one layer and a context of 16; with a byte less it is broken. */
struct model_files fuzz_tiny(int broken);

#endif
