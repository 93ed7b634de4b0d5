/* Makes the nth call that changes a file below a folder fail with a given error: a stand-in for a full, broken or
 * read-only file system. Loaded with LD_PRELOAD; armed by fault_arm, which counts from then on.
 * Source of the calls: what CPython's os and io modules use on Linux (glibc). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX];
static long left = -1, seen;
static int code;

void fault_arm(const char *below, long nth, int error) {
    strncpy(folder, below, sizeof folder - 1);
    left = nth;
    code = error;
    seen = 0;
}

long fault_seen(void) { return seen; }

static int fails(void) {
    seen++;
    if (left > 0 && --left == 0) {
        errno = code;
        return 1;
    }
    return 0;
}

static int below(const char *path) { return folder[0] && path && strncmp(path, folder, strlen(folder)) == 0; }

static int open_below(int fd) {
    char link[64], path[PATH_MAX];
    if (!folder[0] || fd < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

#define OPEN(name)                                                                                       \
    int name(const char *path, int flags, ...) {                                                         \
        REAL(int, #name, const char *, int, ...);                                                        \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);           \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && below(path) && fails()) return -1;                \
        return real(path, flags, mode);                                                                  \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                     \
    int name(int at, const char *path, int flags, ...) {                                                 \
        REAL(int, #name, int, const char *, int, ...);                                                   \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);           \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && below(path) && fails()) return -1;                \
        return real(at, path, flags, mode);                                                              \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *data, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (open_below(fd) && fails()) return -1;
    return real(fd, data, count);
}
ssize_t pwrite64(int fd, const void *data, size_t count, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    if (open_below(fd) && fails()) return -1;
    return real(fd, data, count, at);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (open_below(fd) && fails()) return -1;
    return real(fd, parts, count);
}
int fsync(int fd) {
    REAL(int, "fsync", int);
    if (open_below(fd) && fails()) return -1;
    return real(fd);
}
int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    if (open_below(fd) && fails()) return -1;
    return real(fd);
}
int ftruncate64(int fd, off64_t length) {
    REAL(int, "ftruncate64", int, off64_t);
    if (open_below(fd) && fails()) return -1;
    return real(fd, length);
}
int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    if (below(to) && fails()) return -1;
    return real(from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
    REAL(int, "renameat", int, const char *, int, const char *);
    if (below(to) && fails()) return -1;
    return real(a, from, b, to);
}
int link(const char *from, const char *to) {
    REAL(int, "link", const char *, const char *);
    if (below(to) && fails()) return -1;
    return real(from, to);
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
    REAL(int, "linkat", int, const char *, int, const char *, int);
    if (below(to) && fails()) return -1;
    return real(a, from, b, to, flags);
}
int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    if (below(path) && fails()) return -1;
    return real(path);
}
int rmdir(const char *path) {
    REAL(int, "rmdir", const char *);
    if (below(path) && fails()) return -1;
    return real(path);
}
/* Where a network's file system says that the disk is full. The descriptor is closed all the same (close(2)). */
int close(int fd) {
    REAL(int, "close", int);
    int writes = open_below(fd) && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
    int result = real(fd);
    return writes && fails() ? -1 : result;
}
int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    if (below(path) && fails()) return -1;
    return real(path, mode);
}
int fchmod(int fd, mode_t mode) {
    REAL(int, "fchmod", int, mode_t);
    if (open_below(fd) && fails()) return -1;
    return real(fd, mode);
}
