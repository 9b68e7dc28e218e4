#include "core/baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/drift.h"

/* ---- a baseline --------------------------------------------------------------------------------
 */

enum rf_status rf_baseline_new(struct rf_baseline **out, const struct rf_feature_map *map,
                               bool plain, struct rf_error *err)
{
    const size_t k = map->n_classes, f = map->n_features;
    struct rf_baseline *const b = calloc(1, sizeof(*b));

    *out = NULL;
    if (!b)
        return rf_fail_nomem(err, "baseline", sizeof(*b));
    b->n_classes = k;
    b->n_features = f;
    b->classes = calloc(k + 1, sizeof(*b->classes));
    b->mean = calloc(f + 1, sizeof(*b->mean));
    b->variance = calloc(f + 1, sizeof(*b->variance));
    if (k && !plain) {
        b->class_mean = calloc(k * f + 1, sizeof(*b->class_mean));
        b->class_error = calloc(k * k, sizeof(*b->class_error));
    }
    if (!b->classes || !b->mean || !b->variance ||
        (k && !plain && (!b->class_mean || !b->class_error))) {
        rf_baseline_free(b);
        return rf_fail_nomem(err, "baseline", (k + 2) * f * sizeof(*b->mean));
    }
    *out = b;
    return RF_OK;
}

void rf_baseline_free(struct rf_baseline *b)
{
    if (!b)
        return;
    free(b->classes);
    free(b->mean);
    free(b->variance);
    free(b->class_mean);
    free(b->class_error);
    free(b);
}

double rf_baseline_floor(uint64_t inputs)
{
    return 0.25 / (double)inputs;
}

/* ---- building one ------------------------------------------------------------------------------
 */

struct rf_baseline_builder {
    const struct rf_feature_map *map;
    struct rf_feature_sum all; /* of which `sum` is about `origin` */
    uint64_t blocks;
    double *origin;     /* [features] the first block's means: what is large is taken off early */
    double *squares;    /* [features] sum of n_b times the squared mean */
    double *class_sums; /* [classes][features] sum of c_bk times the mean */
    double *class_product;              /* [classes][classes] N */
    struct rf_feature_sum *sub_windows; /* [max_sub_windows] */
    size_t n_sub_windows; /* full ones; the next, where there is room, is being filled */
    size_t max_sub_windows;
};

size_t rf_baseline_builder_bytes(const struct rf_feature_map *map, size_t sub_windows)
{
    const size_t k = map->n_classes, f = map->n_features;

    return (f * (k + 3 + sub_windows) + k * (k + 1 + sub_windows)) * sizeof(double);
}

static enum rf_status init_sub_windows(struct rf_baseline_builder *b, size_t n,
                                       struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    b->sub_windows = calloc(n + 1, sizeof(*b->sub_windows));
    if (!b->sub_windows)
        return rf_fail_nomem(err, "baseline", n * sizeof(*b->sub_windows));
    b->max_sub_windows = n;
    for (size_t i = 0; i < n && !rc; i++)
        rc = rf_feature_sum_init(&b->sub_windows[i], b->map, err);
    return rc;
}

static enum rf_status init_sums(struct rf_baseline_builder *b, struct rf_error *err)
{
    const size_t k = b->map->n_classes, f = b->map->n_features;

    b->origin = calloc(f + 1, sizeof(*b->origin));
    b->squares = calloc(f + 1, sizeof(*b->squares));
    b->class_sums = calloc(k * f + 1, sizeof(*b->class_sums));
    b->class_product = calloc(k * k + 1, sizeof(*b->class_product));
    return b->origin && b->squares && b->class_sums && b->class_product
               ? rf_feature_sum_init(&b->all, b->map, err)
               : rf_fail_nomem(err, "baseline", (k + 3) * f * sizeof(*b->squares));
}

