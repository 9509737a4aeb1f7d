#include "screen.h"
#include "glyph.h"
#include "../engine/unicode.h"

#define RUN 128 /* UCS-2 units handed to the firmware at once */
#define REPLACEMENT 0xfffdu
#define TAB 8

static void use(struct screen *s, SIMPLE_TEXT_OUTPUT_INTERFACE *out) {
    s->out[s->outs++] = out;
    out->ClearScreen(out); /* of the firmware's logo and messages */
    out->EnableCursor(out, TRUE);
}

/* The firmware's own console handle carries both protocols too, and stands for all screens: writing
 * to it as well would print everything twice. */
void screen_open(struct screen *s, EFI_SYSTEM_TABLE *st, bool any) {
    EFI_GUID gop = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID, text = SIMPLE_TEXT_OUTPUT_PROTOCOL;
    EFI_BOOT_SERVICES *bs = st->BootServices;
    EFI_HANDLE *handles = NULL;
    UINTN count = 0;

    *s = (struct screen){.bs = bs, .font = glyph_font(bs)};
    if (any && st->ConOut)
        use(s, st->ConOut);
    if (any || EFI_ERROR(bs->LocateHandleBuffer(ByProtocol, &gop, NULL, &count, &handles)))
        return;
    for (UINTN i = 0; i < count && s->outs < SCREEN_MAX; i++) {
        SIMPLE_TEXT_OUTPUT_INTERFACE *out = NULL;
        if (handles[i] != st->ConsoleOutHandle &&
            !EFI_ERROR(bs->HandleProtocol(handles[i], &text, (void **)&out)) && out)
            use(s, out);
    }
    bs->FreePool(handles);
}

/* Not too long a form, within Unicode, no half of a pair */
static bool is_code_point(const struct screen *s) {
    return s->point >= s->least && s->point <= 0x10ffff && (s->point < 0xd800 || s->point >= 0xe000);
}

/* One byte of UTF-8 -> code points (0, 1 or 2), in `out` */
static size_t decode(struct screen *s, uint8_t c, uint32_t out[2]) {
    size_t n = 0;

    if (s->missing > 0) {
        if ((c & 0xc0) == 0x80) {
            s->point = s->point << 6 | (c & 0x3f);
            if (--s->missing == 0)
                out[n++] = is_code_point(s) ? s->point : REPLACEMENT;
            return n;
        }
        out[n++] = REPLACEMENT;
        s->missing = 0;
    }
    if (c < 0x80) {
        out[n++] = c;
    } else if (c >= 0xc2 && c < 0xf5) {
        s->missing = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        s->point = c & (0x3fu >> s->missing);
        s->least = s->missing == 1 ? 0x80 : s->missing == 2 ? 0x800 : 0x10000;
    } else {
        out[n++] = REPLACEMENT;
    }
    return n;
}

static void put_run(struct screen *s, CHAR16 *run, size_t *used) {
    run[*used] = 0;
    if (*used > 0)
        for (size_t i = 0; i < s->outs; i++)
            s->out[i]->OutputString(s->out[i], run);
    *used = 0;
}

/* Firmware draws a tab as a glyph. Screens may differ in width but share the cursor's history. */
static void put_tab(struct screen *s, CHAR16 *run, size_t *used) {
    put_run(s, run, used);
    size_t column = s->outs > 0 ? (size_t)s->out[0]->Mode->CursorColumn : 0;
    for (size_t i = column % TAB; i < TAB; i++)
        run[(*used)++] = ' ';
}

void screen_write(struct screen *s, const char *text, size_t n) {
    CHAR16 run[RUN];
    size_t used = 0;

    if (s->outs == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        uint32_t points[2];
        size_t count = decode(s, (uint8_t)text[i], points);
        for (size_t p = 0; p < count; p++) {
            uint32_t c = points[p];
            if (c == '\t')
                put_tab(s, run, &used);
            if (c == '\n')
                run[used++] = '\r';
            if (c >= 0x20 ? c != 0x7f && unicode_width(c) > 0 : c == '\n' || c == '\r' || c == '\b')
                run[used++] = glyph_for(s->font, s->bs, c);
            if (unicode_width(c) == 2) /* as on a terminal: who erases counts its columns */
                run[used++] = ' ';
            if (used > RUN - TAB - 3)
                put_run(s, run, &used);
        }
    }
    put_run(s, run, &used);
}

void screen_clear(struct screen *s) {
    for (size_t i = 0; i < s->outs; i++)
        s->out[i]->ClearScreen(s->out[i]);
}
