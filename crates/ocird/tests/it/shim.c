/* Stands between the binary under test and the C library (LD_PRELOAD), for the files below one folder.
 *
 * SHIM_FOLDER   the folder; everything elsewhere passes untouched
 * SHIM_RECORD   a file: every change of a file is written to it in the order in which it was made
 * SHIM_FAULT    a path: while there is a file, fsync and fdatasync fail with EIO
 *
 * A record is a line "<nanoseconds since 1970> <what> <path> <offset> <length>" and, after a write, that many bytes and a
 * line break. A write is recorded before it is made, a sync after it has succeeded: a power cut between two records leaves
 * at most what is recorded before, and at least what was synced before. Paths hold no blanks. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *fault;
static int record_fd = -1;

static ssize_t (*next_write)(int, const void *, size_t);
static ssize_t (*next_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*next_writev)(int, const struct iovec *, int);
static int (*next_fsync)(int);
static int (*next_fdatasync)(int);
static int (*next_ftruncate)(int, off_t);
static int (*next_unlink)(const char *);
static int (*next_rename)(const char *, const char *);

__attribute__((constructor)) static void begin(void) {
    next_write = dlsym(RTLD_NEXT, "write");
    next_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    next_writev = dlsym(RTLD_NEXT, "writev");
    next_fsync = dlsym(RTLD_NEXT, "fsync");
    next_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    next_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    next_unlink = dlsym(RTLD_NEXT, "unlink");
    next_rename = dlsym(RTLD_NEXT, "rename");
    folder = getenv("SHIM_FOLDER");
    fault = getenv("SHIM_FAULT");
    const char *record = getenv("SHIM_RECORD");
    if (record) record_fd = open(record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The path of a descriptor, if it lies below the folder. */
static int watched(int fd, char *path, size_t size) {
    if (!folder || fd < 0 || fd == record_fd) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

static void put(const void *bytes, size_t length) {
    const char *rest = bytes;
    while (length > 0) {
        ssize_t n = next_write(record_fd, rest, length);
        if (n <= 0) abort(); /* A record with a hole would prove nothing. */
        rest += n;
        length -= (size_t)n;
    }
}

static void note(const char *what, const char *path, long long offset, const void *bytes, size_t length) {
    if (record_fd < 0) return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char line[4500];
    int n = snprintf(line, sizeof line, "%lld%09ld %s %s %lld %zu\n", (long long)now.tv_sec, now.tv_nsec, what, path, offset, length);
    pthread_mutex_lock(&one_at_a_time);
    put(line, (size_t)n);
    if (bytes) {
        put(bytes, length);
        put("\n", 1);
    }
    pthread_mutex_unlock(&one_at_a_time);
}

static ssize_t written(int fd, const void *bytes, size_t length, off_t offset, int is_at) {
    char path[4096];
    if (watched(fd, path, sizeof path)) note("write", path, offset, bytes, length);
    return is_at ? next_pwrite(fd, bytes, length, offset) : next_write(fd, bytes, length);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    return written(fd, bytes, length, folder ? lseek(fd, 0, SEEK_CUR) : 0, 0);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return written(fd, bytes, length, offset, 1); }

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return written(fd, bytes, length, offset, 1); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    char path[4096];
    /* Nobody below the folder writes so; a record without it would have a hole. */
    if (watched(fd, path, sizeof path)) abort();
    return next_writev(fd, parts, count);
}

static int synced(int fd, int (*next)(int)) {
    char path[4096];
    int is_ours = watched(fd, path, sizeof path);
    if (is_ours && fault && access(fault, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    int result = next(fd);
    if (is_ours && result == 0) note("sync", path, 0, NULL, 0);
    return result;
}

int fsync(int fd) { return synced(fd, next_fsync); }

int fdatasync(int fd) { return synced(fd, next_fdatasync); }

static int truncated(int fd, off_t length) {
    char path[4096];
    if (watched(fd, path, sizeof path)) note("truncate", path, length, NULL, 0);
    return next_ftruncate(fd, length);
}

int ftruncate(int fd, off_t length) { return truncated(fd, length); }

int ftruncate64(int fd, off64_t length) { return truncated(fd, length); }

int unlink(const char *path) {
    if (folder && strncmp(path, folder, strlen(folder)) == 0) note("unlink", path, 0, NULL, 0);
    return next_unlink(path);
}

int rename(const char *from, const char *to) {
    /* The path after the rename follows in a record of its own. */
    if (folder && strncmp(to, folder, strlen(folder)) == 0) {
        note("rename", from, 0, NULL, 0);
        note("into", to, 0, NULL, 0);
    }
    return next_rename(from, to);
}
