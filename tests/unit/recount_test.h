/* Counters of an activation by the values themselves, one by one. */
#ifndef TEST_UNIT_RECOUNT_TEST_H
#define TEST_UNIT_RECOUNT_TEST_H

#include <check.h>
#include <math.h>

#include "core/activity.h"

/* Adds what the outputs of one run say of a channel, which `axis` counts; `x` are the values before
 * the activation. `max` begins with -INFINITY. */
static inline void recount(const float *y, const float *x, const struct rf_shape *shape, int axis,
                           int64_t channel, float top, struct rf_channel_activity *t)
{
    int64_t before = 1, behind = 1;

    for (int d = 1; d < shape->rank; d++)
        *(d < axis ? &before : &behind) *= d == axis ? 1 : shape->dim[d];
    for (int64_t n = 0; n < shape->dim[0]; n++) {
        bool fired = false;

        for (int64_t i = 0; i < before * behind; i++) {
            const int64_t at =
                ((n * before + i / behind) * shape->dim[axis] + channel) * behind + i % behind;

            t->values++;
            t->fired += y[at] > 0;
            fired |= y[at] > 0;
            t->zeros += y[at] == 0;
            t->inactive += x[at] <= 0;
            t->saturated += y[at] == top;
            if (!isfinite(y[at])) {
                t->nonfinite++;
                continue;
            }
            t->sum += (double)y[at];
            t->sum_squares += (double)y[at] * (double)y[at];
            t->max = fmax(t->max, (double)y[at]);
        }
        t->fired_inputs += fired;
    }
}

/* Counts are exact; moments are sums in another order. NULL, or what differs. */
static inline const char *recount_differs(const struct rf_channel_activity *got,
                                          const struct rf_channel_activity *want,
                                          enum rf_activity_kind kind)
{
    if (got->values != want->values)
        return "values";
    if (got->fired != want->fired)
        return "fired";
    if (got->fired_inputs != want->fired_inputs)
        return "fired_inputs";
    if (got->zeros != want->zeros)
        return "zeros";
    if (got->nonfinite != want->nonfinite)
        return "nonfinite";
    if (kind == RF_KIND_LEAKY && got->inactive != want->inactive)
        return "inactive";
    if (kind == RF_KIND_CLIP && got->saturated != want->saturated)
        return "saturated";
    if (!(fabs(got->sum - want->sum) <= 1e-5 * (fabs(want->sum) + 1)))
        return "sum";
    if (!(fabs(got->sum_squares - want->sum_squares) <= 1e-5 * (want->sum_squares + 1)))
        return "sum of squares";
    return got->max == want->max ? NULL : "max";
}

#endif
