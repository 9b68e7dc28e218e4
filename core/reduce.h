/*
 * Many elements become one: sums, products and extremes over any axes of a view, which reductions
 * and normalisations share. Results are kept in double precision (integers: in 64 bits) and lie
 * densely in the order of the shape that keeps its reduced axes as 1.
 */
#ifndef RF_CORE_REDUCE_H
#define RF_CORE_REDUCE_H

#include "core/kernels/kernels.h"
#include "core/view.h"

enum rf_fold {
    RF_FOLD_SUM,
    RF_FOLD_SUM_ABS,
    RF_FOLD_SUM_SQUARES,
    RF_FOLD_SUM_EXP, /* of FP32 only */
    RF_FOLD_PRODUCT,
    RF_FOLD_MAX, /* NaN wins, as it does in MIN */
    RF_FOLD_MIN
};

/* Bits of axes, of which negative ones count from behind. False: one lies outside of the rank, or
 * is there twice. */
bool rf_axes_mask(const int64_t *axes, size_t n, int rank, uint32_t *mask) RF_CHECKED;

/* In what follows, `axes` are such bits. */
struct rf_shape rf_shape_reduced(const struct rf_shape *shape, uint32_t axes);
/* The elements that one result is made of. */
int64_t rf_reduced_count(const struct rf_shape *shape, uint32_t axes);

/* The axis along which work is best divided: the longest that is kept, or -1. */
int rf_longest_kept(const struct rf_shape *shape, uint32_t axes);

/* A result for every element: dense results of 8 bytes each as a view of `shape`, the same one all
 * along the axes. */
struct rf_view rf_results_view(void *results, const struct rf_shape *shape, uint32_t axes);

/* One element of the view for each result. */
struct rf_view rf_view_kept(const struct rf_view *v, uint32_t axes);

/*
 * Folds `in`, which is FP32 (results: double), INT32 or INT64 (results: int64_t), into the view of
 * the results; results that no element belongs to are those of an empty fold. `shift`: another such
 * view, subtracted first, or NULL. `k`: sums may take its vectors, a little less precise; or NULL.
 */
void rf_fold(enum rf_fold how, const struct rf_view *results, const struct rf_view *in,
             enum rf_dtype dtype, const struct rf_view *shift, const struct rf_kernels *k);

/* FP32 out = in * factor + shift, whose last two are double; all views of equal dimensions. */
void rf_scale_shift(const struct rf_view *out, const struct rf_view *in,
                    const struct rf_view *factor, const struct rf_view *shift);

#endif
