/* The two conversions that the layout pass inserts; no model file names them. */
#include "core/op.h"

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct rf_shape *const shape = &x->in[0]->shape;

    x->max_parts = (size_t)(rf_numel(shape) / 4096 + 1);
    x->cost = rf_cost(rf_numel(shape), 48);
    x->algorithm = "copy";
    return rf_infer_same(state, x);
}

static void range(const struct rf_tensor *nhwc, int part, int n_parts, size_t *first, size_t *last)
{
    const struct rf_pixels p = rf_tensor_pixels(nhwc);

    rf_part_range(p.n * p.h * p.w, part, n_parts, first, last);
}

static void to_nhwc(const struct rf_exec *x, int part, int n_parts)
{
    size_t first, last;

    range(x->out[0], part, n_parts, &first, &last);
    rf_tensor_to_nhwc(x->in[0], x->out[0], first, last);
}

static void to_rowmajor(const struct rf_exec *x, int part, int n_parts)
{
    size_t first, last;

    range(x->in[0], part, n_parts, &first, &last);
    rf_tensor_to_rowmajor(x->in[0], x->out[0], first, last);
}

RF_OP(ToNHWC) = {
    .name = "rectifier.ToNHWC",
    .since = RF_OWN,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_IMAGEWISE,
    .layouts = RF_ACCEPTS_ANY,
    .prepare = rf_prepare_nothing,
    .infer = infer,
    .run = to_nhwc,
};

RF_OP(ToRowMajor) = {
    .name = "rectifier.ToRowMajor",
    .since = RF_OWN,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layouts = RF_ACCEPTS_ANY,
    .prepare = rf_prepare_nothing,
    .infer = infer,
    .run = to_rowmajor,
};
