/* The table of one instruction set. */
#include "core/kernels/simd/table.h"

#define TEXT_(s) #s
#define TEXT(s) TEXT_(s)

extern const struct rf_kernels RF_K(rf_kernels);

const struct rf_kernels RF_K(rf_kernels) = {
    .isa = TEXT(RF_ISA),
    .rows =
        {
#define UNARY(op, ...) [RF_UNARY_##op] = RF_K(rf_rows_##op),
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY
        },
    .rows_counted =
        {
#define UNARY(op, ...) [RF_UNARY_##op] = RF_K(rf_rows_counted_##op),
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY
        },
    .binary =
        {
#define BINARY(op, ...) [RF_BINARY_##op] = RF_K(rf_binary_##op),
#include "core/ops/binary.def"
#undef BINARY
        },
    .mask_counts = RF_K(rf_mask_counts),
    .moments_move = RF_K(rf_moments_move),
    .counts_move = RF_K(rf_counts_move),
    .units_add = RF_K(rf_units_add),
    .units_age = RF_K(rf_units_age),
    .units_silent = RF_K(rf_units_silent),
    .look = RF_K(rf_look),
    .window_max = RF_K(rf_window_max),
    .window_sum = RF_K(rf_window_sum),
    .window_depthwise = RF_K(rf_window_depthwise),
    .window_grouped = RF_K(rf_window_grouped),
    .panel_rows = RF_PANEL_ROWS,
    .panel_width = RF_PANEL_WIDTH,
    .panel = RF_K(rf_panel),
    .panel_row = RF_K(rf_panel_row),
    .skip_row = RF_K(rf_skip_row),
    .winograd_input = {RF_K(rf_winograd_input_2), RF_K(rf_winograd_input_4)},
    .winograd_output = {RF_K(rf_winograd_output_2), RF_K(rf_winograd_output_4)},
    .winograd_exact = RF_K(rf_winograd_exact),
    .softmax = RF_K(rf_softmax),
};
