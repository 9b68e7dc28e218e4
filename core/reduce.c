#include "core/reduce.h"

#include <math.h>

bool rf_axes_mask(const int64_t *axes, size_t n, int rank, uint32_t *mask)
{
    *mask = 0;
    for (size_t i = 0; i < n; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];

        if (axis < 0 || axis >= rank || (*mask >> axis & 1))
            return false;
        *mask |= 1u << axis;
    }
    return true;
}

struct rf_shape rf_shape_reduced(const struct rf_shape *shape, uint32_t axes)
{
    struct rf_shape kept = *shape;

    for (int i = 0; i < kept.rank; i++)
        if (axes >> i & 1)
            kept.dim[i] = 1;
    return kept;
}

int64_t rf_reduced_count(const struct rf_shape *shape, uint32_t axes)
{
    int64_t n = 1;

    for (int i = 0; i < shape->rank; i++)
        if (axes >> i & 1)
            n *= shape->dim[i];
    return n;
}

int rf_longest_kept(const struct rf_shape *shape, uint32_t axes)
{
    int longest = -1;

    for (int i = 0; i < shape->rank; i++)
        if (!(axes >> i & 1) && (longest < 0 || shape->dim[i] > shape->dim[longest]))
            longest = i;
    return longest;
}

struct rf_view rf_view_kept(const struct rf_view *v, uint32_t axes)
{
    struct rf_view kept = *v;

    for (int i = 0; i < kept.rank; i++)
        if (axes >> i & 1)
            kept.dim[i] = 1;
    return kept;
}

struct rf_view rf_results_view(void *results, const struct rf_shape *shape, uint32_t axes)
{
    const struct rf_tensor kept = {
        .data = results, .dtype = RF_F64, .shape = rf_shape_reduced(shape, axes)};
    struct rf_view v = rf_view_of(&kept);

    for (int i = 0; i < shape->rank; i++) {
        v.dim[i] = shape->dim[i];
        if (axes >> i & 1)
            v.step[i] = 0;
    }
    return v;
}

/* ---- one run ----
 * Of a walk over the input, the results and perhaps the shift.
 */

/* `update` changes *a by v. A result that all elements of the run share stays in a register. */
#define FOLD(type, number, update)                                                                 \
    do {                                                                                           \
        const type *const x = (const type *)w->data[0];                                            \
        number *const to = (number *)w->data[1];                                                   \
        if (w->step[1] == 0) {                                                                     \
            number kept = *to, *const a = &kept;                                                   \
            for (int64_t i = 0; i < w->n; i++) {                                                   \
                const number v = (number)x[i * w->step[0]];                                        \
                update;                                                                            \
            }                                                                                      \
            *to = kept;                                                                            \
            break;                                                                                 \
        }                                                                                          \
        for (int64_t i = 0; i < w->n; i++) {                                                       \
            const number v = (number)x[i * w->step[0]];                                            \
            number *const a = &to[i * w->step[1]];                                                 \
            update;                                                                                \
        }                                                                                          \
    } while (0)

