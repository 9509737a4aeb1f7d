/* llama2.c's tokenizer.bin: u8 which allocation fails, u16 vocabulary, u8 length of a text, the text, the file. */
#include "fuzz.h"
#include "use_tokenizer.h"

static struct tokenizer t;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct error error;
    size_t n, file_size;
    fuzz_begin(fuzz_u8(&in));
    uint32_t vocab = fuzz_u16(&in);
    uint8_t *text = fuzz_take(&in, fuzz_u8(&in), &n), *file = fuzz_take(&in, in.left, &file_size);
    enum status status = tokenizer_load_llama2c(&t, file, file_size, vocab, &fuzz_platform, &error);
    if (status == OK) fuzz_tokenizer(&t, text, n);
    else fuzz_error(status, &error);
    fuzz_end(0);
    return 0;
}
