/*
 * What follows a layer's arithmetic while its values are hot: scale, bias, residual, activation and
 * the activation's counters, in one pass. Standalone activations, BatchNormalization and Add are
 * nothing but an epilogue.
 */
#ifndef RF_CORE_EPILOGUE_H
#define RF_CORE_EPILOGUE_H

#include "core/op.h"

struct rf_epilogue {
    enum rf_unary unary;
    enum rf_activity_kind kind;
    const float *scale, *bias; /* [channels] or NULL */
    const float *a, *b;        /* parameters of the activation: one, or one a channel */
    size_t n_params;           /* 1, or the number of channels */
    int residual;              /* input added before the activation, or -1 */
    float own[2];              /* storage of scalar a and b */
};

/* Reads the activation and the residual that passes fused into the node; scale and bias are the
 * operator's to set. Call it in prepare. */
enum rf_status rf_epilogue_prepare(struct rf_prepare *p, struct rf_epilogue *e);
/* Checks per-channel parameters and the residual against output 0. Call it in infer. */
enum rf_status rf_epilogue_infer(const struct rf_epilogue *e, struct rf_infer *x);

/*
 * Applies it to positions [first, first + count) of output 0 (n * h * w of them), channels [c0,
 * c1); c0 is a multiple of RF_GROUP. `src` holds the values of these positions, src_pitch floats
 * apart, beginning with channel c0; NULL: they are in the output already.
 */
void rf_epilogue_run(const struct rf_epilogue *e, const struct rf_exec *x, int part, size_t first,
                     size_t count, const float *src, size_t src_pitch, size_t c0, size_t c1);

/* For operators that are nothing but an epilogue of input 0. The state begins with rf_epilogue. */
enum rf_status rf_epilogue_only_infer(const void *state, struct rf_infer *x);
void rf_epilogue_only_run(const struct rf_exec *x, int part, int n_parts);

/* Sets scalar parameters. */
void rf_epilogue_scalars(struct rf_epilogue *e, float a, float b);

#endif
