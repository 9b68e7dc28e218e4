#include "core/ops/move.h"

#include <stdlib.h>
#include <string.h>

enum rf_status rf_move_axes(struct rf_infer *x, const int64_t *axes, size_t n, int rank, int *out)
{
    uint32_t seen = 0;

    for (size_t i = 0; i < n; i++) {
        int axis;
        const enum rf_status rc = rf_infer_axis(x, axes[i], rank, &axis);

        if (rc)
            return rc;
        if (seen >> axis & 1)
            return rf_infer_fail(x, RF_SHAPE, "axis %d is named twice", axis);
        seen |= 1u << axis;
        out[i] = axis;
    }
    return RF_OK;
}

enum rf_status rf_move_view(struct rf_infer *x, const struct rf_shape *shape)
{
    x->out[0]->shape = *shape;
    x->out[0]->dtype = x->in[0]->dtype;
    x->algorithm = "view";
    return RF_OK;
}

void rf_move_all(const struct rf_exec *x, int part, int n_parts)
{
    const size_t n = (size_t)rf_numel(&x->in[0]->shape);

    (void)part, (void)n_parts;
    if (n)
        memcpy(x->out[0]->data, x->in[0]->data, n * rf_dtype_size(x->in[0]->dtype));
}

enum rf_status rf_move_copy(struct rf_infer *x, const struct rf_shape *shape)
{
    int64_t n;

    x->out[0]->shape = *shape;
    x->out[0]->dtype = x->in[0]->dtype;
    if (rf_shape_numel(shape, &n)) { /* else it is refused as too large */
        x->max_parts = (size_t)(n / 4096 + 1);
        x->cost = rf_cost(n, 8);
    }
    x->algorithm = "copy";
    return RF_OK;
}

void rf_move(const struct rf_view *to, const struct rf_view *from, int part, int n_parts)
{
    struct rf_view a = *to, b = *from;
    size_t first, last;
    int outer = -1;

    for (int i = 0; i < to->rank; i++)
        if (to->dim[i] > 1 && (outer < 0 || llabs(to->step[i]) > llabs(to->step[outer])))
            outer = i;
    if (outer < 0) {
        if (part == 0)
            rf_view_copy(to, from);
        return;
    }
    rf_part_range((size_t)to->dim[outer], part, n_parts, &first, &last);
    rf_view_slice(&a, outer, (int64_t)first, (int64_t)(last - first), 1);
    rf_view_slice(&b, outer, (int64_t)first, (int64_t)(last - first), 1);
    rf_view_copy(&a, &b);
}
