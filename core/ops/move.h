/* What operators that move elements share: any data type, by the size of its elements. */
#ifndef RF_CORE_OPS_MOVE_H
#define RF_CORE_OPS_MOVE_H

#include "core/op.h"
#include "core/view.h"

/* Axes of a tensor of this rank, counted from 0 in `out`; each may be named once. */
enum rf_status rf_move_axes(struct rf_infer *x, const int64_t *axes, size_t n, int rank,
                            int *out) RF_CHECKED;
/* Output 0 is input 0's memory under this shape. */
enum rf_status rf_move_view(struct rf_infer *x, const struct rf_shape *shape) RF_CHECKED;
/* `run` of RF_OP_VIEW rows: only where a view will not do. */
void rf_move_all(const struct rf_exec *x, int part, int n_parts);

/* Output 0 is elements of input 0 in this shape, copied by rf_move. */
enum rf_status rf_move_copy(struct rf_infer *x, const struct rf_shape *shape) RF_CHECKED;
/* A part's share of rf_view_copy. */
void rf_move(const struct rf_view *to, const struct rf_view *from, int part, int n_parts);

#endif
