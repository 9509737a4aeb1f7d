/* Strings and numbers without libc. */
#include "text.h"

struct text text_into(char *buffer, size_t size) {
    buffer[0] = 0;
    return (struct text){.at = buffer, .size = size, .used = 0};
}

void text_add_bytes(struct text *t, const char *s, size_t n) {
    size_t room = t->size - 1 - t->used;
    if (n > room) n = room;
    for (size_t i = 0; i < n; i++) t->at[t->used + i] = s[i];
    t->used += n;
    t->at[t->used] = 0;
}

void text_add(struct text *t, const char *s) { text_add_bytes(t, s, text_length(s)); }

void text_add_name(struct text *t, const char *s, size_t n) {
    if (n > 64) n = 64;
    for (size_t i = 0; i < n; i++) text_add_bytes(t, s[i] >= 0x20 && s[i] < 0x7F ? s + i : "?", 1);
}

void text_add_u64(struct text *t, uint64_t value) {
    char digits[20];
    size_t n = 0;
    do digits[n++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (n > 0) text_add_bytes(t, &digits[--n], 1);
}

/* value * 10^decimals, rounded half up, for 0 <= value < 1e9 */
static uint64_t scaled(double value, unsigned decimals, uint64_t *unit) {
    *unit = 1;
    for (unsigned i = 0; i < decimals; i++) *unit *= 10;
    return (uint64_t)(value * (double)*unit + 0.5);
}

void text_add_fixed(struct text *t, double value, unsigned decimals) {
    if (value != value) {
        text_add(t, "nan");
        return;
    }
    if (value < 0) {
        text_add(t, "-");
        value = -value;
    }
    if (value >= 1e9) { /* the decimals are of no use here, and may not fit */
        if (value >= 1e18) text_add(t, "inf");
        else text_add_u64(t, (uint64_t)value);
        return;
    }
    uint64_t unit, number = scaled(value, decimals, &unit);
    text_add_u64(t, number / unit);
    if (decimals == 0) return;
    text_add(t, ".");
    for (uint64_t rest = number % unit, digit = unit / 10; digit > 0; digit /= 10) {
        char c = (char)('0' + rest / digit % 10);
        text_add_bytes(t, &c, 1);
    }
}

void text_add_short(struct text *t, double value) {
    char buffer[40];
    struct text number = text_into(buffer, sizeof buffer);
    text_add_fixed(&number, value, 6);
    int point = 0;
    for (size_t i = 0; i < number.used; i++) point |= buffer[i] == '.';
    while (point && buffer[number.used - 1] == '0') number.used--;
    if (point && buffer[number.used - 1] == '.') number.used--;
    text_add_bytes(t, buffer, number.used);
}

void text_add_mib(struct text *t, uint64_t bytes) {
    const uint64_t mib = 1 << 20;
    text_add_fixed(t, (double)bytes / (double)mib, bytes < 10 * mib ? 1 : 0);
}

struct text error_text(struct error *error, enum status code) {
    error->code = code;
    return text_into(error->text, sizeof error->text);
}

enum status fail(struct error *error, enum status code, const char *what, const char *name, size_t n) {
    struct text t = error_text(error, code);
    text_add(&t, what);
    if (name) {
        text_add(&t, ": ");
        text_add_name(&t, name, n);
    }
    return code;
}

size_t text_length(const char *s) {
    size_t n = 0;
    while (s[n]) n++;
    return n;
}

int text_equal(const char *a, size_t n, const char *b) {
    for (size_t i = 0; i < n; i++)
        if (b[i] == 0 || a[i] != b[i]) return 0;
    return b[n] == 0;
}

int text_read_u64(const char *s, size_t n, uint64_t *out) {
    uint64_t value = 0;
    if (n == 0) return 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') return 0;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value)) return 0;
        if (__builtin_add_overflow(value, (uint64_t)(s[i] - '0'), &value)) return 0;
    }
    *out = value;
    return 1;
}

int text_read_decimal(const char *s, size_t n, double *out) {
    uint64_t mantissa = 0; /* below 10^15: exact as a double, as is 10^22, so one rounding is made */
    unsigned digits = 0, decimals = 0, significant = 0;
    int point = 0, negative = n > 0 && s[0] == '-';
    for (size_t i = (size_t)negative; i < n; i++) {
        if (s[i] == '.' && !point) {
            point = 1;
            continue;
        }
        if (s[i] < '0' || s[i] > '9') return 0;
        digits++;
        mantissa = mantissa * 10 + (uint64_t)(s[i] - '0');
        if (mantissa != 0 && ++significant > 15) return 0;
        if (point && ++decimals > 22) return 0;
    }
    if (digits == 0) return 0;
    double power = 1;
    for (unsigned i = 0; i < decimals; i++) power *= 10;
    *out = (double)mantissa / power;
    if (negative) *out = -*out;
    return 1;
}

size_t text_distance(const char *a, size_t n, const char *b) {
    enum { MOST = 32 };
    size_t row[MOST + 1], m = text_length(b);
    if (n > MOST) n = MOST;
    if (m > MOST) m = MOST;
    for (size_t j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t corner = row[0]; /* distance of a[..i-1], b[..j-1] */
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = corner + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            corner = row[j];
            row[j] = best;
        }
    }
    return row[m];
}
