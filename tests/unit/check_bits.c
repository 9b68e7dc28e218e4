/* A row's results are the same bits whatever the batch it comes in, its place there, the number of
 * threads, and the copy of the model; and so are its activations' counts. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "tests/support/net.h"

#define ROWS 9

/* ---- networks ---- */

struct builder {
    struct rf_graph *g;
    uint64_t seed;
    rf_value_id x; /* what has been built so far */
    int64_t channels, h, w;
};

static void op(struct builder *b, const char *name)
{
    b->x = test_op(b->g, name, name, &b->x, 1, NULL);
}

static void conv(struct builder *b, int64_t out, int64_t kernel, int64_t stride, int64_t groups)
{
    const int64_t pad = kernel / 2;
    const struct test_conv c = {.spatial = 2,
                                .out = out,
                                .in = b->channels,
                                .groups = groups,
                                .kernel = {kernel, kernel},
                                .stride = {stride, stride},
                                .dilation = {1, 1},
                                .pads = {pad, pad, pad, pad},
                                .bias = test_random(&b->seed) % 2};
    rf_value_id w, bias;

    b->x = test_conv(b->g, &b->seed, "conv", b->x, &c, &w, &bias);
    b->channels = out;
    b->h = (b->h + stride - 1) / stride;
    b->w = (b->w + stride - 1) / stride;
}

static void pool(struct builder *b, const char *name)
{
    struct rf_node *node;

    b->x = test_op(b->g, name, name, &b->x, 1, &node);
    test_ints(b->g, node, "kernel_shape", (int64_t[]){3, 3}, 2);
    test_ints(b->g, node, "pads", (int64_t[]){1, 1, 1, 1}, 4);
    test_ints(b->g, node, "strides", (int64_t[]){2, 2}, 2);
    b->h = (b->h + 1) / 2;
    b->w = (b->w + 1) / 2;
}

static void residual(struct builder *b)
{
    rf_value_id in[2] = {b->x};

    conv(b, b->channels, 3, 1, 1);
    in[1] = b->x;
    b->x = test_op(b->g, "Add", "add", in, 2, NULL);
    op(b, "Relu");
}

static void branches(struct builder *b)
{
    const rf_value_id from = b->x;
    const int64_t channels = b->channels;
    rf_value_id in[2];
    struct rf_node *node;

    conv(b, test_random_int(&b->seed, 3, 20), 1, 1, 1);
    op(b, "Relu");
    in[0] = b->x;
    in[1] = from;
    b->x = test_op(b->g, "Concat", "concat", in, 2, &node);
    test_int(b->g, node, "axis", 1);
    b->channels += channels;
}

static void head(struct builder *b, int64_t classes)
{
    const int64_t features = b->channels * b->h * b->w;
    rf_value_id in[2];

    op(b, "Flatten");
    in[0] = b->x;
    in[1] = test_weights(b->g, &b->seed, SHAPE(features, classes), 0.05f);
    b->x = test_op(b->g, "Gemm", "fc", in, 2, NULL);
    ck_assert_int_eq(rf_graph_output(b->g, b->x, NULL), RF_OK);
}

static void random_step(struct builder *b)
{
    const int64_t out = test_random_int(&b->seed, 3, 40);

    switch (test_random(&b->seed) % 8) {
    case 0:
        pool(b, test_random(&b->seed) % 2 ? "MaxPool" : "AveragePool");
        break;
    case 1:
        branches(b);
        break;
    case 2:
        b->x = test_norm(b->g, &b->seed, "norm", b->x, b->channels);
        break;
    case 3:
        conv(b, b->channels, 3, 1, b->channels);
        break;
    case 4:
        conv(b, 2 * b->channels, 3, 2, b->channels % 2 ? 1 : 2);
        break;
    case 5:
        conv(b, out, 1, 1, 1);
        op(b, "LeakyRelu");
        break;
    default:
        conv(b, out, 3, 1, 1);
        op(b, "Relu");
    }
}

