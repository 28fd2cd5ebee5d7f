#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "segment/modality.h"

#include <stdlib.h>
#include <string.h>

static void only_ct_itself_is_clipped_to_hounsfield_bounds(void **state)
{
    (void)state;
    const char *const yes[] = {"ct", "CT", "Ct"}, *const no[] = {"", "c", "ct ", "CT scan", "PET/CT", "mri", "cbct"};
    for (size_t n = 0; n < sizeof yes / sizeof *yes; n++)
        assert_true(modality_is_hounsfield(yes[n]));
    for (size_t n = 0; n < sizeof no / sizeof *no; n++)
        assert_false(modality_is_hounsfield(no[n]));
    assert_false(modality_is_hounsfield(NULL));
}

/* The examples of reference/README.md and text.md, section 2, and the reference's own order of questions. */
static void words_for_the_text_encoder(void **state)
{
    (void)state;
    const char *const pairs[][2] = {{"CT", "ct"},          {"MRI", "mri"},     {"PET", "pet"},     {"MRI ADC", "mri"},  {"adc", "adc"},
                                    {"PET/CT", "ct"},      {"spect", "ct"},    {"OCT", "ct"},      {"ct1", "mri"},      {"tof-MRA", "mri"},
                                    {"DWI", "mri"},        {"FLAIR", "mri"},   {"T2w", "mri"},     {"mr", "mri"},       {"dixon", "dixon"},
                                    {"Ultrasound", "ultrasound"}, {"", ""},    {"FDG-PET", "pet"}, {"CT scan", "ct"},   {"petct2", "mri"}};
    for (size_t n = 0; n < sizeof pairs / sizeof *pairs; n++) {
        char word[64];
        modality_for_text(pairs[n][0], word, sizeof word);
        if (strcmp(word, pairs[n][1]) != 0) fail_msg("%s became %s, not %s", pairs[n][0], word, pairs[n][1]);
    }
    char small[4];
    modality_for_text("Microscopy", small, sizeof small);
    assert_string_equal(small, "mic");
}

typedef float formula(uint64_t n);

static float noise(uint64_t n, float spread) { return ((float)random_below(2001, 77, n) / 1000 - 1) * spread; }
static float chest(uint64_t n) { return (n % 10 < 5 ? -1000 : n % 10 < 7 ? -850 : n % 10 < 9 ? 40 : 400) + noise(n, 60); }
static float padded_chest(uint64_t n) { return n % 3 == 0 ? -3024 : chest(n); }
static float brain_only(uint64_t n) { return n % 2 ? 35 + noise(n, 20) : 0; }
static float magnitude(uint64_t n) { return 500 + noise(n, 500); }
static float phase(uint64_t n) { return noise(n, 4096); }
static float z_scores(uint64_t n) { return noise(n, 4); }
static float uptake(uint64_t n) { return n % 50 ? 0.5f + noise(n, 0.4f) : 20; }
static float scaled_ct(uint64_t n) { return (chest(n) + 1024) / 4096; }
static float elevation(uint64_t n) { return noise(n, 1500); }

static modality_guess guess_of(formula *f, size_t voxels)
{
    volume v = {.grid.shape_ijk = {(int64_t)voxels, 1, 1}, .type = VOXEL_FLOAT32, .stored = malloc(voxels * sizeof(float))};
    for (size_t n = 0; n < voxels; n++)
        ((float *)v.stored)[n] = f(n);
    modality_guess guess;
    modality_guess_from_values(&v, &guess);
    volume_free(&v);
    return guess;
}

static void hounsfield_units_are_recognised_and_nothing_else(void **state)
{
    (void)state;
    assert_true(guess_of(chest, 100000).is_ct);
    assert_true(guess_of(padded_chest, 100000).is_ct);
    assert_non_null(strstr(guess_of(chest, 100000).reason, "Hounsfield units, so this is a CT"));
    formula *const others[] = {brain_only, magnitude, phase, z_scores, uptake, scaled_ct, elevation};
    for (size_t n = 0; n < sizeof others / sizeof *others; n++) {
        const modality_guess guess = guess_of(others[n], 100000);
        if (guess.is_ct) fail_msg("formula %zu: %s", n, guess.reason);
        assert_true(strlen(guess.reason) > 20);
    }
    assert_false(guess_of(chest, 1).is_ct);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_ct_itself_is_clipped_to_hounsfield_bounds),
        cmocka_unit_test(words_for_the_text_encoder),
        cmocka_unit_test(hounsfield_units_are_recognised_and_nothing_else),
    };
    return cmocka_run_group_tests_name("segment/modality", tests, NULL, NULL);
}
