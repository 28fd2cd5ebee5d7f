#include "tests/support/cmocka.h"

#include "cli/help.h"
#include "cli/options.h"
#include "cli/terminal.h"

#include <string.h>

typedef struct scan_settings {
    common_settings common;
    const char *output;
    option_texts prompts;
    int count, type, window[3];
    double overlap, spacing_mm[3];
    bool skip_air, cache;
} scan_settings;

/* clang-format off */
static const char *const types[] = {"f32", "bf16", NULL};
#define FIELD(f) offsetof(scan_settings, f)
static const option scan_options[] = {
    {.name = "output", .letter = 'o', .kind = OPTION_TEXT, .offset = FIELD(output), .argument = "FOLDER", .help = "h"},
    {.name = "prompt", .letter = 'p', .kind = OPTION_TEXTS, .offset = FIELD(prompts), .argument = "WORDS", .help = "h"},
    {.name = "count", .kind = OPTION_INTEGER, .offset = FIELD(count), .argument = "N", .help = "h"},
    {.name = "dtype", .kind = OPTION_CHOICE, .offset = FIELD(type), .help = "h", .choices = types},
    {.name = "window", .kind = OPTION_SHAPE, .offset = FIELD(window), .argument = "SHAPE", .help = "h"},
    {.name = "spacing", .kind = OPTION_SPACING, .offset = FIELD(spacing_mm), .argument = "MM", .help = "h"},
    {.name = "overlap", .kind = OPTION_REAL, .offset = FIELD(overlap), .argument = "X", .help = "h", .least = 0, .most = 0.9},
    {.name = "skip-air", .kind = OPTION_FLAG, .offset = FIELD(skip_air), .help = "h"},
    {.name = "cache", .kind = OPTION_FLAG, .offset = FIELD(cache), .help = "h"},
    {.name = NULL},
};
#undef FIELD
/* clang-format on */

enum { ARGUMENTS_MAX = 16 };

/* What one command line gives; words end with NULL. */
typedef struct outcome {
    sat_status status;
    sat_error error;
    scan_settings settings;
    const char *operands[ARGUMENTS_MAX];
    int operand_count;
} outcome;

