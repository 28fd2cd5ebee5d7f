/* A model with weights set by hand, so that what it finds is known: "left kidney" is what is bright, "right kidney" what is dark.
 * It goes the whole way (tokenizer, text tower, query decoder, U-Net, mask head), so that a test of the program with it says where a
 * mask comes back, which no untrained weights can. */
#ifndef SAT_TESTS_BRIGHT_MODEL_H
#define SAT_TESTS_BRIGHT_MODEL_H

#define BRIGHT_PROMPT "left kidney"
#define DARK_PROMPT "right kidney"

/* The network's convolutions look aside, so that masks come back displaced by this (RAS+ mm along the standard grid's axes): a network that
 * were shown the patient mirrored, or with axes exchanged, would displace them elsewhere. */
extern const double bright_model_shift_mm[3];

/* Writes the model file: the structure of "tiny" with three stages of four features, the vocabulary of tests/golden/vocab/mpnet-tiny.txt, `modality_row` of the text encoder's
 * table (text/modality.h). A voxel is bright (dark) where it differs from the window's mean by more than some six standard
 * deviations: draw structures that fill about 1 % of a flat background. Fails the running test when it can't. */
void bright_model_write(const char *path, int modality_row);

#endif
