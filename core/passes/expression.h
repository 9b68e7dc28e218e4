/*
 * Reads what exporters write as several operators. A part of an expression is a value that only the
 * rest of the expression reads, so it may go away with it. Numbers are FP32 constants of one
 * element.
 */
#ifndef RF_CORE_EXPRESSION_H
#define RF_CORE_EXPRESSION_H

#include "core/passes/passes.h"

#define RF_MAX_FACTORS 4

/* coefficient * factor[0] * factor[1] ...: of any nest of Mul, of Div by and Pow with a number. */
struct rf_product {
    double coefficient;
    rf_value_id factor[RF_MAX_FACTORS];
    int n;
    int n_nodes;
};

/* `a` is `b`, perhaps rounded to FP16. */
bool rf_near(double a, double b);
/* The number that `id` is. */
bool rf_number(const struct rf_graph *g, rf_value_id id, double *number);
/* A limit of a Clip, which is an attribute until opset 10 and input i from 11 on; NaN where it has
 * none, or none that is known. */
double rf_clip_limit(const struct rf_graph *g, const struct rf_node *clip, const char *name, int i);
/* The node that makes this part of an expression, if it is of that operator; else NULL. */
const struct rf_node *rf_part(const struct rf_graph *g, rf_value_id id, const char *op_type);
/* `id` is a part that adds this number to `other`. */
bool rf_part_adds(const struct rf_graph *g, rf_value_id id, double number, rf_value_id *other);

/* False where the node is no product, or of too many factors. */
bool rf_product_of(const struct rf_graph *g, const struct rf_node *node, struct rf_product *p);
/* The same of a part; one that is no product is its own only factor. */
bool rf_part_product(const struct rf_graph *g, rf_value_id id, struct rf_product *p);

#endif
