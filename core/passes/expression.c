#include "core/passes/expression.h"

#include <math.h>

#define MAX_NODES 8 /* of one product: keeps a pass linear */

bool rf_near(double a, double b)
{
    const bool fits = b * 1024 == floor(b * 1024); /* 1, 3, 0.5: FP16 does not round them */

    return fabs(a - b) <= (fits ? 1e-6 : 5e-4) * fabs(b); /* 2^-11 = 4.9e-4 */
}

bool rf_number(const struct rf_graph *g, rf_value_id id, double *number)
{
    const struct rf_value *const v = id == RF_NO_VALUE ? NULL : &g->values[id];

    if (!v || !v->constant || v->dtype != RF_F32 || rf_numel(&v->shape) != 1)
        return false;
    *number = (double)*(const float *)v->constant;
    return true;
}

static const struct rf_node *part(const struct rf_graph *g, rf_value_id id)
{
    const int32_t producer = g->values[id].producer;

    return producer >= 0 && rf_only_reader(g, id) ? g->nodes[producer] : NULL;
}

double rf_clip_limit(const struct rf_graph *g, const struct rf_node *clip, const char *name, int i)
{
    const struct rf_attr *const attr = rf_node_attr(clip, name);
    double limit;

    if (attr)
        return (double)attr->as.f;
    return i < clip->n_in && rf_number(g, clip->in[i], &limit) ? limit : (double)NAN;
}

const struct rf_node *rf_part(const struct rf_graph *g, rf_value_id id, const char *op_type)
{
    const struct rf_node *const node = part(g, id);

    return node && rf_node_is(node, op_type) ? node : NULL;
}

bool rf_part_adds(const struct rf_graph *g, rf_value_id id, double number, rf_value_id *other)
{
    const struct rf_node *const add = rf_part(g, id, "Add");
    double term;

    for (int k = 0; add && k < 2; k++) {
        *other = add->in[1 - k];
        if (rf_number(g, add->in[k], &term) && rf_near(term, number))
            return true;
    }
    return false;
}

/* ---- products ---- */

static bool add_node(const struct rf_graph *g, const struct rf_node *node, struct rf_product *p);

static bool add_operand(const struct rf_graph *g, rf_value_id id, struct rf_product *p)
{
    const struct rf_node *const node = part(g, id);
    double number;

    if (rf_number(g, id, &number)) {
        p->coefficient *= number;
        return true;
    }
    if (node && (rf_node_is(node, "Mul") || ((rf_node_is(node, "Div") || rf_node_is(node, "Pow")) &&
                                             rf_number(g, node->in[1], &number))))
        return add_node(g, node, p);
    if (p->n == RF_MAX_FACTORS)
        return false;
    p->factor[p->n++] = id;
    return true;
}

static bool add_node(const struct rf_graph *g, const struct rf_node *node, struct rf_product *p)
{
    double number;

    if (++p->n_nodes > MAX_NODES)
        return false;
    if (rf_node_is(node, "Mul"))
        return add_operand(g, node->in[0], p) && add_operand(g, node->in[1], p);
    if (!rf_number(g, node->in[1], &number))
        return false;
    if (rf_node_is(node, "Div")) {
        p->coefficient /= number;
        return add_operand(g, node->in[0], p);
    }
    if (!rf_node_is(node, "Pow") || (number != 2 && number != 3))
        return false;
    for (int k = 0; k < (int)number; k++)
        if (!add_operand(g, node->in[0], p))
            return false;
    return true;
}

bool rf_product_of(const struct rf_graph *g, const struct rf_node *node, struct rf_product *p)
{
    *p = (struct rf_product){.coefficient = 1};
    return add_node(g, node, p);
}

bool rf_part_product(const struct rf_graph *g, rf_value_id id, struct rf_product *p)
{
    *p = (struct rf_product){.coefficient = 1};
    return add_operand(g, id, p);
}
