/* From scores to a state that does not flutter. */
#include <math.h>

#include "core/drift.h"

#define WARN_ABOVE 0.25
#define HIGH_ABOVE 0.5 /* an alarm when two disjoint windows are */
#define ALARM_ABOVE 1.0
#define CLEAR_BELOW 0.15

void rf_drift_watch_init(struct rf_drift_watch *w, const struct rf_baseline *baseline)
{
    const double own = baseline->sub_window_max;

    *w = (struct rf_drift_watch){.warn_above = fmax(WARN_ABOVE, 2 * own),
                                 .clear_below = fmax(CLEAR_BELOW, own)};
}

/* Whether this window and an earlier one that shares no input with it were high. */
static bool twice_high(struct rf_drift_watch *w, uint64_t first, uint64_t end)
{
    if (w->was_high)
        return first >= w->high_at;
    w->was_high = true;
    w->high_at = end;
    return false;
}

static enum rf_drift_state judge(struct rf_drift_watch *w, const struct rf_feature_sum *window,
                                 double score, uint64_t seen)
{
    if (window->nonfinite || score > fmax(ALARM_ABOVE, w->warn_above))
        return RF_DRIFT_ALARM;
    if (score > fmax(HIGH_ABOVE, w->warn_above) && twice_high(w, seen - window->inputs, seen))
        return RF_DRIFT_ALARM;
    return score > w->warn_above ? RF_DRIFT_WARN : RF_DRIFT_OK;
}

enum rf_drift_state rf_drift_watch_step(struct rf_drift_watch *w,
                                        const struct rf_feature_sum *window, double score,
                                        uint64_t seen)
{
    if (window->inputs < RF_DRIFT_MIN_INPUTS && !window->nonfinite)
        return w->state;
    const enum rf_drift_state now = judge(w, window, score, seen);
    if (now > w->state)
        w->state = now;
    if (score < w->clear_below && !window->nonfinite) {
        w->state = RF_DRIFT_OK;
        w->was_high = false;
    }
    return w->state;
}

const char *rf_drift_state_text(enum rf_drift_state state)
{
    static const char *const texts[] = {"ok", "warn", "alarm"};

    return texts[state];
}
