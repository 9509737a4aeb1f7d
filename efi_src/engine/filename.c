#include "filename.h"
#include "text.h"

enum status filename_check(const char *name, struct error *error) {
    static const char none_of[] = "\"*/:<>?\\|";
    size_t n = text_length(name);
    int fits = n > 0 && n <= FILENAME_MAX_BYTES && name[0] != '.' && name[n - 1] != '.';
    for (size_t i = 0; fits && i < n; i++) {
        fits = name[i] > ' ' && name[i] < 0x7F;
        for (const char *c = none_of; *c; c++) fits &= name[i] != *c;
    }
    return fits ? OK : fail(error, E_RANGE, "not a name for a file", name, n);
}

enum status filename_make(struct filename *out, const char *name, size_t n, const char *otherwise,
                          const char *extension, struct error *error) {
    struct text t = text_into(out->text, sizeof out->text);
    size_t end = text_length(extension);
    if (n > end && text_equal(name + n - end, end, extension)) n -= end;
    if (n == 0) text_add(&t, otherwise);
    else if (n > FILENAME_MAX_BYTES - end)
        return fail(error, E_RANGE, "a name of more than 40 characters", NULL, 0);
    text_add_bytes(&t, name, n);
    text_add(&t, extension);
    return filename_check(out->text, error);
}
