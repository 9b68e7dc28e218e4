/* Tallies, and what the mask of one run adds to them. */
#include "core/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a tally ---- */

#define PLACE_BYTES (2 * sizeof(double) + sizeof(float) + RF_N_COUNTS * sizeof(uint32_t))

size_t rf_tally_bytes(size_t n_layers, size_t places, size_t unit_words)
{
    size_t bytes, units;

    return __builtin_mul_overflow(places, PLACE_BYTES, &bytes) ||
                   __builtin_mul_overflow(unit_words, sizeof(uint16_t), &units) ||
                   __builtin_add_overflow(bytes, units, &bytes) ||
                   __builtin_add_overflow(bytes, n_layers * sizeof(uint64_t) + RF_ALIGN, &bytes)
               ? SIZE_MAX
               : bytes;
}

enum rf_status rf_tally_init(struct rf_tally *t, const struct rf_layer *layers, size_t n_layers,
                             size_t unit_words, struct rf_error *err)
{
    const size_t places = n_layers ? rf_layer_end_place(&layers[n_layers - 1]) : 0;
    const size_t bytes = rf_tally_bytes(n_layers, places, unit_words);
    char *const memory = calloc(1, bytes);

    *t = (struct rf_tally){.n_layers = n_layers, .places = places, .unit_words = unit_words};
    if (!memory)
        return rf_fail_nomem(err, "counters", bytes);
    t->positions = (uint64_t *)memory;
    /* Whole lines: vectors that cross two take twice as long. */
    const size_t start = (uintptr_t)(t->positions + n_layers) % RF_ALIGN;
    t->moments.sum = (double *)(t->positions + n_layers) + (RF_ALIGN - start) / sizeof(double);
    t->moments.sum_squares = t->moments.sum + places;
    t->moments.max = (float *)(t->moments.sum_squares + places);
    t->counts[0] = (uint32_t *)(t->moments.max + places);
    for (size_t i = 1; i < RF_N_COUNTS; i++)
        t->counts[i] = t->counts[i - 1] + places;
    t->units = unit_words ? (uint16_t *)(t->counts[0] + RF_N_COUNTS * places) : NULL;
    return RF_OK;
}

void rf_tally_release(struct rf_tally *t)
{
    free(t->positions);
}

void rf_tally_clear(struct rf_tally *t)
{
    memset(t->positions, 0, rf_tally_bytes(t->n_layers, t->places, t->unit_words));
    for (size_t i = 0; i < t->places; i++)
        t->moments.max[i] = -INFINITY;
}

void rf_tally_move(struct rf_tally *to, struct rf_tally *from, const struct rf_kernels *k)
{
    for (size_t i = 0; i < from->n_layers; i++)
        to->positions[i] += from->positions[i];
    memset(from->positions, 0, from->n_layers * sizeof(*from->positions));
    k->moments_move(&to->moments, &from->moments, from->places);
    k->counts_move(to->counts[0], from->counts[0], RF_N_COUNTS * from->places);
}

static void add_channel(const struct rf_tally *t, const struct rf_layer *layer, size_t place,
                        struct rf_channel_activity *to)
{
    const uint64_t values = t->positions[layer->index];
    const uint32_t fired = t->counts[RF_COUNT_FIRED][place];
    const double max = (double)t->moments.max[place];

    to->values += values;
    to->fired += fired;
    to->fired_inputs += layer->area == 1 ? fired : t->counts[RF_COUNT_FIRED_INPUTS][place];
    to->zeros += layer->needs_zero ? t->counts[RF_COUNT_ZEROS][place]
                                   : values - fired - t->counts[RF_COUNT_NAN][place];
    to->inactive += t->counts[RF_COUNT_INACTIVE][place];
    to->saturated += t->counts[RF_COUNT_SATURATED][place];
    to->nonfinite += t->counts[RF_COUNT_NONFINITE][place];
    to->sum += t->moments.sum[place];
    to->sum_squares += t->moments.sum_squares[place];
    to->max = max > to->max ? max : to->max;
}

