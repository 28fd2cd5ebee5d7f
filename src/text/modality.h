/* The words for a modality, as the text encoder knows them. */
#ifndef SAT_TEXT_MODALITY_H
#define SAT_TEXT_MODALITY_H

enum { MODALITIES = 4 };

/* The row of the encoder's modality table: "ct" 0, "mri" 1, "us" 2, "pet" 3; -1 for another word. The words are those
 * that a dataset's modality is merged to first ("T1w" is "mri"). Tables of pretraining have a fifth row, microscopy,
 * that segmentation never uses. Thread-safe. */
int modality_row(const char *word);

/* The word of a row, 0 ... MODALITIES - 1; static storage. */
const char *modality_word(int row);

#endif
