/* uefi/library.c on a firmware that fails: each allocation, each opening and each reading in turn. The models and their
 * files are those of the working directory. Prints how many ways there were; the exit status is not 0 where a failure
 * leaves memory or files open, or is followed by one that should not be. */
#include "engine/models.h"
#include "uefi/library.h"
#include "uefi/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE 4096u
#define REGION (UINT64_C(64) << 20)

static uint8_t *region;
static uint8_t used[REGION / PAGE];
static long pages, handles; /* taken, not given back */
static long calls, fail_at; /* of the firmware; the one that fails, or -1 */

static int fails(void) { return calls++ == fail_at; }

static EFI_STATUS EFIAPI allocate(EFI_ALLOCATE_TYPE type, EFI_MEMORY_TYPE kind, UINTN n, EFI_PHYSICAL_ADDRESS *at) {
    UINTN first = type == AllocateAddress ? (*at - (uintptr_t)region) / PAGE : 0, i = 0;
    (void)kind;
    if (fails()) return EFI_OUT_OF_RESOURCES;
    for (; i < n && first + i < sizeof used;) {
        if (!used[first + i]) i++;
        else if (type == AllocateAddress) return EFI_NOT_FOUND;
        else first += i + 1, i = 0;
    }
    if (i < n) return EFI_NOT_FOUND;
    for (i = 0; i < n; i++) used[first + i] = 1;
    *at = (uintptr_t)region + first * PAGE;
    pages += (long)n;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI give(EFI_PHYSICAL_ADDRESS at, UINTN n) {
    UINTN first = (at - (uintptr_t)region) / PAGE;
    for (UINTN i = 0; i < n; i++) {
        if (first + i >= sizeof used || !used[first + i]) abort(); /* not taken, or given back twice */
        used[first + i] = 0;
    }
    pages -= (long)n;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI memory_map(UINTN *size, EFI_MEMORY_DESCRIPTOR *map, UINTN *key, UINTN *step, UINT32 *version) {
    UINTN n = 0;
    if (fails()) return EFI_BUFFER_TOO_SMALL;
    *step = sizeof *map, *version = 1, *key = 0;
    for (UINTN i = 0; i < sizeof used; i++) {
        if (used[i]) continue;
        if (i == 0 || used[i - 1])
            map[n++] = (EFI_MEMORY_DESCRIPTOR){.Type = EfiConventionalMemory,
                                               .PhysicalStart = (uintptr_t)region + i * PAGE};
        map[n - 1].NumberOfPages++;
    }
    *size = n * sizeof *map;
    return EFI_SUCCESS;
}

struct open_file {
    EFI_FILE_PROTOCOL face; /* first: a file is found as it */
    FILE *file;
};

static EFI_STATUS EFIAPI file_close_it(EFI_FILE_HANDLE self) {
    struct open_file *f = (struct open_file *)self;
    if (f->file) fclose(f->file);
    free(f);
    handles--;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI file_read_it(EFI_FILE_HANDLE self, UINTN *n, void *to) {
    if (fails()) return EFI_DEVICE_ERROR;
    *n = fread(to, 1, *n, ((struct open_file *)self)->file);
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI file_info(EFI_FILE_HANDLE self, EFI_GUID *what, UINTN *size, void *out) {
    FILE *file = ((struct open_file *)self)->file;
    (void)what;
    if (fails()) return EFI_VOLUME_CORRUPTED;
    fseek(file, 0, SEEK_END);
    *(EFI_FILE_INFO *)out = (EFI_FILE_INFO){.Size = *size, .FileSize = (UINT64)ftell(file)};
    rewind(file);
    return EFI_SUCCESS;
}

static EFI_STATUS new_file(FILE *file, EFI_FILE_HANDLE *out);

static EFI_STATUS EFIAPI file_open_it(EFI_FILE_HANDLE root, EFI_FILE_HANDLE *out, CHAR16 *name, UINT64 mode,
                                      UINT64 attributes) {
    char path[64] = "";
    (void)root, (void)mode, (void)attributes;
    for (size_t i = 0; name[i]; i++) path[i] = (char)name[i];
    FILE *file = fails() ? NULL : fopen(path, "rb");
    return file ? new_file(file, out) : EFI_NOT_FOUND;
}

static EFI_STATUS new_file(FILE *file, EFI_FILE_HANDLE *out) {
    struct open_file *f = calloc(1, sizeof *f);
    f->face.Open = file_open_it;
    f->face.Close = file_close_it;
    f->face.Read = file_read_it;
    f->face.GetInfo = file_info;
    f->file = file;
    *out = &f->face;
    handles++;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI open_volume(EFI_FILE_IO_INTERFACE *self, EFI_FILE_HANDLE *out) {
    (void)self;
    return fails() ? EFI_NO_MEDIA : new_file(NULL, out);
}

/* The program was loaded from the volume; both interfaces are asked for by the one function. */
static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, void **out) {
    static EFI_LOADED_IMAGE image = {.DeviceHandle = &image};
    static EFI_FILE_IO_INTERFACE volume = {.OpenVolume = open_volume};
    *out = handle == &image ? (void *)&volume : (void *)&image;
    (void)guid;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI locate(EFI_GUID *guid, void *registration, void **out) {
    (void)guid, (void)registration, (void)out;
    return EFI_NOT_FOUND; /* no TPM */
}

static EFI_BOOT_SERVICES services = {.AllocatePages = allocate, .FreePages = give, .GetMemoryMap = memory_map,
                                     .HandleProtocol = handle_protocol, .LocateProtocol = locate};

static void write_nothing(void *ctx, const char *text, size_t n) { (void)ctx, (void)text, (void)n; }
static uint64_t no_time(void *ctx) { (void)ctx; return 0; }
static void *take(void *ctx, size_t bytes) { (void)ctx; return memory_alloc(&services, bytes); }
static void release(void *ctx, void *at, size_t bytes) { (void)ctx; memory_free(&services, at, bytes); }

static const struct platform platform = {
    .write = write_nothing, .now_us = no_time, .alloc = take, .release = release};

static struct library library;
static struct model model;

/* Opens model i with the call `at` failing; whether it opened. */
static int try(const struct models *models, size_t i, long at) {
    struct error error = {.text = ""};
    calls = 0;
    fail_at = at;
    enum status status = models->open(models->ctx, i, &model, &error);
    fail_at = -1;
    if (status == OK) models->close(models->ctx, &model);
    else if (!error.text[0] || error.code != status || !library.hint) exit(2);
    if (pages != 0 || handles != 0) {
        printf("model %zu, call %ld: %ld pages and %ld files stay (%s)\n", i, at, pages, handles, error.text);
        exit(3);
    }
    return status == OK;
}

int main(void) {
    struct error error;
    region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED || library_find(&library, &library, &services, &platform, 0, &error) != OK) return 1;
    const struct models models = library_models(&library);
    for (size_t i = 0; i < models.count; i++) {
        int opened = try(&models, i, -1);
        long n = calls, survived = 0;
        for (long at = 0; at < n; at++) survived += try(&models, i, at);
        if (try(&models, i, -1) != opened) return 4; /* as if nothing had been */
        printf("%s %s %d\n", models.name(models.ctx, i), opened ? "opens" : "fails", n >= 7 && survived < n / 2);
    }
    return 0;
}
