/* A model that loads is run for a few tokens. */
#ifndef INGOT_FUZZ_RUN_MODEL_H
#define INGOT_FUZZ_RUN_MODEL_H

#include "../engine/model.h"

/* Loads the files, encodes a text and has the model continue it, where its working memory is below 8 MiB. */
void fuzz_model(const struct model_files *files);

#endif
