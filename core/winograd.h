/*
 * 3x3 convolutions of stride 1 by Winograd's F(m x m, 3 x 3): tiles of the input are transformed,
 * (m + 2)^2 matrix products take the place of nine, and come back transformed. m = 2 needs 2.25
 * times fewer multiplications, m = 4 four times fewer.
 *
 * F2 keeps exact zeros: where all inputs of an output are 0, so is its sum. F4 blurs them (its
 * transforms do not cancel to the last bit), which statistics would see where a channel's bias is
 * not well above that noise. In these channels, sums within the noise of -bias are computed once
 * more, directly.
 */
#ifndef RF_CORE_WINOGRAD_H
#define RF_CORE_WINOGRAD_H

#include "core/gemm.h"

struct rf_winograd {
    enum rf_winograd_size size;
    size_t in_channels, out_channels;
    struct rf_gemm *gemm; /* (m + 2)^2 */
    /* F4: those with a channel whose bias does not hide the noise, ascending. */
    struct rf_winograd_group *groups;
    size_t n_groups;
};

/* m */
static inline size_t rf_winograd_m(enum rf_winograd_size size)
{
    return size == RF_WINOGRAD_2 ? 2 : 4;
}

/* Transforms and packs weights [out][in][3][3]; bias, [out] or NULL, is what will be added to
 * sums. */
enum rf_status rf_winograd_pack(struct rf_prepare *p, struct rf_winograd *w, const float *weights,
                                const float *bias);

/* Where the work lies: `tile_rows` rows of tiles an image, of m rows of pixels each. */
struct rf_winograd_grid {
    size_t rows, columns; /* tiles, of one image */
    size_t chunk;         /* rows of tiles that are worked on at once */
    size_t scratch;       /* bytes for a chunk */
};

struct rf_winograd_grid rf_winograd_grid(const struct rf_winograd *w, size_t height, size_t width);

/* Rows of tiles [first, last), counted through all images, at most a chunk of them; and channels
 * [c0, c1) of the output, of which c0 is a multiple of 64. */
struct rf_winograd_share {
    size_t first, last, c0, c1;
};

/* What shares are of. Input pixels of whole tiles must be there, in the halo where they lie outside
 * of the image. */
struct rf_winograd_work {
    const struct rf_winograd *w;
    const struct rf_winograd_grid *grid;
    const struct rf_kernels *k;
    const struct rf_pixels *in, *out;
    int64_t top, left; /* padding */
};

/* Writes the sums of a share's output pixels. */
void rf_winograd_run(const struct rf_winograd_work *work, const struct rf_winograd_share *share,
                     float *scratch);

#endif
