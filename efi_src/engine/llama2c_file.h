/* llama2.c's model files: v0 (fp32, without a magic number) and v2 (int8 in groups). */
#ifndef INGOT_LLAMA2C_FILE_H
#define INGOT_LLAMA2C_FILE_H

#include "model.h"

/* Fills all of the model but its tokenizer. Tensors are used in place; those of a v2 file whose group is no multiple
 * of 32 are expanded to F32 in memory from platform->alloc. E_FORMAT for other files, E_TRUNCATED, E_UNSUPPORTED
 * (other versions), E_MEMORY. */
enum status llama2c_read(struct model *model, const struct pieces *file, const struct platform *platform,
                         struct error *error);

#endif
