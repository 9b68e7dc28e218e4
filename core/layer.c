/* From the masks and moments of one run to a layer's counters. */
#include "core/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one layer in one run ---------------------------------------------------------------------
 */

static size_t mask_bytes(const struct rf_layer *layer, size_t positions)
{
    return rf_align_up(positions * rf_mask_words(layer->n_channels) * sizeof(uint16_t));
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
    return n_masks(layer) * mask_bytes(layer, positions) + mask_bytes(layer, 1) +
           n_parts * rf_layer_places(layer) * (2 * sizeof(double) + sizeof(float));
}

void rf_layer_run_begin(struct rf_layer_run *run, const struct rf_layer *layer, size_t positions,
                        size_t n_parts, const struct rf_kernels *k, void *memory)
{
    const size_t mask = mask_bytes(layer, positions), moments = n_parts * rf_layer_places(layer);
    char *at = memory;

    *run = (struct rf_layer_run){.places = rf_layer_places(layer),
                                 .mask_pitch = rf_mask_words(layer->n_channels)};
    run->moments.sum = (double *)at;
    run->moments.sum_squares = run->moments.sum + moments;
    run->moments.max = (float *)(run->moments.sum_squares + moments);
    k->moments_clear(&run->moments, moments);
    at = (char *)(run->moments.max + moments);
    run->any = (uint16_t *)at;
    memset(run->any, 0, mask_bytes(layer, 1));
    at += mask_bytes(layer, 1);
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

/* ---- a run's counts ---------------------------------------------------------------------------
 */

static struct rf_moments moments_from(const struct rf_moments *m, size_t at)
{
    return (struct rf_moments){m->sum + at, m->sum_squares + at, m->max + at};
}

/* Everything about a channel that holds NaN or infinity is counted again, value by value. */
static void recount(const struct rf_pixels *out, size_t c, struct rf_tally *t, size_t place)
{
    for (size_t n = 0; n < out->n; n++) {
        for (size_t y = 0; y < out->h; y++) {
            for (size_t x = 0; x < out->w; x++) {
                const float v = out->data[n * out->image + y * out->row + x * out->pitch + c];

                if (!isfinite(v)) {
                    t->counts[RF_COUNT_NONFINITE][place]++;
                    t->counts[RF_COUNT_NAN][place] += isnan(v) != 0;
                    continue;
                }
                t->moments.sum[place] += (double)v;
                t->moments.sum_squares[place] += (double)v * (double)v;
                t->moments.max[place] = v > t->moments.max[place] ? v : t->moments.max[place];
            }
        }
    }
}

/* The moments of all parts, where some are not finite. */
static void add_channel(const struct rf_layer_run *run, size_t n_parts, const struct rf_pixels *out,
                        size_t c, struct rf_tally *t, size_t place)
{
    double sum = 0, squares = 0;
    float max = -INFINITY;

    for (size_t at = c; at < n_parts * run->places; at += run->places) {
        sum += run->moments.sum[at];
        squares += run->moments.sum_squares[at];
        max = run->moments.max[at] > max ? run->moments.max[at] : max;
    }
    if (!isfinite(sum) || !isfinite(squares)) {
        recount(out, c, t, place);
        return;
    }
    t->moments.sum[place] += sum;
    t->moments.sum_squares[place] += squares;
    t->moments.max[place] = max > t->moments.max[place] ? max : t->moments.max[place];
}

static void add_moments(const struct rf_layer *layer, const struct rf_layer_run *run,
                        size_t n_parts, const struct rf_pixels *out, const struct rf_kernels *k,
                        struct rf_tally *t)
{
    const size_t n = n_parts * run->places;
    const struct rf_moments to = moments_from(&t->moments, layer->first_place);

    if (!k->all_finite(run->moments.sum, n) || !k->all_finite(run->moments.sum_squares, n)) {
        for (size_t c = 0; c < layer->n_channels; c++)
            add_channel(run, n_parts, out, c, t, layer->first_place + c);
        return;
    }
    for (size_t at = 0; at < n; at += run->places) {
        const struct rf_moments part = moments_from(&run->moments, at);

        k->moments_add(&to, &part, run->places);
    }
}

/* Bits a channel over all positions, and in how many inputs one is set. The latter are a mask, too:
 * with one position an input the very same. */
static void count_fired(const struct rf_layer_run *run, const struct rf_pixels *out,
                        const struct rf_kernels *k, uint32_t *fired, uint32_t *inputs)
{
    const size_t words = run->mask_pitch, area = out->h * out->w;

    if (area == 1) {
        k->mask_counts(run->fired, out->n, words, words, fired, run->any);
        k->mask_counts(run->fired, out->n, words, words, inputs, run->any);
        return;
    }
    for (size_t n = 0; n < out->n; n++) {
        memset(run->any, 0, words * sizeof(*run->any));
        k->mask_counts(run->fired + n * area * words, area, words, words, fired, run->any);
        k->mask_counts(run->any, 1, words, words, inputs, run->any);
    }
}

void rf_layer_count(const struct rf_layer *layer, const struct rf_layer_run *run, size_t n_parts,
                    const struct rf_pixels *out, const struct rf_kernels *k, struct rf_tally *t)
{
    const size_t positions = out->n * out->h * out->w, words = run->mask_pitch;
    const struct {
        const uint16_t *mask;
        enum rf_count count;
    } others[] = {{run->zero, RF_COUNT_ZEROS},
                  {run->inactive, RF_COUNT_INACTIVE},
                  {run->top, RF_COUNT_SATURATED}};

    t->n_values += positions * layer->n_channels;
    t->positions[layer->index] += positions;
    add_moments(layer, run, n_parts, out, k, t);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (others[i].mask)
            k->mask_counts(others[i].mask, positions, words, words,
                           t->counts[others[i].count] + layer->first_place, run->any);
    count_fired(run, out, k, t->counts[RF_COUNT_FIRED] + layer->first_place,
                t->counts[RF_COUNT_FIRED_INPUTS] + layer->first_place);
}

/* ---- a tally ----------------------------------------------------------------------------------
 */

static void clear(struct rf_tally *t, size_t n_layers)
{
    t->n_values = 0;
    memset(t->positions, 0, n_layers * sizeof(*t->positions));
    memset(t->counts[0], 0, RF_N_COUNTS * t->places * sizeof(*t->counts[0]));
    memset(t->moments.sum, 0, 2 * t->places * sizeof(*t->moments.sum));
    for (size_t i = 0; i < t->places; i++)
        t->moments.max[i] = -INFINITY;
}

enum rf_status rf_tally_init(struct rf_tally *t, const struct rf_layer *layers, size_t n_layers,
                             struct rf_error *err)
{
    const struct rf_layer *const last = n_layers ? &layers[n_layers - 1] : NULL;
    const size_t places = last ? rf_layer_end_place(last) : 0;
    const size_t each = 2 * sizeof(double) + sizeof(float) + RF_N_COUNTS * sizeof(uint32_t);

    *t = (struct rf_tally){.places = places};
    t->memory = malloc(places * each + (n_layers + 1) * sizeof(*t->positions));
    if (!t->memory)
        return rf_fail_nomem(err, "counters", places * each);
    t->moments.sum = t->memory;
    t->moments.sum_squares = t->moments.sum + places;
    t->positions = (uint64_t *)(t->moments.sum_squares + places);
    t->moments.max = (float *)(t->positions + n_layers);
    t->counts[0] = (uint32_t *)(t->moments.max + places);
    for (size_t i = 1; i < RF_N_COUNTS; i++)
        t->counts[i] = t->counts[i - 1] + places;
    clear(t, n_layers);
    return RF_OK;
}

void rf_tally_release(struct rf_tally *t)
{
    free(t->memory);
}

void rf_tally_move(struct rf_tally *to, struct rf_tally *from, const struct rf_layer *layers,
                   size_t n_layers, const struct rf_kernels *k)
{
    to->n_values += from->n_values;
    from->n_values = 0;
    for (const struct rf_layer *l = layers; l < layers + n_layers; l++) {
        const size_t first = l->first_place, places = rf_layer_places(l);
        const struct rf_moments sum = moments_from(&to->moments, first);
        const struct rf_moments part = moments_from(&from->moments, first);

        if (!from->positions[l->index])
            continue;
        to->positions[l->index] += from->positions[l->index];
        from->positions[l->index] = 0;
        for (size_t i = 0; i < RF_N_COUNTS; i++) {
            for (size_t c = first; c < first + places; c++)
                to->counts[i][c] += from->counts[i][c];
            memset(from->counts[i] + first, 0, places * sizeof(*from->counts[i]));
        }
        k->moments_add(&sum, &part, places);
        k->moments_clear(&part, places);
    }
}

static void flush_channel(const struct rf_tally *t, const struct rf_layer *layer, size_t place,
                          struct rf_channel_activity *to)
{
    const uint64_t values = t->positions[layer->index];
    const uint32_t fired = t->counts[RF_COUNT_FIRED][place];
    const double max = (double)t->moments.max[place];

    to->values += values;
    to->fired += fired;
    to->fired_inputs += t->counts[RF_COUNT_FIRED_INPUTS][place];
    to->zeros += layer->needs_zero ? t->counts[RF_COUNT_ZEROS][place]
                                   : values - fired - t->counts[RF_COUNT_NAN][place];
    to->inactive += t->counts[RF_COUNT_INACTIVE][place];
    to->saturated += t->counts[RF_COUNT_SATURATED][place];
    to->nonfinite += t->counts[RF_COUNT_NONFINITE][place];
    to->sum += t->moments.sum[place];
    to->sum_squares += t->moments.sum_squares[place];
    to->max = max > to->max ? max : to->max;
}

void rf_tally_flush(struct rf_tally *t, const struct rf_layer *layers, size_t n_layers,
                    struct rf_channel_activity *totals)
{
    for (size_t i = 0; i < n_layers; i++)
        for (size_t c = 0; c < layers[i].n_channels; c++)
            flush_channel(t, &layers[i], layers[i].first_place + c, &totals[layers[i].first + c]);
    clear(t, n_layers);
}
