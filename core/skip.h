/*
 * Single rows with zeros: weights kept once more as whole rows, so that those of an input that is 0
 * are not even read. Only of linear layers in panels, where it pays and where zeros come from.
 *
 * The bits are those of the panels but for the sign of a zero: a product with 0 adds +0 or -0,
 * which changes nothing but a sum of -0, and only underflow makes one. Whoever adds a bias that is
 * never -0 has the same bits, therefore.
 */
#ifndef RF_CORE_SKIP_H
#define RF_CORE_SKIP_H

#include "core/gemm.h"

/* Whether exact zeros are to be expected in the value: a ReLU or its kin, moved about or pooled. */
bool rf_has_zeros(const struct rf_graph *g, rf_value_id id);
/* Fills g->rows from the packed weights where that pays: large ones, all finite (0 * infinity is
 * NaN), and the graph's weights are not to be kept once only. */
enum rf_status rf_skip_keep(struct rf_prepare *p, struct rf_gemm *g);
/* Whether the rows are there and x has zeros enough; where it has not, the bits are the same. */
bool rf_skip_pays(const struct rf_gemm *g, const float *x);
/* y[c1 - c0] = x * W[:, c0..c1) of one row; needs g->rows. */
void rf_skip_run(const struct rf_gemm *g, const float *x, float *y, size_t c0, size_t c1);

#endif
