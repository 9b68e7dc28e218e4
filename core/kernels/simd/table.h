/* What the files of this folder give to table.c; every name ends in the instruction set's. */
#ifndef RF_CORE_KERNELS_SIMD_TABLE_H
#define RF_CORE_KERNELS_SIMD_TABLE_H

#include "core/kernels/simd/simd.h"

#define UNARY(op, ...)                                                                             \
    rf_rows_fn RF_K(rf_rows_##op);                                                                 \
    rf_rows_fn RF_K(rf_rows_counted_##op);
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY

#define BINARY(op, ...) rf_binary_fn RF_K(rf_binary_##op);
#include "core/ops/binary.def"
#undef BINARY

void RF_K(rf_mask_counts)(const uint16_t *mask, size_t rows, size_t groups, size_t pitch,
                          uint32_t *counts, uint16_t *any);
void RF_K(rf_moments_move)(const struct rf_moments *to, const struct rf_moments *from, size_t n);
void RF_K(rf_counts_move)(uint32_t *to, uint32_t *from, size_t n);
void RF_K(rf_units_add)(uint16_t *units, const uint16_t *mask, size_t n);
void RF_K(rf_units_age)(uint8_t *ages, uint16_t *units, size_t n);
size_t RF_K(rf_units_silent)(const uint8_t *ages, const uint16_t *units, size_t n, uint8_t age);
void RF_K(rf_look)(const float *x, size_t n, struct rf_look *look);
rf_window_fn RF_K(rf_window_max), RF_K(rf_window_sum);
rf_window_fn RF_K(rf_window_depthwise), RF_K(rf_window_grouped);
/* As many sums as there are registers for, with two of weights and one of a row. */
#ifdef RF_AVX512
#define RF_PANEL_ROWS 14
#else
#define RF_PANEL_ROWS 6
#endif
#define RF_PANEL_WIDTH (2 * VW)
void RF_K(rf_panel)(const struct rf_panel_tile *t);
void RF_K(rf_panel_row)(const struct rf_panel_row *t);
void RF_K(rf_skip_row)(const struct rf_skip_row *t);
void RF_K(rf_winograd_input_2)(const struct rf_winograd_input *t);
void RF_K(rf_winograd_input_4)(const struct rf_winograd_input *t);
void RF_K(rf_winograd_output_2)(const struct rf_winograd_output *t);
void RF_K(rf_winograd_output_4)(const struct rf_winograd_output *t);
void RF_K(rf_winograd_exact)(const struct rf_winograd_exact *t);
void RF_K(rf_softmax)(float *y, const float *x, size_t n, bool log);

#endif
