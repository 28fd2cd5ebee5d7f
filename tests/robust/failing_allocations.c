/* The program with allocations that can be made to fail: linked in front of the C library's by the linker's --wrap, so that
 * every call in our own objects comes here, and none of other libraries' does. Those libraries' functions that allocate on our
 * behalf, and say so by returning NULL, are in the list too; Jansson is given our functions, so that it fails as we do.
 *
 *   SAT3D_FAIL_AT=N      the Nth allocation since the start fails, once; 0 or none: none does
 *   SAT3D_FAIL_FROM=N    that one and all behind it fail
 *   SAT3D_FAIL_JANSSON=1 Jansson's allocations are counted instead of ours: there are thousands of them in a model's header
 *   SAT3D_FAIL_COUNT=F   at the end the number of allocations is written to the file F
 *   SAT3D_FAIL_WHERE=1   says on standard error from which address the failing one was asked for (addr2line -e PROGRAM)
 *
 * Used by tests/scripts/robust_allocations.sh. */
#include <errno.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
char *__real_strdup(const char *words);
void *__real_mmap(void *address, size_t bytes, int protection, int flags, int file, long offset);
FILE *__real_fopen(const char *path, const char *mode);
void *__real_libdeflate_alloc_decompressor(void);
int __real_deflateInit2_(void *stream, int level, int method, int bits, int memory, int strategy, const char *version, int size);
int __real_inflateInit2_(void *stream, int bits, const char *version, int size);

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *words);
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int file, long offset);
FILE *__wrap_fopen(const char *path, const char *mode);
void *__wrap_libdeflate_alloc_decompressor(void);
int __wrap_deflateInit2_(void *stream, int level, int method, int bits, int memory, int strategy, const char *version, int size);
int __wrap_inflateInit2_(void *stream, int bits, const char *version, int size);

static atomic_long asked;
static long fail_at, fail_from;
static bool say_where, count_jansson;

static long number_of(const char *name)
{
    const char *words = getenv(name);
    return words ? strtol(words, NULL, 10) : 0;
}

static bool fails(bool jansson, const void *from)
{
    if (jansson != count_jansson) return false;
    const long n = atomic_fetch_add(&asked, 1) + 1;
    const bool now = n == fail_at || (fail_from && n >= fail_from);
    if (now && say_where) fprintf(stderr, "allocation %ld fails, asked for near %p\n", n, from);
    if (now) errno = ENOMEM;
    return now;
}

#define FAILS() fails(false, __builtin_return_address(0))

static void *jansson_malloc(size_t bytes)
{
    return fails(true, __builtin_return_address(0)) ? NULL : __real_malloc(bytes);
}

__attribute__((constructor)) static void begin(void)
{
    fail_at = number_of("SAT3D_FAIL_AT");
    fail_from = number_of("SAT3D_FAIL_FROM");
    count_jansson = number_of("SAT3D_FAIL_JANSSON") != 0;
    say_where = number_of("SAT3D_FAIL_WHERE") != 0;
    json_set_alloc_funcs(jansson_malloc, free);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("SAT3D_FAIL_COUNT");
    FILE *file = path ? __real_fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", atomic_load(&asked));
    fclose(file);
}

void *__wrap_malloc(size_t bytes) { return FAILS() ? NULL : __real_malloc(bytes); }
void *__wrap_calloc(size_t count, size_t size) { return FAILS() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t bytes) { return FAILS() ? NULL : __real_realloc(old, bytes); }
void *__wrap_aligned_alloc(size_t alignment, size_t bytes) { return FAILS() ? NULL : __real_aligned_alloc(alignment, bytes); }
char *__wrap_strdup(const char *words) { return FAILS() ? NULL : __real_strdup(words); }
FILE *__wrap_fopen(const char *path, const char *mode) { return FAILS() ? NULL : __real_fopen(path, mode); }
void *__wrap_libdeflate_alloc_decompressor(void) { return FAILS() ? NULL : __real_libdeflate_alloc_decompressor(); }

void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int file, long offset)
{
    return FAILS() ? MAP_FAILED : __real_mmap(address, bytes, protection, flags, file, offset);
}

enum { Z_NO_MEMORY = -4 }; /* Z_MEM_ERROR */

int __wrap_deflateInit2_(void *stream, int level, int method, int bits, int memory, int strategy, const char *version, int size)
{
    return FAILS() ? Z_NO_MEMORY : __real_deflateInit2_(stream, level, method, bits, memory, strategy, version, size);
}

int __wrap_inflateInit2_(void *stream, int bits, const char *version, int size)
{
    return FAILS() ? Z_NO_MEMORY : __real_inflateInit2_(stream, bits, version, size);
}
