/*
 * Finds activations that exporters write as several operators. They are products of a value x and a
 * function u of it, in whatever order their factors come:
 *     Silu       x * Sigmoid(x)
 *     HardSwish  x * HardSigmoid(x; 1/6, 1/2)     or   1/6 * x * Clip(x + 3; 0, 6)
 *     Mish       x * Tanh(Softplus(x))
 *     Gelu       1/2 * x * (1 + Erf(x / sqrt 2))
 *     GeluTanh   1/2 * x * (1 + Tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
 */
#include <math.h>

#include "core/op.h"
#include "core/passes/expression.h"

static bool is_sigmoid(const struct rf_graph *g, rf_value_id u, rf_value_id x)
{
    const struct rf_node *const sigmoid = rf_part(g, u, "Sigmoid");

    return sigmoid && sigmoid->in[0] == x;
}

static bool is_tanh_softplus(const struct rf_graph *g, rf_value_id u, rf_value_id x)
{
    const struct rf_node *const tanh_ = rf_part(g, u, "Tanh");
    const struct rf_node *const softplus = tanh_ ? rf_part(g, tanh_->in[0], "Softplus") : NULL;

    return softplus && softplus->in[0] == x;
}

static bool is_hard_sigmoid(const struct rf_graph *g, rf_value_id u, rf_value_id x)
{
    const struct rf_node *const hard = rf_part(g, u, "HardSigmoid");
    const struct rf_attr *const alpha = hard ? rf_node_attr(hard, "alpha") : NULL;
    const struct rf_attr *const beta = hard ? rf_node_attr(hard, "beta") : NULL;

    return alpha && hard->in[0] == x && rf_near((double)alpha->as.f, 1. / 6) &&
           (!beta || rf_near((double)beta->as.f, 0.5));
}

static bool is_clipped(const struct rf_graph *g, rf_value_id u, rf_value_id x)
{
    const struct rf_node *const clip = rf_part(g, u, "Clip");
    rf_value_id shifted;

    return clip && rf_clip_limit(g, clip, "min", 1) == 0 && rf_clip_limit(g, clip, "max", 2) == 6 &&
           rf_part_adds(g, clip->in[0], 3, &shifted) && shifted == x;
}

static bool is_one_and_erf(const struct rf_graph *g, rf_value_id u, rf_value_id x)
{
    rf_value_id value;
    struct rf_product p;
    const struct rf_node *const erf_ =
        rf_part_adds(g, u, 1, &value) ? rf_part(g, value, "Erf") : NULL;

    return erf_ && rf_part_product(g, erf_->in[0], &p) && rf_near(p.coefficient, M_SQRT1_2) &&
           p.n == 1 && p.factor[0] == x;
}

/* 0.044715 * x^n */
static bool is_power(const struct rf_graph *g, rf_value_id id, rf_value_id x, int n)
{
    struct rf_product p;

    if (!rf_part_product(g, id, &p) || !rf_near(p.coefficient, 0.044715) || p.n != n)
        return false;
    for (int k = 0; k < n; k++)
        if (p.factor[k] != x)
            return false;
    return true;
}

/* x + 0.044715 * x^3, or x * (1 + 0.044715 * x^2), times sqrt(2 / pi) */
static bool is_cubic(const struct rf_graph *g, rf_value_id id, rf_value_id x)
{
    struct rf_product p;
    rf_value_id square;

    if (!rf_part_product(g, id, &p) || !rf_near(p.coefficient, M_2_SQRTPI * M_SQRT1_2))
        return false;
    if (p.n == 2) {
        const int k = p.factor[0] == x;

        return p.factor[1 - k] == x && rf_part_adds(g, p.factor[k], 1, &square) &&
               is_power(g, square, x, 2);
    }
    const struct rf_node *const add = p.n == 1 ? rf_part(g, p.factor[0], "Add") : NULL;
    const int k = add && add->in[0] == x;

    return add && add->in[1 - k] == x && is_power(g, add->in[k], x, 3);
}

static bool is_one_and_tanh(const struct rf_graph *g, rf_value_id u, rf_value_id x)
{
    rf_value_id value;
    const struct rf_node *const tanh_ =
        rf_part_adds(g, u, 1, &value) ? rf_part(g, value, "Tanh") : NULL;

    return tanh_ && is_cubic(g, tanh_->in[0], x);
}

static const struct {
    const char *op;
    double coefficient;
    bool (*is)(const struct rf_graph *g, rf_value_id u, rf_value_id x);
} forms[] = {
    {"Silu", 1, is_sigmoid},           {"HardSwish", 1, is_hard_sigmoid},
    {"HardSwish", 1. / 6, is_clipped}, {"Mish", 1, is_tanh_softplus},
    {"Gelu", 0.5, is_one_and_erf},     {"GeluTanh", 0.5, is_one_and_tanh},
};

static const char *find(const struct rf_graph *g, const struct rf_product *p, rf_value_id *x)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        if (!rf_near(p->coefficient, forms[i].coefficient))
            continue;
        for (int k = 0; k < 2; k++) {
            *x = p->factor[k];
            if (forms[i].is(g, p->factor[1 - k], *x))
                return forms[i].op;
        }
    }
    return NULL;
}

/* Numbers of higher rank would have made more of x than x is. */
static bool is_like(const struct rf_value *y, const struct rf_value *x)
{
    return y->dtype == RF_F32 && x->dtype == RF_F32 && y->shape.rank >= 0 &&
           y->shape.rank == x->shape.rank;
}

enum rf_status rf_pass_find_activations(struct rf_graph *g, struct rf_error *err)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        struct rf_node *const node = g->nodes[i];
        struct rf_product p;
        rf_value_id x;

        if (node->known || !(rf_node_is(node, "Mul") || rf_node_is(node, "Div")) ||
            !rf_product_of(g, node, &p) || p.n != 2)
            continue;
        const char *const op = find(g, &p, &x);

        if (!op || !is_like(&g->values[node->out[0]], &g->values[x]))
            continue;
        node->in[0] = x;
        rf_turn_into(node, op, 1);
    }
    return rf_graph_sort(g, err);
}
