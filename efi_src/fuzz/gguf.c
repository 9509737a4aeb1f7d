/* A whole GGUF model: u8 which allocation fails; u8 0 and the file, u8 1, u16 N and a file whose second piece begins
 * at N * 64, or u8 2, u16 the first part's size and the two parts of a model. */
#include "fuzz.h"
#include "run_model.h"

static struct pieces parts[2];

static void take_piece(struct fuzz_input *in, struct pieces *file, size_t n) {
    size_t size;
    const uint8_t *bytes = fuzz_take(in, n, &size);
    FUZZ_PROMISE(size == 0 || pieces_add(file, bytes, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct model_files files = {.parts = parts, .count = 1};
    fuzz_begin(fuzz_u8(&in));
    uint32_t kind = fuzz_u8(&in) % 3;
    parts[0] = parts[1] = (struct pieces){.size = 0};
    if (kind == 1) {
        take_piece(&in, &parts[0], (size_t)fuzz_u16(&in) * PIECES_ALIGN);
    } else if (kind == 2) {
        take_piece(&in, &parts[0], fuzz_u16(&in));
        files.count = 2;
    }
    take_piece(&in, &parts[files.count - 1], in.left);
    fuzz_model(&files);
    fuzz_end(0);
    return 0;
}
