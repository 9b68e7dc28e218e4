/* A Pad of zeros goes into the window that reads it; any other stays. */
#include "tests/unit/passes_test.h"

static const struct rf_shape image = {.rank = 4, .dim = {2, 3, 6, 5}};

/* Opset 22: pads, the value and axes are inputs. */
static rf_value_id pad(struct rf_graph *g, rf_value_id x, const int64_t *pads, int64_t rank,
                       float value)
{
    const rf_value_id in[] = {x, integers(g, pads, 2 * (size_t)rank), number(g, value)};

    return test_op(g, "Pad", "pad", in, 3, NULL);
}

static rf_value_id conv(struct rf_graph *g, rf_value_id x, const int64_t *pads, int spatial)
{
    struct rf_node *node;
    uint64_t seed = 1;
    const rf_value_id w =
        test_weights(g, &seed, spatial == 2 ? SHAPE(4, 3, 3, 3) : SHAPE(4, 3, 3), 0.3f);
    const rf_value_id y = test_op(g, "Conv", "conv", (rf_value_id[]){x, w}, 2, &node);

    if (pads)
        test_ints(g, node, "pads", pads, 2 * (size_t)spatial);
    return y;
}

static rf_value_id average(struct rf_graph *g, rf_value_id x, const int64_t *pads, bool include,
                           struct rf_node **node)
{
    const rf_value_id y = test_op(g, "AveragePool", "pool", &x, 1, node);

    test_ints(g, *node, "kernel_shape", (const int64_t[]){3, 3}, 2);
    test_ints(g, *node, "strides", (const int64_t[]){2, 2}, 2);
    if (pads)
        test_ints(g, *node, "pads", pads, 4);
    if (include)
        test_int(g, *node, "count_include_pad", 1);
    return y;
}

/* ---- what is folded ---- */

enum { CONV, CONV_PADDED, NO_VALUE, SOME_AXES, POOL, POOL_INCLUDES, N_FORMS };

static struct rf_graph *padded(int form)
{
    static const int64_t sides[] = {0, 0, 1, 2, 0, 0, 0, 1}, own[] = {1, 1, 0, 2};
    struct rf_graph *const g = test_graph();
    const rf_value_id x = test_input(g, SHAPE(-1, 3, -1, -1));
    struct rf_node *node;
    rf_value_id in[] = {x, integers(g, sides, 8), RF_NO_VALUE, RF_NO_VALUE};

    switch (form) {
    case CONV:
        output(g, conv(g, pad(g, x, sides, 4, 0), NULL, 2));
        break;
    case CONV_PADDED:
        output(g, conv(g, pad(g, x, sides, 4, 0), own, 2));
        break;
    case NO_VALUE:
        output(g, conv(g, test_op(g, "Pad", "pad", in, 2, NULL), own, 2));
        break;
    case SOME_AXES:
        in[1] = integers(g, (const int64_t[]){2, 1, 1, 0}, 4);
        in[3] = integers(g, (const int64_t[]){-1, 2}, 2);
        output(g, conv(g, test_op(g, "Pad", "pad", in, 4, NULL), NULL, 2));
        break;
    case POOL: /* as PyTorch exports count_include_pad */
        output(g, average(g, pad(g, x, sides, 4, 0), NULL, false, &node));
        break;
    default:
        output(g, average(g, pad(g, x, (const int64_t[]){0, 0, 1, 0, 0, 0, 1, 2}, 4, 0),
                          (const int64_t[]){1, 1, 0, 0}, true, &node));
    }
    return g;
}

