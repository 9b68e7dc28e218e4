/* Expand: dimensions of size 1 repeated to a shape, as NumPy broadcasts. */
#include "core/ops/move.h"

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape out = {0}, target;
    char a[RF_SHAPE_TEXT], b[RF_SHAPE_TEXT];
    int64_t dims[RF_MAX_RANK];
    size_t n;
    const enum rf_status rc = rf_infer_ints(x, 1, "the shape", dims, RF_MAX_RANK, &n);
    bool fits = true;

    (void)state;
    if (rc)
        return rc;
    out.rank = (int)n;
    for (size_t i = 0; i < n; i++) {
        out.dim[i] = dims[i];
        fits &= dims[i] >= 0;
    }
    target = out;
    if (!fits || !rf_shape_broadcast(&out, in))
        return rf_infer_fail(x, RF_SHAPE, "an input of shape %s cannot expand to %s",
                             rf_shape_text(in, a, sizeof(a)), rf_shape_text(&target, b, sizeof(b)));
    return rf_move_copy(x, &out);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_view to = rf_view_of(x->out[0]);
    struct rf_view from = rf_view_of(x->in[0]);

    rf_view_broadcast(&from, &x->out[0]->shape);
    rf_move(&to, &from, part, n_parts);
}

RF_OP(Expand) = {
    .name = "Expand",
    .since = 8,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .known_in = 1u << 1,
    .prepare = rf_prepare_nothing,
    .infer = infer,
    .run = run,
};
