#define _GNU_SOURCE /* O_TMPFILE, getentropy, madvise */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

sat_status file_map_open(const char *path, file_map *map, sat_error *error)
{
    *map = (file_map){0};
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer is refused, not waited for */
    if (descriptor < 0) return sat_fail_system(error, path, "open", errno);
    sat_status status = SAT_OK;
    struct stat about;
    if (fstat(descriptor, &about) != 0) {
        status = sat_fail_system(error, path, "read", errno);
    } else if (!S_ISREG(about.st_mode)) {
        sat_fail(error, SAT_IO, "this is %s, not a file", S_ISDIR(about.st_mode) ? "a folder" : "a device or a pipe");
        status = sat_fail_in(error, path, SAT_IO);
    } else if (about.st_size > 0) {
        void *data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (data == MAP_FAILED)
            status = sat_fail_system(error, path, "map", errno);
        else
            *map = (file_map){.data = data, .size = (size_t)about.st_size};
    }
    close(descriptor);
    return status;
}

void file_map_close(file_map *map)
{
    if (map->data) munmap((void *)(uintptr_t)map->data, map->size);
    *map = (file_map){0};
}

void file_map_forget(const file_map *map, const void *from, size_t bytes)
{
    /* Only whole pages inside the range, so that neighbours stay. */
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = ((uintptr_t)from + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)from + bytes) / page * page;
    if (map->data && begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED);
}

static const char ending[] = ".XXXXXX.part";

/* "<folder>/.<name>.XXXXXX.part"; of a name that is almost as long as names may be, the beginning. NULL: no memory. */
static char *temporary_name(const char *path)
{
    enum { NAME_BYTES_MAX = 200 };
    const char *slash = strrchr(path, '/');
    const int folder_length = slash ? (int)(slash - path + 1) : 0;
    const size_t size = strlen(path) + 1 + sizeof ending;
    char *name = malloc(size);
    if (name) snprintf(name, size, "%.*s.%.*s%s", folder_length, path, NAME_BYTES_MAX, path + folder_length, ending);
    return name;
}

/* Six other letters in place of XXXXXX, or of those of the last time. */
static bool name_anew(char *temporary)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    unsigned char random[6];
    if (getentropy(random, sizeof random) != 0) return false;
    char *at = temporary + strlen(temporary) - strlen(ending) + 1;
    for (size_t i = 0; i < sizeof random; i++)
        at[i] = digits[random[i] % 64];
    return true;
}

enum { TRIES = 100 };

/* Opens a file that was not there. Not mkostemps: that makes files private, and giving them what the umask grants would mean to
 * change the umask, which all threads share. */
