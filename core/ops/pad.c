/* Pad: a border of a constant or of the tensor's own elements; negative widths crop. */
#include <string.h>

#include "core/ops/move.h"

enum mode { CONSTANT, REFLECT, EDGE, WRAP };

/* Widths and the constant are attributes until opset 10, then inputs. */
struct state {
    enum mode mode;
    const int64_t *pads;
    size_t n;
    float value;
};

/* Where the input's elements go along an axis: `count` of them, from `from` on, to `to` on. */
struct span {
    int64_t from, to, count;
};

static enum rf_status prepare_input(struct rf_prepare *p, void *state)
{
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    struct state *const s = state;
    const char *const mode = rf_attr_string(p, "mode", "constant");
    const int n = p->graph->opset < 19 ? WRAP : WRAP + 1;

    for (int i = 0; i < n; i++) {
        if (!strcmp(mode, modes[i])) {
            s->mode = (enum mode)i;
            return p->status;
        }
    }
    return rf_prepare_fail(p, RF_UNSUPPORTED, "attribute mode is \"%.*s\" (opset %d)", RF_MAX_NAME,
                           mode, p->graph->opset);
}

static enum rf_status prepare_attribute(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->pads = rf_attr_ints(p, "pads", &s->n, INT64_MIN, INT64_MAX);
    s->value = rf_attr_float(p, "value", 0);
    if (!s->pads)
        rf_prepare_fail(p, RF_INVALID, "attribute pads is missing");
    return prepare_input(p, state);
}

/* ---- widths ---- */

/* Widths by axis, from `n` of them for `axes`; n_axes is n / 2. */
static void spread(const int64_t *pads, size_t n, const int *axes, int rank, int64_t *before,
                   int64_t *after)
{
    for (int i = 0; i < rank; i++)
        before[i] = after[i] = 0;
    for (size_t i = 0; i < n / 2; i++) {
        before[axes[i]] = pads[i];
        after[axes[i]] = pads[n / 2 + i];
    }
}

static struct span span_of(int64_t before, int64_t after, int64_t dim)
{
    const int64_t from = before < 0 ? -before : 0;

    return (struct span){
        .from = from, .to = before > 0 ? before : 0, .count = dim - from + (after < 0 ? after : 0)};
}

/* One axis of the output, checked. */
static enum rf_status pad_axis(struct rf_infer *x, enum mode mode, int axis, int64_t before,
                               int64_t after)
{
    const int64_t dim = x->in[0]->shape.dim[axis];
    int64_t *const out = &x->out[0]->shape.dim[axis];

    if (before == INT64_MIN || after == INT64_MIN || __builtin_add_overflow(dim, before, out) ||
        __builtin_add_overflow(*out, after, out))
        return rf_infer_fail(x, RF_LIMIT, "axis %d of size %lld cannot take pads %lld and %lld",
                             axis, (long long)dim, (long long)before, (long long)after);
    const struct span span = span_of(before, after, dim);

    if (*out < 0 || span.count < 0)
        return rf_infer_fail(x, RF_SHAPE, "pads %lld and %lld crop more than axis %d has, %lld",
                             (long long)before, (long long)after, axis, (long long)dim);
    if (mode != CONSTANT && !span.count && *out)
        return rf_infer_fail(x, RF_SHAPE, "axis %d has nothing to repeat in its padding", axis);
    return RF_OK;
}

static enum rf_status pad(struct rf_infer *x, const struct state *s, const int64_t *pads, size_t n,
                          const int *axes)
{
    const struct rf_shape shape = x->in[0]->shape;
    int64_t before[RF_MAX_RANK] = {0}, after[RF_MAX_RANK] = {0};
    enum rf_status rc = RF_OK;

    x->out[0]->shape = shape;
    x->out[0]->dtype = x->in[0]->dtype;
    x->algorithm = "copy";
    spread(pads, n, axes, shape.rank, before, after);
    for (int i = 0; i < shape.rank && !rc; i++)
        rc = pad_axis(x, s->mode, i, before[i], after[i]);
    return rc;
}

/* ---- copying ---- */

/* The index that padding at `i` repeats; the axis has `count` of its own from `to` on. */
static int64_t source(enum mode mode, int64_t i, const struct span *span)
{
    const int64_t n = span->count, period = mode == REFLECT ? 2 * (n - 1) : n;
    int64_t at = i - span->to;

    if (mode == EDGE)
        at = at < 0 ? 0 : at >= n ? n - 1 : at;
    else if (period)
        at = (at % period + period) % period;
    else
        at = 0;
    return span->to + (at < n ? at : period - at);
}

/* Indices [first, last) of an axis. */
static void fill(const struct rf_view *v, int axis, int64_t first, int64_t last,
                 const struct span *span, enum mode mode, void *value)
{
    struct rf_view to = *v, from = *v;

    if (mode == CONSTANT) {
        rf_view_slice(&to, axis, first, last - first, 1);
        from = to;
        from.data = value;
        memset(from.step, 0, sizeof(from.step));
        rf_view_copy(&to, &from);
        return;
    }
    for (int64_t i = first; i < last; i++) {
        to = from = *v;
        rf_view_slice(&to, axis, i, 1, 1);
        rf_view_slice(&from, axis, source(mode, i, span), 1, 1);
        rf_view_copy(&to, &from);
    }
}

