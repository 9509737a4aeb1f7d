/* Shape commands. */
#include "draw.h"
#include "text.h"

enum { NUMBERS = 7, DIGITS = 6 };

/* Half open; inside the picture. */
struct box {
    int left, top, right, bottom;
};

static void fill(uint32_t *pixels, struct box b, const int *rgb) {
    uint32_t colour = (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | (uint32_t)rgb[2];
    for (int y = b.top; y < b.bottom; y++)
        for (int x = b.left; x < b.right; x++) pixels[y * DRAW_WIDTH + x] = colour;
}

static int within(int value, int most) { return value < 0 ? 0 : value > most ? most : value; }

/* Numbers have six digits: no sum leaves an int. */
static struct box clip(int x, int y, int w, int h) {
    return (struct box){within(x, DRAW_WIDTH), within(y, DRAW_HEIGHT), within(x + w, DRAW_WIDTH),
                        within(y + h, DRAW_HEIGHT)};
}

static void draw_clear(uint32_t *pixels, const int *v) { fill(pixels, clip(0, 0, DRAW_WIDTH, DRAW_HEIGHT), v); }
static void draw_rect(uint32_t *pixels, const int *v) { fill(pixels, clip(v[0], v[1], v[2], v[3]), v + 4); }
static void draw_pixel(uint32_t *pixels, const int *v) { fill(pixels, clip(v[0], v[1], 1, 1), v + 2); }

static const struct shape_command {
    const char *name;
    size_t numbers; /* the last three are a colour */
    void (*run)(uint32_t *pixels, const int *numbers);
} commands[] = {{"clear", 3, draw_clear}, {"rect", 7, draw_rect}, {"pixel", 5, draw_pixel}};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* A word of a command; of length 0 at its end. */
struct word {
    const char *text;
    size_t n;
};

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
static int is_end(char c) { return c == ';' || c == '\n'; }

static struct word next_word(const char **at, const char *end) {
    while (*at < end && is_blank(**at)) ++*at;
    struct word w = {.text = *at};
    while (*at < end && !is_blank(**at)) ++*at, w.n++;
    return w;
}

static int read_number(struct word w, int *out) {
    int minus = w.n > 0 && *w.text == '-';
    size_t digits = w.n - (size_t)minus;
    *out = 0;
    if (digits == 0 || digits > DIGITS) return 0;
    for (size_t i = (size_t)minus; i < w.n; i++) {
        if (w.text[i] < '0' || w.text[i] > '9') return 0;
        *out = *out * 10 + (w.text[i] - '0');
    }
    if (minus) *out = -*out;
    return 1;
}

/* One command, from `at` to `end`; 0 when it is none. */
static int run(uint32_t *pixels, const char *at, const char *end) {
    struct word name = next_word(&at, end);
    int numbers[NUMBERS];
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct shape_command *c = &commands[i];
        if (!text_equal(name.text, name.n, c->name)) continue;
        for (size_t j = 0; j < c->numbers; j++) {
            if (!read_number(next_word(&at, end), &numbers[j])) return 0;
            if (j + 3 >= c->numbers && (numbers[j] < 0 || numbers[j] > 255)) return 0;
        }
        if (next_word(&at, end).n > 0) return 0;
        c->run(pixels, numbers);
        return 1;
    }
    return 0;
}

struct draw_count draw(uint32_t *pixels, const char *text, size_t n) {
    struct draw_count count = {0, 0};
    for (const char *at = text, *last = text + n; at < last;) {
        const char *end = at, *word = at;
        while (end < last && !is_end(*end)) end++;
        if (run(pixels, at, end)) count.understood++;
        else if (next_word(&word, end).n > 0) count.passed_over++;
        at = end < last ? end + 1 : last;
    }
    return count;
}

void draw_ppm(const uint32_t *pixels, char *out) {
    static const char head[] = DRAW_HEAD;
    for (size_t i = 0; i < sizeof head - 1; i++) *out++ = head[i];
    for (size_t i = 0; i < (size_t)DRAW_WIDTH * DRAW_HEIGHT; i++)
        for (int shift = 16; shift >= 0; shift -= 8) *out++ = (char)(pixels[i] >> shift & 0xFF);
}
