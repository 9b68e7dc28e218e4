/*
 * Products of values that are computed: MatMul of any ranks with NumPy's broadcasting, and Gemm
 * where the row of gemm.c does not fit. All operands are dense and row-major.
 */
#include <string.h>

#include "core/gemm.h"
#include "core/view.h"

/* ---- Gemm ---- */

struct gemm {
    bool trans_a, trans_b;
    float alpha, beta;
};

static enum rf_status prepare_gemm(struct rf_prepare *p, void *state)
{
    struct gemm *const s = state;

    s->alpha = rf_attr_float(p, "alpha", 1);
    s->beta = rf_attr_float(p, "beta", 1);
    s->trans_a = rf_attr_int_in(p, "transA", 0, 0, 1);
    s->trans_b = rf_attr_int_in(p, "transB", 0, 0, 1);
    if (p->graph->opset < 7)
        rf_attr_int_in(p, "broadcast", 0, 0, 1);
    return p->status;
}

static enum rf_status check_size(struct rf_infer *x, int64_t rows, int64_t inner, int64_t columns)
{
    if (rows > INT32_MAX || inner > INT32_MAX || columns > INT32_MAX)
        return rf_infer_fail(x, RF_LIMIT, "%lld by %lld by %lld, at most %d each fit a product",
                             (long long)rows, (long long)inner, (long long)columns, INT32_MAX);
    return RF_OK;
}

static enum rf_status infer_gemm(const void *state, struct rf_infer *x)
{
    const struct gemm *const s = state;
    const struct rf_shape *const a = &x->in[0]->shape, *const b = &x->in[1]->shape;
    char left[RF_SHAPE_TEXT], right[RF_SHAPE_TEXT];
    enum rf_status rc = RF_OK;

    for (int i = 0; i < 3 && !rc; i++)
        if (i < x->node->n_in)
            rc = rf_infer_dtype(x, i, 1u << RF_F32);
    if (rc)
        return rc;
    if (a->rank != 2 || b->rank != 2 || a->dim[s->trans_a ? 0 : 1] != b->dim[s->trans_b ? 1 : 0])
        return rf_infer_fail(x, RF_SHAPE, "multiplies %s%s by %s%s",
                             rf_shape_text(a, left, sizeof(left)), s->trans_a ? " transposed" : "",
                             rf_shape_text(b, right, sizeof(right)),
                             s->trans_b ? " transposed" : "");
    const int64_t m = a->dim[s->trans_a], k = a->dim[!s->trans_a], n = b->dim[!s->trans_b];
    const struct rf_shape out = {.rank = 2, .dim = {m, n}};

    x->out[0]->dtype = RF_F32;
    x->out[0]->shape = out;
    if (x->node->n_in > 2 && x->in[2] &&
        (!rf_shape_broadcast(&x->out[0]->shape, &x->in[2]->shape) ||
         !rf_shape_equal(&x->out[0]->shape, &out)))
        return rf_infer_fail(x, RF_SHAPE, "adds C of shape %s to %s",
                             rf_shape_text(&x->in[2]->shape, left, sizeof(left)),
                             rf_shape_text(&out, right, sizeof(right)));
    x->scratch = ((s->trans_a ? (size_t)rf_numel(a) : 0) + (s->trans_b ? (size_t)rf_numel(b) : 0)) *
                 sizeof(float);
    x->macs = x->cost = rf_cost(rf_cost(m, k), n);
    x->algorithm = "gemm";
    return check_size(x, m, k, n);
}

/* The matrix as it is, or transposed into `to`. */
static const float *oriented(const struct rf_tensor *t, bool transposed, float *to)
{
    const int swap[] = {1, 0};
    struct rf_view from = rf_view_of(t);
    struct rf_tensor packed = {
        .data = to, .dtype = RF_F32, .shape = {.rank = 2, .dim = {from.dim[1], from.dim[0]}}};
    const struct rf_view view = rf_view_of(&packed);

    if (!transposed)
        return t->data;
    rf_view_permute(&from, swap);
    rf_view_copy(&view, &from);
    return to;
}

