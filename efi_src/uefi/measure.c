/* TCG EFI Protocol Specification, level 00 revision 00.13, chapter 6: gnu-efi does not have it. */
#include "measure.h"
#include "../engine/text.h"
#include "mem.h"
#include <stdbool.h>
#include <stddef.h>

#define EV_IPL 0x0du
#define EVENT_VERSION 1
#define NAME_MOST 64

struct version {
    UINT8 major, minor;
};

struct capability { /* EFI_TCG2_BOOT_SERVICE_CAPABILITY */
    UINT8 size;
    struct version structure, protocol;
    UINT32 hashes, logs;
    BOOLEAN present; /* TPMPresentFlag */
    UINT16 most_command, most_response;
    UINT32 manufacturer, banks, active;
};

struct event { /* EFI_TCG2_EVENT */
    UINT32 size;
    UINT32 header_size;
    UINT16 header_version;
    UINT32 pcr, type;
    UINT8 text[NAME_MOST + sizeof(" sha256:") + 2 * SHA256_BYTES];
} __attribute__((packed));

#define HEADER_BYTES (offsetof(struct event, text) - offsetof(struct event, header_size))

struct tcg2 { /* EFI_TCG2_PROTOCOL */
    EFI_STATUS(EFIAPI *get_capability)(struct tcg2 *self, struct capability *out);
    void *get_event_log;
    EFI_STATUS(EFIAPI *hash_log_extend_event)(struct tcg2 *self, UINT64 flags, EFI_PHYSICAL_ADDRESS data,
                                              UINT64 size, struct event *event);
    void *submit_command, *get_active_banks, *set_active_banks, *get_result;
};

_Static_assert(HEADER_BYTES == 14 && offsetof(struct event, text) == 18, "the layout of EFI_TCG2_EVENT");
_Static_assert(offsetof(struct capability, present) == 16 && sizeof(struct capability) == 36,
               "the layout of EFI_TCG2_BOOT_SERVICE_CAPABILITY");

static struct tcg2 *find(EFI_BOOT_SERVICES *bs) {
    static EFI_GUID guid = {0x607f766c, 0x7455, 0x42be, {0x93, 0x0b, 0xe4, 0xd7, 0x6d, 0xb2, 0x72, 0x0f}};
    struct capability found = {.size = sizeof(found)};
    struct tcg2 *tcg2 = NULL;

    if (EFI_ERROR(bs->LocateProtocol(&guid, NULL, (void **)&tcg2)) || !tcg2)
        return NULL;
    return EFI_ERROR(tcg2->get_capability(tcg2, &found)) || !found.present ? NULL : tcg2;
}

enum measured measure(EFI_BOOT_SERVICES *bs, const char *name, const uint8_t digest[SHA256_BYTES]) {
    struct event event = {
        .header_size = HEADER_BYTES, .header_version = EVENT_VERSION, .pcr = MEASURE_PCR, .type = EV_IPL};
    struct text text = text_into((char *)event.text, sizeof(event.text));
    struct tcg2 *tcg2 = find(bs);

    if (!tcg2)
        return MEASURED_NO_TPM;
    text_add(&text, name);
    text_add(&text, " sha256:");
    sha256_show(digest, SHA256_BYTES, &text);
    event.size = (UINT32)(offsetof(struct event, text) + text.used + 1); /* with the 0 that ends it */
    EFI_STATUS status =
        tcg2->hash_log_extend_event(tcg2, 0, (EFI_PHYSICAL_ADDRESS)(uintptr_t)digest, SHA256_BYTES, &event);
    return EFI_ERROR(status) && status != EFI_VOLUME_FULL ? MEASURED_NOT : MEASURED; /* full: the log alone is */
}
