/* What convolutions of all layouts share. */
#ifndef RF_CORE_OPS_CONV_H
#define RF_CORE_OPS_CONV_H

#include "core/epilogue.h"
#include "core/window.h"

struct rf_conv {
    struct rf_window_attrs window;
    int64_t groups;
};

/* What the states of the rows for channels-last pixels begin with. */
struct rf_conv_state {
    struct rf_epilogue epilogue; /* first */
    struct rf_conv conv;
};

/* Input and weight are 1-D or 2-D images; weight and bias constant. */
bool rf_conv_fits_constant(const struct rf_graph *g, const struct rf_node *node);
bool rf_conv_fits_image(const struct rf_graph *g, const struct rf_node *node);
/* Attributes, epilogue and a copy of the constant bias. */
enum rf_status rf_conv_prepare_constant(struct rf_prepare *p, struct rf_conv_state *s);

enum rf_status rf_conv_prepare(struct rf_prepare *p, struct rf_conv *c);
/* Dtypes, the weight's rank and groups, channels, bias. A ConvTranspose's weight is
 * [in][out / groups][taps...]. */
enum rf_status rf_conv_check(const struct rf_conv *c, struct rf_infer *x, bool transposed,
                             int64_t *out_channels);
/* Each element of the small side (Conv's output, ConvTranspose's input) meets all weights of one
 * of its channels. */
enum rf_status rf_conv_macs(struct rf_infer *x, const struct rf_shape *small);
/* Checks a Conv; its output, windows and macs. */
enum rf_status rf_conv_infer(const struct rf_conv *c, struct rf_infer *x, struct rf_window *w);

/* Weights [out][in][taps...] of output channels [first, first + n) as a dense [taps...][in][n]. */
void rf_conv_transpose(const struct rf_tensor *weight, size_t first, size_t n, float *to);

/* What the rows for channels-last pixels have in common; `struct state` is the file's. */
#define RF_CONV_ROW                                                                                \
    .name = "Conv", .min_in = 2, .max_in = 3, .min_out = 1, .max_out = 1,                          \
    .flags = RF_OP_EPILOGUE | RF_OP_RESIDUAL | RF_OP_IMAGEWISE, .layouts = RF_ACCEPTS_NHWC,        \
    .param_in = 1u << 1 | 1u << 2, .state_bytes = sizeof(struct state)

#endif
