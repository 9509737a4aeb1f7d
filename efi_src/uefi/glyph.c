/* Firmware fonts are small (OVMF's: ASCII, Latin-1 and boxes), and a missing glyph is drawn as an
 * empty cell while TestString and OutputString report success. The HII font protocol (UEFI
 * specification, 34.3) tells. */
#include "glyph.h"
#include <stddef.h>

#define REPLACEMENT 0xfffdu

struct hii_font {
    void *string_to_image, *string_id_to_image;
    EFI_STATUS(EFIAPI *get_glyph)(const struct hii_font *this, CHAR16 unit, const void *info, void **image,
                                  UINTN *baseline);
    void *get_font_info;
};

static const struct {
    uint16_t point;
    char like;
} likenesses[] = {
    {0x00a0, ' '}, {0x2010, '-'}, {0x2011, '-'}, {0x2012, '-'}, {0x2013, '-'},  {0x2014, '-'}, {0x2018, '\''},
    {0x2019, '\''}, {0x201a, ','}, {0x201c, '"'}, {0x201d, '"'}, {0x201e, '"'}, {0x2022, '*'}, {0x2026, '.'},
};

struct hii_font *glyph_font(EFI_BOOT_SERVICES *bs) {
    EFI_GUID guid = {0xe9ca4775, 0x8657, 0x47fc, {0x97, 0xe7, 0x7e, 0xd6, 0x5a, 0x08, 0x43, 0x24}};
    struct hii_font *font = NULL;

    return EFI_ERROR(bs->LocateProtocol(&guid, NULL, (void **)&font)) ? NULL : font;
}

static int has_glyph(struct hii_font *font, EFI_BOOT_SERVICES *bs, CHAR16 unit) {
    void *image = NULL;
    EFI_STATUS status = font->get_glyph(font, unit, NULL, &image, NULL);

    if (image) {
        void *bitmap = *(void **)((uint8_t *)image + 8); /* EFI_IMAGE_OUTPUT: two UINT16, then the bitmap */
        if (bitmap)
            bs->FreePool(bitmap);
        bs->FreePool(image);
    }
    return status == EFI_SUCCESS; /* a warning is a glyph that stands for all unknown ones */
}

CHAR16 glyph_for(struct hii_font *font, EFI_BOOT_SERVICES *bs, uint32_t point) {
    if (point < 0x7f)
        return (CHAR16)point;
    CHAR16 unit = (CHAR16)(point > 0xffff ? REPLACEMENT : point); /* screens speak UCS-2 */
    if (!font || has_glyph(font, bs, unit))
        return unit;
    for (size_t i = 0; i < sizeof(likenesses) / sizeof(likenesses[0]); i++)
        if (likenesses[i].point == point)
            return (CHAR16)likenesses[i].like;
    return '?';
}
