/* Products with constant weights of random sizes, computed every way (sweep_test.h): Gemm in all
 * its forms, behind pixels as well, and MatMul. */
#include "tests/unit/sweep_test.h"

enum { COUNT = 2000, ENOUGH = 1000 /* cases that meet every algorithm */ };

enum kind { GEMM, GEMM_ANY, PIXELS, MATMUL, KINDS };

static const char *const kinds[] = {"Gemm", "Gemm of any operands", "Flatten and Gemm", "MatMul"};

/* rows x in times in x out */
struct sizes {
    enum kind kind;
    int64_t n, steps, in, out; /* rows: n, of a MatMul n * steps */
    int64_t channels, h, w;    /* of pixels */
    int64_t trans_a, trans_b;
    float alpha, beta;
    int64_t c_rows, c_columns; /* C; 0: none */
};

/* Some are large enough to be shared by threads: by columns, or by rows. */
static void random_size(uint64_t *seed, struct sizes *s)
{
    const uint32_t large = test_random(seed) % 60;

    s->n = test_random(seed) % 4 ? test_random_int(seed, 2, 40) : 1;
    s->in = test_random_int(seed, 1, 300);
    s->out = test_random_int(seed, 1, 150);
    if (large == 0) {
        s->n = test_random_int(seed, 2048, 2300);
        s->in = test_random_int(seed, 40, 80);
        s->out = test_random_int(seed, 100, 130);
    } else if (large < 3) { /* weights large enough to be kept once more, for rows with zeros */
        s->n = test_random_int(seed, 1, 6);
        s->in = test_random_int(seed, 2000, 3000);
        s->out = test_random_int(seed, 400, 700);
    }
}

static void random_gemm(uint64_t *seed, struct sizes *s)
{
    const uint32_t c = test_random(seed) % 3;

    s->trans_b = test_random(seed) & 1;
    s->alpha = test_random(seed) % 2 ? 1 : 0.5f + test_random_float(seed);
    s->beta = test_random(seed) % 2 ? 1 : test_random_float(seed);
    s->c_rows = c > 0;
    s->c_columns = c == 0 ? 0 : c == 1 ? 1 : s->out;
    if (s->kind != GEMM_ANY)
        return;
    s->trans_a = test_random(seed) & 1;
    if (!s->trans_a || test_random(seed) % 2) { /* else the row of constant weights would take it */
        s->c_rows = s->n;
        s->c_columns = s->out;
    }
}

static struct sizes random_sizes(uint64_t *seed)
{
    struct sizes s = {.kind = (enum kind)test_random_int(seed, 0, KINDS - 1), .steps = 1};

    s.alpha = 1;
    random_size(seed, &s);
    if (s.kind == MATMUL)
        s.steps = s.n > 40 ? 1 : test_random_int(seed, 1, 3);
    if (s.kind == PIXELS) {
        s.channels = test_random_int(seed, 1, 20);
        s.h = test_random_int(seed, 1, 5);
        s.w = test_random_int(seed, 1, 5);
        s.in = s.channels * s.h * s.w;
    }
    if (s.kind != MATMUL)
        random_gemm(seed, &s);
    return s;
}

static void describe(const struct sizes *s, char *text, size_t size)
{
    snprintf(
        text, size,
        "%s, %lld x %lld rows (pixels %lldx%lldx%lld), %lld to %lld, transA %lld, transB %lld, "
        "alpha %g, beta %g, C %lldx%lld",
        kinds[s->kind], (long long)s->n, (long long)s->steps, (long long)s->channels,
        (long long)s->h, (long long)s->w, (long long)s->in, (long long)s->out,
        (long long)s->trans_a, (long long)s->trans_b, (double)s->alpha, (double)s->beta,
        (long long)s->c_rows, (long long)s->c_columns);
}

/* ---- a case ---- */

static struct rf_shape input_shape(const struct sizes *s)
{
    if (s->kind == PIXELS)
        return SHAPE(s->n, s->channels, s->h, s->w);
    if (s->steps > 1)
        return SHAPE(s->n, s->steps, s->in);
    return s->trans_a ? SHAPE(s->in, s->n) : SHAPE(s->n, s->in);
}

/* Channels last, and then in rows again: the product reads pixels where they are. */
static rf_value_id through_pixels(struct rf_graph *g, rf_value_id x)
{
    const int64_t ones[] = {1, 1};
    struct rf_node *node;
    const rf_value_id pixels = test_op(g, "MaxPool", "pixels", &x, 1, &node);

    test_ints(g, node, "kernel_shape", ones, 2);
    return test_op(g, "Flatten", "flatten", &pixels, 1, NULL);
}