enum rf_status rf_baseline_builder_new(struct rf_baseline_builder **out,
                                       const struct rf_feature_map *map, size_t sub_windows,
                                       struct rf_error *err)
{
    struct rf_baseline_builder *const b = calloc(1, sizeof(*b));

    *out = NULL;
    if (!b)
        return rf_fail_nomem(err, "baseline", sizeof(*b));
    b->map = map;
    enum rf_status rc = init_sums(b, err);
    if (!rc)
        rc = init_sub_windows(b, sub_windows, err);
    if (rc)
        rf_baseline_builder_free(b);
    else
        *out = b;
    return rc;
}

void rf_baseline_builder_free(struct rf_baseline_builder *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->max_sub_windows; i++)
        rf_feature_sum_release(&b->sub_windows[i]);
    rf_feature_sum_release(&b->all);
    free(b->sub_windows);
    free(b->origin);
    free(b->squares);
    free(b->class_sums);
    free(b->class_product);
    free(b);
}

void rf_baseline_builder_clear(struct rf_baseline_builder *b)
{
    const size_t k = b->map->n_classes, f = b->map->n_features;

    rf_feature_sum_clear(&b->all, b->map);
    b->blocks = 0;
    memset(b->squares, 0, f * sizeof(*b->squares));
    memset(b->class_sums, 0, k * f * sizeof(*b->class_sums));
    memset(b->class_product, 0, k * k * sizeof(*b->class_product));
    for (size_t i = 0; i < b->max_sub_windows && b->sub_windows[i].inputs; i++)
        rf_feature_sum_clear(&b->sub_windows[i], b->map);
    b->n_sub_windows = 0;
}

static void add_to_sub_window(struct rf_baseline_builder *b, const struct rf_feature_sum *block)
{
    if (b->n_sub_windows == b->max_sub_windows)
        return;
    struct rf_feature_sum *const sub = &b->sub_windows[b->n_sub_windows];

    rf_feature_sum_add(sub, block, b->map);
    b->n_sub_windows += sub->inputs >= RF_DRIFT_WINDOW;
}

static void add_features(struct rf_baseline_builder *b, const struct rf_feature_sum *block)
{
    const double n = (double)block->inputs;

    for (size_t f = 0; f < b->map->n_features; f++) {
        const double sum = block->sum[f] - n * b->origin[f];

        b->all.sum[f] += sum;
        b->squares[f] += sum * sum / n;
    }
}

static void add_classes(struct rf_baseline_builder *b, const struct rf_feature_sum *block)
{
    const size_t k_all = b->map->n_classes, f_all = b->map->n_features;
    const double n = (double)block->inputs;

    for (size_t k = 0; k < k_all; k++) {
        const double share = (double)block->classes[k] / n;
        double *const sums = b->class_sums + k * f_all;

        if (share == 0)
            continue;
        b->all.classes[k] += block->classes[k];
        for (size_t l = 0; l < k_all; l++)
            b->class_product[k * k_all + l] += share * (double)block->classes[l];
        for (size_t f = 0; f < f_all; f++)
            sums[f] += share * (block->sum[f] - n * b->origin[f]);
    }
}

enum rf_status rf_baseline_builder_add(struct rf_baseline_builder *b,
                                       const struct rf_feature_sum *block, struct rf_error *err)
{
    if (block->nonfinite)
        return rf_fail(err, RF_INVALID,
                       "a baseline needs finite values; %llu were not, in inputs or activations",
                       (unsigned long long)block->nonfinite);
    if (!block->inputs)
        return RF_OK;
    add_to_sub_window(b, block);
    if (!b->blocks++)
        for (size_t f = 0; f < b->map->n_features; f++)
            b->origin[f] = block->sum[f] / (double)block->inputs;
    b->all.inputs += block->inputs;
    add_features(b, block);
    add_classes(b, block);
    return RF_OK;
}

/* In place, of a symmetric matrix whose eigenvalues are at least RF_BASELINE_SHRINKAGE: no pivot
 * can be small. */
