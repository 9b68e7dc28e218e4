/*
 * Whether inputs look like a baseline's: pure arithmetic on sums of features.
 *
 * For a vector of C channels over a window of n inputs with class shares p_k, with m_c the window's
 * means and E_c = sum_k p_k mean_kc what the baseline expects of such a mix:
 *
 *   D = sqrt(max(0, sum_c (m_c - E_c)^2 / variance_c / C - (1/n + p' class_error p)))
 *
 * in standard deviations of single inputs; what is taken off is what the mean of n inputs deviates
 * by itself. Plain baselines: E_c = mean_c and 1/n + 1/n0, with n0 the baseline's inputs. Where no
 * input of a window has a class (its outputs are NaN), the same. A layer's score is the largest of
 * its vectors', the model's the largest of its layers'.
 *
 * On handwritten digits clean windows of 300 stay below 0.19, wrong preprocessing and dead layers
 * reach 0.5 to 150; a window of other classes than usual does neither, it is a *mix*.
 *
 * All functions may run at the same time on different data; none allocates or fails.
 */
#ifndef RF_CORE_DRIFT_H
#define RF_CORE_DRIFT_H

#include "core/baseline.h"

#define RF_DRIFT_WINDOW 300     /* inputs to look at */
#define RF_DRIFT_MIN_INPUTS 200 /* with fewer no score means anything */

/* The model's score, and its layers' in `layers` (map->n_layers; may be NULL). Never NaN; 0 for a
 * window without inputs. */
double rf_drift_score(const struct rf_feature_map *map, const struct rf_baseline *baseline,
                      const struct rf_feature_sum *window, double *layers);

/* Of a part of the baseline's own inputs, about as if the baseline were made from the others; 0
 * where these are fewer than the part. */
double rf_drift_own_score(const struct rf_feature_map *map, const struct rf_baseline *baseline,
                          const struct rf_feature_sum *part);

/* How far one input is from what the baseline knows of its class (-1: of all inputs): the mean over
 * all features of (f - E)^2 / variance. About 1 for inputs of the baseline. */
double rf_novelty(const struct rf_baseline *baseline, const double *features, int class);

/* ---- the mix of classes ------------------------------------------------------------------------
 */

struct rf_mix {
    double psi;  /* population stability index, each class's count raised by 1/2 */
    double p;    /* of chi squared's test that both are of one distribution */
    bool notice; /* psi > 0.25 and p < 1e-6 */
};

/* psi 0 and p 1 without classes or inputs. */
struct rf_mix rf_class_mix(const struct rf_baseline *baseline, const struct rf_feature_sum *window);

/* ---- when to say so ----------------------------------------------------------------------------
 */

enum rf_drift_state { RF_DRIFT_OK, RF_DRIFT_WARN, RF_DRIFT_ALARM };

/* With w = max(0.25, 2 sub_window_max): warns above w; alarms above max(0.5, w) in two disjoint
 * windows, above max(1, w) in one, and whenever values are not finite; all is well again below
 * max(0.15, sub_window_max). */
struct rf_drift_watch {
    enum rf_drift_state state;
    double warn_above, clear_below;
    bool was_high;
    uint64_t high_at; /* inputs seen when the first high window ended */
};

/* Also to begin again, with another baseline. */
void rf_drift_watch_init(struct rf_drift_watch *watch, const struct rf_baseline *baseline);
/* A window and its score; `seen`: inputs since the watch began, the window's included. Below
 * RF_DRIFT_MIN_INPUTS the score is not looked at. */
enum rf_drift_state rf_drift_watch_step(struct rf_drift_watch *watch,
                                        const struct rf_feature_sum *window, double score,
                                        uint64_t seen);
const char *rf_drift_state_text(enum rf_drift_state state); /* "ok", "warn", "alarm" */

#endif
