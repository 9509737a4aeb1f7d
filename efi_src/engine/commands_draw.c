/* Pictures: drawn by the user or by the model, on the screen and to a file. */
#include "commands.h"
#include "draw.h"
#include "filename.h"
#include "text.h"

enum { TEXT_MAX = 512 }; /* of what the model is asked to draw */

static const char before[] =
    "Pictures are 320 wide and 240 high. "
    "clear R G B paints everything, rect X Y W H R G B a box, pixel X Y R G B a dot.\n"
    "\n"
    "A red house on a green hill:\n"
    "clear 135 206 235\n"
    "rect 0 180 320 60 34 139 34\n"
    "rect 120 110 80 70 200 30 30\n"
    "rect 150 145 20 35 90 50 20\n"
    "\n";

size_t draw_need(void) { return arena_need((size_t)DRAW_WIDTH * DRAW_HEIGHT, sizeof(uint32_t)); }

void draw_open(struct chat *chat, struct arena *scratch) {
    chat->picture = arena_take(scratch, (size_t)DRAW_WIDTH * DRAW_HEIGHT, sizeof(uint32_t));
    draw(chat->picture, "clear 0 0 0", 11); /* the memory may have been another session's */
}

static void show(struct chat *chat, struct draw_count count) {
    const struct platform *platform = chat->host->platform;
    char buffer[256];
    struct text line = text_into(buffer, sizeof buffer);
    struct error error;
    enum status status = E_UNSUPPORTED;
    if (platform->show_picture)
        status = platform->show_picture(platform->ctx, chat->picture, DRAW_WIDTH, DRAW_HEIGHT, &error);
    text_add(&line, "[picture] understood=");
    text_add_u64(&line, count.understood);
    text_add(&line, " passed_over=");
    text_add_u64(&line, count.passed_over);
    if (status == E_UNSUPPORTED) text_add(&line, "; no screen: /save_img writes it to a file");
    chat_say(chat, buffer);
    if (status != OK && status != E_UNSUPPORTED) chat_fail(chat, &error);
}

static void render(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    (void)command;
    show(chat, draw(chat->picture, argument, n));
}

/* A text for itself, or a turn, that ends at a blank line. What the model writes is put together on the page: the
 * tokenizer, whose memory that is, has nothing to do by then. */
static void draw_by_model(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    char prompt[sizeof before + TEXT_MAX + 3];
    struct text ask = text_into(prompt, sizeof prompt), reply = text_into(chat->page, CHAT_PAGE_MAX);
    struct error error;
    uint64_t stop_nl = chat->settings.stop_nl;
    (void)command;
    if (n == 0 || n > TEXT_MAX) {
        const char *what = n == 0 ? "what shall be drawn? /draw a red house" : "a text of more than 512 bytes";
        fail(&error, E_RANGE, what, NULL, 0);
        chat_fail(chat, &error);
        return;
    }
    text_add(&ask, before);
    text_add_bytes(&ask, argument, n);
    text_add(&ask, ":\n");
    chat->reply = &reply;
    chat->settings.stop_nl = 1;
    enum status status = chat_reply(chat, prompt, ask.used);
    chat->settings.stop_nl = stop_nl;
    chat->reply = NULL;
    if (status == OK || status == E_STOPPED) show(chat, draw(chat->picture, reply.at, reply.used));
}

static void save_image(struct chat *chat, const struct command *command, const char *argument, size_t n) {
    const struct text page = {.at = chat->page, .size = CHAT_PAGE_MAX, .used = DRAW_PPM_BYTES};
    struct filename name;
    struct error error;
    (void)command;
    if (filename_make(&name, argument, n, "picture", ".ppm", &error) != OK) {
        chat_fail(chat, &error);
        return;
    }
    draw_ppm(chat->picture, page.at);
    chat_save(chat, name.text, &page);
}

_Static_assert(DRAW_PPM_BYTES < CHAT_PAGE_MAX, "a page holds a picture");

const struct command commands_draw[] = {
    {"render", "SHAPES", "draw: clear R G B; rect X Y W H R G B; pixel X Y R G B", render},
    {"draw", "TEXT", "the model writes the shapes", draw_by_model},
    {"save_img", "[NAME]", "the picture to the file picture.ppm, or NAME.ppm", save_image},
    {.name = NULL},
};
