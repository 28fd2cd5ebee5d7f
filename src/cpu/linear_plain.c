/* The definition of a linear layer. */
#include "cpu/linear.h"

#include <math.h>

void linear_plain(int rows, int inner, int columns, const float *x, ptrdiff_t x_pitch, const float *weights,
                  const float *bias, activation act, const float *residual, float *out, ptrdiff_t out_pitch)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            double sum = bias ? bias[c] : 0;
            for (int i = 0; i < inner; i++) sum += (double)x[r * x_pitch + i] * weights[(ptrdiff_t)c * inner + i];
            if (act == ACTIVATION_GELU) sum = sum * (1 + erf(sum * sqrt(0.5))) / 2;
            if (act == ACTIVATION_RELU && sum < 0) sum = 0;
            out[r * out_pitch + c] = (float)(sum + (residual ? residual[r * out_pitch + c] : 0));
        }
}
