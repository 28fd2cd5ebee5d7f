/* Scans for the question whether left is left: two balls on a flat background, at places that no mirroring and no exchange of axes maps onto
 * each other, in a file whose axes run any way. Where a voxel lies is computed here, from the affine that the file was made of. */
#ifndef SAT_TESTS_SIDE_PHANTOM_H
#define SAT_TESTS_SIDE_PHANTOM_H

#include "image/volume.h"

typedef enum forms { BOTH_FORMS, SFORM_ONLY, QFORM_ONLY, NO_FORMS } forms;

enum { PHANTOM_STRUCTURES = 2 };
extern const char *const phantom_prompts[PHANTOM_STRUCTURES]; /* what the bright model finds them by: on the left, on the right */

/* A scan to be written: `grid` is the truth, by which structures are planted and masks judged. */
typedef struct phantom {
    char name[48];
    geometry grid;
    double middle_mm[3]; /* of the grid, in the world                                                           */
    double shift_mm[3];  /* from a planted structure to its mask: what the bright model adds, in the world      */
    forms which;
    bool compressed;
    bool exchanged;      /* what the model takes for the left structure lies on the right, and the other way round */
} phantom;

/* File axis a runs along patient axis order[a], downwards where bit a of `flips` is set; the whole turned by `turn_degrees` and sheared. */
phantom phantom_make(const int order[3], int flips, double turn_degrees, double shear, forms which);
/* Nothing is said of position: by the format's oldest rule the first axis then runs from right to left, and the middle is the world's. */
phantom phantom_make_formless(void);
/* The nth of the six orders of three axes. */
void phantom_order(int nth, int order[3]);

/* Writes folder/name.nii or .nii.gz; `path` gets its path. Fails the running test when it can't. */
void phantom_write(const phantom *p, const char *folder, char path[800]);

/* A mask ([k][j][i], of the file; voxels equal to `value` count) against a structure's ball, displaced as the model does it: fails the running
 * test unless they overlap and their middles agree to a millimetre. `middle_mm` gets the mask's in the world; returns its voxels. */
int64_t phantom_judge(const phantom *p, int structure, const uint8_t *mask, uint8_t value, double middle_mm[3]);

/* Over all masks judged so far: the largest distance of middles, the smallest overlap. */
void phantom_worst(double *distance_mm, double *dice);

#endif
