/* Keys are read without asking first: CheckEvent followed by a read drops keys on some firmware. */
#include "keyboard.h"
#include <eficonex.h>
#include <stdbool.h>

#define KEY_BYTES_MAX 5 /* the longest entry below, and any UTF-8 of UCS-2 */

/* Index: EFI scan code (UEFI specification, "EFI Scan Codes"); value: what xterm sends */
static const char scan_bytes[][KEY_BYTES_MAX + 1] = {
    [0x01] = "\x1b[A",   [0x02] = "\x1b[B",   [0x03] = "\x1b[C",   [0x04] = "\x1b[D",  /* arrows */
    [0x05] = "\x1b[H",   [0x06] = "\x1b[F",   [0x07] = "\x1b[2~",  [0x08] = "\x1b[3~", /* Home End Ins Del */
    [0x09] = "\x1b[5~",  [0x0a] = "\x1b[6~",                                           /* Page Up, Down */
    [0x0b] = "\x1bOP",   [0x0c] = "\x1bOQ",   [0x0d] = "\x1bOR",   [0x0e] = "\x1bOS",  /* F1 to F4 */
    [0x0f] = "\x1b[15~", [0x10] = "\x1b[17~", [0x11] = "\x1b[18~", [0x12] = "\x1b[19~",
    [0x13] = "\x1b[20~", [0x14] = "\x1b[21~", [0x15] = "\x1b[23~", [0x16] = "\x1b[24~", /* to F12 */
    [0x17] = "\x1b",
};

static void put_string(struct queue *q, const char *bytes) {
    while (*bytes)
        queue_put(q, (uint8_t)*bytes++);
}

static void put_utf8(struct queue *q, uint32_t c) {
    if (c >= 0xd800 && c < 0xe000)
        return; /* half of a pair: no keyboard of UCS-2 firmware sends the other half */
    if (c < 0x80) {
        queue_put(q, (uint8_t)c);
    } else if (c < 0x800) {
        queue_put(q, (uint8_t)(0xc0 | c >> 6));
        queue_put(q, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        queue_put(q, (uint8_t)(0xe0 | c >> 12));
        queue_put(q, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        queue_put(q, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

static void put_key(struct queue *q, EFI_INPUT_KEY key, bool ctrl) {
    uint32_t c = (uint16_t)key.UnicodeChar;

    if (c == 0 && key.ScanCode < sizeof(scan_bytes) / sizeof(scan_bytes[0]))
        put_string(q, scan_bytes[key.ScanCode]);
    else if (ctrl && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
        queue_put(q, (uint8_t)(c & 0x1f));
    else if (c != 0)
        put_utf8(q, c);
}

void keyboard_open(struct keyboard *k, EFI_SYSTEM_TABLE *st) {
    EFI_GUID guid = EFI_SIMPLE_TEXT_INPUT_EX_PROTOCOL_GUID;

    k->ex = NULL;
    k->plain = st->ConIn;
    if (st->ConsoleInHandle &&
        EFI_ERROR(st->BootServices->HandleProtocol(st->ConsoleInHandle, &guid, (void **)&k->ex)))
        k->ex = NULL;
}

void keyboard_poll(struct keyboard *k, struct queue *q) {
    while (queue_room(q) >= KEY_BYTES_MAX) {
        EFI_KEY_DATA data = {0};
        if (k->ex) {
            if (EFI_ERROR(k->ex->ReadKeyStrokeEx(k->ex, &data)))
                return;
        } else if (!k->plain || EFI_ERROR(k->plain->ReadKeyStroke(k->plain, &data.Key))) {
            return;
        }
        UINT32 shift = data.KeyState.KeyShiftState;
        UINT32 ctrl = shift & (EFI_LEFT_CONTROL_PRESSED | EFI_RIGHT_CONTROL_PRESSED);
        put_key(q, data.Key, (shift & EFI_SHIFT_STATE_VALID) && ctrl);
    }
}
