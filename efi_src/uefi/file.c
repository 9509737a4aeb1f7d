#include "file.h"
#include "../engine/text.h"

#define NAME_MOST 64
#define INFO_MOST (sizeof(EFI_FILE_INFO) + 2 * NAME_MOST)

static const char HINT_WRITE[] = "write the image anew, or build it anew: ./doit";
static const char HINT_DISK[] = "the disk may be damaged: write the image to it anew, or take another";

/* "WHAT NAME AFTER", the hint, and the firmware's status where there is one */
static enum status refuse(struct failure *failure, const char *what, const char *name, const char *after,
                          EFI_STATUS status, const char *hint) {
    struct text text = error_text(&failure->error, E_IO);

    text_add(&text, what);
    text_add(&text, name);
    text_add(&text, after);
    if (EFI_ERROR(status)) {
        text_add(&text, " (firmware error ");
        text_add_u64(&text, status & ~EFI_ERROR_MASK);
        text_add(&text, ")");
    }
    failure->hint = hint;
    return E_IO;
}

EFI_FILE_HANDLE file_root(EFI_HANDLE image, EFI_BOOT_SERVICES *bs) {
    EFI_GUID loaded_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID, volume_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
    EFI_LOADED_IMAGE *loaded = NULL;
    EFI_FILE_IO_INTERFACE *volume = NULL;
    EFI_FILE_HANDLE root = NULL;

    if (EFI_ERROR(bs->HandleProtocol(image, &loaded_guid, (void **)&loaded)) || !loaded || !loaded->DeviceHandle ||
        EFI_ERROR(bs->HandleProtocol(loaded->DeviceHandle, &volume_guid, (void **)&volume)) || !volume ||
        EFI_ERROR(volume->OpenVolume(volume, &root)))
        return NULL;
    return root;
}

static enum status look(struct file *file, struct failure *failure) {
    union {
        EFI_FILE_INFO info;
        uint8_t bytes[INFO_MOST];
    } found;
    EFI_GUID guid = EFI_FILE_INFO_ID;
    UINTN size = sizeof(found);

    EFI_STATUS status = file->handle->GetInfo(file->handle, &guid, &size, &found);
    if (EFI_ERROR(status) || size < offsetof(EFI_FILE_INFO, FileName))
        return refuse(failure, "the size of ", file->name, " cannot be read", status, HINT_DISK);
    if (found.info.Attribute & EFI_FILE_DIRECTORY)
        return refuse(failure, "", file->name, " is a folder, not a file", EFI_SUCCESS, HINT_WRITE);
    file->size = found.info.FileSize;
    return OK;
}

enum status file_open(struct file *file, EFI_HANDLE image, EFI_BOOT_SERVICES *bs, const char *name,
                      struct failure *failure) {
    CHAR16 path[NAME_MOST] = {0};

    for (size_t i = 0; name[i] && i + 1 < NAME_MOST; i++)
        path[i] = (CHAR16)name[i];
    *file = (struct file){.name = name};
    EFI_FILE_HANDLE root = file_root(image, bs);
    if (!root)
        return refuse(failure, "the program was started from no disk: there is no ", name, "", EFI_SUCCESS,
                      "start it from its own disk; link_model: true needs none");
    EFI_STATUS status = root->Open(root, &file->handle, path, EFI_FILE_MODE_READ, 0);
    root->Close(root);
    if (status == EFI_NOT_FOUND)
        return refuse(failure, "there is no ", name, " on the disk that the program was started from", EFI_SUCCESS,
                      HINT_WRITE);
    if (EFI_ERROR(status) || !file->handle)
        return refuse(failure, "", name, " cannot be opened", status, HINT_DISK);
    enum status looked = look(file, failure);
    if (looked != OK)
        file_close(file);
    return looked;
}

/* "NAME ends after AT of SIZE bytes" */
static enum status ends(const struct file *file, struct failure *failure) {
    struct text text = error_text(&failure->error, E_TRUNCATED);

    text_add(&text, file->name);
    text_add(&text, " ends after ");
    text_add_u64(&text, file->at);
    text_add(&text, " of its ");
    text_add_u64(&text, file->size);
    text_add(&text, " bytes");
    failure->hint = HINT_DISK;
    return E_TRUNCATED;
}

enum status file_read(struct file *file, void *to, size_t n, struct failure *failure) {
    uint8_t *bytes = to;

    while (n > 0) {
        UINTN got = n;
        EFI_STATUS status = file->handle->Read(file->handle, &got, bytes);
        if (EFI_ERROR(status))
            return refuse(failure, "", file->name, " cannot be read to its end", status, HINT_DISK);
        if (got == 0 || got > n)
            return ends(file, failure);
        bytes += got;
        n -= got;
        file->at += got;
    }
    return OK;
}

void file_close(struct file *file) {
    if (file->handle)
        file->handle->Close(file->handle);
    file->handle = NULL;
}