static void set_float(struct rf_graph *g, struct rf_node *node, const char *name, float value)
{
    ck_assert_int_eq(rf_node_set_float(g, node, name, value, NULL), RF_OK);
}

static rf_value_id product(struct rf_graph *g, const struct sizes *s, rf_value_id x, rf_value_id w,
                           rf_value_id c)
{
    const rf_value_id in[] = {s->kind == PIXELS ? through_pixels(g, x) : x, w, c};
    struct rf_node *node;

    if (s->kind == MATMUL)
        return test_op(g, "MatMul", "matmul", in, 2, NULL);
    const rf_value_id y = test_op(g, "Gemm", "gemm", in, c == RF_NO_VALUE ? 2 : 3, &node);

    test_int(g, node, "transA", s->trans_a);
    test_int(g, node, "transB", s->trans_b);
    set_float(g, node, "alpha", s->alpha);
    set_float(g, node, "beta", s->beta);
    return y;
}

static float *multiply(const struct sweep_case *c, const struct sizes *s, const float *w,
                       const float *addend)
{
    const int64_t rows = s->n * s->steps, a_row = s->trans_a ? 1 : s->in;
    const int64_t a_step = s->trans_a ? s->n : 1, w_step = s->trans_b ? 1 : s->out;
    double *const sums = malloc((size_t)(rows * s->out) * sizeof(*sums));

    for (int64_t i = 0; i < rows * s->out; i++) {
        const int64_t row = i / s->out, o = i % s->out;
        const float *const a = c->x + (row / s->steps) * (int64_t)(s->trans_a ? 0 : c->row) +
                               (s->trans_a ? row : row % s->steps) * a_row;
        const float *const column = w + o * (s->trans_b ? s->in : 1);
        double sum = 0;

        for (int64_t k = 0; k < s->in; k++)
            sum += (double)a[k * a_step] * (double)column[k * w_step];
        sums[i] = sum * (double)s->alpha;
        if (addend)
            sums[i] +=
                (double)s->beta *
                (double)addend[(s->c_rows > 1 ? row * s->out : 0) + (s->c_columns > 1 ? o : 0)];
    }
    float *const want = sweep_expect(c, sums);

    free(sums);
    return want;
}

/* A ReLU in front, where zeros come from; the input is what it gives already. */
static rf_value_id behind_relu(struct sweep_case *c, rf_value_id x)
{
    for (int64_t i = 0; i < rf_numel(&c->in); i++)
        c->x[i] = fmaxf(c->x[i], 0);
    c->layers_before = 1;
    return test_op(c->graph, "Relu", "front", &x, 1, NULL);
}

static struct sweep_case make_case(uint64_t seed, bool expect)
{
    struct sweep_case c = {.seed = seed, .graph = test_graph(), .tolerance = 1e-5};
    const struct sizes s = random_sizes(&seed);
    rf_value_id addend = RF_NO_VALUE, residual;

    describe(&s, c.text, sizeof(c.text));
    c.is_batch = s.kind != GEMM_ANY;
    c.out = s.steps > 1 ? SHAPE(s.n, s.steps, s.out) : SHAPE(s.n, s.out);
    c.channel_axis = c.out.rank - 1;
    rf_value_id x = sweep_input(&c, &seed, input_shape(&s), &residual);
    const rf_value_id w =
        test_weights(c.graph, &seed, s.trans_b ? SHAPE(s.out, s.in) : SHAPE(s.in, s.out),
                     1 / sqrtf((float)s.in));

    if (test_random(&seed) & 1)
        x = behind_relu(&c, x);
    if (s.c_rows)
        addend = test_weights(c.graph, &seed, SHAPE(s.c_rows, s.c_columns), 0.5f);
    sweep_tail(&c, &seed, product(c.graph, &s, x, w, addend), residual);
    if (expect)
        c.want = multiply(&c, &s, c.graph->values[w].constant,
                          s.c_rows ? c.graph->values[addend].constant : NULL);
    return c;
}

START_TEST(products_match_plain_loops)
{
    struct sweep_seen seen = {""};

    if (!sweep_all(_i, make_case, &seen) || sweep_cases < ENOUGH)
        return;
    ck_assert(sweep_saw(&seen, "[gemv]"));
    ck_assert(sweep_saw(&seen, "[gemm]"));
    ck_assert_int_eq(sweep_saw(&seen, "[gemv without zeros]"),
                     strcmp(rf_engine_gemm(), "openblas") != 0);
}
END_TEST

static void begin(void)
{
    sweep_begin(COUNT, make_case);
}

int main(void)
{
    return sweep_main("sweep_linear", products_match_plain_loops, SWEEP_BACKENDS, begin);
}
