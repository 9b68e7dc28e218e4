/*
 * Tensors: data type, logical dimensions and how they lie in memory.
 *
 * Dimensions are always logical: N, C, then the spatial ones (D, H, W), outermost first, whatever
 * the layout. Two layouts exist:
 *   RF_ROWMAJOR  dense, last dimension fastest. Everything may be row-major.
 *   RF_NHWC      FP32 of rank 3 (N, C, L; seen as H = 1, W = L) or 4 (N, C, H, W): the channels of
 * a pixel are neighbours. `pitch` elements lie between pixels, `row` between image rows, `image`
 * between samples. `data` points at pixel (0, 0); a halo of pixels around each image may be read at
 * negative offsets and holds what the consumer asked for. Lanes C..pitch hold anything: no result
 * may depend on them.
 */
#ifndef RF_CORE_TENSOR_H
#define RF_CORE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define RF_MAX_RANK 8
#define RF_ALIGN 64 /* bytes: a cache line and an AVX-512 register */

static inline size_t rf_align_up(size_t bytes)
{
    return (bytes + RF_ALIGN - 1) / RF_ALIGN * RF_ALIGN;
}

/* id, bytes an element, name in the Open Inference Protocol */
#define RF_DTYPE_MAP(X)                                                                            \
    X(BOOL, 1, "BOOL")                                                                             \
    X(U8, 1, "UINT8")                                                                              \
    X(U16, 2, "UINT16")                                                                            \
    X(U32, 4, "UINT32")                                                                            \
    X(U64, 8, "UINT64")                                                                            \
    X(I8, 1, "INT8")                                                                               \
    X(I16, 2, "INT16")                                                                             \
    X(I32, 4, "INT32")                                                                             \
    X(I64, 8, "INT64")                                                                             \
    X(F16, 2, "FP16")                                                                              \
    X(BF16, 2, "BF16")                                                                             \
    X(F32, 4, "FP32")                                                                              \
    X(F64, 8, "FP64")

enum rf_dtype {
#define X(id, bytes, name) RF_##id,
    RF_DTYPE_MAP(X)
#undef X
        RF_N_DTYPE
};

size_t rf_dtype_size(enum rf_dtype dtype);      /* bytes an element */
const char *rf_dtype_name(enum rf_dtype dtype); /* "FP32", ... */
/* The dtype of an Open Inference Protocol name; false when there is none (BYTES included). */
bool rf_dtype_find(const char *name, enum rf_dtype *dtype);

enum rf_layout { RF_ROWMAJOR, RF_NHWC };

/* Logical dimensions; -1 is "any" where a declaration allows it. */
struct rf_shape {
    int rank;
    int64_t dim[RF_MAX_RANK];
};

/* Pixels around an image that may be read. */
struct rf_halo {
    int32_t top, left, bottom, right;
};

struct rf_tensor {
    void *data; /* borrowed */
    enum rf_dtype dtype;
    enum rf_layout layout;
    bool channels_last; /* row-major, with the channels as its last dimension */
    struct rf_shape shape;
    struct rf_halo halo;      /* NHWC only */
    size_t pitch, row, image; /* NHWC only; elements */
};

/* Product of the dimensions in `*n`; false if one is negative or the product overflows int64. */
bool rf_shape_numel(const struct rf_shape *shape, int64_t *n) RF_CHECKED;
/* The same for shapes that were checked before. */
int64_t rf_numel(const struct rf_shape *shape);
/* Bytes of its elements, where they lie without gaps. */
size_t rf_shape_bytes(const struct rf_shape *shape, enum rf_dtype dtype);
bool rf_shape_equal(const struct rf_shape *a, const struct rf_shape *b);
/* Without dimension 0, which there must be: the shape of one sample. */
struct rf_shape rf_shape_row(const struct rf_shape *shape);
/* "[1,8,8]"; -1 prints as -1. Writes at most `size` bytes, always terminated; returns text. */
#define RF_SHAPE_TEXT 192
const char *rf_shape_text(const struct rf_shape *shape, char *text, size_t size);

/*
 * Channels-last view of an NHWC tensor, of a rank-2 tensor [N, C] (H = W = 1), or of a row-major
 * one with channels_last [N, ..., C] (H = 1): `n*h*w` positions of `c` channels. What every row
 * kernel, epilogue and counter works on.
 */
struct rf_pixels {
    float *data;
    size_t n, h, w, c;
    size_t pitch, row, image; /* elements */
};

/* The dimension that holds the channels. */
int rf_tensor_channel_axis(const struct rf_tensor *t);
bool rf_tensor_has_pixels(const struct rf_tensor *t);
struct rf_pixels rf_tensor_pixels(const struct rf_tensor *t);

/* Sets pitch, row, image of an NHWC tensor from shape and halo; returns the bytes of the whole
 * buffer and, in `*before`, the offset of pixel (0, 0) in it. Saturates at SIZE_MAX on overflow. */
size_t rf_tensor_lay_out(struct rf_tensor *t, size_t *before);

/* Dense row-major <-> NHWC, FP32; the same logical shape. Positions [first, last) in n*h*w. */
void rf_tensor_to_nhwc(const struct rf_tensor *from, const struct rf_tensor *to, size_t first,
                       size_t last);
void rf_tensor_to_rowmajor(const struct rf_tensor *from, const struct rf_tensor *to, size_t first,
                           size_t last);

/* IEEE half and bfloat16 from and to float; round to nearest even. */
float rf_f16_to_f32(uint16_t h);
uint16_t rf_f32_to_f16(float f);
float rf_bf16_to_f32(uint16_t h);
uint16_t rf_f32_to_bf16(float f);

#endif
