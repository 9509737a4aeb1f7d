/* Checkpoints: all that a run needs to go on as if it had never stopped. One file, replaced
 * atomically, with a checksum and the hash of every option and token that decides the result. */
#ifndef INGOT_TRAIN_CHECKPOINT_H
#define INGOT_TRAIN_CHECKPOINT_H

#include "trainer.h"

/* The threads and the kernel are not part of it: they do not change the result. */
uint64_t checkpoint_identity(const struct trainer *trainer);

enum status checkpoint_save(const struct trainer *trainer, const char *path, struct error *error);

/* OK: resumed. E_FORMAT or E_TRUNCATED: damaged; E_RANGE: of another run; E_IO: absent or
 * unreadable; in each of these the trainer is as before. */
enum status checkpoint_load(struct trainer *trainer, const char *path, struct error *error);

#endif
