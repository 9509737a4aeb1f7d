/* The files of a model, mapped into memory. */
#ifndef INGOT_HOST_MAPPED_H
#define INGOT_HOST_MAPPED_H

#include "../engine/model.h"

struct mapped {
    struct pieces part[GGUF_MAX_PARTS];
    size_t parts;
    struct pieces tokenizer; /* no pieces: none */
};

/* The file `model`, and when its name ends in -00001-of-0000N.gguf the others of that name; and the tokenizer: of that
 * path, or where that is NULL and the model no GGUF as llama2.c has it tokenizer.bin, if there is one. After a failure
 * nothing is mapped. */
enum status mapped_open(struct mapped *mapped, const char *model, const char *tokenizer, struct error *error);
void mapped_close(struct mapped *mapped);

/* They, for model_load, as long as they are mapped. */
struct model_files mapped_files(const struct mapped *mapped);

#endif
