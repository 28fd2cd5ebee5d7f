#include "segment/modality.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

bool modality_is_hounsfield(const char *modality)
{
    return modality && lower(modality[0]) == 'c' && lower(modality[1]) == 't' && !modality[2];
}

/* Whether `text` contains `part` (lower case) in any case. */
static bool contains(const char *text, const char *part)
{
    for (; *text; text++) {
        size_t n = 0;
        while (part[n] && lower(text[n]) == part[n])
            n++;
        if (!part[n]) return true;
    }
    return false;
}

void modality_for_text(const char *modality, char *word, size_t size)
{
    static const char *const rules[][2] = {{"t1", "mri"}, {"t2", "mri"},    {"mri", "mri"}, {"mr", "mri"},
                                           {"flair", "mri"}, {"dwi", "mri"}, {"ct", "ct"},   {"pet", "pet"}};
    for (size_t n = 0; n < sizeof rules / sizeof *rules; n++)
        if (contains(modality, rules[n][0])) {
            snprintf(word, size, "%s", rules[n][1]);
            return;
        }
    snprintf(word, size, "%s", modality);
    for (char *c = word; size && *c; c++)
        *c = lower(*c);
}

/* ---------------------------------------------------------------- a guess from the values */

/* How many looked-at voxels lie where on the Hounsfield scale. */
typedef struct census {
    size_t looked, air, gap, tissue, below, above, not_finite;
    float least, most;
} census;

/* Rows of up to 4096 voxels, evenly spread, four million in all: enough for shares of a percent. */
static void take_census(const volume *scan, census *c)
{
    enum { ROW = 4096, ROWS = 1024 };
    float row[ROW];
    *c = (census){.least = INFINITY, .most = -INFINITY};
    const size_t voxels = volume_voxels(scan), rows = (voxels + ROW - 1) / ROW, stride = rows / ROWS + 1;
    /* the least value first: fill outside the scanner's circle is one value far below air */
    for (int pass = 0; pass < 2; pass++)
        for (size_t r = 0; r < rows; r += stride) {
            const size_t first = r * ROW, length = voxels - first < ROW ? voxels - first : ROW;
            volume_values(scan, first, length, row);
            for (size_t n = 0; n < length; n++) {
                const float v = row[n];
                if (pass == 0) {
                    if (v < c->least) c->least = v;
                    if (v > c->most) c->most = v;
                    continue;
                }
                c->looked++;
                if (!isfinite(v)) c->not_finite++;
                else if (v < -1100) c->below += v != c->least;
                else if (v <= -700) c->air++;
                else if (v >= -600 && v < -200) c->gap++;
                else if (v >= -200 && v <= 300) c->tissue++;
                else if (v > 3100) c->above++;
            }
        }
}

void modality_guess_from_values(const volume *scan, modality_guess *guess)
{
    census c;
    take_census(scan, &c);
    const double n = (double)c.looked;
    const double air = 100 * (double)c.air / n, tissue = 100 * (double)c.tissue / n, gap = 100 * (double)c.gap / n;
    const double beyond = 100 * (double)(c.below + c.above + c.not_finite) / n;
    guess->is_ct = c.least >= -32768 && c.most <= 32767 && air >= 2 && tissue >= 2 && beyond <= 2 &&
                   gap <= 0.5 * (air < tissue ? air : tissue);
    if (guess->is_ct)
        snprintf(guess->reason, sizeof guess->reason,
                 "values from %g to %g, %.0f %% of them air (-1100 to -700) and %.0f %% soft tissue (-200 to 300): Hounsfield "
                 "units, so this is a CT",
                 (double)c.least, (double)c.most, air, tissue);
    else if (!(c.least <= c.most))
        snprintf(guess->reason, sizeof guess->reason, "the scan has no finite value");
    else if (c.least >= 0)
        snprintf(guess->reason, sizeof guess->reason,
                 "values from %g to %g, none negative: not Hounsfield units, so this may be MR, PET or a rescaled CT",
                 (double)c.least, (double)c.most);
    else
        snprintf(guess->reason, sizeof guess->reason,
                 "values from %g to %g, %.0f %% in the range of air and %.0f %% in that of soft tissue: not certainly Hounsfield "
                 "units",
                 (double)c.least, (double)c.most, air, tissue);
}
