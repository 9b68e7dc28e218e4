#include "core/view.h"

#include <stdlib.h>
#include <string.h>

struct rf_view rf_view_of(const struct rf_tensor *t)
{
    struct rf_view v = {.data = t->data, .size = rf_dtype_size(t->dtype), .rank = t->shape.rank};
    int64_t step = 1;

    memcpy(v.dim, t->shape.dim, sizeof(v.dim));
    if (t->layout == RF_NHWC) {
        v.step[0] = (int64_t)t->image;
        v.step[1] = 1;
        v.step[v.rank - 1] = (int64_t)t->pitch;
        if (v.rank == 4)
            v.step[2] = (int64_t)t->row;
        return v;
    }
    for (int i = v.rank - 1; i >= 0; i--) {
        v.step[i] = step;
        step *= v.dim[i];
    }
    return v;
}

void rf_view_slice(struct rf_view *v, int axis, int64_t start, int64_t count, int64_t by)
{
    if (count)
        v->data += start * v->step[axis] * (int64_t)v->size;
    v->dim[axis] = count;
    v->step[axis] *= by;
}

void rf_view_permute(struct rf_view *v, const int *perm)
{
    const struct rf_view from = *v;

    for (int i = 0; i < v->rank; i++) {
        v->dim[i] = from.dim[perm[i]];
        v->step[i] = from.step[perm[i]];
    }
}

void rf_view_broadcast(struct rf_view *v, const struct rf_shape *to)
{
    const int added = to->rank - v->rank;

    for (int i = to->rank - 1; i >= 0; i--) {
        const int64_t dim = i < added ? 1 : v->dim[i - added];

        v->step[i] = dim == to->dim[i] && i >= added ? v->step[i - added] : 0;
        v->dim[i] = to->dim[i];
    }
    v->rank = to->rank;
}

bool rf_shape_broadcast(struct rf_shape *out, const struct rf_shape *a)
{
    const struct rf_shape b = *out;

    out->rank = a->rank > b.rank ? a->rank : b.rank;
    for (int i = 1; i <= out->rank; i++) {
        const int64_t x = i <= a->rank ? a->dim[a->rank - i] : 1;
        const int64_t y = i <= b.rank ? b.dim[b.rank - i] : 1;

        if (x != y && x != 1 && y != 1)
            return false;
        out->dim[out->rank - i] = x == 1 ? y : x;
    }
    return true;
}

/* ---- walking ---- */

/* Dimension `outer` goes on where `inner` ends, in every view. */
static bool continues(const struct rf_view *const *views, int n_views, int outer, int inner)
{
    for (int k = 0; k < n_views; k++)
        if (views[k]->step[outer] != views[k]->step[inner] * views[0]->dim[inner])
            return false;
    return true;
}

/* Dimensions of more than one element, by view 0's steps, the largest first. */
static int order_dimensions(const struct rf_view *v, int *order)
{
    int n = 0;

    for (int i = 0; i < v->rank; i++) {
        int at = n;

        if (v->dim[i] == 1)
            continue;
        for (; at > 0 && llabs(v->step[order[at - 1]]) < llabs(v->step[i]); at--)
            order[at] = order[at - 1];
        order[at] = i;
        n++;
    }
    return n;
}

void rf_walk_begin(struct rf_walk *w, const struct rf_view *const *views, int n_views)
{
    int order[RF_MAX_RANK], n = order_dimensions(views[0], order);

    *w = (struct rf_walk){.n = 1, .n_views = n_views};
    for (int i = 0; i < views[0]->rank; i++)
        if (views[0]->dim[i] == 0)
            w->n = 0;
    for (int k = 0; k < n_views; k++) {
        w->data[k] = views[k]->data;
        w->size[k] = views[k]->size;
        w->step[k] = n ? views[k]->step[order[n - 1]] : 1;
    }
    if (!w->n || !n)
        return;
    w->n = views[0]->dim[order[n - 1]];
    for (n--; n > 0 && continues(views, n_views, order[n - 1], order[n]); n--)
        w->n *= views[0]->dim[order[n - 1]];
    w->rank = n;
    for (int i = 0; i < n; i++) {
        w->dim[i] = views[0]->dim[order[i]];
        for (int k = 0; k < n_views; k++)
            w->outer[k][i] = views[k]->step[order[i]];
    }
}

void rf_walk_next(struct rf_walk *w)
{
    for (int i = w->rank - 1; i >= 0; i--) {
        const bool wraps = ++w->at[i] == w->dim[i];

        for (int k = 0; k < w->n_views; k++)
            w->data[k] +=
                (wraps ? w->outer[k][i] * (1 - w->dim[i]) : w->outer[k][i]) * (int64_t)w->size[k];
        if (!wraps)
            return;
        w->at[i] = 0;
    }
    w->n = 0;
}

/* ---- copying ---- */

#define COPY(type)                                                                                 \
    do {                                                                                           \
        type *const to_ = (type *)to;                                                              \
        const type *const from_ = (const type *)from;                                              \
        for (int64_t i = 0; i < n; i++)                                                            \
            to_[i * to_step] = from_[i * from_step];                                               \
    } while (0)

static void copy_run(void *to, int64_t to_step, const void *from, int64_t from_step, int64_t n,
                     size_t size)
{
    if (to_step == 1 && from_step == 1) {
        memcpy(to, from, (size_t)n * size);
        return;
    }
    switch (size) {
    case 1:
        COPY(uint8_t);
        break;
    case 2:
        COPY(uint16_t);
        break;
    case 4:
        COPY(uint32_t);
        break;
    default:
        COPY(uint64_t);
        break;
    }
}

static bool is_apart(const struct rf_walk *w)
{
    return llabs(w->step[1]) > 1;
}

/*
 * Runs along one outer dimension of the walk, in a loop of their own. Elements that are apart are
 * copied in pieces so small that their cache lines are still there for the next run.
 */
#define PIECE 8

static void copy_runs(const struct rf_walk *w, int64_t runs, const int64_t *step)
{
    const int64_t size = (int64_t)w->size[0];
    const int64_t piece = runs > 1 && is_apart(w) ? PIECE : w->n;

    for (int64_t at = 0; at < w->n; at += piece) {
        char *to = w->data[0] + at * w->step[0] * size;
        const char *from = w->data[1] + at * w->step[1] * size;
        const int64_t n = w->n - at < piece ? w->n - at : piece;

        for (int64_t i = 0; i < runs; i++) {
            copy_run(to, w->step[0], from, w->step[1], n, (size_t)size);
            to += step[0] * size;
            from += step[1] * size;
        }
    }
}

/* The last outer dimension; or, where elements are apart, the one along which `from` is densest. */
static int run_dimension(const struct rf_walk *w)
{
    int best = w->rank - 1;

    for (int i = best - 1; i >= 0 && is_apart(w); i--)
        if (llabs(w->outer[1][i]) < llabs(w->outer[1][best]))
            best = i;
    return best;
}

void rf_view_copy(const struct rf_view *to, const struct rf_view *from)
{
    const struct rf_view *const views[] = {to, from};
    int64_t runs = 1, step[2] = {0, 0};
    struct rf_walk w;

    rf_walk_begin(&w, views, 2);
    if (w.rank) {
        const int d = run_dimension(&w);

        runs = w.dim[d];
        for (int k = 0; k < 2; k++)
            step[k] = w.outer[k][d];
        w.dim[d] = 1; /* the walk itself stays where it is */
    }
    for (; w.n; rf_walk_next(&w))
        copy_runs(&w, runs, step);
}
