/*
 * Weights from a counter-based generator: element i of a stream is a function of its number. Only
 * + - * /, sqrt and integers are used, in double and without contraction, so every machine of IEEE
 * arithmetic gets the same bits.
 */
#include "core/init.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* A fused multiply-add rounds once where a * b + c rounds twice: other bits. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

void rf_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};

    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t c1 = c[1], c3 = c[3];
        c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ k[0];
        c[1] = (uint32_t)p1;
        c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ k[1];
        c[3] = (uint32_t)p0;
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof(c));
}

/* (k + 1/2) / 2^52 with 52 random bits k: never 0 or 1, symmetric about 1/2. */
double rf_init_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    const uint64_t block = index / 2;
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                                 (uint32_t)(stream >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t bits[4];

    rf_philox(counter, key, bits);
    const uint32_t *const half = bits + index % 2 * 2;
    const uint64_t k = ((uint64_t)half[1] << 32 | half[0]) >> 12;
    return ((double)k + 0.5) * 0x1p-52;
}

/* ln p for a normal p > 0: the series of 2 artanh((m - 1) / (m + 1)), m in [sqrt(1/2), sqrt(2)). */
static double log_exact(double p)
{
    uint64_t bits;
    int64_t e;
    double m, s, s2, sum = 0;

    memcpy(&bits, &p, sizeof(bits));
    e = (int64_t)(bits >> 52) - 1022;
    bits = (bits & 0xfffffffffffffu) | (uint64_t)1022 << 52;
    memcpy(&m, &bits, sizeof(m));
    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    s = (m - 1) / (m + 1);
    s2 = s * s;
    for (int k = 23; k >= 1; k -= 2)
        sum = sum * s2 + 1.0 / k;
    return 2 * s * sum + (double)e * 0.69314718055994530942;
}

static double polynomial(const double *c, double x)
{
    double y = c[7];

    for (int i = 6; i >= 0; i--)
        y = y * x + c[i];
    return y;
}

/* The quantile of the normal distribution: Wichura, algorithm AS 241 (PPND16), Applied Statistics
 * 37 (1988); relative error about 1e-16. */
static double quantile(double p)
{
    static const double a[] = {3.3871328727963666080e0, 1.3314166789178437745e2,
                               1.9715909503065514427e3, 1.3731693765509461125e4,
                               4.5921953931549871457e4, 6.7265770927008700853e4,
                               3.3430575583588128105e4, 2.5090809287301226727e3};
    static const double b[] = {1.0,
                               4.2313330701600911252e1,
                               6.8718700749205790830e2,
                               5.3941960214247511077e3,
                               2.1213794301586595867e4,
                               3.9307895800092710610e4,
                               2.8729085735721942674e4,
                               5.2264952788528545610e3};
    static const double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                               5.76949722146069140550e0,  3.64784832476320460504e0,
                               1.27045825245236838258e0,  2.41780725177450611770e-1,
                               2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[] = {1.0,
                               2.05319162663775882187e0,
                               1.67638483018380384940e0,
                               6.89767334985100004550e-1,
                               1.48103976427480074590e-1,
                               1.51986665636164571966e-2,
                               5.47593808499534494600e-4,
                               1.05075007164441684324e-9};
    static const double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                               1.78482653991729133580e0,  2.96560571828504891230e-1,
                               2.65321895265761230930e-2, 1.24266094738807843860e-3,
                               2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[] = {1.0,
                               5.99832206555887937690e-1,
                               1.36929880922735805310e-1,
                               1.48753612908506148525e-2,
                               7.86869131145613259100e-4,
                               1.84631831751005468180e-5,
                               1.42151175831644588870e-7,
                               2.04426310338993978564e-15};
    const double q = p - 0.5;

    if (fabs(q) <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(a, r) / polynomial(b, r);
    }
    const double r = sqrt(-log_exact(q < 0 ? p : 1 - p));
    const double z = r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6)
                            : polynomial(e, r - 5) / polynomial(f, r - 5);
    return q < 0 ? -z : z;
}

double rf_init_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    return quantile(rf_init_uniform(seed, stream, index));
}

bool rf_init_find(const char *name, enum rf_init_scheme *scheme)
{
    static const char *const names[RF_N_INIT] = {
#define X(id, text) [RF_INIT_##id] = text,
        RF_INIT_MAP(X)
#undef X
    };
    size_t length = strlen(name);

    if (length && name[length - 1] == '_')
        length--;
    for (int i = 0; i < RF_N_INIT; i++) {
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0) {
            *scheme = (enum rf_init_scheme)i;
            return true;
        }
    }
    return false;
}

bool rf_init_gain(const char *nonlinearity, double slope, double *gain)
{
    const struct {
        const char *name;
        double gain;
    } gains[] = {
        {"linear", 1},     {"conv1d", 1},
        {"conv2d", 1},     {"sigmoid", 1},
        {"tanh", 5.0 / 3}, {"relu", sqrt(2)},
        {"selu", 0.75},    {"leaky_relu", sqrt(2 / (1 + slope * slope))},
    };

    for (size_t i = 0; i < sizeof(gains) / sizeof(*gains); i++) {
        if (strcmp(gains[i].name, nonlinearity) == 0) {
            *gain = gains[i].gain;
            return true;
        }
    }
    return false;
}

