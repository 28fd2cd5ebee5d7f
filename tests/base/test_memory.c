#include "tests/support/cmocka.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void sizes_as_people_write_them(void **state)
{
    (void)state;
    const struct {
        const char *words;
        uint64_t bytes;
    } good[] = {
        {"0", 0}, {"4096", 4096}, {"8G", 8000000000}, {"8g", 8000000000}, {"8GB", 8000000000}, {"900M", 900000000},
        {"1.5 GB", 1500000000}, {"512Mi", 512u << 20}, {"512 MiB", 512u << 20}, {"1Ki", 1024}, {"2T", 2000000000000},
        {"64B", 64}, {"7k", 7000}, {"2.5K", 2500},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t bytes = 1;
        assert_true(memory_parse_bytes(good[i].words, &bytes));
        assert_true(bytes == good[i].bytes);
    }
    const char *const bad[] = {"", "8Q", "G", "-1G", "+1G", " 1G", "1G ", "1 G B", "inf", "nan", "0x10", "8GG", "8iB",
                               "1e30", "9300000T", "8G,", "eight"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t bytes = 17;
        assert_false(memory_parse_bytes(bad[i], &bytes));
        assert_true(bytes == 17);
    }
}

static void sizes_print_with_three_digits(void **state)
{
    (void)state;
    char words[MEMORY_TEXT];
    assert_string_equal(memory_print_bytes(0, words), "0 bytes");
    assert_string_equal(memory_print_bytes(999, words), "999 bytes");
    assert_string_equal(memory_print_bytes(1000, words), "1.00 kB");
    assert_string_equal(memory_print_bytes(999999, words), "1.00 MB");
    assert_string_equal(memory_print_bytes(3420000, words), "3.42 MB");
    assert_string_equal(memory_print_bytes(12040000000, words), "12.0 GB");
    assert_string_equal(memory_print_bytes(812000000000, words), "812 GB");
    assert_string_equal(memory_print_bytes(UINT64_MAX, words), "18.4 EB");
}

static void fields_of_proc_are_found_at_line_starts(void **state)
{
    (void)state;
    const char *contents = "Name:\tx\nVmPeak:\t  400 kB\nVmRSS:\t  123 kB\nVmRSSx: 5 kB\n";
    assert_true(memory_proc_field(contents, "VmRSS") == 123 * 1024);
    assert_true(memory_proc_field(contents, "VmPeak") == 400 * 1024);
    assert_true(memory_proc_field(contents, "Peak") == 0);
    assert_true(memory_proc_field("", "VmRSS") == 0);
    assert_true(memory_proc_field("VmRSS", "VmRSS") == 0);
}

static void touched_memory_shows(void **state)
{
    (void)state;
    const uint64_t before = memory_resident_bytes(), machine = memory_physical_bytes();
    if (!before) skip();
    enum { AMOUNT = 64 << 20 };
    char *block = malloc(AMOUNT);
    assert_non_null(block);
    memset(block, 1, AMOUNT);
    const uint64_t during = memory_resident_bytes();
    assert_int_equal(block[AMOUNT / 2], 1);
    free(block);
    assert_true(during > before + AMOUNT / 10 * 9);
    assert_true(memory_resident_peak_bytes() >= during - (1 << 20)); /* the kernel counts pages in batches */
    assert_true(machine > during);
    assert_true(memory_available_bytes() <= machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_as_people_write_them),
        cmocka_unit_test(sizes_print_with_three_digits),
        cmocka_unit_test(fields_of_proc_are_found_at_line_starts),
        cmocka_unit_test(touched_memory_shows),
    };
    return cmocka_run_group_tests_name("base/memory", tests, NULL, NULL);
}
