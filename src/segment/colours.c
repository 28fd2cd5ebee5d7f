#include "segment/colours.h"

#include "base/hash.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- colour spaces */

typedef struct oklab {
    double lightness, a, b;
} oklab;

/* B. Ottosson, "A perceptual color space for image processing" (2020): linear sRGB -> cone responses -> OKLab. */
static oklab oklab_from_linear(const double rgb[3])
{
    const double l = cbrt(0.4122214708 * rgb[0] + 0.5363325363 * rgb[1] + 0.0514459929 * rgb[2]);
    const double m = cbrt(0.2119034982 * rgb[0] + 0.6806995451 * rgb[1] + 0.1073969566 * rgb[2]);
    const double s = cbrt(0.0883024619 * rgb[0] + 0.2817188376 * rgb[1] + 0.6299787005 * rgb[2]);
    return (oklab){0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
                   1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
                   0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

static void linear_from_oklab(const oklab *c, double rgb[3])
{
    const double l = c->lightness + 0.3963377774 * c->a + 0.2158037573 * c->b;
    const double m = c->lightness - 0.1055613458 * c->a - 0.0638541728 * c->b;
    const double s = c->lightness - 0.0894841775 * c->a - 1.2914855480 * c->b;
    const double l3 = l * l * l, m3 = m * m * m, s3 = s * s * s;
    rgb[0] = 4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3;
    rgb[1] = -1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3;
    rgb[2] = -0.0041960863 * l3 - 0.7034186147 * m3 + 1.7076147010 * s3;
}

/* IEC 61966-2-1. */
static double linear_from_byte(uint8_t byte)
{
    const double v = byte / 255.0;
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static uint8_t byte_from_linear(double v)
{
    if (v < 0.0) v = 0.0;
    if (v > 1.0) v = 1.0;
    const double encoded = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1.0 / 2.4) - 0.055;
    return (uint8_t)lrint(255.0 * encoded);
}

/* What a person without red or green cones sees, on linear sRGB: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, "A
 * physiologically-based model for simulation of color vision deficiency" (2009), table for severity 1. */
static const double simulated_sight[3][3][3] = {
    [COLOUR_SIGHT_NORMAL] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
    [COLOUR_SIGHT_RED_BLIND] = {{0.152286, 1.052583, -0.204868},
                                {0.114503, 0.786281, 0.099216},
                                {-0.003882, -0.048116, 1.051998}},
    [COLOUR_SIGHT_GREEN_BLIND] = {{0.367322, 0.860646, -0.227968},
                                  {0.280085, 0.672501, 0.047413},
                                  {-0.011820, 0.042940, 0.968881}},
};

static oklab seen_as(colour c, colour_sight sight)
{
    const double rgb[3] = {linear_from_byte(c.red), linear_from_byte(c.green), linear_from_byte(c.blue)};
    double seen[3];
    for (int row = 0; row < 3; row++) {
        const double *m = simulated_sight[sight][row];
        seen[row] = fmin(1.0, fmax(0.0, m[0] * rgb[0] + m[1] * rgb[1] + m[2] * rgb[2]));
    }
    return oklab_from_linear(seen);
}

static double oklab_distance(const oklab *x, const oklab *y)
{
    const double l = x->lightness - y->lightness, a = x->a - y->a, b = x->b - y->b;
    return sqrt(l * l + a * a + b * b);
}

double colour_distance(colour a, colour b, colour_sight sight)
{
    const oklab x = seen_as(a, sight), y = seen_as(b, sight);
    return oklab_distance(&x, &y);
}

/* The colour of this hue (turns, any number) and lightness whose chroma is `share` of the highest that sRGB shows there,
 * 0.19 counting as the highest anywhere: a scan's greys differ from it, and no label glares among its neighbours. */
static colour colour_of(double lightness, double hue, double share)
{
    const double angle = 2.0 * 3.14159265358979323846 * hue;
    double low = 0.0, high = 0.19, rgb[3];
    for (int step = 0; step < 20; step++) {
        const double chroma = step ? (low + high) / 2.0 : high;
        const oklab c = {lightness, chroma * cos(angle), chroma * sin(angle)};
        linear_from_oklab(&c, rgb);
        bool shown = true;
        for (int n = 0; n < 3; n++)
            shown = shown && rgb[n] >= 0.0 && rgb[n] <= 1.0;
        if (shown)
            low = chroma;
        else
            high = chroma;
        if (shown && !step) break;
    }
    const oklab c = {lightness, share * low * cos(angle), share * low * sin(angle)};
    linear_from_oklab(&c, rgb);
    return (colour){byte_from_linear(rgb[0]), byte_from_linear(rgb[1]), byte_from_linear(rgb[2])};
}

/* ---------------------------------------------------------------- the palette */

/* SLOTS points spread evenly over hue, lightness and chroma by the generalised golden ratio: multiples of powers of 1 / g,
 * g^4 = g + 1, modulo 1 (M. Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018). Each slot has three
 * shades: for names without a side, left (lighter), right (darker); their hues are drawn a little apart, so that a pair stays
 * two colours where a scan shines through. */
enum { SLOTS = COLOURS_DISTINCT, SHADES = 3, SIGHTS = 3 };
typedef enum side { SIDE_NONE, SIDE_LEFT, SIDE_RIGHT } side;

static colour slot_colour(uint32_t slot, side s)
{
    static const double ratio = 1.2207440846057596; /* g */
    const double hue = fmod(slot / ratio, 1.0);
    const double light = 0.60 + 0.22 * fmod(slot / (ratio * ratio), 1.0);
    const double share = 0.60 + 0.40 * fmod(slot / (ratio * ratio * ratio), 1.0);
    if (s == SIDE_LEFT) return colour_of(light + 0.07, hue + 0.015, share);
    if (s == SIDE_RIGHT) return colour_of(light - 0.09, hue - 0.015, share);
    return colour_of(light, hue, share);
}

/* ---------------------------------------------------------------- names */

/* A name, or rather all names that are alike but for "left" and "right". */
typedef struct family {
    uint64_t key;     /* hash of the words without the sides                            */
    bool has[SHADES]; /* which sides the list holds                                     */
    uint32_t slot;
} family;

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }
static bool is_word(char c)
{
    c = lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* Splits a name into the hash of its words and its side. What stands between words counts as one blank, so that
 * "left kidney", "Kidney_left" and "kidney (left)" belong together. */
static uint64_t read_name(const char *name, side *found)
{
    uint64_t key = HASH_FNV_START;
    *found = SIDE_NONE;
    for (const char *p = name; *p;) {
        while (*p && !is_word(*p))
            p++;
        const char *word = p;
        char small[6] = "";
        for (; is_word(*p); p++)
            if (p - word < 5) small[p - word] = lower(*p);
        const size_t length = (size_t)(p - word);
        if (length == 4 && memcmp(small, "left", 4) == 0) {
            *found = SIDE_LEFT;
        } else if (length == 5 && memcmp(small, "right", 5) == 0) {
            *found = SIDE_RIGHT;
        } else if (length > 0) {
            for (const char *c = word; c < p; c++)
                key = hash_fnv1a64(key, &(char){lower(*c)}, 1);
            key = hash_fnv1a64(key, " ", 1);
        }
    }
    return key;
}

static int by_key(const void *x, const void *y)
{
    const uint64_t a = ((const family *)x)->key, b = ((const family *)y)->key;
    return (a > b) - (a < b);
}

static family *find_family(family *families, size_t count, uint64_t key)
{
    const family wanted = {.key = key};
    return bsearch(&wanted, families, count, sizeof *families, by_key);
}

/* ---------------------------------------------------------------- choosing slots */

/* How each shade of each slot looks, for the distances. */
typedef struct looks {
    oklab seen[SLOTS][SHADES][SIGHTS];
} looks;

static looks *looks_make(void)
{
    looks *l = malloc(sizeof *l);
    for (uint32_t slot = 0; l && slot < SLOTS; slot++)
        for (int s = 0; s < SHADES; s++) {
            const colour c = slot_colour(slot, (side)s);
            for (int sight = 0; sight < SIGHTS; sight++)
                l->seen[slot][s][sight] = seen_as(c, (colour_sight)sight);
        }
    return l;
}

/* How far the colours of family `f` in `slot` stay from those of the families before it: the smallest distance with normal
 * sight or, in short lists, twice the smallest for a colour-blind person: half as far must do, they see one dimension less.
 * Stops looking where it is at or below `not_below`. */
static double closest(const looks *l, const family *families, size_t before, const family *f, uint32_t slot, int sights,
                      double not_below)
{
    double least = INFINITY;
    for (size_t n = 0; n < before && least > not_below; n++)
        for (int mine = 0; mine < SHADES; mine++)
            for (int theirs = 0; theirs < SHADES; theirs++) {
                if (!f->has[mine] || !families[n].has[theirs]) continue;
                for (int sight = 0; sight < sights; sight++) {
                    const double d =
                        oklab_distance(&l->seen[slot][mine][sight], &l->seen[families[n].slot][theirs][sight]);
                    least = fmin(least, sight ? 2.0 * d : d);
                }
            }
    return least;
}

/* A slot and how far its colour is from a family's own. */
typedef struct candidate {
    double distance;
    uint32_t slot;
} candidate;

static int by_distance(const void *x, const void *y)
{
    const candidate *a = x, *b = y;
    if (a->distance != b->distance) return a->distance > b->distance ? 1 : -1;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

/* All slots in the order in which a family tries them, its own first. In short lists those that look most like its own come
 * next, so that a name that has to give way still looks familiar; in long ones, where colours must be packed, a step that
 * reaches every slot and is far along the circle. */
static void order_candidates(const looks *l, uint32_t own, bool similar_first, candidate order[SLOTS])
{
    static const uint32_t step = 389; /* odd, and SLOTS is a power of two */
    for (uint32_t n = 0; n < SLOTS; n++) {
        const uint32_t slot = (own + n * step) % SLOTS;
        const double d = oklab_distance(&l->seen[own][SIDE_NONE][0], &l->seen[slot][SIDE_NONE][0]);
        order[n] = (candidate){slot == own ? -1.0 : d, slot};
    }
    if (similar_first) qsort(order, SLOTS, sizeof *order, by_distance);
}

/* Gives the families, which are sorted by key, their slots: the first candidate that is far enough from all families before,
 * or the best of those looked at. The longer the list, the closer colours must lie. */
static void choose_slots(const looks *l, family *families, size_t count, candidate order[SLOTS])
{
    const int sights = count <= 16 ? SIGHTS : 1;
    const bool similar_first = count <= 64;
    const double enough = count <= 8 ? 0.09 : count <= 16 ? 0.08 : count <= 64 ? 0.06 : count <= 160 ? 0.04 : 0.02;
    for (size_t n = 0; n < count; n++) {
        family *f = &families[n];
        double best = -1.0;
        order_candidates(l, (uint32_t)(f->key >> 40) % SLOTS, similar_first, order);
        for (uint32_t c = 0; c < SLOTS && best < enough; c++) {
            const double distance = closest(l, families, n, f, order[c].slot, sights, best);
            if (distance > best) {
                best = distance;
                f->slot = order[c].slot;
            }
        }
    }
}

sat_status colours_of_names(const char *const *names, int count, colour *colours, sat_error *error)
{
    family *families = calloc(count > 0 ? (size_t)count : 1, sizeof *families);
    candidate *order = malloc(SLOTS * sizeof *order);
    looks *l = NULL;
    sat_status status = SAT_OK;
    size_t unique = 0;
    side s;
    if (!families || !order) goto no_memory;
    for (int n = 0; n < count; n++)
        families[n].key = read_name(names[n], &s);
    qsort(families, (size_t)count, sizeof *families, by_key);
    for (int n = 0; n < count; n++)
        if (unique == 0 || families[n].key != families[unique - 1].key) families[unique++] = families[n];
    for (int n = 0; n < count; n++) {
        family *f = find_family(families, unique, read_name(names[n], &s));
        f->has[s] = true;
    }
    if (unique <= SLOTS) {
        l = looks_make();
        if (!l) goto no_memory;
        choose_slots(l, families, unique, order);
    } else { /* more names than colours: each its own, alike or not */
        for (size_t n = 0; n < unique; n++)
            families[n].slot = (uint32_t)(families[n].key >> 40) % SLOTS;
    }
    for (int n = 0; n < count; n++) {
        const family *f = find_family(families, unique, read_name(names[n], &s));
        colours[n] = slot_colour(f->slot, s);
    }
    goto done;

no_memory:
    status = sat_fail(error, SAT_NO_MEMORY, "no memory for the colours of %d labels", count);
done:
    free(l);
    free(order);
    free(families);
    return status;
}