static struct builder begin(uint64_t seed, int64_t channels, int64_t h, int64_t w)
{
    struct builder b = {.g = test_graph(), .seed = seed, .channels = channels, .h = h, .w = w};

    b.x = test_input(b.g, SHAPE(-1, channels, h, w));
    return b;
}

static struct builder random_network(uint64_t seed)
{
    struct builder b =
        begin(seed, 3, test_random_int(&seed, 33, 60), test_random_int(&seed, 33, 60));

    conv(&b, test_random_int(&b.seed, 16, 24), 5, 1, 1);
    op(&b, "Relu");
    residual(&b);
    for (int i = 0; i < 5; i++)
        random_step(&b);
    residual(&b);
    op(&b, "GlobalAveragePool");
    b.h = b.w = 1;
    head(&b, 10);
    return b;
}

/* Under sanitizers the same with fewer networks, smaller ones, fewer threads. */
static bool is_slow(void)
{
    return getenv("RECTIFIER_TEST_SLOWNESS") != NULL;
}

/* The convolutions of a ResNet, from 56 x 56 on; 512 channels wide they are 7 x 7. */
static struct builder stages_up_to(int64_t widest, uint64_t seed)
{
    struct builder b = begin(seed, 3, 112, 112);

    conv(&b, 64, 7, 2, 1);
    op(&b, "Relu");
    for (int64_t channels = 64; channels <= widest; channels *= 2) {
        if (channels > 64)
            conv(&b, channels, 3, 2, 1);
        residual(&b);
        conv(&b, channels / 2, 1, 1, 1);
        op(&b, "Relu");
        conv(&b, channels, 1, 1, 1);
        op(&b, "Relu");
    }
    head(&b, 100);
    return b;
}

static struct builder stages(uint64_t seed)
{
    return stages_up_to(512, seed);
}

static struct builder first_stage(uint64_t seed)
{
    return stages_up_to(64, seed);
}

/* ---- running ---- */

struct subject {
    struct builder (*build)(uint64_t seed);
    uint64_t seed;
    struct rf_shape shape; /* of all rows */
    size_t sample, n_out;
    float *x, *want; /* ROWS of them; want: each alone */
};

static struct rf_model *load(const struct subject *s)
{
    const struct rf_model_options options = {.activity = RF_ACTIVITY_CHANNEL};

    return test_model(s->build(s->seed).g, &options);
}

static struct rf_session *session_of(struct rf_model *model, struct rf_pool *pool)
{
    struct rf_session *session;

    ck_assert_int_eq(rf_session_new(&session, model, pool, NULL), RF_OK);
    return session;
}

static void set_up(struct subject *s, struct rf_model *model)
{
    struct rf_session *const session = session_of(model, NULL);
    struct rf_shape one = rf_model_input(model, 0)->shape, out;

    one.dim[0] = 1;
    s->shape = one;
    s->shape.dim[0] = ROWS;
    s->sample = (size_t)rf_numel(&one);
    s->x = malloc(ROWS * s->sample * sizeof(*s->x));
    test_random_fill(&s->seed, s->x, ROWS * s->sample);
    for (size_t row = 0; row < ROWS; row++) {
        float *y;

        test_run(session, &one, s->x + row * s->sample, true, &y, &out, 1);
        s->n_out = (size_t)rf_numel(&out);
        if (!row)
            s->want = malloc(ROWS * s->n_out * sizeof(*s->want));
        memcpy(s->want + row * s->n_out, y, s->n_out * sizeof(*y));
        free(y);
    }
    rf_session_free(session);
}

