#include "core/tensor.h"

#include <stdio.h>
#include <string.h>

static const struct {
    size_t bytes;
    const char *name;
} dtypes[] = {
#define X(id, bytes, name) {bytes, name},
    RF_DTYPE_MAP(X)
#undef X
};

size_t rf_dtype_size(enum rf_dtype dtype)
{
    return dtypes[dtype].bytes;
}

const char *rf_dtype_name(enum rf_dtype dtype)
{
    return dtypes[dtype].name;
}

bool rf_dtype_find(const char *name, enum rf_dtype *dtype)
{
    for (int i = 0; i < RF_N_DTYPE; i++) {
        if (!strcmp(dtypes[i].name, name)) {
            *dtype = (enum rf_dtype)i;
            return true;
        }
    }
    return false;
}

bool rf_shape_numel(const struct rf_shape *shape, int64_t *n)
{
    int64_t product = 1;
    bool zero = false;

    /* A zero dimension must not hide that the others overflow. */
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0)
            return false;
        if (shape->dim[i] == 0)
            zero = true;
        else if (__builtin_mul_overflow(product, shape->dim[i], &product))
            return false;
    }
    *n = zero ? 0 : product;
    return true;
}

int64_t rf_numel(const struct rf_shape *shape)
{
    int64_t n = 1;

    for (int i = 0; i < shape->rank; i++)
        n *= shape->dim[i];
    return n;
}

size_t rf_shape_bytes(const struct rf_shape *shape, enum rf_dtype dtype)
{
    return (size_t)rf_numel(shape) * rf_dtype_size(dtype);
}

struct rf_shape rf_shape_row(const struct rf_shape *shape)
{
    struct rf_shape row = {.rank = shape->rank - 1};

    memcpy(row.dim, shape->dim + 1, (size_t)row.rank * sizeof(*row.dim));
    return row;
}

bool rf_shape_equal(const struct rf_shape *a, const struct rf_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

const char *rf_shape_text(const struct rf_shape *shape, char *text, size_t size)
{
    size_t at = 0;

    at += (size_t)snprintf(text, size, "[");
    for (int i = 0; i < shape->rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%lld", i ? "," : "",
                               (long long)shape->dim[i]);
    if (at < size)
        snprintf(text + at, size - at, "]");
    return text;
}

int rf_tensor_channel_axis(const struct rf_tensor *t)
{
    return t->channels_last ? t->shape.rank - 1 : 1;
}

bool rf_tensor_has_pixels(const struct rf_tensor *t)
{
    return t->dtype == RF_F32 &&
           (t->layout == RF_NHWC || t->shape.rank == 2 || (t->channels_last && t->shape.rank > 2));
}

struct rf_pixels rf_tensor_pixels(const struct rf_tensor *t)
{
    const int64_t *const dim = t->shape.dim;
    const int rank = t->shape.rank;
    struct rf_pixels p = {.data = t->data, .n = (size_t)dim[0], .h = 1, .w = 1};

    p.c = (size_t)dim[rf_tensor_channel_axis(t)];
    if (t->layout == RF_NHWC) {
        p.h = rank == 4 ? (size_t)dim[2] : 1;
        p.w = (size_t)dim[rank - 1];
        p.pitch = t->pitch;
        p.row = t->row;
        p.image = t->image;
        return p;
    }
    for (int i = 1; t->channels_last && i < rank - 1; i++)
        p.w *= (size_t)dim[i];
    p.pitch = p.c;
    p.row = p.image = p.w * p.c;
    return p;
}

/*
 * Pixels start on a multiple of 16 floats (one AVX-512 register), except where a handful of
 * channels would mostly be padding. A pitch of a multiple of 4 KiB would put the pixels that a
 * kernel reads together into the same L1 set: 16 floats more spread them.
 */
static bool pixel_pitch(int64_t channels, size_t *pitch)
{
    size_t p = (size_t)channels;

    if (__builtin_add_overflow(p, 15, &p))
        return false;
    p = channels < 8 ? (size_t)channels : p / 16 * 16;
    *pitch = p && p % 1024 == 0 ? p + 16 : p;
    return true;
}

size_t rf_tensor_lay_out(struct rf_tensor *t, size_t *before)
{
    const int64_t *const dim = t->shape.dim;
    const int rank = t->shape.rank;
    const struct rf_halo *const halo = &t->halo;
    const size_t h = rank == 4 ? (size_t)dim[2] : 1, w = (size_t)dim[rank - 1];
    size_t rows, pixels, bytes;

    if (!pixel_pitch(dim[1], &t->pitch) ||
        __builtin_add_overflow(w, (size_t)halo->left + (size_t)halo->right, &pixels) ||
        __builtin_mul_overflow(pixels, t->pitch, &t->row) ||
        __builtin_add_overflow(h, (size_t)halo->top + (size_t)halo->bottom, &rows) ||
        __builtin_mul_overflow(rows, t->row, &t->image) ||
        __builtin_mul_overflow((size_t)dim[0], t->image, &bytes) ||
        __builtin_mul_overflow(bytes, sizeof(float), &bytes) ||
        __builtin_add_overflow(bytes, RF_ALIGN, &bytes))
        return SIZE_MAX;
    *before = ((size_t)halo->top * t->row + (size_t)halo->left * t->pitch) * sizeof(float);
    /* A whole register may be read at the last pixel. */
    return bytes;
}

/* Blocks of pixels keep the strided side within a few cache lines. */
#define BLOCK 16

void rf_tensor_to_nhwc(const struct rf_tensor *from, const struct rf_tensor *to, size_t first,
                       size_t last)
{
    const struct rf_pixels p = rf_tensor_pixels(to);
    const float *const src = from->data;
    const size_t area = p.h * p.w;

    for (size_t at = first; at < last;) {
        const size_t n = at / area, y = at % area / p.w, x = at % p.w;
        size_t run = p.w - x < last - at ? p.w - x : last - at;
        float *const dst = p.data + n * p.image + y * p.row + x * p.pitch;
        const float *const image = src + n * p.c * area + y * p.w + x;

        run = run < BLOCK ? run : BLOCK;
        for (size_t c = 0; c < p.c; c++)
            for (size_t i = 0; i < run; i++)
                dst[i * p.pitch + c] = image[c * area + i];
        at += run;
    }
}

void rf_tensor_to_rowmajor(const struct rf_tensor *from, const struct rf_tensor *to, size_t first,
                           size_t last)
{
    const struct rf_pixels p = rf_tensor_pixels(from);
    float *const dst = to->data;
    const size_t area = p.h * p.w;

    for (size_t at = first; at < last;) {
        const size_t n = at / area, y = at % area / p.w, x = at % p.w;
        size_t run = p.w - x < last - at ? p.w - x : last - at;
        const float *const src = p.data + n * p.image + y * p.row + x * p.pitch;
        float *const image = dst + n * p.c * area + y * p.w + x;

        run = run < BLOCK ? run : BLOCK;
        for (size_t c = 0; c < p.c; c++)
            for (size_t i = 0; i < run; i++)
                image[c * area + i] = src[i * p.pitch + c];
        at += run;
    }
}
