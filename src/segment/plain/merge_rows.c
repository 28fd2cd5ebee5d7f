#include "segment/merge_rows.h"

void merge_largest_of_rows_plain(const float *p, size_t pitch, int rows, int count, float *most)
{
    for (int z = 0; z < count; z++)
        most[z] = 0;
    for (int y = 0; y < rows; y++, p += pitch)
        for (int z = 0; z < count; z++)
            most[z] = p[z] > most[z] ? p[z] : most[z];
}