/* Neighbours with one result: four sums at a time do not wait for each other. */
static void sum_neighbours(const struct rf_walk *w, bool squares)
{
    const float *const x = (const float *)w->data[0];
    double sum[4] = {0};
    int64_t i = 0;

    for (; i + 4 <= w->n; i += 4) {
        const double a = (double)x[i], b = (double)x[i + 1];
        const double c = (double)x[i + 2], d = (double)x[i + 3];

        sum[0] += squares ? a * a : a;
        sum[1] += squares ? b * b : b;
        sum[2] += squares ? c * c : c;
        sum[3] += squares ? d * d : d;
    }
    for (; i < w->n; i++)
        sum[0] += squares ? (double)x[i] * (double)x[i] : (double)x[i];
    *(double *)w->data[1] += (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void sum_exponents(const struct rf_walk *w)
{
    const float *const x = (const float *)w->data[0];
    const double *const shift = (const double *)w->data[2];
    double *const to = (double *)w->data[1];

    for (int64_t i = 0; i < w->n; i++)
        to[i * w->step[1]] += exp((double)x[i * w->step[0]] - shift[i * w->step[2]]);
}

static void fold_floats(enum rf_fold how, const struct rf_walk *w)
{
    const bool neighbours = w->step[0] == 1 && w->step[1] == 0;

    if (neighbours && (how == RF_FOLD_SUM || how == RF_FOLD_SUM_SQUARES)) {
        sum_neighbours(w, how == RF_FOLD_SUM_SQUARES);
        return;
    }
    switch (how) {
    case RF_FOLD_SUM:
        FOLD(float, double, *a += v);
        break;
    case RF_FOLD_SUM_ABS:
        FOLD(float, double, *a += fabs(v));
        break;
    case RF_FOLD_SUM_SQUARES:
        FOLD(float, double, *a += v * v);
        break;
    case RF_FOLD_SUM_EXP:
        sum_exponents(w);
        break;
    case RF_FOLD_PRODUCT:
        FOLD(float, double, *a *= v);
        break;
    case RF_FOLD_MAX:
        FOLD(float, double, *a = v > *a || isnan(v) ? v : *a);
        break;
    case RF_FOLD_MIN:
        FOLD(float, double, *a = v < *a || isnan(v) ? v : *a);
        break;
    }
}

/* Integers wrap around: they are added and multiplied as unsigned ones. */
#define FOLD_INTEGERS(type)                                                                        \
    switch (how) {                                                                                 \
    case RF_FOLD_SUM:                                                                              \
        FOLD(type, uint64_t, *a += v);                                                             \
        break;                                                                                     \
    case RF_FOLD_SUM_ABS:                                                                          \
        FOLD(type, uint64_t, *a += (int64_t)v < 0 ? -v : v);                                       \
        break;                                                                                     \
    case RF_FOLD_SUM_SQUARES:                                                                      \
        FOLD(type, uint64_t, *a += v * v);                                                         \
        break;                                                                                     \
    case RF_FOLD_PRODUCT:                                                                          \
        FOLD(type, uint64_t, *a *= v);                                                             \
        break;                                                                                     \
    case RF_FOLD_MAX:                                                                              \
        FOLD(type, int64_t, *a = v > *a ? v : *a);                                                 \
        break;                                                                                     \
    default:                                                                                       \
        FOLD(type, int64_t, *a = v < *a ? v : *a);                                                 \
        break;                                                                                     \
    }

static void fold_int32(enum rf_fold how, const struct rf_walk *w)
{
    FOLD_INTEGERS(int32_t)
}

static void fold_int64(enum rf_fold how, const struct rf_walk *w)
{
    FOLD_INTEGERS(int64_t)
}

/* ---- rows of sums ----
 * Neighbours with neighbouring results, as the channels of pixels: a few rows are added up in
 * single precision, their sums in double.
 */

#define ROWS 64
#define LONGEST_ROW 1536

struct rows {
    const float *first;
    ptrdiff_t row[ROWS]; /* from the first one */
    size_t n, length;
    float sum[LONGEST_ROW];
    double *to;
};

static void add_rows(struct rows *r, const struct rf_kernels *k)
{
    if (!r->n)
        return;
    k->window_sum(&(struct rf_window_row){.y = r->sum,
                                          .x = r->first,
                                          .tap = r->row,
                                          .n_taps = r->n,
                                          .pixels = 1,
                                          .channels = r->length,
                                          .scale = 1});
    for (size_t i = 0; i < r->length; i++)
        r->to[i] += (double)r->sum[i];
    r->n = 0;
}

static bool are_rows(const struct rf_walk *w)
{
    return w->step[0] == 1 && w->step[1] == 1 && w->n <= LONGEST_ROW;
}

static void sum_rows(struct rf_walk *w, const struct rf_kernels *k)
{
    struct rows r = {.length = (size_t)w->n};

    for (; w->n; rf_walk_next(w)) {
        if (r.n == ROWS || r.to != (double *)w->data[1])
            add_rows(&r, k);
        r.to = (double *)w->data[1];
        if (!r.n)
            r.first = (const float *)w->data[0];
        r.row[r.n++] = (const float *)w->data[0] - r.first;
    }
    add_rows(&r, k);
}

/* ---- the whole ---- */

static void clear(enum rf_fold how, const struct rf_view *results, bool floats)
{
    const double real = how == RF_FOLD_PRODUCT ? 1
                        : how == RF_FOLD_MAX   ? -INFINITY
                        : how == RF_FOLD_MIN   ? INFINITY
                                               : 0;
    const int64_t whole = how == RF_FOLD_PRODUCT ? 1
                          : how == RF_FOLD_MAX   ? INT64_MIN
                          : how == RF_FOLD_MIN   ? INT64_MAX
                                                 : 0;
    struct rf_view each = *results;
    const struct rf_view *const views[] = {&each};
    struct rf_walk w;

    for (int i = 0; i < each.rank; i++)
        if (each.step[i] == 0)
            each.dim[i] = 1;
    for (rf_walk_begin(&w, views, 1); w.n; rf_walk_next(&w)) {
        for (int64_t i = 0; i < w.n; i++) {
            if (floats)
                ((double *)w.data[0])[i * w.step[0]] = real;
            else
                ((int64_t *)w.data[0])[i * w.step[0]] = whole;
        }
    }
}

void rf_fold(enum rf_fold how, const struct rf_view *results, const struct rf_view *in,
             enum rf_dtype dtype, const struct rf_view *shift, const struct rf_kernels *k)
{
    const struct rf_view *const views[] = {in, results, shift};
    struct rf_walk w;

    clear(how, results, dtype == RF_F32);
    rf_walk_begin(&w, views, shift ? 3 : 2);
    if (k && how == RF_FOLD_SUM && dtype == RF_F32 && are_rows(&w)) {
        sum_rows(&w, k);
        return;
    }
    for (; w.n; rf_walk_next(&w)) {
        if (dtype == RF_F32)
            fold_floats(how, &w);
        else if (dtype == RF_I32)
            fold_int32(how, &w);
        else
            fold_int64(how, &w);
    }
}

void rf_scale_shift(const struct rf_view *out, const struct rf_view *in,
                    const struct rf_view *factor, const struct rf_view *shift)
{
    const struct rf_view *const views[] = {out, in, factor, shift};
    struct rf_walk w;

    for (rf_walk_begin(&w, views, 4); w.n; rf_walk_next(&w)) {
        float *const y = (float *)w.data[0];
        const float *const x = (const float *)w.data[1];
        const double *const f = (const double *)w.data[2], *const s = (const double *)w.data[3];

        for (int64_t i = 0; i < w.n; i++)
            y[i * w.step[0]] =
                (float)((double)x[i * w.step[1]] * f[i * w.step[2]] + s[i * w.step[3]]);
    }
}
