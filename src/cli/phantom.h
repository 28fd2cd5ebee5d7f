/* A drawn torso for demonstrations: ellipsoids with the Hounsfield units of what they stand for. No patient's data. */
#ifndef SAT_CLI_PHANTOM_H
#define SAT_CLI_PHANTOM_H

#include "image/volume.h"

/* The grid that the torso fits: 96 x 76 x 64 voxels of 2.5 x 2.5 x 3.5 mm, RAS+, its middle at (0, 0, 0). */
geometry phantom_grid(void);

/* Fills `hounsfield` ([k][j][i], i fastest; the shape's product of elements) with the torso on any grid, with noise
 * that is the same on every machine. Thread-safe. */
void phantom_draw(const geometry *grid, int16_t *hounsfield);

#endif