/* y = alpha * y + beta * c */
static void combine(const struct gemm *s, const struct rf_tensor *y, const struct rf_tensor *c)
{
    float *const to = y->data;
    const int64_t n = rf_numel(&y->shape);

    for (int64_t i = 0; i < n && s->alpha != 1; i++)
        to[i] *= s->alpha;
    if (!c)
        return;
    const struct rf_view out = rf_view_of(y);
    struct rf_view add = rf_view_of(c);
    const struct rf_view *const views[] = {&out, &add};
    struct rf_walk w;

    rf_view_broadcast(&add, &y->shape);
    for (rf_walk_begin(&w, views, 2); w.n; rf_walk_next(&w))
        for (int64_t i = 0; i < w.n; i++)
            ((float *)w.data[0])[i * w.step[0]] +=
                s->beta * ((const float *)w.data[1])[i * w.step[1]];
}

static void run_gemm(const struct rf_exec *x, int part, int n_parts)
{
    const struct gemm *const s = x->state;
    const struct rf_shape *const shape = &x->in[0]->shape, *const out = &x->out[0]->shape;
    float *const scratch = x->scratch;
    const size_t skip = s->trans_a ? (size_t)rf_numel(shape) : 0;
    const float *const a = oriented(x->in[0], s->trans_a, scratch);
    const float *const b = oriented(x->in[1], s->trans_b, scratch + skip);

    (void)part, (void)n_parts;
    rf_gemm_dense(a, b, x->out[0]->data, (size_t)out->dim[0], (size_t)shape->dim[!s->trans_a],
                  (size_t)out->dim[1]);
    combine(s, x->out[0], x->in[2]);
}

const struct rf_op rf_op_GemmPlain = {
    .name = "Gemm",
    .since = RF_NO_OPSET,
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .param_in = 1u << 1 | 1u << 2,
    .state_bytes = sizeof(struct gemm),
    .prepare = prepare_gemm,
    .infer = infer_gemm,
    .run = run_gemm,
};

/* ---- MatMul ---- */

/* One matrix product for each element of `a` and `b`, which are views of equal dimensions. */
struct products {
    struct rf_shape out;
    int64_t batch, rows, inner, columns;
    struct rf_view a, b; /* of the matrices' first elements */
};

/* The tensor's dimensions before its matrices, spread over `batch`. */
static struct rf_view matrices(const struct rf_tensor *t, int rank, const struct rf_shape *batch)
{
    struct rf_view v = rf_view_of(t);

    v.rank = rank;
    rf_view_broadcast(&v, batch);
    return v;
}

/* A vector on the left is one row, on the right one column. False: the shapes do not fit. */
static bool find_products(const struct rf_tensor *a, const struct rf_tensor *b, struct products *p)
{
    const int ra = a->shape.rank, rb = b->shape.rank;
    struct rf_shape left = a->shape, right = b->shape;

    if (ra < 1 || rb < 1)
        return false;
    p->rows = ra > 1 ? left.dim[ra - 2] : 1;
    p->inner = left.dim[ra - 1];
    p->columns = rb > 1 ? right.dim[rb - 1] : 1;
    left.rank = ra > 2 ? ra - 2 : 0;
    right.rank = rb > 2 ? rb - 2 : 0;
    p->out = left;
    if (right.dim[rb > 1 ? rb - 2 : 0] != p->inner || !rf_shape_broadcast(&p->out, &right) ||
        !rf_shape_numel(&p->out, &p->batch))
        return false;
    p->a = matrices(a, left.rank, &p->out);
    p->b = matrices(b, right.rank, &p->out);
    /* With one matrix on the right for all, the rows are those of one large matrix. */
    if (rf_numel(&right) == 1 && p->batch > 1) {
        p->rows *= p->batch;
        p->batch = 1;
    }
    if (ra > 1)
        p->out.dim[p->out.rank++] = a->shape.dim[ra - 2];
    if (rb > 1)
        p->out.dim[p->out.rank++] = p->columns;
    return true;
}

