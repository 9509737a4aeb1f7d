/* Loads each model of a list, in memory of exactly its size, and runs those that load for one token.
 * stdin: for each, u64 length and the bytes. stdout: for each, a line "code text". */
#include "engine/model.h"
#include "kernels/kernels.h"
#include <stdio.h>
#include <stdlib.h>

static struct model model;

static void run(void) {
    const struct gpt2_config *c = &model.gpt2.config;
    size_t kv = gpt2_kv_bytes(c), acts = gpt2_act_bytes(c);
    struct gpt2_state state;
    if (kv > 1 << 26 || acts > 1 << 26) return;
    void *kv_memory = aligned_alloc(64, kv), *act_memory = aligned_alloc(64, acts);
    if (kv_memory && act_memory) {
        gpt2_state_init(&state, c, kv_memory, act_memory);
        gpt2_forward(&model.gpt2, &state, &kernels_scalar, c->vocab - 1, 0, 1);
        gpt2_forward(&model.gpt2, &state, &kernels_scalar, 0, c->context - 1, 0);
    }
    free(kv_memory);
    free(act_memory);
}

int main(void) {
    uint64_t size;
    while (fread(&size, sizeof size, 1, stdin) == 1) {
        struct error error = {.code = OK, .text = ""};
        unsigned char *bytes = malloc(size);
        if ((!bytes && size > 0) || fread(bytes, 1, size, stdin) != size) return 1;
        enum status status = model_load(&model, bytes, size, &error);
        if (status == OK) run();
        if (status != error.code) return 1; /* the text belongs to the status */
        printf("%d %s\n", (int)status, error.text);
        free(bytes);
    }
    return 0;
}