/* Rows shift, shift + step, ... in one batch. */
static void run_batch(const struct subject *s, struct rf_session *session, size_t batch,
                      size_t shift, size_t step)
{
    float *const x = calloc(batch * s->sample, sizeof(*x)), *y;
    struct rf_shape shape = s->shape, out;

    shape.dim[0] = (int64_t)batch;
    for (size_t i = 0; i < batch; i++)
        memcpy(x + i * s->sample, s->x + (shift + i * step) % ROWS * s->sample,
               s->sample * sizeof(*x));
    test_run(session, &shape, x, true, &y, &out, 1);
    for (size_t i = 0; i < batch; i++)
        ck_assert_msg(!memcmp(y + i * s->n_out, s->want + (shift + i * step) % ROWS * s->n_out,
                              s->n_out * sizeof(*y)),
                      "seed %llu: row %zu at place %zu of %zu", (unsigned long long)s->seed,
                      (shift + i * step) % ROWS, i, batch);
    free(x);
    free(y);
}

static void check_counts(struct rf_model *model, struct rf_model *copy)
{
    struct rf_activity *a, *b;

    ck_assert_int_eq(rf_activity_read(model, &a, NULL), RF_OK);
    ck_assert_int_eq(rf_activity_read(copy, &b, NULL), RF_OK);
    ck_assert_uint_eq(a->inputs, b->inputs);
    ck_assert_uint_gt(a->n_layers, 0);
    for (size_t i = 0; i < a->n_layers; i++) {
        for (size_t c = 0; c < a->layers[i].n_channels; c++) {
            const struct rf_channel_activity *const p = &a->layers[i].channels[c];
            const struct rf_channel_activity *const q = &b->layers[i].channels[c];

            ck_assert_uint_eq(p->values, q->values);
            ck_assert_uint_eq(p->fired, q->fired);
            ck_assert_uint_eq(p->fired_inputs, q->fired_inputs);
            ck_assert_uint_eq(p->zeros, q->zeros);
            ck_assert_uint_eq(p->inactive, q->inactive);
            ck_assert_double_eq(p->max, q->max);
            ck_assert_double_le(fabs(p->sum - q->sum), 1e-6 * (double)p->values);
        }
    }
    rf_activity_free(a);
    rf_activity_free(b);
}

/* On a copy of the model: every row once in one batch, whose counts must be those of the rows
 * alone; then batches of other sizes, and one row at all places. */
static void check_threads(const struct subject *s, struct rf_model *model, int threads, size_t step)
{
    struct rf_model *const copy = load(s);
    struct rf_pool *pool = NULL;

    if (threads > 1)
        ck_assert_int_eq(rf_pool_new(&pool, threads, threads == 2, NULL), RF_OK);
    struct rf_session *const session = session_of(copy, pool);

    run_batch(s, session, ROWS, (size_t)threads, 1);
    check_counts(model, copy);
    for (size_t batch = 2; batch < ROWS; batch += step)
        run_batch(s, session, batch, batch, 1);
    run_batch(s, session, ROWS, 4, 0);
    rf_session_free(session);
    rf_pool_free(pool);
    rf_model_unref(copy);
}

static void check_network(struct builder (*build)(uint64_t seed), uint64_t seed, size_t step)
{
    static const int threads[] = {2, 3, 1, 5};
    const size_t n = is_slow() ? 2 : sizeof(threads) / sizeof(*threads);
    struct subject s = {.build = build, .seed = seed};
    struct rf_model *const model = load(&s);

    set_up(&s, model);
    s.seed = seed;
    for (size_t i = 0; i < n; i++)
        check_threads(&s, model, threads[i], step);
    rf_model_unref(model);
    free(s.x);
    free(s.want);
}

static bool use(int i)
{
    static const char *const conv[] = {"auto", "accurate", "direct"};

    setenv("RECTIFIER_CONV", conv[i % 3], 1);
    return test_use_isa(i / 3) && strcmp(rf_engine_gemm(), "openblas") != 0;
}

START_TEST(random_networks)
{
    if (use(_i))
        for (uint64_t seed = 1; seed <= (is_slow() ? 1 : 4); seed++)
            check_network(random_network, 10 * seed + (uint64_t)_i, 1);
}
END_TEST

