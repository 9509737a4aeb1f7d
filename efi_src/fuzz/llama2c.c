/* A llama2.c model with its tokenizer: u8 which allocation fails, u16 the tokenizer's size, the tokenizer, the model. */
#include "fuzz.h"
#include "run_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct pieces model, words;
    struct model_files files = {.parts = &model, .count = 1};
    size_t n;
    fuzz_begin(fuzz_u8(&in));
    const uint8_t *bytes = fuzz_take(&in, fuzz_u16(&in), &n);
    words = pieces_one(bytes, n);
    if (n > 0) files.tokenizer = &words;
    bytes = fuzz_take(&in, in.left, &n);
    model = pieces_one(bytes, n);
    fuzz_model(&files);
    fuzz_end(0);
    return 0;
}
