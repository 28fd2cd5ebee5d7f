#include "text/modality.h"

#include <string.h>

static const char *const words[MODALITIES] = {"ct", "mri", "us", "pet"};

int modality_row(const char *word)
{
    for (int row = 0; row < MODALITIES; row++)
        if (strcmp(word, words[row]) == 0) return row;
    return -1;
}

const char *modality_word(int row) { return words[row]; }
