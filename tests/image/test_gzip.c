/* What we write against zlib's and the system's gunzip; what we read against zlib's writer; damage of every kind. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "image/gzip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CHUNK = 256 << 10 }; /* as in gzip_write.c: sizes around it are the interesting ones */

/* Contents that change character: noise, runs, long zeros that do and do not fall on chunks. */
static unsigned char *sample(size_t size, uint64_t key)
{
    unsigned char *data = malloc(size ? size : 1);
    assert_non_null(data);
    for (size_t n = 0; n < size; n++) {
        const size_t part = n / (CHUNK / 3) % 8;
        data[n] = part < 4 ? 0 : part < 6 ? (unsigned char)(n / 100) : (unsigned char)random_below(7, key, n);
    }
    return data;
}

typedef struct written {
    char path[1200];
    file_map map;
} written;

/* The bytes that gzip_writer makes of `data`, handed over in pieces of `piece` bytes. */
static written write_gzip(const unsigned char *data, size_t size, size_t piece, int level, int threads)
{
    written w;
    sat_error error = {0};
    file_writer file;
    gzip_writer *gzip;
    snprintf(w.path, sizeof w.path, "%s/data.gz", temporary_folder());
    assert_int_equal(file_create(w.path, &file, &error), SAT_OK);
    assert_int_equal(gzip_writer_open(&file, level, threads, &gzip, &error), SAT_OK);
    for (size_t at = 0; at < size; at += piece)
        assert_int_equal(gzip_writer_add(gzip, data + at, size - at < piece ? size - at : piece, &error), SAT_OK);
    assert_int_equal(gzip_writer_close(gzip, &error), SAT_OK);
    assert_int_equal(file_commit(&file, &error), SAT_OK);
    assert_int_equal(file_map_open(w.path, &w.map, &error), SAT_OK);
    return w;
}

static void forget(written *w)
{
    file_map_close(&w->map);
    remove(w->path);
    *strrchr(w->path, '/') = '\0';
    remove(w->path);
}

/* zlib's own gunzip: one member, all of it, nothing behind. */
static void check_by_zlib(const file_map *map, const unsigned char *data, size_t size)
{
    unsigned char *out = malloc(size + 1);
    assert_non_null(out);
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)map->data, .avail_in = (uInt)map->size, .next_out = out,
                  .avail_out = (uInt)size + 1};
    assert_int_equal(inflateInit2(&z, 16 + 15), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(z.total_out, size);
    assert_memory_equal(out, data, size);
    inflateEnd(&z);
    free(out);
}

static void one_member_that_zlib_and_we_read_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 7 * CHUNK + 12345};
    static const int levels[] = {GZIP_LEVEL_IMAGE, GZIP_LEVEL_LABELS, 9};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int l = 0; l < 3; l++) {
            unsigned char *data = sample(sizes[s], s), *back = malloc(sizes[s] + 1);
            written w = write_gzip(data, sizes[s], 100000, levels[l], 2);
            check_by_zlib(&w.map, data, sizes[s]);
            bool longer = true;
            sat_error error = {0};
            assert_int_equal(gzip_read(w.map.data, w.map.size, 0, back, sizes[s], &longer, &error), SAT_OK);
            assert_false(longer);
            assert_memory_equal(back, data, sizes[s]);
            forget(&w);
            free(back);
            free(data);
        }
}

static void the_file_depends_neither_on_threads_nor_on_the_pieces(void **state)
{
    (void)state;
    const size_t size = 6 * CHUNK + 4321;
    unsigned char *data = sample(size, 5);
    written first = write_gzip(data, size, size, GZIP_LEVEL_LABELS, 1);
    static const struct {
        int threads;
        size_t piece;
    } ways[] = {{2, SIZE_MAX / 2}, {7, SIZE_MAX / 2}, {1, 1001}, {2, CHUNK}, {7, 3 * CHUNK - 1}};
    for (size_t n = 0; n < sizeof ways / sizeof ways[0]; n++) {
        written other = write_gzip(data, size, ways[n].piece < size ? ways[n].piece : size, GZIP_LEVEL_LABELS, ways[n].threads);
        assert_int_equal(other.map.size, first.map.size);
        assert_memory_equal(other.map.data, first.map.data, first.map.size);
        forget(&other);
    }
    forget(&first);
    free(data);
}

