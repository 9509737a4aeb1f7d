#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status fail_with(struct error *error, enum status code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    error->code = code;
    return code;
}

uint64_t fnv(uint64_t sum, const void *bytes, size_t n) {
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * 0x100000001b3u;
    return sum;
}

bool buffer_add(struct buffer *buffer, const void *bytes, size_t n) {
    size_t need;
    if (__builtin_add_overflow(buffer->size, n, &need) || need > SIZE_MAX / 2)
        return false;
    if (need > buffer->room) {
        size_t room = need > 2 * buffer->room ? need : 2 * buffer->room;
        unsigned char *more = realloc(buffer->bytes, room);
        if (!more)
            return false;
        buffer->bytes = more;
        buffer->room = room;
    }
    if (n > 0)
        memcpy(buffer->bytes + buffer->size, bytes, n);
    buffer->size = need;
    return true;
}

void buffer_free(struct buffer *buffer) {
    free(buffer->bytes);
    *buffer = (struct buffer){0};
}

enum status file_read(const char *path, struct buffer *out, struct error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_with(error, E_IO, "cannot read %s: %s", path, strerror(errno));
    struct stat info;
    enum status status = OK;
    if (fstat(fd, &info) != 0)
        status = fail_with(error, E_IO, "cannot read %s: %s", path, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        status = fail_with(error, E_IO, "cannot read %s: not a regular file", path);
    static unsigned char piece[1 << 16];
    while (status == OK) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = fail_with(error, E_IO, "cannot read %s: %s", path, strerror(errno));
        else if (!buffer_add(out, piece, (size_t)n))
            status = fail_with(error, E_MEMORY, "not enough memory for %s", path);
    }
    close(fd);
    if (status != OK)
        buffer_free(out);
    return status;
}

static bool write_all(int fd, const unsigned char *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

static enum status cannot_write(const char *path, int why, struct error *error) {
    return fail_with(error, E_IO, "cannot write %s: %s", path, strerror(why));
}

static bool temporary_name(char name[PATH_MAX], const char *path) {
    return snprintf(name, PATH_MAX, "%s.tmp", path) < PATH_MAX;
}

static enum status write_temporary(const struct output *output, struct error *error) {
    char name[PATH_MAX];
    if (!temporary_name(name, output->path))
        return cannot_write(output->path, ENAMETOOLONG, error);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return cannot_write(output->path, errno, error);
    bool ok = true;
    for (size_t i = 0; ok && i < output->count; i++)
        ok = write_all(fd, output->parts[i].bytes, output->parts[i].size);
    ok = ok && fsync(fd) == 0;
    int why = errno;
    if (close(fd) != 0 && ok) {
        why = errno;
        ok = false;
    }
    return ok ? OK : cannot_write(output->path, why, error);
}

enum status files_write(const struct output *outputs, size_t count, struct error *error) {
    char name[PATH_MAX];
    enum status status = OK;
    size_t written = 0, renamed = 0;
    while (status == OK && written < count)
        status = write_temporary(&outputs[written++], error);
    while (status == OK && renamed < count) {
        temporary_name(name, outputs[renamed].path);
        if (rename(name, outputs[renamed].path) != 0)
            status = cannot_write(outputs[renamed].path, errno, error);
        else
            renamed++;
    }
    for (size_t i = renamed; i < written; i++)
        if (temporary_name(name, outputs[i].path))
            unlink(name);
    return status;
}

enum status file_possible(const char *path, struct error *error) {
    char folder[PATH_MAX];
    if (!temporary_name(folder, path))
        return cannot_write(path, ENAMETOOLONG, error);
    char *slash = strrchr(folder, '/');
    strcpy(slash ? slash + 1 : folder, ".");
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return cannot_write(path, EISDIR, error);
    return access(folder, W_OK | X_OK) == 0 ? OK : cannot_write(path, errno, error);
}
