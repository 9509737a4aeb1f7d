/* A file is written under another name (NAME.new), brought to the disk, and then takes the old one's name: what
 * has the name is whole. Between the two last steps there is a moment without it; NAME.new is whole then. */
#include "disk.h"
#include "../engine/filename.h"
#include "../engine/text.h"
#include "file.h"
#include "mem.h"
#include "memory.h"
#include <stdbool.h>

#define PIECE (256u << 10)
#define NAME_MOST (FILENAME_MAX_BYTES + 5) /* with ".new" and a NUL */

static EFI_HANDLE program;
static EFI_BOOT_SERVICES *services;
static uint8_t *piece; /* what the firmware reads into and writes from; below 4 GiB (memory.h) */

void disk_open(EFI_HANDLE image, EFI_BOOT_SERVICES *bs) {
    program = image;
    services = bs;
    piece = memory_low(bs, PIECE);
}

/* "NAME WHAT: why" */
static enum status refuse(struct error *error, const char *name, const char *what, EFI_STATUS status) {
    struct text text = error_text(error, status == EFI_NOT_FOUND ? E_MISSING : E_IO);

    text_add(&text, name);
    text_add(&text, what);
    switch (status) {
    case EFI_NOT_FOUND: text_add(&text, ": there is no such file"); break;
    case EFI_VOLUME_FULL: text_add(&text, ": the disk is full"); break;
    case EFI_WRITE_PROTECTED: text_add(&text, ": the disk is write-protected"); break;
    case EFI_NO_MEDIA: text_add(&text, ": the program was started from no disk"); break;
    case EFI_MEDIA_CHANGED: text_add(&text, ": another disk was put in"); break;
    case EFI_OUT_OF_RESOURCES: text_add(&text, ": the firmware has no memory for it"); break;
    case EFI_ACCESS_DENIED: text_add(&text, ": the firmware does not allow it (a folder, or read-only?)"); break;
    default:
        text_add(&text, ": firmware error ");
        text_add_u64(&text, status & ~EFI_ERROR_MASK);
    }
    return error->code;
}

static EFI_STATUS open(const char *name, uint64_t mode, EFI_FILE_HANDLE *file) {
    CHAR16 path[NAME_MOST] = {0};

    for (size_t i = 0; name[i] && i + 1 < NAME_MOST; i++)
        path[i] = (CHAR16)name[i];
    EFI_FILE_HANDLE root = piece ? file_root(program, services) : NULL;
    if (!root)
        return piece ? EFI_NO_MEDIA : EFI_OUT_OF_RESOURCES;
    EFI_STATUS status = root->Open(root, file, path, mode, 0);
    root->Close(root);
    return status;
}

/* What the firmware knows of a file, with room for any name that filename_check allows: EFI_FILE_INFO itself says
 * that a name has one character, and the compiler believes it. */
struct info {
    EFI_FILE_INFO info;
    CHAR16 rest[NAME_MOST];
};
#define NAME_AT offsetof(EFI_FILE_INFO, FileName)

static EFI_STATUS look(EFI_FILE_HANDLE file, struct info *info) {
    EFI_GUID guid = EFI_FILE_INFO_ID;
    UINTN size = sizeof(*info);

    *info = (struct info){0};
    return file->GetInfo(file, &guid, &size, info);
}

static EFI_STATUS open_to_read(const char *name, EFI_FILE_HANDLE *file, struct info *info) {
    EFI_STATUS status = open(name, EFI_FILE_MODE_READ, file);

    if (EFI_ERROR(status))
        return status;
    status = look(*file, info);
    if (!EFI_ERROR(status) && info->info.Attribute & EFI_FILE_DIRECTORY)
        status = EFI_ACCESS_DENIED;
    if (EFI_ERROR(status))
        (*file)->Close(*file);
    return status;
}

/* The same, with what is wrong told */
static enum status open_file(const char *name, EFI_FILE_HANDLE *file, struct info *info, struct error *error) {
    if (filename_check(name, error) != OK)
        return error->code;
    EFI_STATUS status = open_to_read(name, file, info);
    return EFI_ERROR(status) ? refuse(error, name, " cannot be opened", status) : OK;
}

enum status disk_size(void *ctx, const char *name, uint64_t *size, struct error *error) {
    EFI_FILE_HANDLE file;
    struct info info;

