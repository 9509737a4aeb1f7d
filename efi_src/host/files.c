#include "files.h"
#include "../engine/filename.h"
#include "../engine/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "NAME: what the system says" */
static enum status refuse(struct error *error, const char *name, int reason) {
    struct text t = error_text(error, reason == ENOENT ? E_MISSING : E_IO);
    text_add(&t, name);
    text_add(&t, ": ");
    text_add(&t, strerror(reason));
    return error->code;
}

/* A regular file; -1 when there is none. */
static int open_file(const char *name, uint64_t *size, struct error *error) {
    struct stat info;
    if (filename_check(name, error) != OK) return -1;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int known = fd >= 0 && fstat(fd, &info) == 0;
    int reason = !known ? errno : S_ISDIR(info.st_mode) ? EISDIR : S_ISREG(info.st_mode) ? 0 : EINVAL;
    if (reason == 0) {
        *size = (uint64_t)info.st_size;
        return fd;
    }
    if (fd >= 0) close(fd);
    refuse(error, name, reason);
    return -1;
}

enum status files_size(void *ctx, const char *name, uint64_t *size, struct error *error) {
    (void)ctx;
    int fd = open_file(name, size, error);
    if (fd < 0) return error->code;
    close(fd);
    return OK;
}

enum status files_read(void *ctx, const char *name, uint64_t from, void *to, size_t n, struct error *error) {
    uint64_t size;
    (void)ctx;
    int fd = open_file(name, &size, error);
    if (fd < 0) return error->code;
    enum status status = OK;
    if (from > size || n > size - from)
        status = fail(error, E_IO, "a file that ends before it should", name, strlen(name));
    for (size_t done = 0; status == OK && done < n;) {
        ssize_t got = pread(fd, (char *)to + done, n - done, (off_t)(from + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) status = refuse(error, name, got < 0 ? errno : EIO);
        else done += (size_t)got;
    }
    close(fd);
    return status;
}

/* 0, or the errno */
static int write_parts(int fd, const struct platform_part *parts, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t done = 0; done < parts[i].size;) {
            ssize_t put = write(fd, (const char *)parts[i].bytes + done, parts[i].size - done);
            if (put < 0 && errno != EINTR) return errno;
            if (put > 0) done += (size_t)put;
        }
    return fsync(fd) == 0 ? 0 : errno;
}

enum status files_write(void *ctx, const char *name, const struct platform_part *parts, size_t count,
                        struct error *error) {
    char temporary[FILENAME_MAX_BYTES + 5];
    (void)ctx;
    if (filename_check(name, error) != OK) return error->code;
    snprintf(temporary, sizeof temporary, "%s.new", name);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return refuse(error, name, errno);
    int reason = write_parts(fd, parts, count);
    if (close(fd) != 0 && reason == 0) reason = errno;
    if (reason == 0 && rename(temporary, name) != 0) reason = errno;
    if (reason == 0) return OK;
    unlink(temporary);
    return refuse(error, name, reason);
}
