/* From the masks and moments of one run to a layer's counters. */
#include "core/layer.h"

#include <math.h>
#include <string.h>

static size_t mask_bytes(const struct rf_layer *layer, size_t positions)
{
    const size_t bytes = positions * rf_mask_words(layer->n_channels) * sizeof(uint16_t);

    return (bytes + RF_ALIGN - 1) / RF_ALIGN * RF_ALIGN;
}

static size_t n_masks(const struct rf_layer *layer)
{
    size_t n = 1;

    n += layer->needs_zero;
    n += layer->kind == RF_KIND_LEAKY || layer->kind == RF_KIND_CLIP;
    return n;
}

size_t rf_layer_run_bytes(const struct rf_layer *layer, size_t positions, size_t n_parts)
{
    return n_masks(layer) * mask_bytes(layer, positions) +
           n_parts * layer->n_channels * (2 * sizeof(double) + sizeof(float));
}

void rf_layer_run_begin(struct rf_layer_run *run, const struct rf_layer *layer, size_t positions,
                        size_t n_parts, void *memory)
{
    const size_t mask = mask_bytes(layer, positions), moments = n_parts * layer->n_channels;
    char *at = memory;

    *run = (struct rf_layer_run){.n_channels = layer->n_channels,
                                 .mask_pitch = rf_mask_words(layer->n_channels)};
    run->sum = (double *)at;
    run->sum_squares = run->sum + moments;
    memset(at, 0, 2 * moments * sizeof(double));
    run->max = (float *)(run->sum_squares + moments);
    for (size_t i = 0; i < moments; i++)
        run->max[i] = -INFINITY;
    at = (char *)(run->max + moments);
    run->fired = (uint16_t *)at;
    at += mask;
    if (layer->needs_zero) {
        run->zero = (uint16_t *)at;
        at += mask;
    }
    if (layer->kind == RF_KIND_LEAKY)
        run->inactive = (uint16_t *)at;
    if (layer->kind == RF_KIND_CLIP)
        run->top = (uint16_t *)at;
}

/* Everything about a channel that holds NaN or infinity is counted again, value by value. */
static void recount(const struct rf_pixels *out, size_t c, struct rf_channel_activity *t,
                    uint64_t *nan)
{
    for (size_t n = 0; n < out->n; n++) {
        for (size_t y = 0; y < out->h; y++) {
            for (size_t x = 0; x < out->w; x++) {
                const double v =
                    (double)out->data[n * out->image + y * out->row + x * out->pitch + c];

                if (!isfinite(v)) {
                    t->nonfinite++;
                    *nan += isnan(v) != 0;
                    continue;
                }
                t->sum += v;
                t->sum_squares += v * v;
                t->max = v > t->max ? v : t->max;
            }
        }
    }
}

/* Bits a channel over all positions, added up input by input: `inputs_with`, where any is set. */
static void count_mask(const uint16_t *mask, const struct rf_layer_run *run,
                       const struct rf_pixels *out, const struct rf_kernels *k, uint32_t *counts,
                       uint16_t *any, struct rf_channel_activity *inputs_with)
{
    const size_t words = run->mask_pitch, area = out->h * out->w;

    memset(counts, 0, words * RF_GROUP * sizeof(*counts));
    for (size_t n = 0; n < out->n; n++) {
        memset(any, 0, words * sizeof(*any));
        k->mask_counts(mask + n * area * words, area, words, words, counts, any);
        for (size_t c = 0; inputs_with && c < run->n_channels; c++)
            inputs_with[c].fired_inputs += any[c / RF_GROUP] >> c % RF_GROUP & 1;
    }
}

size_t rf_layer_scratch(size_t n_channels)
{
    return rf_mask_words(n_channels) * (RF_GROUP * sizeof(uint32_t) + sizeof(uint16_t));
}

static void add_moments(const struct rf_layer_run *run, size_t n_parts, const struct rf_pixels *out,
                        size_t c, struct rf_channel_activity *t, uint64_t *nan)
{
    double sum = 0, squares = 0;
    float max = -INFINITY;

    for (size_t part = 0; part < n_parts; part++) {
        const size_t at = part * run->n_channels + c;

        sum += run->sum[at];
        squares += run->sum_squares[at];
        max = run->max[at] > max ? run->max[at] : max;
    }
    if (!isfinite(sum) || !isfinite(squares)) {
        recount(out, c, t, nan);
        return;
    }
    t->sum += sum;
    t->sum_squares += squares;
    t->max = (double)max > t->max ? (double)max : t->max;
}

void rf_layer_count(const struct rf_layer *layer, const struct rf_layer_run *run, size_t n_parts,
                    const struct rf_pixels *out, const struct rf_kernels *k, void *scratch,
                    struct rf_channel_activity *totals)
{
    uint32_t *const counts = scratch;
    uint16_t *const any = (uint16_t *)(counts + run->mask_pitch * RF_GROUP);
    const uint64_t values = (uint64_t)(out->n * out->h * out->w);

    count_mask(run->fired, run, out, k, counts, any, totals);
    for (size_t c = 0; c < layer->n_channels; c++) {
        struct rf_channel_activity *const t = &totals[c];
        uint64_t nan = 0;

        add_moments(run, n_parts, out, c, t, &nan);
        t->values += values;
        t->fired += counts[c];
        if (!run->zero)
            t->zeros += values - counts[c] - nan;
    }
    if (run->zero) {
        count_mask(run->zero, run, out, k, counts, any, NULL);
        for (size_t c = 0; c < layer->n_channels; c++)
            totals[c].zeros += counts[c];
    }
    if (run->inactive) {
        count_mask(run->inactive, run, out, k, counts, any, NULL);
        for (size_t c = 0; c < layer->n_channels; c++)
            totals[c].inactive += counts[c];
    }
    if (run->top) {
        count_mask(run->top, run, out, k, counts, any, NULL);
        for (size_t c = 0; c < layer->n_channels; c++)
            totals[c].saturated += counts[c];
    }
}
