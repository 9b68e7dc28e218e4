#include "core/inputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- of some inputs ---- */

enum rf_status rf_inputs_init(struct rf_inputs *in, const struct rf_feature_map *map,
                              struct rf_error *err)
{
    const size_t features = map->has_input ? map->layers[0].n_channels * RF_N_INPUT_VECTORS : 0;

    *in = (struct rf_inputs){.n_features = features, .n_classes = map->n_classes};
    in->features = calloc(features + 1, sizeof(*in->features));
    in->classes = calloc(map->n_classes + 1, sizeof(*in->classes));
    return in->features && in->classes
               ? RF_OK
               : rf_fail_nomem(err, "features of inputs", features * sizeof(*in->features));
}

enum rf_status rf_inputs_reserve(struct rf_inputs *in, size_t n, struct rf_error *err)
{
    const size_t cap = n < RF_DISTINCT_INPUTS ? n : RF_DISTINCT_INPUTS;

    if (cap <= in->cap_hashes)
        return RF_OK;
    uint64_t *const more = realloc(in->hashes, cap * sizeof(*more));
    if (!more)
        return rf_fail_nomem(err, "hashes of inputs", cap * sizeof(*more));
    in->hashes = more;
    in->cap_hashes = cap;
    return RF_OK;
}

void rf_inputs_release(struct rf_inputs *in)
{
    free(in->features);
    free(in->classes);
    free(in->hashes);
}

void rf_inputs_clear(struct rf_inputs *in)
{
    in->n = in->nonfinite = 0;
    in->n_hashes = 0;
    memset(in->features, 0, in->n_features * sizeof(*in->features));
    memset(in->classes, 0, in->n_classes * sizeof(*in->classes));
}

void rf_inputs_add(struct rf_inputs *to, const struct rf_inputs *from)
{
    to->n += from->n;
    to->nonfinite += from->nonfinite;
    for (size_t i = 0; i < from->n_features; i++)
        to->features[i] += from->features[i];
    for (size_t i = 0; i < from->n_classes; i++)
        to->classes[i] += from->classes[i];
}

/* ---- looking ---- */

/* The same of finite values alone, one by one; returns how many are not. */
static size_t look_singly(const float *x, size_t n, struct rf_look *look)
{
    size_t nonfinite = 0;

    look->sum = look->sum_squares = 0;
    look->min = INFINITY;
    look->max = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) {
            nonfinite++;
            continue;
        }
        look->sum += (double)x[i];
        look->sum_squares += (double)x[i] * (double)x[i];
        look->min = x[i] < look->min ? x[i] : look->min;
        look->max = x[i] > look->max ? x[i] : look->max;
    }
    return nonfinite;
}

/* Adds channel c of one input. */
static uint64_t look_at_channel(struct rf_inputs *in, const float *x, size_t area, size_t c,
                                const struct rf_kernels *k)
{
    const size_t channels = in->n_features / RF_N_INPUT_VECTORS;
    struct rf_look look;
    size_t n = area;

    k->look(x, area, &look);
    if (!isfinite(look.sum) || !isfinite(look.sum_squares)) {
        const size_t nonfinite = look_singly(x, area, &look);

        in->nonfinite += nonfinite;
        n -= nonfinite;
    }
    if (!n)
        return look.hash;
    const double mean = look.sum / (double)n;
    const double variance = look.sum_squares / (double)n - mean * mean;
    in->features[RF_FEATURE_MEAN * channels + c] += mean;
    in->features[RF_FEATURE_STD * channels + c] += variance > 0 ? sqrt(variance) : 0;
    in->features[RF_FEATURE_RANGE * channels + c] += (double)look.max - (double)look.min;
    return look.hash;
}

