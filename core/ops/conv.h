/* What convolutions of all layouts share. */
#ifndef RF_CORE_OPS_CONV_H
#define RF_CORE_OPS_CONV_H

#include "core/window.h"

struct rf_conv {
    struct rf_window_attrs window;
    int64_t groups;
};

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

#endif