    (void)ctx;
    if (open_file(name, &file, &info, error) != OK)
        return error->code;
    file->Close(file);
    *size = info.info.FileSize;
    return OK;
}

static EFI_STATUS read_at(EFI_FILE_HANDLE file, uint64_t from, uint8_t *to, size_t n) {
    EFI_STATUS status = file->SetPosition(file, from);

    while (n > 0 && !EFI_ERROR(status)) {
        UINTN got = n < PIECE ? n : PIECE;
        status = file->Read(file, &got, piece);
        if (EFI_ERROR(status))
            break;
        if (got == 0 || got > n || got > PIECE)
            return EFI_VOLUME_CORRUPTED;
        memcpy(to, piece, got);
        to += got;
        n -= got;
    }
    return status;
}

enum status disk_read(void *ctx, const char *name, uint64_t from, void *to, size_t n, struct error *error) {
    EFI_FILE_HANDLE file;
    struct info info;

    (void)ctx;
    if (open_file(name, &file, &info, error) != OK)
        return error->code;
    EFI_STATUS status = EFI_SUCCESS;
    bool inside = from <= info.info.FileSize && n <= info.info.FileSize - from;
    if (inside)
        status = read_at(file, from, to, n);
    file->Close(file);
    if (!inside)
        return fail(error, E_IO, "a file that ends before it should", name, text_length(name));
    return EFI_ERROR(status) ? refuse(error, name, " cannot be read", status) : OK;
}

static EFI_STATUS write_part(EFI_FILE_HANDLE file, const uint8_t *bytes, size_t n) {
    while (n > 0) {
        UINTN put = n < PIECE ? n : PIECE, wanted = put;
        memcpy(piece, bytes, put);
        EFI_STATUS status = file->Write(file, &put, piece);
        if (EFI_ERROR(status))
            return status;
        if (put != wanted)
            return EFI_VOLUME_FULL;
        bytes += put;
        n -= put;
    }
    return EFI_SUCCESS;
}

/* A file that is not there is as good as deleted. Delete closes in any case, and warns where it fails. */
static EFI_STATUS remove(const char *name) {
    EFI_FILE_HANDLE file;
    EFI_STATUS status = open(name, EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE, &file);

    if (status == EFI_NOT_FOUND)
        return EFI_SUCCESS;
    if (EFI_ERROR(status))
        return status;
    return file->Delete(file) == EFI_SUCCESS ? EFI_SUCCESS : EFI_ACCESS_DENIED;
}

static EFI_STATUS rename(EFI_FILE_HANDLE file, const char *name) {
    EFI_GUID guid = EFI_FILE_INFO_ID;
    struct info info;
    CHAR16 *to = (CHAR16 *)((uint8_t *)&info + NAME_AT);
    size_t n = text_length(name) + 1;
    EFI_STATUS status = look(file, &info);

    if (EFI_ERROR(status))
        return status;
    for (size_t i = 0; i < n; i++)
        to[i] = (CHAR16)name[i];
    info.info.Size = NAME_AT + n * sizeof(CHAR16);
    return file->SetInfo(file, &guid, info.info.Size, &info);
}

enum status disk_write(void *ctx, const char *name, const struct platform_part *parts, size_t count,
                       struct error *error) {
    char temporary[NAME_MOST];
    struct text text = text_into(temporary, sizeof(temporary));
    EFI_FILE_HANDLE file;

    (void)ctx;
    if (filename_check(name, error) != OK)
        return error->code;
    text_add(&text, name);
    text_add(&text, ".new");
    EFI_STATUS status = remove(temporary);
    if (!EFI_ERROR(status))
        status = open(temporary, EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE | EFI_FILE_MODE_CREATE, &file);
    if (EFI_ERROR(status))
        return refuse(error, name, " cannot be written", status);
    for (size_t i = 0; i < count && !EFI_ERROR(status); i++)
        status = write_part(file, parts[i].bytes, parts[i].size);
    if (!EFI_ERROR(status))
        status = file->Flush(file);
    if (EFI_ERROR(status)) {
        file->Delete(file);
        return refuse(error, name, " cannot be written", status);
    }
    status = remove(name);
    if (!EFI_ERROR(status))
        status = rename(file, name);
    if (!EFI_ERROR(status))
        status = file->Flush(file);
    file->Close(file);
    return EFI_ERROR(status) ? refuse(error, temporary, " cannot be renamed", status) : OK;
}