static uint64_t combine(uint64_t h, uint64_t with)
{
    return ((h << 7 | h >> 57) ^ with) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Of elements of any type, by way of floats. */
static uint64_t hash_bytes(const char *data, size_t bytes, const struct rf_kernels *k)
{
    uint64_t hash = bytes;
    float some[256];

    for (size_t at = 0; at < bytes; at += sizeof(some)) {
        const size_t n = bytes - at < sizeof(some) ? bytes - at : sizeof(some);
        struct rf_look look;

        some[(n - 1) / sizeof(*some)] = 0;
        memcpy(some, data + at, n);
        k->look(some, (n + sizeof(*some) - 1) / sizeof(*some), &look);
        hash = combine(hash, look.hash);
    }
    return hash;
}

/* All channels of one input. */
static uint64_t look_at_features(struct rf_inputs *in, const float *x, size_t bytes,
                                 const struct rf_kernels *k)
{
    const size_t channels = in->n_features / RF_N_INPUT_VECTORS;
    const size_t area = channels == 1 ? bytes / sizeof(*x) : bytes / sizeof(*x) / channels;
    uint64_t hash = 0;

    for (size_t c = 0; c < channels; c++, x += area)
        hash = combine(hash, look_at_channel(in, x, area, c, k));
    return hash;
}

struct rf_given_input rf_given_input(const struct rf_shape *shape, enum rf_dtype dtype, size_t rows)
{
    const bool is_batch = rows && shape->rank && (size_t)shape->dim[0] == rows;
    const size_t bytes = rf_shape_bytes(shape, dtype);

    return (struct rf_given_input){.bytes = is_batch ? bytes / rows : bytes,
                                   .step = is_batch ? bytes / rows : 0};
}

void rf_inputs_look(struct rf_inputs *in, const struct rf_given_input *given, size_t n, size_t rows,
                    const struct rf_feature_map *map, const struct rf_kernels *k)
{
    for (size_t row = 0; row < rows; row++) {
        uint64_t hash = 0;

        for (size_t i = 0; i < n; i++) {
            const char *const part = (const char *)given[i].data + row * given[i].step;

            hash = combine(hash, i == 0 && map->has_input
                                     ? look_at_features(in, (const void *)part, given[i].bytes, k)
                                     : hash_bytes(part, given[i].bytes, k));
        }
        if (in->n_hashes < in->cap_hashes)
            in->hashes[in->n_hashes++] = hash;
    }
    in->n += rows;
}

void rf_inputs_classify(struct rf_inputs *in, const float *output, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        const int class = rf_feature_class(output + i * in->n_classes, in->n_classes);

        if (class >= 0)
            in->classes[class]++;
    }
}

/* ---- how many are different ---- */

enum rf_status rf_distinct_init(struct rf_distinct *d, struct rf_error *err)
{
    *d = (struct rf_distinct){.hash = calloc(2 * RF_DISTINCT_INPUTS, sizeof(*d->hash))};
    if (!d->hash)
        return rf_fail_nomem(err, "hashes of inputs", 2 * RF_DISTINCT_INPUTS * sizeof(*d->hash));
    d->slot = d->hash + RF_DISTINCT_INPUTS;
    return RF_OK;
}

void rf_distinct_release(struct rf_distinct *d)
{
    free(d->hash);
}

void rf_distinct_add(struct rf_distinct *d, const struct rf_inputs *in, uint64_t slot)
{
    for (size_t i = 0; i < in->n_hashes; i++) {
        const size_t at = d->n++ % RF_DISTINCT_INPUTS;

        d->hash[at] = in->hashes[i];
        d->slot[at] = slot;
    }
}

size_t rf_distinct_copy(const struct rf_distinct *d, uint64_t slot, uint64_t *to)
{
    const size_t kept = d->n < RF_DISTINCT_INPUTS ? d->n : RF_DISTINCT_INPUTS;
    size_t n = 0;

    for (size_t i = 0; i < kept; i++)
        if (d->slot[i] >= slot)
            to[n++] = d->hash[i];
    return n;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

size_t rf_distinct_count(uint64_t *hashes, size_t n)
{
    size_t different = n > 0;

    qsort(hashes, n, sizeof(*hashes), by_value);
    for (size_t i = 1; i < n; i++)
        different += hashes[i] != hashes[i - 1];
    return different;
}