static enum rf_status infer_matmul(const void *state, struct rf_infer *x)
{
    const struct rf_tensor *const a = x->in[0], *const b = x->in[1];
    char left[RF_SHAPE_TEXT], right[RF_SHAPE_TEXT];
    struct products p;
    const enum rf_status rc = rf_infer_dtype(x, 0, 1u << RF_F32 | 1u << RF_I32 | 1u << RF_I64);

    (void)state;
    if (rc)
        return rc;
    if (a->dtype != b->dtype)
        return rf_infer_fail(x, RF_UNSUPPORTED, "multiplies %s by %s", rf_dtype_name(a->dtype),
                             rf_dtype_name(b->dtype));
    if (!find_products(a, b, &p))
        return rf_infer_fail(x, RF_SHAPE, "multiplies %s by %s",
                             rf_shape_text(&a->shape, left, sizeof(left)),
                             rf_shape_text(&b->shape, right, sizeof(right)));
    x->out[0]->shape = p.out;
    x->out[0]->dtype = a->dtype;
    x->macs = x->cost = rf_cost(rf_cost(p.batch, p.rows), rf_cost(p.inner, p.columns));
    x->max_parts = (size_t)(p.batch > 1 ? p.batch : p.rows / RF_GEMM_MIN_ROWS + 1);
    x->algorithm = a->dtype == RF_F32 ? "gemm" : "loops";
    return check_size(x, p.rows, p.inner, p.columns);
}

/* Integers wrap around. */
#define MULTIPLY(type)                                                                             \
    do {                                                                                           \
        const type *const a_ = a, *const b_ = b;                                                   \
        type *const y_ = y;                                                                        \
        for (size_t r = 0; r < rows; r++)                                                          \
            for (size_t c = 0; c < columns; c++) {                                                 \
                type sum = 0;                                                                      \
                for (size_t i = 0; i < inner; i++)                                                 \
                    sum += a_[r * inner + i] * b_[i * columns + c];                                \
                y_[r * columns + c] = sum;                                                         \
            }                                                                                      \
    } while (0)

static void multiply(enum rf_dtype dtype, const void *a, const void *b, void *y, size_t rows,
                     size_t inner, size_t columns)
{
    if (dtype == RF_F32)
        rf_gemm_dense(a, b, y, rows, inner, columns);
    else if (dtype == RF_I32)
        MULTIPLY(uint32_t);
    else
        MULTIPLY(uint64_t);
}

/* Element i of a view, in row-major order. */
static const char *element(const struct rf_view *v, size_t i)
{
    int64_t offset = 0;

    for (int k = v->rank - 1; k >= 0; k--) {
        offset += (int64_t)(i % (size_t)v->dim[k]) * v->step[k];
        i /= (size_t)v->dim[k];
    }
    return v->data + offset * (int64_t)v->size;
}

static void run_matmul(const struct rf_exec *x, int part, int n_parts)
{
    const enum rf_dtype dtype = x->out[0]->dtype;
    char *const y = x->out[0]->data;
    struct products p;
    size_t first, last;

    if (!find_products(x->in[0], x->in[1], &p))
        return;
    const size_t rows = (size_t)p.rows, inner = (size_t)p.inner, columns = (size_t)p.columns;
    const size_t size = rf_dtype_size(dtype);

    rf_part_range(p.batch > 1 ? (size_t)p.batch : rows, part, n_parts, &first, &last);
    if (p.batch == 1)
        multiply(dtype, (const char *)x->in[0]->data + first * inner * size, x->in[1]->data,
                 y + first * columns * size, last - first, inner, columns);
    for (size_t i = first; i < last && p.batch > 1; i++)
        multiply(dtype, element(&p.a, i), element(&p.b, i), y + i * rows * columns * size, rows,
                 inner, columns);
}

RF_OP(MatMul) = {
    .name = "MatMul",
    .since = 1,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .param_in = 1u << 0 | 1u << 1,
    .prepare = rf_prepare_nothing,
    .infer = infer_matmul,
    .run = run_matmul,
};
