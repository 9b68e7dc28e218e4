/* Whether the classes of a window are those of the baseline: two measures that must agree. */
#include <math.h>

#include "core/drift.h"

#define PSI_ABOVE 0.25
#define P_BELOW 1e-6

/* Each count raised by 1/2, so that an empty class has a logarithm. */
static double share(uint64_t count, uint64_t all, size_t n_classes)
{
    return ((double)count + 0.5) / ((double)all + 0.5 * (double)n_classes);
}

static double squared_off(uint64_t count, double expected)
{
    const double off = (double)count - expected;

    return off * off / expected;
}

/*
 * The chance of chi squared above x with n degrees of freedom, Q(n/2, x/2). Each step of
 * Q(a + 1, y) = Q(a, y) + y^a e^-y / Gamma(a + 1) adds a term to Q(1/2, y) = erfc(sqrt(y)) or
 * Q(1, y) = e^-y (Abramowitz and Stegun 26.4.4, 26.4.5).
 */
static double chance_above(double x, size_t n)
{
    const double y = x / 2, start = n % 2 ? 0.5 : 1;
    double p = n % 2 ? erfc(sqrt(y)) : exp(-y);
    double term = n % 2 ? 2 * sqrt(y / acos(-1)) * exp(-y) : y * exp(-y);

    for (size_t i = 0; i < (n - 1) / 2; i++) {
        p += term;
        term *= y / (start + (double)i + 1);
    }
    return fmin(p, 1);
}

struct rf_mix rf_class_mix(const struct rf_baseline *baseline, const struct rf_feature_sum *window)
{
    const size_t n_classes = baseline->n_classes;
    const uint64_t *const here = window->classes, *const there = baseline->classes;
    struct rf_mix mix = {.p = 1};
    uint64_t n_here = 0, n_there = 0;
    size_t seen = 0;
    double chi_squared = 0;

    for (size_t k = 0; k < n_classes; k++) {
        n_here += here[k];
        n_there += there[k];
    }
    if (!n_here || !n_there)
        return mix;
    for (size_t k = 0; k < n_classes; k++) {
        const double p = share(here[k], n_here, n_classes);
        const double q = share(there[k], n_there, n_classes);
        const double both = (double)(here[k] + there[k]) / (double)(n_here + n_there);

        mix.psi += (p - q) * log(p / q);
        if (both == 0)
            continue;
        seen++;
        chi_squared += squared_off(here[k], both * (double)n_here) +
                       squared_off(there[k], both * (double)n_there);
    }
    if (seen > 1)
        mix.p = chance_above(chi_squared, seen - 1);
    mix.notice = mix.psi > PSI_ABOVE && mix.p < P_BELOW;
    return mix;
}