static void zeros_without_data_are_zeros(void **state)
{
    (void)state;
    static unsigned char data[5 * CHUNK + 77];
    memset(data, 0, sizeof data);
    data[10] = 1;
    data[sizeof data - 1] = 2;
    written expected = write_gzip(data, sizeof data, sizeof data, 6, 1);
    written w;
    sat_error error = {0};
    file_writer file;
    gzip_writer *gzip;
    snprintf(w.path, sizeof w.path, "%s/data.gz", temporary_folder());
    assert_int_equal(file_create(w.path, &file, &error), SAT_OK);
    assert_int_equal(gzip_writer_open(&file, 6, 2, &gzip, &error), SAT_OK);
    assert_int_equal(gzip_writer_add(gzip, data, 11, &error), SAT_OK);
    assert_int_equal(gzip_writer_add(gzip, NULL, sizeof data - 12, &error), SAT_OK);
    assert_int_equal(gzip_writer_add(gzip, data + sizeof data - 1, 1, &error), SAT_OK);
    assert_int_equal(gzip_writer_close(gzip, &error), SAT_OK);
    assert_int_equal(file_commit(&file, &error), SAT_OK);
    assert_int_equal(file_map_open(w.path, &w.map, &error), SAT_OK);
    assert_int_equal(w.map.size, expected.map.size);
    assert_memory_equal(w.map.data, expected.map.data, w.map.size);
    forget(&w);
    forget(&expected);
}

static void the_systems_gzip_is_content(void **state)
{
    (void)state;
    if (system("gzip --version >/dev/null 2>&1") != 0) {
        print_message("[  SKIPPED ] there is no gzip program here\n");
        skip();
    }
    const size_t size = 3 * CHUNK + 99;
    unsigned char *data = sample(size, 8);
    written w = write_gzip(data, size, size, 1, 2);
    char command[1300];
    snprintf(command, sizeof command, "gzip -t '%s'", w.path);
    assert_int_equal(system(command), 0);
    forget(&w);
    free(data);
}

/* One gzip member as zlib makes it, appended to `to`; its size. */
static size_t append_member(unsigned char *to, size_t room, const unsigned char *data, size_t size)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)data, .avail_in = (uInt)size, .next_out = to, .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

/* Three members of 1000 bytes; returns new bytes, size in *size. */
static unsigned char *three_members(const unsigned char *data, size_t *size)
{
    unsigned char *bytes = malloc(1 << 16);
    assert_non_null(bytes);
    *size = 0;
    for (size_t n = 0; n < 3; n++)
        *size += append_member(bytes + *size, (1 << 16) - *size, data + 1000 * n, 1000);
    return bytes;
}

static void members_any_part_and_what_follows(void **state)
{
    (void)state;
    unsigned char *data = sample(3 * CHUNK, 3), back[3001];
    const unsigned char *noise = data + CHUNK / 3 * 6 - 1500; /* where runs turn into noise */
    size_t size;
    unsigned char *bytes = three_members(noise, &size);
    bool longer;
    sat_error error = {0};
    for (size_t skip_bytes = 0; skip_bytes < 3000; skip_bytes += 499)
        for (size_t wanted = 1; skip_bytes + wanted <= 3000; wanted += 333) {
            memset(back, 0xaa, sizeof back);
            assert_int_equal(gzip_read(bytes, size, skip_bytes, back, wanted, &longer, &error), SAT_OK);
            assert_memory_equal(back, noise + skip_bytes, wanted);
            assert_int_equal(back[wanted], 0xaa);
            assert_int_equal(longer, skip_bytes + wanted < 3000);
        }
    /* an empty member, as bgzip ends its files with, is nothing; garbage is something */
    assert_int_equal(gzip_read(bytes, size, 0, back, 3000, &longer, &error), SAT_OK);
    assert_false(longer);
    const size_t with_empty = size + append_member(bytes + size, 1000, noise, 0);
    assert_int_equal(gzip_read(bytes, with_empty, 0, back, 3000, &longer, &error), SAT_OK);
    assert_false(longer);
    memcpy(bytes + size, "garbage", 7);
    assert_int_equal(gzip_read(bytes, size + 7, 0, back, 3000, &longer, &error), SAT_OK);
    assert_true(longer);
    assert_memory_equal(back, noise, 3000);
    /* more wanted than there is */
    assert_int_equal(gzip_read(bytes, size, 0, back, 3001, &longer, &error), SAT_BAD_INPUT);
    assert_string_equal(error.message, "the file decompresses to 3000 bytes where its header promises 3001");
    free(bytes);
    free(data);
}

