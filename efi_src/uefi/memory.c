/* One request, one run of pages: memory is split by the PCI hole, so nothing large here asks for an address below a
 * limit. */
#include "memory.h"
#include "mem.h"

static UINTN pages_of(size_t bytes) { return (bytes + EFI_PAGE_SIZE - 1) / EFI_PAGE_SIZE; }

static void *allocate(EFI_BOOT_SERVICES *bs, size_t bytes, EFI_ALLOCATE_TYPE type, EFI_PHYSICAL_ADDRESS at) {
    if (bytes == 0 || bytes > SIZE_MAX - (EFI_PAGE_SIZE - 1))
        return NULL;
    if (EFI_ERROR(bs->AllocatePages(type, EfiLoaderData, pages_of(bytes), &at)))
        return NULL;
    return (void *)(uintptr_t)at;
}

void *memory_pages(EFI_BOOT_SERVICES *bs, size_t bytes) { return allocate(bs, bytes, AllocateAnyPages, 0); }

void *memory_low(EFI_BOOT_SERVICES *bs, size_t bytes) {
    return allocate(bs, bytes, AllocateMaxAddress, UINT32_MAX);
}

void *memory_alloc(EFI_BOOT_SERVICES *bs, size_t bytes) {
    void *found = memory_pages(bs, bytes);

    if (found)
        memset(found, 0, bytes);
    return found;
}

void memory_free(EFI_BOOT_SERVICES *bs, void *memory, size_t bytes) {
    bs->FreePages((EFI_PHYSICAL_ADDRESS)(uintptr_t)memory, pages_of(bytes));
}

void *memory_at(EFI_BOOT_SERVICES *bs, uint64_t at, size_t bytes) {
    return allocate(bs, bytes, AllocateAddress, at);
}

size_t memory_regions(EFI_BOOT_SERVICES *bs, struct region **out) {
    static uint8_t map[64 * 1024] __attribute__((aligned(8))); /* some 1,300 regions; OVMF has about 120 */
    static struct region regions[sizeof(map) / sizeof(EFI_MEMORY_DESCRIPTOR)];
    UINTN size = sizeof(map), key, step;
    UINT32 version;
    size_t n = 0;

    *out = regions;
    if (EFI_ERROR(bs->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)map, &key, &step, &version)))
        return 0;
    for (UINTN at = 0; step >= sizeof(EFI_MEMORY_DESCRIPTOR) && at + step <= size; at += step) {
        const EFI_MEMORY_DESCRIPTOR *found = (const EFI_MEMORY_DESCRIPTOR *)(map + at);
        if (found->Type == EfiConventionalMemory)
            regions[n++] = (struct region){found->PhysicalStart, found->NumberOfPages * EFI_PAGE_SIZE};
    }
    return n;
}

uint64_t memory_left(EFI_BOOT_SERVICES *bs, uint64_t *largest) {
    struct region *regions;
    size_t n = memory_regions(bs, &regions);
    uint64_t sum = 0;

    *largest = 0;
    for (size_t i = 0; i < n; i++) {
        sum += regions[i].bytes;
        if (regions[i].bytes > *largest)
            *largest = regions[i].bytes;
    }
    return sum;
}
