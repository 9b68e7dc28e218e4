/*
 * A baseline: what a network's features look like on data that it was checked on.
 *
 * It is built from *blocks* of inputs: single ones where these are known (an audit over a data
 * set), else sums of several (live traffic). Block b has n_b inputs, of which c_bk are of
 * class k, and the means m_b of its features. With the overall mean m, the class means m + d_k are
 * the ridge regression of m_b - m on the shares c_bk / n_b, weighted by n_b:
 *
 *   (N + 2 I) d = r    N_kl = sum_b c_bk c_bl / n_b    r_k = sum_b c_bk (m_b - m)
 *
 * For single inputs N is diagonal, and this is each class's mean shrunk towards the overall one by
 * two pseudo-inputs: d_k = n_k (mean_k - m) / (n_k + 2). The variance of a single input's feature
 * within its class follows from what the regression leaves over, with as many degrees of freedom as
 * it has not used up:
 *
 *   variance = sum_b n_b (m_b - m - sum_k c_bk / n_b d_k)^2 / max(1, B - trace((N + 2 I)^-1 N))
 *
 * and at least 0.25 / n. (For single inputs B is n, and the trace the number of classes, all but.)
 * A window with class shares p estimates its expected mean with a variance of p' (N + 2 I)^-1 p,
 * which for single inputs is sum_k p_k^2 / (n_k + 2).
 *
 * A *plain* baseline has no class means: m is what any window should have. Models without classes
 * have plain ones; so should baselines made from the data that a network was trained on, whose
 * classes lie further apart there than on other data (drift between classes would be seen in every
 * window).
 */
#ifndef RF_CORE_BASELINE_H
#define RF_CORE_BASELINE_H

#include "core/features.h"

#define RF_BASELINE_MIN_INPUTS 200
#define RF_BASELINE_MIN_BLOCKS 20
#define RF_BASELINE_SHRINKAGE 2.0   /* pseudo-inputs */
#define RF_BASELINE_SUB_WINDOWS 100 /* enough to see how far clean ones go */

/* Immutable once made; any number of threads may read it. */
struct rf_baseline {
    uint64_t inputs;
    size_t n_classes, n_features; /* the map's */
    uint64_t *classes;            /* [n_classes] inputs of each */
    double *mean;                 /* [n_features] */
    double *variance;             /* [n_features] of one input within its class, never 0 */
    double *class_mean;           /* [n_classes][n_features], shrunk; NULL: plain */
    double *class_error;          /* [n_classes][n_classes] (N + 2 I)^-1; NULL: plain */
    double sub_window_max;        /* the largest rf_drift_own_score of its sub-windows */
};

/* All zero, for a reader to fill. */
enum rf_status rf_baseline_new(struct rf_baseline **out, const struct rf_feature_map *map,
                               bool plain, struct rf_error *err) RF_CHECKED;
void rf_baseline_free(struct rf_baseline *baseline); /* NULL is fine */
/* 0.25 / n: the least variance of a baseline of n inputs. */
double rf_baseline_floor(uint64_t inputs);

/* One thread at a time; only making one and finishing take memory. `map` is borrowed until it is
 * freed. Of its inputs the first sub-windows are looked at, at most so many. */
struct rf_baseline_builder;
enum rf_status rf_baseline_builder_new(struct rf_baseline_builder **out,
                                       const struct rf_feature_map *map, size_t sub_windows,
                                       struct rf_error *err) RF_CHECKED;
size_t rf_baseline_builder_bytes(const struct rf_feature_map *map, size_t sub_windows);
void rf_baseline_builder_free(struct rf_baseline_builder *builder); /* NULL is fine */
/* Forgets all blocks. */
void rf_baseline_builder_clear(struct rf_baseline_builder *builder);
/* Adds a block. RF_INVALID when it has non-finite values, which no baseline can describe. */
enum rf_status rf_baseline_builder_add(struct rf_baseline_builder *builder,
                                       const struct rf_feature_sum *block,
                                       struct rf_error *err) RF_CHECKED;
/* What all blocks say. RF_INVALID below RF_BASELINE_MIN_INPUTS or RF_BASELINE_MIN_BLOCKS. */
enum rf_status rf_baseline_builder_finish(const struct rf_baseline_builder *builder, bool plain,
                                          struct rf_baseline **out,
                                          struct rf_error *err) RF_CHECKED;

#endif
