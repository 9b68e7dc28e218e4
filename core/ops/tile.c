/* Tile: the whole tensor again and again along its axes. */
#include "core/ops/move.h"

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    struct rf_shape shape = x->in[0]->shape;
    int64_t repeats[RF_MAX_RANK];
    size_t n;
    const enum rf_status rc = rf_infer_ints(x, 1, "repeats", repeats, RF_MAX_RANK, &n);

    (void)state;
    if (rc)
        return rc;
    if (n != (size_t)shape.rank)
        return rf_infer_fail(x, RF_SHAPE, "%zu repeats for an input of rank %d", n, shape.rank);
    for (size_t i = 0; i < n; i++)
        if (repeats[i] < 0 || __builtin_mul_overflow(shape.dim[i], repeats[i], &shape.dim[i]))
            return rf_infer_fail(x, RF_LIMIT, "axis %zu of size %lld repeated %lld times", i,
                                 (long long)x->in[0]->shape.dim[i], (long long)repeats[i]);
    const enum rf_status copied = rf_move_copy(x, &shape);

    x->max_parts = 0;
    return copied;
}

/* The first tile, then axis by axis as much again as there is, until the axis is full. */
static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_view whole = rf_view_of(x->out[0]), first = rf_view_of(x->in[0]);
    struct rf_view done = whole;

    (void)part, (void)n_parts;
    if (!rf_numel(&x->out[0]->shape))
        return;
    for (int i = 0; i < whole.rank; i++)
        done.dim[i] = first.dim[i];
    rf_view_copy(&done, &first);
    for (int i = 0; i < whole.rank; i++) {
        while (done.dim[i] < whole.dim[i]) {
            const int64_t left = whole.dim[i] - done.dim[i];
            struct rf_view from = done, to = done;

            from.dim[i] = left < done.dim[i] ? left : done.dim[i];
            to.data += done.dim[i] * done.step[i] * (int64_t)done.size;
            to.dim[i] = from.dim[i];
            rf_view_copy(&to, &from);
            done.dim[i] += from.dim[i];
        }
    }
}

RF_OP(Tile) = {
    .name = "Tile",
    .since = 6,
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