static int open_named(file_writer *w)
{
    for (int t = 0; t < TRIES && name_anew(w->temporary); t++) {
        const int descriptor = open(w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        w->named = descriptor >= 0;
        if (w->named || errno != EEXIST) return descriptor;
    }
    return -1;
}

/* The name under which the system has an open file. */
enum { LINK_BYTES = 40 };
static const char *link_of(int descriptor, char words[LINK_BYTES])
{
    snprintf(words, LINK_BYTES, "/proc/self/fd/%d", descriptor);
    return words;
}

/* Where the system can (Linux, most local file systems), the file has no name until it is whole: of a program that is killed
 * nothing is left. -1 elsewhere. */
static int open_unnamed(const char *path)
{
#ifdef O_TMPFILE
    char *folder = strdup(path), link[LINK_BYTES];
    if (!folder) return -1;
    char *slash = strrchr(folder, '/');
    if (slash) slash[1] = '\0';
    int descriptor = open(slash ? folder : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    free(folder);
    if (descriptor >= 0 && access(link_of(descriptor, link), F_OK) != 0) { /* without /proc it could get no name */
        close(descriptor);
        descriptor = -1;
    }
    return descriptor;
#else
    (void)path;
    return -1;
#endif
}

/* Gives an unnamed file its temporary name, which rename then takes to the final one, whatever is there. False: see errno. */
static bool give_name(file_writer *w)
{
    char link[LINK_BYTES];
    link_of(w->descriptor, link);
    for (int t = 0; t < TRIES && !w->named && name_anew(w->temporary); t++) {
        w->named = linkat(AT_FDCWD, link, AT_FDCWD, w->temporary, AT_SYMLINK_FOLLOW) == 0;
        if (!w->named && errno != EEXIST) break;
    }
    return w->named;
}

sat_status file_create(const char *path, file_writer *w, sat_error *error)
{
    *w = (file_writer){.descriptor = -1, .path = strdup(path), .temporary = temporary_name(path)};
    int reason = ENOMEM;
    if (w->path && w->temporary) {
        w->descriptor = open_unnamed(path);
        if (w->descriptor < 0) w->descriptor = open_named(w);
        reason = errno;
    }
    if (w->descriptor >= 0) return SAT_OK;
    file_abandon(w);
    return sat_fail_system(error, path, "write", reason);
}

sat_status file_write(file_writer *w, const void *data, size_t bytes, sat_error *error)
{
    const unsigned char *from = data;
    while (bytes > 0) {
        const ssize_t done = write(w->descriptor, from, bytes);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return sat_fail_system(error, w->path, "write", errno);
        from += done;
        bytes -= (size_t)done;
        w->written_bytes += (unsigned long long)done;
    }
    return SAT_OK;
}

sat_status file_write_at(file_writer *w, unsigned long long offset, const void *data, size_t bytes, sat_error *error)
{
    const unsigned char *from = data;
    while (bytes > 0) {
        const ssize_t done = pwrite(w->descriptor, from, bytes, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return sat_fail_system(error, w->path, "write", errno);
        from += done;
        bytes -= (size_t)done;
        offset += (unsigned long long)done;
    }
    return SAT_OK;
}

/* A rename is on disk only when its folder is. Some file systems refuse to sync folders: not our failure. */
static void sync_folder_of(const char *path)
{
    char *folder = strdup(path);
    if (!folder) return;
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder ? 1 : 0] = '\0';
    const int descriptor = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
    free(folder);
}

sat_status file_commit(file_writer *w, sat_error *error)
{
    sat_status status = SAT_OK;
    if (fsync(w->descriptor) != 0 && errno != EINVAL) status = sat_fail_system(error, w->path, "write", errno);
    if (status == SAT_OK && !give_name(w)) status = sat_fail_system(error, w->path, "write", errno);
    if (close(w->descriptor) != 0 && status == SAT_OK) status = sat_fail_system(error, w->path, "write", errno);
    w->descriptor = -1;
    if (status == SAT_OK && rename(w->temporary, w->path) != 0)
        status = sat_fail_system(error, w->path, "write", errno);
    if (status == SAT_OK) {
        w->named = false;
        sync_folder_of(w->path);
    }
    file_abandon(w);
    return status;
}

void file_abandon(file_writer *w)
{
    if (w->path && w->descriptor >= 0) close(w->descriptor);
    if (w->named) unlink(w->temporary);
    free(w->temporary);
    free(w->path);
    *w = (file_writer){.descriptor = -1};
}

sat_status file_write_whole(const char *path, const void *data, size_t bytes, sat_error *error)
{
    file_writer w;
    sat_status status = file_create(path, &w, error);
    if (status == SAT_OK) status = file_write(&w, data, bytes, error);
    if (status == SAT_OK) status = file_commit(&w, error);
    file_abandon(&w);
    return status;
}

sat_status folder_make(const char *path, sat_error *error)
{
    char *partial = strdup(path);
    if (!partial) return sat_fail_system(error, path, "make the folder", ENOMEM);
    sat_status status = SAT_OK;
    for (char *at = partial + 1; status == SAT_OK && *partial; at++) {
        if (*at != '/' && *at != '\0') continue;
        const char end = *at;
        *at = '\0';
        if (mkdir(partial, 0777) != 0 && errno != EEXIST) status = sat_fail_system(error, path, "make the folder", errno);
        *at = end;
        if (!end) break;
    }
    free(partial);
    struct stat about;
    if (status == SAT_OK && (stat(path, &about) != 0 || !S_ISDIR(about.st_mode)))
        status = sat_fail_system(error, path, "make the folder", ENOTDIR);
    return status;
}

bool file_exists(const char *path) { return access(path, F_OK) == 0; }

bool file_same(const char *a, const char *b)
{
    struct stat one, two;
    return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}
