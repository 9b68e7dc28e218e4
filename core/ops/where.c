/* Where: elements of the second input where the first is true, else of the third. */
#include "core/broadcast.h"

static const struct rf_broadcast numpy = {.how = RF_BROADCAST_BOTH};

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_BOOL);

    (void)state;
    if (!rc)
        rc = rf_broadcast_dtypes(x, 1, UINT32_MAX);
    return rc ? rc : rf_broadcast_infer(&numpy, x, x->in[1]->dtype);
}

#define CHOOSE(T)                                                                                  \
    for (int64_t i = 0; i < w->n; i++) {                                                           \
        const bool first = ((const bool *)(void *)w->data[1])[i * w->step[1]];                     \
        const T *const from = (const T *)(void *)w->data[first ? 2 : 3];                           \
        ((T *)(void *)w->data[0])[i * w->step[0]] = from[i * w->step[first ? 2 : 3]];              \
    }

static void choose(const struct rf_walk *w, const void *context)
{
    (void)context;
    switch (w->size[0]) {
    case 1:
        CHOOSE(uint8_t)
        break;
    case 2:
        CHOOSE(uint16_t)
        break;
    case 4:
        CHOOSE(uint32_t)
        break;
    default:
        CHOOSE(uint64_t)
        break;
    }
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_tensor *const out = x->out[0];
    struct rf_view views[4] = {rf_view_of(out)};

    for (int i = 0; i < 3; i++)
        views[i + 1] = rf_broadcast_view(&numpy, x->in[i], i, out);
    rf_broadcast_run(views, 4, part, n_parts, choose, NULL);
}

RF_OP(Where) = {
    .name = "Where",
    .since = 9,
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .prepare = rf_prepare_nothing,
    .infer = infer,
    .run = run,
};
