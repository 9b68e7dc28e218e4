/*
 * A tensor as strides: what operators that move or combine elements work on, whatever the layout.
 * Transposing, slicing, splitting and broadcasting are changes of a view; one copy does the rest.
 */
#ifndef RF_CORE_VIEW_H
#define RF_CORE_VIEW_H

#include "core/tensor.h"

struct rf_view {
    char *data;  /* element 0 */
    size_t size; /* bytes an element */
    int rank;
    int64_t dim[RF_MAX_RANK];
    int64_t step[RF_MAX_RANK]; /* elements from one index to the next; negative runs backwards */
};

struct rf_view rf_view_of(const struct rf_tensor *t);

/* Drops indices before `start` along an axis, keeps `count` of them, every `by`-th. */
void rf_view_slice(struct rf_view *v, int axis, int64_t start, int64_t count, int64_t by);
/* Dimension i becomes what perm[i] was. */
void rf_view_permute(struct rf_view *v, const int *perm);
/* NumPy's broadcasting: leading dimensions are added and those of size 1 repeated, without a copy.
 * The shapes fit (rf_shape_broadcast). */
void rf_view_broadcast(struct rf_view *v, const struct rf_shape *to);

/* Copies elements between views of equal dimensions and element sizes that do not overlap. */
void rf_view_copy(const struct rf_view *to, const struct rf_view *from);

/*
 * A walk over up to RF_MAX_VIEWS views of equal dimensions at once, in the order of view 0's
 * memory. Dimensions that all views can run through as one are joined. Each step is a run of `n`
 * elements, in view k `step[k]` elements apart from data[k] on:
 *     struct rf_walk w;
 *     for (rf_walk_begin(&w, views, n_views); w.n; rf_walk_next(&w)) ...
 */
#define RF_MAX_VIEWS 4

struct rf_walk {
    char *data[RF_MAX_VIEWS];
    int64_t step[RF_MAX_VIEWS];
    int64_t n; /* 0: the end */

    int n_views, rank; /* of the outer dimensions */
    size_t size[RF_MAX_VIEWS];
    int64_t dim[RF_MAX_RANK], at[RF_MAX_RANK];
    int64_t outer[RF_MAX_VIEWS][RF_MAX_RANK]; /* steps */
};

void rf_walk_begin(struct rf_walk *w, const struct rf_view *const *views, int n_views);
void rf_walk_next(struct rf_walk *w);

/* `*out` becomes the shape that a and itself broadcast to; false where they do not fit. */
bool rf_shape_broadcast(struct rf_shape *out, const struct rf_shape *a) RF_CHECKED;

#endif
