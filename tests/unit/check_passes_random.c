/* Networks put together at random from what passes look for: shared values, values that leave,
 * norms and activations in any order. Whichever pass is left out, the results are the same. */
#include "tests/unit/passes_test.h"

#define CHANNELS 6
#define STEPS 14
#define NETWORKS 48

static rf_value_id conv(struct rf_graph *g, uint64_t *seed, rf_value_id x, int64_t kernel,
                        int64_t pad, int64_t groups)
{
    const struct test_conv c = {.spatial = 2,
                                .out = CHANNELS,
                                .in = CHANNELS,
                                .groups = groups,
                                .kernel = {kernel, kernel},
                                .stride = {1, 1},
                                .dilation = {1, 1},
                                .pads = {pad, pad, pad, pad},
                                .bias = test_random(seed) % 2};
    rf_value_id w, b;

    return test_conv(g, seed, "conv", x, &c, &w, &b);
}

static rf_value_id padded(struct rf_graph *g, uint64_t *seed, rf_value_id x)
{
    static const int64_t pads[] = {0, 0, 1, 1, 0, 0, 1, 1};

    return conv(g, seed, op2(g, "Pad", x, integers(g, pads, 8)), 3, 0, 1);
}

static rf_value_id activation(struct rf_graph *g, uint64_t *seed, rf_value_id x)
{
    static const char *const ops[] = {"Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSwish", "Elu"};

    return op1(g, ops[test_random(seed) % 6], x);
}

/* Squeeze and excite: a factor that is computed. */
static rf_value_id excited(struct rf_graph *g, uint64_t *seed, rf_value_id x)
{
    const rf_value_id pooled = op1(g, "GlobalAveragePool", x);

    return op2(g, "Mul", x, op1(g, "Sigmoid", conv(g, seed, pooled, 1, 0, 1)));
}

static rf_value_id hard_swish(struct rf_graph *g, rf_value_id x)
{
    const rf_value_id in[] = {op2(g, "Add", x, number(g, 3)), number(g, 0), number(g, 6)};
    const rf_value_id clipped = test_op(g, "Clip", "clip", in, 3, NULL);

    return op2(g, "Div", op2(g, "Mul", x, clipped), number(g, 6));
}

/* Reads `a`, perhaps `b`; all values have one shape. */
static rf_value_id step(struct rf_graph *g, uint64_t *seed, rf_value_id a, rf_value_id b)
{
    switch (test_random(seed) % 12) {
    case 0:
        return conv(g, seed, a, 3, 1, 1);
    case 1:
        return conv(g, seed, a, 3, 1, CHANNELS);
    case 2:
        return padded(g, seed, a);
    case 3:
    case 4:
        return test_norm(g, seed, "norm", a, CHANNELS);
    case 5:
        return op2(g, "Mul", a, test_weights(g, seed, SHAPE(CHANNELS, 1, 1), 1));
    case 6:
        return op2(g, "Add", test_weights(g, seed, SHAPE(1, CHANNELS, 1, 1), 1), a);
    case 7:
    case 8:
        return op2(g, "Add", a, b);
    case 9:
        return op2(g, "Mul", op1(g, "Sigmoid", a), a);
    case 10:
        return test_random(seed) % 2 ? excited(g, seed, a) : hard_swish(g, a);
    default:
        return activation(g, seed, a);
    }
}

/* The last value and one on the way leave, in either order. */
static struct rf_graph *network(int form)
{
    struct rf_graph *const g = test_graph();
    uint64_t seed = (uint64_t)form + 1;
    rf_value_id values[STEPS + 1] = {test_input(g, SHAPE(-1, CHANNELS, -1, -1))};

    for (int i = 0; i < STEPS; i++) {
        /* Mostly the newest: that makes chains. */
        const int back = test_random(&seed) % 4 ? 0 : (int)(test_random(&seed) % 3);
        const rf_value_id a = values[back < i ? i - back : 0];

        values[i + 1] = step(g, &seed, a, values[test_random(&seed) % (uint32_t)(i + 1)]);
    }
    const rf_value_id middle = values[STEPS / 2], last = values[STEPS];

    output(g, form % 2 ? middle : last);
    output(g, form % 2 ? last : middle);
    return g;
}

START_TEST(results_stay)
{
    same_without(network, _i, SHAPE(2, CHANNELS, 5, 7));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("passes: random");
    TCase *const tc = tcase_create("random");

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, results_stay, 0, NETWORKS);
    return run_suite(suite);
}
