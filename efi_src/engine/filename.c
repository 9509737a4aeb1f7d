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
