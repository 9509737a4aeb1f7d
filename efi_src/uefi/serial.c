/* The firmware's terminal driver turns bytes into keys and back, loses bytes that are not ASCII and
 * repaints lines with escape sequences. Opening the port exclusively makes it let go; from then on
 * what is on the wire is what the program wrote. */
#include "serial.h"

#define STX 0x02
#define ETX 0x03
#define POLL_MOST 4096u /* bytes taken from one line in one poll: a flood must not hold us here */

/* How long a far end may take no byte before a write gives up. Long: when EDK2's driver gives up it
 * keeps the byte, sends it later and does not count it, so trying again would send it twice. Reads
 * are of bytes that have arrived, they don't wait. */
#define TIMEOUT_US 10000000u

static void open_line(struct serial *s, EFI_HANDLE handle, EFI_HANDLE image, EFI_BOOT_SERVICES *bs) {
    EFI_GUID guid = EFI_SERIAL_IO_PROTOCOL_GUID;
    EFI_SERIAL_IO_PROTOCOL *io = NULL;

    EFI_STATUS status =
        bs->OpenProtocol(handle, &guid, (void **)&io, image, NULL, EFI_OPEN_PROTOCOL_EXCLUSIVE);
    if (EFI_ERROR(status) || !io)
        return;
    const SERIAL_IO_MODE *m = io->Mode;
    io->SetAttributes(io, m->BaudRate, m->ReceiveFifoDepth, TIMEOUT_US, (EFI_PARITY_TYPE)m->Parity,
                      (UINT8)m->DataBits, (EFI_STOP_BITS_TYPE)m->StopBits);
    s->line[s->lines++] = (struct serial_line){.io = io};
}

void serial_open(struct serial *s, EFI_HANDLE image, EFI_BOOT_SERVICES *bs) {
    EFI_GUID guid = EFI_SERIAL_IO_PROTOCOL_GUID;
    EFI_HANDLE *handles = NULL;
    UINTN count = 0;

    s->lines = 0;
    s->framed = false;
    if (EFI_ERROR(bs->LocateHandleBuffer(ByProtocol, &guid, NULL, &count, &handles)))
        return;
    for (UINTN i = 0; i < count && s->lines < SERIAL_MAX; i++)
        open_line(s, handles[i], image, bs);
    bs->FreePool(handles);
}

static bool has_control(struct serial_line *line, UINT32 bit) {
    UINT32 control = 0;

    return !EFI_ERROR(line->io->GetControl(line->io, &control)) && (control & bit);
}

/* What comes after a write that gave up is dropped until the far end has taken what the firmware
 * still holds: a paused terminal must not stop the machine for good. */
static void line_write(struct serial_line *line, uint8_t *bytes, size_t n) {
    UINTN done = n;

    if (line->stalled && !has_control(line, EFI_SERIAL_OUTPUT_BUFFER_EMPTY))
        return;
    line->stalled = line->io->Write(line->io, &done, bytes) == EFI_TIMEOUT;
}

void serial_write(struct serial *s, const char *text, size_t n) {
    uint8_t out[256];
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c == STX || c == ETX)
            s->framed = c == STX;
        if (c == '\n' && !s->framed)
            out[used++] = '\r';
        out[used++] = c;
        if (used > sizeof(out) - 2 || i + 1 == n) {
            for (size_t l = 0; l < s->lines; l++)
                line_write(&s->line[l], out, used);
            used = 0;
        }
    }
}

static bool line_read(struct serial_line *line, uint8_t *byte) {
    UINTN n = 1;

    if (line->deaf || has_control(line, EFI_SERIAL_INPUT_BUFFER_EMPTY))
        return false;
    line->deaf = line->io->Read(line->io, &n, byte) == EFI_TIMEOUT;
    return !line->deaf && n == 1;
}

void serial_poll(struct serial *s, struct queue *q) {
    for (size_t l = 0; l < s->lines; l++) {
        uint8_t byte;
        for (size_t n = 0; n < POLL_MOST && queue_room(q) > 0 && line_read(&s->line[l], &byte); n++)
            queue_put(q, byte);
    }
}