static void invert(double *a, size_t n)
{
    for (size_t p = 0; p < n; p++) {
        const double pivot = 1 / a[p * n + p];

        a[p * n + p] = 1;
        for (size_t j = 0; j < n; j++)
            a[p * n + j] *= pivot;
        for (size_t i = 0; i < n; i++) {
            const double factor = a[i * n + p];

            if (i == p)
                continue;
            a[i * n + p] = 0;
            for (size_t j = 0; j < n; j++)
                a[i * n + j] -= factor * a[p * n + j];
        }
    }
}

/* Degrees of freedom that the means use up. */
static double used_up(const struct rf_baseline *out)
{
    double used = (double)out->n_classes;

    if (!out->class_error)
        return 1;
    for (size_t k = 0; k < out->n_classes; k++)
        used -= RF_BASELINE_SHRINKAGE * out->class_error[k * (out->n_classes + 1)];
    return used;
}

/* The class means of feature f; returns what they explain of its sum of squares. */
static double solve(const struct rf_baseline_builder *b, struct rf_baseline *out, size_t f)
{
    const size_t k_all = out->n_classes, f_all = out->n_features;
    const double mean = b->all.sum[f] / (double)b->all.inputs;
    double r[RF_MAX_CLASSES], explained = 0;

    for (size_t k = 0; k < k_all; k++)
        r[k] = b->class_sums[k * f_all + f] - (double)b->all.classes[k] * mean;
    for (size_t k = 0; k < k_all; k++) {
        double d = 0;

        for (size_t l = 0; l < k_all; l++)
            d += out->class_error[k * k_all + l] * r[l];
        out->class_mean[k * f_all + f] = out->mean[f] + d;
        explained += d * r[k] + RF_BASELINE_SHRINKAGE * d * d;
    }
    return explained;
}

static void fill(const struct rf_baseline_builder *b, struct rf_baseline *out)
{
    const size_t k_all = out->n_classes;
    const double n = (double)b->all.inputs;

    out->inputs = b->all.inputs;
    memcpy(out->classes, b->all.classes, k_all * sizeof(*out->classes));
    if (out->class_error) {
        memcpy(out->class_error, b->class_product, k_all * k_all * sizeof(*out->class_error));
        for (size_t k = 0; k < k_all; k++)
            out->class_error[k * (k_all + 1)] += RF_BASELINE_SHRINKAGE;
        invert(out->class_error, k_all);
    }
    const double freedom = fmax(1, (double)b->blocks - used_up(out));
    for (size_t f = 0; f < out->n_features; f++) {
        const double sum = b->all.sum[f];

        out->mean[f] = b->origin[f] + sum / n;
        const double explained = out->class_mean ? solve(b, out, f) : 0;
        out->variance[f] = fmax((b->squares[f] - sum * sum / n - explained) / freedom,
                                rf_baseline_floor(out->inputs));
    }
    for (size_t i = 0; i < b->n_sub_windows; i++)
        out->sub_window_max =
            fmax(out->sub_window_max, rf_drift_own_score(b->map, out, &b->sub_windows[i]));
}

enum rf_status rf_baseline_builder_finish(const struct rf_baseline_builder *b, bool plain,
                                          struct rf_baseline **out, struct rf_error *err)
{
    *out = NULL;
    if (b->all.inputs < RF_BASELINE_MIN_INPUTS || b->blocks < RF_BASELINE_MIN_BLOCKS)
        return rf_fail(err, RF_INVALID,
                       "a baseline needs at least %d inputs in %d blocks; there are %llu in %llu",
                       RF_BASELINE_MIN_INPUTS, RF_BASELINE_MIN_BLOCKS,
                       (unsigned long long)b->all.inputs, (unsigned long long)b->blocks);
    const enum rf_status rc = rf_baseline_new(out, b->map, plain, err);
    if (*out)
        fill(b, *out);
    return rc;
}