static void damage_is_noticed_everywhere(void **state)
{
    (void)state;
    unsigned char *data = sample(3 * CHUNK, 3), back[3000];
    const unsigned char *noise = data + CHUNK / 3 * 6 - 1500;
    size_t size;
    unsigned char *bytes = three_members(noise, &size);
    bool longer;
    for (size_t cut = 0; cut < size; cut++) {
        /* copied, so that a sanitizer sees a read behind the cut */
        unsigned char *part = malloc(cut ? cut : 1);
        memcpy(part, bytes, cut);
        sat_error error = {0};
        assert_int_equal(gzip_read(part, cut, 0, back, 3000, &longer, &error), SAT_BAD_INPUT);
        assert_true(error.message[0] != '\0');
        size_t found;
        gzip_peek(part, cut, back, 540, &found, &error);
        assert_true(found <= 540);
        free(part);
    }
    size_t unnoticed = 0;
    for (size_t n = 0; n < size; n++) {
        bytes[n] ^= 0x10;
        sat_error error = {0};
        if (gzip_read(bytes, size, 0, back, 3000, &longer, &error) == SAT_OK) {
            assert_memory_equal(back, noise, 3000); /* a flag or a time stamp: then nothing else may differ */
            unnoticed++;
        }
        bytes[n] ^= 0x10;
    }
    assert_true(unnoticed <= 3 * 7);
    free(bytes);
    free(data);
}

static void impossible_sizes_are_refused_before_any_work(void **state)
{
    (void)state;
    assert_true(gzip_may_hold(1000, 1000 * 1000));
    assert_false(gzip_may_hold(1000, 2000 * 1000));
    assert_false(gzip_may_hold(1000, UINT64_MAX));
    unsigned char bytes[100], back[10];
    const size_t size = append_member(bytes, sizeof bytes, (const unsigned char *)"kidney", 6);
    bool longer;
    sat_error error = {0};
    assert_int_equal(gzip_read(bytes, size, UINT64_MAX - 5, back, 10, &longer, &error), SAT_BAD_INPUT);
    assert_int_equal(gzip_read(bytes, size, 1 << 20, back, 10, &longer, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.message, "cut off"));
    assert_int_equal(gzip_read((const unsigned char *)"not gzip", 8, 0, back, 1, &longer, &error), SAT_BAD_INPUT);
    file_writer file = {.descriptor = -1};
    gzip_writer *w;
    assert_int_equal(gzip_writer_open(&file, 0, 1, &w, &error), SAT_BAD_ARGUMENT);
    assert_null(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_member_that_zlib_and_we_read_back),
        cmocka_unit_test(the_file_depends_neither_on_threads_nor_on_the_pieces),
        cmocka_unit_test(zeros_without_data_are_zeros),
        cmocka_unit_test(the_systems_gzip_is_content),
        cmocka_unit_test(members_any_part_and_what_follows),
        cmocka_unit_test(damage_is_noticed_everywhere),
        cmocka_unit_test(impossible_sizes_are_refused_before_any_work),
    };
    return cmocka_run_group_tests_name("image/gzip", tests, NULL, NULL);
}
