/* Configuration and tensors of a GGUF file, with llama.cpp's names. */
#ifndef INGOT_MODEL_GGUF_H
#define INGOT_MODEL_GGUF_H

#include "model.h"

/* From model->file, which is open: everything but the vocabulary's size. */
enum status model_read_config(struct model *model, struct error *error);
/* After it, when model->shape.vocab is known; what must be copied is in model->memory. */
enum status model_read_tensors(struct model *model, const struct platform *platform, struct error *error);

#endif
