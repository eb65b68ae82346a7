/* A disk whose syncs fail: fsync, fdatasync and syncfs of what HIKAE_FAILING_SYNC tells, for LD_PRELOAD.
 *
 * HIKAE_FAILING_SYNC names a file: "SKIP RUIN TEXT". The sync number SKIP (from 0) of a file or directory whose path holds TEXT fails
 * with EIO, once: the file is removed then, as the kernel tells an error once. With RUIN 1 what was appended to it since its last
 * sync is zeroed, as if the pages had been lost. Nothing else is told to the caller, and later syncs succeed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 1024
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { dev_t dev; ino_t ino; off_t size; } synced[FILES];
static int files, matches;

static off_t *size_synced(const struct stat *st) {
    for (int i = 0; i < files; i++)
        if (synced[i].dev == st->st_dev && synced[i].ino == st->st_ino) return &synced[i].size;
    if (files == FILES) return NULL;
    synced[files].dev = st->st_dev, synced[files].ino = st->st_ino, synced[files].size = 0;
    return &synced[files++].size;
}

static void zero(int fd, off_t from, off_t to) {
    static const char zeros[4096];
    while (from < to) {
        size_t some = to - from < (off_t)sizeof zeros ? (size_t)(to - from) : sizeof zeros;
        ssize_t done = pwrite(fd, zeros, some, from);
        if (done <= 0) return;
        from += done;
    }
}

/* Whether this sync is to fail. */
static int fails(int fd) {
    const char *told = getenv("HIKAE_FAILING_SYNC");
    char link[64], path[4096], text[256];
    int skip, ruin, failing = 0;
    struct stat st;
    pthread_mutex_lock(&lock);
    off_t *size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? size_synced(&st) : NULL;
    FILE *order = told ? fopen(told, "r") : NULL;
    if (order) {
        if (fscanf(order, "%d %d %255s", &skip, &ruin, text) == 3) {
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t length = readlink(link, path, sizeof path - 1);
            if (length > 0) {
                path[length] = 0;
                if (strstr(path, text) && matches++ == skip) {
                    failing = 1, matches = 0;
                    if (ruin && size) zero(fd, *size, st.st_size);
                    unlink(told);
                }
            }
        }
        fclose(order);
    }
    if (!failing && size) *size = st.st_size;
    pthread_mutex_unlock(&lock);
    return failing;
}

static int passed_on(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (fails(fd)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int fsync(int fd) { return passed_on("fsync", fd); }
int fdatasync(int fd) { return passed_on("fdatasync", fd); }
int syncfs(int fd) { return passed_on("syncfs", fd); }
