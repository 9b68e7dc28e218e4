/* What pools of all layouts share: their attributes. */
#ifndef RF_CORE_OPS_POOLING_H
#define RF_CORE_OPS_POOLING_H

#include "core/window.h"

enum rf_pooling_kind { RF_POOLING_MAX, RF_POOLING_MEAN, RF_POOLING_LP };

struct rf_pooling {
    enum rf_pooling_kind kind;
    bool global; /* one window: all of it; the rest but `p` means nothing then */
    struct rf_window_attrs window;
    bool count_include_pad;
    bool column_major; /* MaxPool's indices */
    int64_t p;
};

/* The state of these begins with rf_pooling. */
enum rf_status rf_pooling_prepare_max(struct rf_prepare *p, void *state);
enum rf_status rf_pooling_prepare_mean(struct rf_prepare *p, void *state);
/* Output 0 and the windows. */
enum rf_status rf_pooling_infer(const struct rf_pooling *s, struct rf_infer *x,
                                struct rf_window *w);

#endif