void rf_tally_add(const struct rf_tally *t, const struct rf_layer *layers,
                  struct rf_channel_activity *sums)
{
    for (const struct rf_layer *l = layers; l < layers + t->n_layers; l++)
        for (size_t c = 0; c < l->n_channels; c++)
            add_channel(t, l, l->first_place + c, &sums[l->first + c]);
}

void rf_channels_add(struct rf_channel_activity *to, const struct rf_channel_activity *from,
                     size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i].values += from[i].values;
        to[i].fired += from[i].fired;
        to[i].fired_inputs += from[i].fired_inputs;
        to[i].zeros += from[i].zeros;
        to[i].inactive += from[i].inactive;
        to[i].saturated += from[i].saturated;
        to[i].nonfinite += from[i].nonfinite;
        to[i].sum += from[i].sum;
        to[i].sum_squares += from[i].sum_squares;
        to[i].max = from[i].max > to[i].max ? from[i].max : to[i].max;
    }
}

void rf_channels_clear(struct rf_channel_activity *channels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        channels[i] = (struct rf_channel_activity){.max = -INFINITY};
}

/* ---- one layer in one run ---- */

static size_t mask_bytes(const struct rf_layer *layer, size_t positions)
{
    return rf_align_up(positions * rf_mask_words(layer->n_channels) * sizeof(uint16_t));
}

size_t rf_layer_run_bytes(const struct rf_layer *layer, size_t positions)
{
    return mask_bytes(layer, positions) + mask_bytes(layer, 1);
}

void rf_layer_run_begin(struct rf_layer_run *run, const struct rf_layer *layer,
                        struct rf_tally *tallies, void *memory)
{
    *run = (struct rf_layer_run){.tallies = tallies,
                                 .first_place = layer->first_place,
                                 .mask_pitch = rf_mask_words(layer->n_channels),
                                 .needs_inactive = layer->kind == RF_KIND_LEAKY,
                                 .needs_zero = layer->needs_zero,
                                 .needs_top = layer->kind == RF_KIND_CLIP,
                                 .any = memory,
                                 .fired = (uint16_t *)((char *)memory + mask_bytes(layer, 1))};
}

/* Inputs of one position each: a channel fires in an input when it fires, and is a unit. */
static void count_flat(const struct rf_layer *layer, const struct rf_layer_run *run, size_t n,
                       const struct rf_kernels *k)
{
    struct rf_tally *const t = run->tallies;
    const size_t words = run->mask_pitch;
    uint16_t *const units = t->units ? t->units + layer->first_unit : run->any;

    k->mask_counts(run->fired, n, words, words, t->counts[RF_COUNT_FIRED] + run->first_place,
                   units);
}

/* In how many inputs a channel fires: of each input, the words of all its positions in one row. */
static void count_inputs(const struct rf_layer *layer, const struct rf_layer_run *run,
                         const struct rf_pixels *out, const struct rf_kernels *k)
{
    struct rf_tally *const t = run->tallies;
    const size_t words = run->mask_pitch, area = out->h * out->w;
    const uint16_t *fired = run->fired;

    for (size_t n = 0; n < out->n; n++, fired += area * words) {
        memset(run->any, 0, words * sizeof(*run->any));
        k->mask_counts(fired, area, words, words, t->counts[RF_COUNT_FIRED] + run->first_place,
                       run->any);
        k->mask_counts(run->any, 1, words, words,
                       t->counts[RF_COUNT_FIRED_INPUTS] + run->first_place, run->any);
        if (t->units && layer->unit_words)
            k->units_add(t->units + layer->first_unit, fired, layer->unit_words);
    }
}

void rf_layer_count(const struct rf_layer *layer, const struct rf_layer_run *run,
                    const struct rf_pixels *out, const struct rf_kernels *k)
{
    run->tallies->positions[layer->index] += out->n * out->h * out->w;
    if (layer->area == 1)
        count_flat(layer, run, out->n, k);
    else
        count_inputs(layer, run, out, k);
}
