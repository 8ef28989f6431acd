// The inner loops of resampling 8-bit RGB pictures with 22-bit fixed-point weights, as Pillow does it
// (src/libImaging/Resample.c): a horizontal pass, then a vertical one, each rounding to 8 bits. Integers
// throughout, so every instruction set gives the same bytes.

#ifndef RESAMPLE_H
#define RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Fraction bits of a weight.
#define VL2_RESAMPLE_BITS 22

// The horizontal pass over `rows` rows of RGB pixels.
//
// Column c of the output is the sum of `window` input pixels from pixel starts[c] on, each channel times
// its own weight: weights[columns][window][3], the same weight for the three channels of a pixel, zeros
// where the filter ends. window is a multiple of 4. A window may reach over the end of a row, into whatever
// follows: its weights there are zero. From byte `readable` on nothing is read.
void vl2_resample_horizontal(const uint8_t *pixels, size_t readable, size_t stride, size_t rows,
                             const int32_t *weights, const uint32_t *starts, size_t window, size_t columns,
                             uint8_t *out, size_t out_stride);

// One row of the vertical pass: out[i] is the sum of rows[r * stride + i] * weights[r] for r below count.
void vl2_resample_vertical(const uint8_t *rows, size_t stride, size_t count, const int32_t *weights,
                           size_t bytes, uint8_t *out);

#ifdef __cplusplus
}
#endif

#endif