START_TEST(stages_of_a_resnet)
{
    if ((_i % 3 == 0 || !is_slow()) && use(_i))
        check_network(is_slow() ? first_stage : stages, 1, 3);
}
END_TEST

/* One convolution whose weights come with the request, as many filters as images. */
static struct rf_model *with_given_weights(const struct rf_shape *weights)
{
    struct builder b = begin(1, 3, 96, 96);
    rf_value_id in[] = {b.x, RF_NO_VALUE};

    ck_assert_int_eq(rf_graph_input(b.g, "w", RF_F32, weights, &in[1], NULL), RF_OK);
    b.x = test_op(b.g, "Conv", "given", in, 2, NULL);
    b.channels = weights->dim[0];
    op(&b, "LeakyRelu");
    conv(&b, 8, 3, 1, 1);
    op(&b, "GlobalAveragePool");
    ck_assert_int_eq(rf_graph_output(b.g, b.x, NULL), RF_OK);
    return test_model(b.g, NULL);
}

static void run_given(struct rf_session *session, const struct rf_shape *weights, int64_t batch,
                      const float *x, const float *w, float *y)
{
    const struct rf_shape shapes[] = {SHAPE(batch, 3, 96, 96), *weights};
    const void *const in[] = {x, w};
    struct rf_tensor out;

    ck_assert_int_eq(rf_session_prepare(session, shapes, NULL, 2, NULL), RF_OK);
    ck_assert_int_eq(rf_session_run(session, in, 2, &out, 1, true, NULL), RF_OK);
    memcpy(y, out.data, (size_t)rf_numel(&out.shape) * sizeof(*y));
}

/* Weights of the batch's size are no batch. */
START_TEST(weights_of_a_request_serve_all_images)
{
    enum { N = 4, OUT = 8, IMAGE = 3 * 96 * 96 };
    const struct rf_shape weights = SHAPE(N, 3, 3, 3);
    float *const x = malloc(N * IMAGE * sizeof(*x)), w[N * 27], y[N * OUT], alone[OUT];
    uint64_t seed = 3;

    test_random_fill(&seed, x, N * IMAGE);
    test_random_fill(&seed, w, N * 27);
    struct rf_model *const model = with_given_weights(&weights);
    struct rf_session *const session = session_of(model, NULL);

    run_given(session, &weights, N, x, w, y);
    for (size_t i = 0; i < N; i++) {
        run_given(session, &weights, 1, x + i * IMAGE, w, alone);
        ck_assert_double_le(test_error(y + i * OUT, alone, OUT), 1e-5);
    }
    rf_session_free(session);
    rf_model_unref(model);
    free(x);
}
END_TEST

static void ignore(void *arg, const struct rf_step_info *info)
{
    (void)arg;
    (void)info;
}

static size_t session_bytes(struct rf_model *model, int64_t batch)
{
    struct rf_shape shape = rf_model_input(model, 0)->shape;
    size_t bytes;

    shape.dim[0] = batch;
    ck_assert_int_eq(rf_model_inspect(model, &shape, 1, ignore, NULL, &bytes, NULL), RF_OK);
    return bytes;
}

/* What early stages write is kept for one image. */
START_TEST(a_batch_shares_memory)
{
    struct rf_model *const model = test_model(stages(1).g, NULL);

    ck_assert_uint_lt(session_bytes(model, 8), 4 * session_bytes(model, 1));
    rf_model_unref(model);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("bits");
    TCase *const t = tcase_create("bits");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, random_networks, 0, 3 * RF_N_ISA);
    tcase_add_loop_test(t, stages_of_a_resnet, 0, 3 * RF_N_ISA);
    tcase_add_test(t, weights_of_a_request_serve_all_images);
    tcase_add_test(t, a_batch_shares_memory);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