static outcome parse(const char *const *words)
{
    outcome o = {.settings = {.cache = true, .overlap = 0.5}};
    int count = 0;
    while (words[count])
        count++;
    o.status = options_parse(scan_options, count, (char *const *)(uintptr_t)words, &o.settings, o.operands,
                             &o.operand_count, &o.error);
    return o;
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void every_kind_is_read(void **state)
{
    (void)state;
    outcome o = PARSE("scan.nii", "-o", "out", "--prompt=liver", "-p", "left kidney", "-pspleen", "--count", "-3",
                      "--dtype", "bf16", "--window=288x288x96", "--spacing=1x1x3", "--overlap=0.25");
    assert_string_equal(o.error.message, "");
    assert_int_equal(o.status, SAT_OK);
    assert_string_equal(o.settings.output, "out");
    assert_int_equal(o.settings.prompts.count, 3);
    assert_string_equal(o.settings.prompts.items[1], "left kidney");
    assert_string_equal(o.settings.prompts.items[2], "spleen");
    assert_int_equal(o.settings.count, -3);
    assert_int_equal(o.settings.type, 1);
    assert_true(o.settings.window[0] == 288 && o.settings.window[1] == 288 && o.settings.window[2] == 96);
    assert_true(o.settings.spacing_mm[0] == 1 && o.settings.spacing_mm[2] == 3 && o.settings.overlap == 0.25);
    assert_true(o.operand_count == 1 && strcmp(o.operands[0], "scan.nii") == 0);
    options_free(scan_options, &o.settings);
    options_free(scan_options, &o.settings);
}

static void common_options_mean_the_same_everywhere(void **state)
{
    (void)state;
    outcome o = PARSE("-t2", "--max-memory", "8G", "--json", "-qvv", "--dry-run", "--no-json");
    assert_int_equal(o.status, SAT_OK);
    assert_true(o.settings.common.threads == 2 && o.settings.common.max_memory_bytes == 8000000000u);
    assert_true(o.settings.common.quiet && o.settings.common.verbose == 2 && o.settings.common.dry_run);
    assert_false(o.settings.common.json);
    o = PARSE("scan.nii");
    assert_true(o.settings.common.threads >= 1); /* all cores */
}

static void flags_can_be_turned_off_and_the_last_word_counts(void **state)
{
    (void)state;
    outcome o = PARSE("--skip-air", "--no-cache", "--count=1", "--count=2");
    assert_int_equal(o.status, SAT_OK);
    assert_true(o.settings.skip_air && !o.settings.cache && o.settings.count == 2);
    o = PARSE("--skip-air", "--no-skip-air");
    assert_true(!o.settings.skip_air && o.settings.cache);
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    outcome o = PARSE("-", "--", "--count", "-x");
    assert_int_equal(o.status, SAT_OK);
    assert_int_equal(o.operand_count, 3);
    assert_string_equal(o.operands[0], "-");
    assert_string_equal(o.operands[1], "--count");
    assert_string_equal(o.operands[2], "-x");
}

static void one_number_stands_for_three(void **state)
{
    (void)state;
    outcome o = PARSE("--window=64", "--spacing", "1.5");
    assert_int_equal(o.status, SAT_OK);
    assert_true(o.settings.window[0] == 64 && o.settings.window[2] == 64 && o.settings.spacing_mm[1] == 1.5);
}

static void wrong_command_lines_get_a_sentence(void **state)
{
    (void)state;
    const struct {
        const char *words[3];
        const char *message;
    } cases[] = {
        {{"--thread", "3"}, "unknown option --thread; did you mean --threads?"},
        {{"--ouptut=x"}, "unknown option --ouptut; did you mean --output?"},
        {{"--max-mem=8G"}, "unknown option --max-mem; did you mean --max-memory?"},
        {{"--no-cash"}, "unknown option --no-cash; did you mean --no-cache?"},
        {{"--wonderful"}, "unknown option --wonderful; --help lists those that there are"},
        {{"-x"}, "unknown option -x; --help lists those that there are"},
        {{"-model"}, "unknown option -model; --help lists those that there are"},
        {{"--max-memory", "8Q"}, "--max-memory 8Q: expected a size such as 8G or 900M"},
        {{"--threads", "0"}, "--threads 0: expected a whole number from 1 to 4096"},
        {{"--threads=two"}, "--threads two: expected a whole number from 1 to 4096"},
        {{"-t", "2.5"}, "-t 2.5: expected a whole number from 1 to 4096"},
        {{"--count=99999999999"}, "--count 99999999999: expected a whole number"},
        {{"--count="}, "--count \"\": expected a whole number"},
        {{"--overlap=1"}, "--overlap 1: expected a number from 0 to 0.9"},
        {{"--overlap=nan"}, "--overlap nan: expected a number from 0 to 0.9"},
        {{"--dtype=f16"}, "--dtype f16: expected f32 or bf16; did you mean bf16?"},
        {{"--dtype=half"}, "--dtype half: expected f32 or bf16"},
        {{"--window=288x288"}, "--window 288x288: expected three whole numbers of voxels such as 288x288x96"},
        {{"--window=0x1x1"}, "--window 0x1x1: expected three whole numbers of voxels such as 288x288x96"},
        {{"--window=1x1x1x1"}, "--window 1x1x1x1: expected three whole numbers of voxels such as 288x288x96"},
        {{"--spacing=1x1x-3"}, "--spacing 1x1x-3: expected three numbers of millimetres such as 1x1x3"},
        {{"--output"}, "--output needs a value: --output FOLDER"},
        {{"-o"}, "-o needs a value: -o FOLDER"},
        {{"--output", "--json"}, "--output needs a value: --output FOLDER; it is followed by the option --json"},
        {{"--json=yes"}, "--json takes no value"},
        {{"--no-json=yes"}, "--no-json takes no value"},
        {{"--no-output"}, "unknown option --no-output; did you mean --output?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome o = parse(cases[i].words);
        assert_string_equal(o.error.message, cases[i].message);
        assert_int_equal(o.status, SAT_BAD_ARGUMENT);
        options_free(scan_options, &o.settings);
    }
}

static void help_shows_the_example_first_and_every_option(void **state)
{
    (void)state;
    const scan_settings defaults = {.cache = true};
    const verb v = {.name = "try",
                    .group = "g",
                    .summary = "s",
                    .operands = "SCAN",
                    .examples = "sat3d try scan.nii\n",
                    .options = scan_options,
                    .defaults = &defaults,
                    .settings_bytes = sizeof defaults};
    text page = text_open(100000);
    help_verb(&page, &v);
    assert_int_equal(text_check(&page, NULL), SAT_OK);
    const char *example = strstr(page.data, "sat3d try scan.nii"), *options = strstr(page.data, "\nOptions\n");
    assert_true(example && options && example < options);
    for (const option *o = scan_options; o->name; o++)
        assert_non_null(strstr(options, o->name));
    assert_non_null(strstr(options, "  --no-cache"));
    assert_non_null(strstr(options, "  --dtype f32|bf16"));
    assert_non_null(strstr(options, "  -p, --prompt WORDS..."));
    const size_t end = strlen(HELP_DISCLAIMER) + 1;
    assert_string_equal(page.data + page.length - end, HELP_DISCLAIMER "\n");
    for (const char *line = page.data; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 100);
    text_free(&page);
}

/* No name or letter twice among a verb's own rows and the common ones, and each row says what its kind needs. */
static void every_verbs_table_is_sound(void **state)
{
    (void)state;
    for (const verb *const *v = verbs; *v; v++) {
        assert_true(strlen((*v)->summary) > 0 && (*v)->summary[strlen((*v)->summary) - 1] != '.');
        assert_non_null(strstr((*v)->examples, (*v)->name));
        assert_true((*v)->settings_bytes >= sizeof(common_settings) && (*v)->run);
        const option *rows[256];
        int count = 0;
        for (const option *o = (*v)->options; o->name; o++)
            rows[count++] = o;
        for (const option *o = common_options; o->name; o++)
            rows[count++] = o;
        for (int i = 0; i < count; i++) {
            const option *o = rows[i];
            const bool valued = o->kind != OPTION_FLAG && o->kind != OPTION_COUNT && o->kind != OPTION_CHOICE;
            if (valued != (o->argument != NULL) || (o->kind == OPTION_CHOICE) != (o->choices != NULL) || !o->help ||
                o->offset >= (*v)->settings_bytes || o->least > o->most)
                fail_msg("%s: the row of --%s is not sound", (*v)->name, o->name);
            for (int j = 0; j < i; j++)
                if (strcmp(o->name, rows[j]->name) == 0 || (o->letter && o->letter == rows[j]->letter))
                    fail_msg("%s: --%s and --%s are the same on a command line", (*v)->name, o->name, rows[j]->name);
        }
    }
}

static void durations_read_well(void **state)
{
    (void)state;
    char words[32];
    assert_string_equal(terminal_duration(0.2, words), "0 s");
    assert_string_equal(terminal_duration(59.6, words), "1 min 00 s");
    assert_string_equal(terminal_duration(80, words), "1 min 20 s");
    assert_string_equal(terminal_duration(7500, words), "2 h 05 min");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(common_options_mean_the_same_everywhere),
        cmocka_unit_test(flags_can_be_turned_off_and_the_last_word_counts),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(one_number_stands_for_three),
        cmocka_unit_test(wrong_command_lines_get_a_sentence),
        cmocka_unit_test(help_shows_the_example_first_and_every_option),
        cmocka_unit_test(every_verbs_table_is_sound),
        cmocka_unit_test(durations_read_well),
    };
    return cmocka_run_group_tests_name("cli/options", tests, NULL, NULL);
}
