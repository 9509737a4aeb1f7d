#include "picture.h"
#include "../engine/text.h"
#include <stdbool.h>

#define ROW_MAX 4096 /* pixels: of one row, scaled */

static EFI_SYSTEM_TABLE *system_table;

void picture_open(EFI_SYSTEM_TABLE *st) { system_table = st; }

/* How many times as large it is to be; 0: it does not fit at all. */
static uint32_t scale_for(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode, uint32_t width, uint32_t height) {
    uint32_t across = mode->HorizontalResolution / 2 / width, down = mode->VerticalResolution / height;
    uint32_t scale = across < down ? across : down;

    if (scale == 0 && mode->HorizontalResolution >= width && mode->VerticalResolution >= height)
        scale = 1;
    while (scale > 0 && scale * width > ROW_MAX)
        scale--;
    return scale;
}

/* 0x00RRGGBB in memory is what Blt takes: blue, green, red, unused. */
static bool draw_on(EFI_GRAPHICS_OUTPUT_PROTOCOL *gop, const uint32_t *pixels, uint32_t width, uint32_t height) {
    static uint32_t row[ROW_MAX];
    uint32_t scale = scale_for(gop->Mode->Info, width, height);
    UINTN left = gop->Mode->Info->HorizontalResolution - scale * width;

    for (uint32_t y = 0; y < height * scale; y++) {
        for (uint32_t x = 0; y % scale == 0 && x < width * scale; x++)
            row[x] = pixels[y / scale * width + x / scale];
        if (EFI_ERROR(gop->Blt(gop, (EFI_GRAPHICS_OUTPUT_BLT_PIXEL *)row, EfiBltBufferToVideo, 0, 0, left, y,
                               width * scale, 1, 0)))
            return false;
    }
    return scale > 0;
}

/* As for text (screen.c): the firmware's own console handle stands for all screens, and counts where it is alone. */
enum status picture_show(void *ctx, const uint32_t *pixels, uint32_t width, uint32_t height, struct error *error) {
    EFI_GUID id = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_BOOT_SERVICES *bs = system_table->BootServices;
    EFI_HANDLE *handles = NULL;
    UINTN count = 0, shown = 0;

    (void)ctx;
    if (EFI_ERROR(bs->LocateHandleBuffer(ByProtocol, &id, NULL, &count, &handles)))
        return fail(error, E_UNSUPPORTED, "there is no screen", NULL, 0);
    for (UINTN i = 0; i < count; i++) {
        EFI_GRAPHICS_OUTPUT_PROTOCOL *gop = NULL;
        if (count > 1 && handles[i] == system_table->ConsoleOutHandle)
            continue;
        if (!EFI_ERROR(bs->HandleProtocol(handles[i], &id, (void **)&gop)) && gop && gop->Mode && gop->Mode->Info)
            shown += draw_on(gop, pixels, width, height);
    }
    bs->FreePool(handles);
    return shown > 0 ? OK : fail(error, E_UNSUPPORTED, "no screen takes pictures", NULL, 0);
}