/* The elements themselves; then axis by axis the border of what is there. */
static void copy(const struct rf_exec *x, const int64_t *before, const int64_t *after, void *value)
{
    const struct state *const s = x->state;
    const struct rf_view whole = rf_view_of(x->out[0]);
    struct rf_view done = whole, from = rf_view_of(x->in[0]);
    struct span spans[RF_MAX_RANK] = {{0}};

    if (!rf_numel(&x->out[0]->shape))
        return;
    for (int i = 0; i < whole.rank; i++) {
        spans[i] = span_of(before[i], after[i], from.dim[i]);
        rf_view_slice(&from, i, spans[i].from, spans[i].count, 1);
        rf_view_slice(&done, i, spans[i].to, spans[i].count, 1);
    }
    rf_view_copy(&done, &from);
    for (int i = 0; i < whole.rank; i++) {
        const int64_t end = spans[i].to + spans[i].count;

        done.data -= spans[i].count ? spans[i].to * done.step[i] * (int64_t)done.size : 0;
        done.dim[i] = whole.dim[i];
        fill(&done, i, 0, spans[i].to, &spans[i], s->mode, value);
        fill(&done, i, end, whole.dim[i], &spans[i], s->mode, value);
    }
}

/* ---- attributes ---- */

static const int all_axes[RF_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

static enum rf_status infer_attribute(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const int rank = x->in[0]->shape.rank;
    const enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_F32);

    if (rc)
        return rc;
    if (s->n != 2 * (size_t)rank)
        return rf_infer_fail(x, RF_SHAPE, "%zu pads for an input of rank %d", s->n, rank);
    return pad(x, s, s->pads, s->n, all_axes);
}

static void run_attribute(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    int64_t before[RF_MAX_RANK] = {0}, after[RF_MAX_RANK] = {0};
    float value = s->value;

    (void)part, (void)n_parts;
    spread(s->pads, s->n, all_axes, x->in[0]->shape.rank, before, after);
    copy(x, before, after, &value);
}

/* ---- inputs ---- */

static enum rf_status check_value(struct rf_infer *x)
{
    const struct rf_tensor *const value = x->in[2];
    char text[RF_SHAPE_TEXT];

    if (value && value->dtype != x->in[0]->dtype)
        return rf_infer_fail(x, RF_UNSUPPORTED, "the constant is %s, the input %s",
                             rf_dtype_name(value->dtype), rf_dtype_name(x->in[0]->dtype));
    if (value && rf_numel(&value->shape) != 1)
        return rf_infer_fail(x, RF_SHAPE, "the constant has shape %s, expected one element",
                             rf_shape_text(&value->shape, text, sizeof(text)));
    return RF_OK;
}

static enum rf_status infer_input(const void *state, struct rf_infer *x)
{
    const int rank = x->in[0]->shape.rank;
    int64_t pads[2 * RF_MAX_RANK], named[RF_MAX_RANK];
    int axes[RF_MAX_RANK];
    size_t n, n_axes = (size_t)rank;
    enum rf_status rc = rf_infer_ints(x, 1, "pads", pads, 2 * RF_MAX_RANK, &n);

    memcpy(axes, all_axes, sizeof(axes));
    if (!rc && x->in[3]) {
        rc = rf_infer_ints(x, 3, "axes", named, RF_MAX_RANK, &n_axes);
        if (!rc)
            rc = rf_move_axes(x, named, n_axes, rank, axes);
    }
    if (!rc)
        rc = check_value(x);
    if (rc)
        return rc;
    if (n != 2 * n_axes)
        return rf_infer_fail(x, RF_SHAPE, "%zu pads for %zu axes", n, n_axes);
    return pad(x, state, pads, n, axes);
}

static void run_input(const struct rf_exec *x, int part, int n_parts)
{
    const int rank = x->in[0]->shape.rank;
    int64_t before[RF_MAX_RANK] = {0}, after[RF_MAX_RANK] = {0};
    int64_t pads[2 * RF_MAX_RANK], named[RF_MAX_RANK];
    int axes[RF_MAX_RANK];
    uint64_t zero = 0;

    (void)part, (void)n_parts;
    const size_t n = rf_tensor_ints(x->in[1], pads, 2 * RF_MAX_RANK);
    const size_t n_axes = rf_tensor_ints(x->in[3], named, RF_MAX_RANK);

    memcpy(axes, all_axes, sizeof(axes));
    for (size_t i = 0; i < n_axes; i++)
        axes[i] = (int)(named[i] < 0 ? named[i] + rank : named[i]);
    spread(pads, n, axes, rank, before, after);
    copy(x, before, after, x->in[2] ? x->in[2]->data : &zero);
}

RF_OP(Pad2) = {
    .name = "Pad",
    .since = 2,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_attribute,
    .infer = infer_attribute,
    .run = run_attribute,
};

RF_OP(Pad11) = {
    .name = "Pad",
    .since = 11,
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .known_in = 1u << 1,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_input,
    .infer = infer_input,
    .run = run_input,
};

RF_OP(Pad18) = {
    .name = "Pad",
    .since = 18,
    .min_in = 2,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .known_in = 1u << 1 | 1u << 3,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_input,
    .infer = infer_input,
    .run = run_input,
};