uint64_t rf_init_stream(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (const char *p = name; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
    return hash;
}

bool rf_init_fans(const struct rf_shape *weight, int64_t *fan_in, int64_t *fan_out)
{
    int64_t kernel = 1;

    if (weight->rank < 2)
        return false;
    for (int i = 2; i < weight->rank; i++)
        if (__builtin_mul_overflow(kernel, weight->dim[i], &kernel))
            return false;
    return !__builtin_mul_overflow(weight->dim[1], kernel, fan_in) &&
           !__builtin_mul_overflow(weight->dim[0], kernel, fan_out);
}

/* What a scheme comes down to. */
struct distribution {
    bool normal;
    double from, width; /* from + width u, or mean + std z */
};

static struct distribution of_std(bool normal, double std)
{
    const double bound = sqrt(3) * std;

    return normal ? (struct distribution){true, 0, std}
                  : (struct distribution){false, -bound, 2 * bound};
}

/* False for NaN, too. */
static bool fits(double parameter)
{
    return fabs(parameter) <= (double)FLT_MAX;
}

static enum rf_status check(const struct rf_init *init, int64_t fan_in, int64_t fan_out,
                            struct rf_error *err)
{
    const bool kaiming =
        init->scheme == RF_INIT_KAIMING_NORMAL || init->scheme == RF_INIT_KAIMING_UNIFORM;
    const bool xavier =
        init->scheme == RF_INIT_XAVIER_NORMAL || init->scheme == RF_INIT_XAVIER_UNIFORM;
    const bool lecun =
        init->scheme == RF_INIT_LECUN_NORMAL || init->scheme == RF_INIT_LECUN_UNIFORM;
    const bool in = lecun || xavier || (kaiming && !init->fan_out);
    const bool out = xavier || (kaiming && init->fan_out);

    if ((in && fan_in < 1) || (out && fan_out < 1))
        return rf_fail(err, RF_INVALID,
                       "initialisation needs a weight with inputs and outputs, has fan_in %lld and "
                       "fan_out %lld",
                       (long long)fan_in, (long long)fan_out);
    if (!fits(init->gain) || init->gain < 0)
        return rf_fail(err, RF_INVALID, "initialisation gain must be positive, is %g", init->gain);
    if (!fits(init->low) || !fits(init->high) || init->low > init->high)
        return rf_fail(err, RF_INVALID,
                       "uniform initialisation needs finite bounds, low <= high; has %g, %g",
                       init->low, init->high);
    if (!fits(init->mean) || !fits(init->std) || init->std < 0)
        return rf_fail(err, RF_INVALID,
                       "normal initialisation needs a finite mean and std >= 0, has %g, %g",
                       init->mean, init->std);
    if (!fits(init->value))
        return rf_fail(err, RF_INVALID, "constant initialisation must be a finite float, is %g",
                       init->value);
    return RF_OK;
}

static struct distribution distribution(const struct rf_init *init, double fan_in, double fan_out)
{
    const double gain = init->gain > 0 ? init->gain : sqrt(2);
    const double fan = init->fan_out ? fan_out : fan_in;

    switch (init->scheme) {
    case RF_INIT_KAIMING_NORMAL:
    case RF_INIT_KAIMING_UNIFORM:
        return of_std(init->scheme == RF_INIT_KAIMING_NORMAL, gain / sqrt(fan));
    case RF_INIT_XAVIER_NORMAL:
    case RF_INIT_XAVIER_UNIFORM:
        return of_std(init->scheme == RF_INIT_XAVIER_NORMAL,
                      (init->gain > 0 ? gain : 1) * sqrt(2 / (fan_in + fan_out)));
    case RF_INIT_LECUN_NORMAL:
    case RF_INIT_LECUN_UNIFORM:
        return of_std(init->scheme == RF_INIT_LECUN_NORMAL, sqrt(1 / fan_in));
    case RF_INIT_NORMAL:
        return (struct distribution){true, init->mean, init->std};
    case RF_INIT_UNIFORM:
        return (struct distribution){false, init->low, init->high - init->low};
    case RF_INIT_CONSTANT:
        return (struct distribution){false, init->value, 0};
    case RF_INIT_ONES:
        return (struct distribution){false, 1, 0};
    case RF_INIT_ZEROS:
    case RF_N_INIT:
        break;
    }
    return (struct distribution){false, 0, 0};
}

enum rf_status rf_init_fill(float *w, size_t n, const struct rf_init *init, int64_t fan_in,
                            int64_t fan_out, uint64_t seed, uint64_t stream, struct rf_error *err)
{
    const enum rf_status rc = check(init, fan_in, fan_out, err);

    if (rc)
        return rc;
    const struct distribution d = distribution(init, (double)fan_in, (double)fan_out);
    if (d.width == 0) {
        for (size_t i = 0; i < n; i++)
            w[i] = (float)d.from;
        return RF_OK;
    }
    for (size_t i = 0; i < n; i++) {
        const double v =
            d.normal ? rf_init_normal(seed, stream, i) : rf_init_uniform(seed, stream, i);
        w[i] = (float)(d.from + d.width * v);
    }
    return RF_OK;
}
