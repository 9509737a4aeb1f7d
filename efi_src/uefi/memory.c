/* One request, one run of pages, wherever the firmware likes: memory is split by the PCI hole, so
 * nothing here asks for one large block or for an address below a limit. */
#include "memory.h"
#include "mem.h"
#include <stdint.h>

void *memory_alloc(EFI_BOOT_SERVICES *bs, size_t bytes) {
    EFI_PHYSICAL_ADDRESS at = 0;

    if (bytes == 0 || bytes > SIZE_MAX - (EFI_PAGE_SIZE - 1))
        return NULL;
    UINTN pages = (bytes + EFI_PAGE_SIZE - 1) / EFI_PAGE_SIZE;
    if (EFI_ERROR(bs->AllocatePages(AllocateAnyPages, EfiLoaderData, pages, &at)))
        return NULL;
    memset((void *)(uintptr_t)at, 0, pages * EFI_PAGE_SIZE);
    return (void *)(uintptr_t)at;
}