START_TEST(is_folded)
{
    static const int64_t want[N_FORMS][4] = {{1, 2, 0, 1}, {2, 3, 0, 3}, {2, 3, 0, 3},
                                             {1, 2, 0, 1}, {1, 2, 0, 1}, {2, 1, 1, 2}};
    struct rf_graph *const g = padded(_i);

    settle(g);
    ck_assert_int_eq(rf_pass_fold_pad(g, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, 1);
    const struct rf_attr *const pads = rf_node_attr(g->nodes[0], "pads");
    const struct rf_attr *const include = rf_node_attr(g->nodes[0], "count_include_pad");

    ck_assert_uint_eq(pads->n, 4);
    ck_assert_mem_eq(pads->as.ints, want[_i], sizeof(want[_i]));
    ck_assert(_i < POOL || include->as.i == 1);
    rf_graph_free(g);
}
END_TEST

START_TEST(results_stay)
{
    same_without(padded, _i, image);
}
END_TEST

static struct rf_graph *padded_rows(int form)
{
    struct rf_graph *const g = test_graph();
    const rf_value_id x = test_input(g, SHAPE(-1, 3, -1));

    (void)form;
    output(g, conv(g, pad(g, x, (const int64_t[]){0, 0, 2, 0, 0, 1}, 3, 0), NULL, 1));
    return g;
}

START_TEST(one_dimension_is_folded)
{
    struct rf_graph *const g = padded_rows(0);

    settle(g);
    ck_assert_int_eq(rf_pass_fold_pad(g, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, 1);
    rf_graph_free(g);
    same_without(padded_rows, 0, SHAPE(2, 3, 7));
}
END_TEST

/* ---- what is left alone ---- */

enum {
    OTHER_VALUE,
    CROPS,
    CHANNELS,
    REFLECTS,
    READ_TWICE,
    AN_OUTPUT,
    MAX_POOL,
    MEAN_WITHOUT_PADDING,
    CEIL_MODE,
    WIDER_THAN_KERNEL,
    AUTO_PAD,
    FOR_SOMEONE_ELSE,
    N_NEGATIVES
};

static struct rf_graph *misleading(int form)
{
    static const int64_t ones[] = {0, 0, 1, 1, 0, 0, 1, 1}, crop[] = {0, 0, -1, 1, 0, 0, 1, 1},
                         third[] = {0, 0, 1, 1, 0, 1, 1, 1}, wide[] = {0, 0, 3, 1, 0, 0, 1, 1};
    struct rf_graph *const g = test_graph();
    rf_value_id x = test_input(g, SHAPE(-1, form == CHANNELS ? 2 : 3, -1, -1));
    const rf_value_id in[] = {x, integers(g, ones, 8)};
    struct rf_node *node;
    rf_value_id y;

    switch (form) {
    case OTHER_VALUE:
        output(g, conv(g, pad(g, x, ones, 4, 0.5f), NULL, 2));
        break;
    case CROPS:
        output(g, conv(g, pad(g, x, crop, 4, 0), NULL, 2));
        break;
    case CHANNELS:
        output(g, conv(g, pad(g, x, third, 4, 0), NULL, 2));
        break;
    case REFLECTS:
        y = test_op(g, "Pad", "pad", in, 2, &node);
        ck_assert_int_eq(rf_node_set_string(g, node, "mode", "reflect", NULL), RF_OK);
        output(g, conv(g, y, NULL, 2));
        break;
    case READ_TWICE:
        y = pad(g, x, ones, 4, 0);
        output(g, conv(g, y, NULL, 2));
        output(g, conv(g, y, NULL, 2));
        break;
    case AN_OUTPUT:
        y = pad(g, x, ones, 4, 0);
        output(g, conv(g, y, NULL, 2));
        output(g, y);
        break;
    case MAX_POOL:
        y = pad(g, x, ones, 4, 0);
        y = test_op(g, "MaxPool", "pool", &y, 1, &node);
        test_ints(g, node, "kernel_shape", (const int64_t[]){3, 3}, 2);
        output(g, y);
        break;
    case MEAN_WITHOUT_PADDING:
        output(g, average(g, pad(g, x, ones, 4, 0), (const int64_t[]){1, 1, 1, 1}, false, &node));
        break;
    case CEIL_MODE:
        output(g, average(g, pad(g, x, ones, 4, 0), NULL, true, &node));
        test_int(g, node, "ceil_mode", 1);
        break;
    case WIDER_THAN_KERNEL:
        output(g, average(g, pad(g, x, wide, 4, 0), NULL, true, &node));
        break;
    case AUTO_PAD:
        y = conv(g, pad(g, x, ones, 4, 0), NULL, 2);
        ck_assert_int_eq(rf_node_set_string(g, g->nodes[1], "auto_pad", "SAME_UPPER", NULL), RF_OK);
        output(g, y);
        break;
    default:
        output(g, op1(g, "Relu", pad(g, x, ones, 4, 0)));
    }
    return g;
}

START_TEST(is_left_alone)
{
    struct rf_graph *const g = misleading(_i);

    settle(g);
    const size_t n = g->n_nodes;
    ck_assert_int_eq(rf_pass_fold_pad(g, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, n);
    rf_graph_free(g);
}
END_TEST

START_TEST(what_is_left_alone_runs)
{
    struct rf_shape shape = image;

    shape.dim[1] = _i == CHANNELS ? 2 : 3;
    same_without(misleading, _i, shape);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("passes: pad");
    TCase *const tc = tcase_create("pad");

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, is_folded, 0, N_FORMS);
    tcase_add_loop_test(tc, results_stay, 0, N_FORMS);
    tcase_add_test(tc, one_dimension_is_folded);
    tcase_add_loop_test(tc, is_left_alone, 0, N_NEGATIVES);
    tcase_add_loop_test(tc, what_is_left_alone_runs, 0, N_NEGATIVES);
    return run_suite(suite);
}
