/*
 * Initialisation of weights, as torch.nn.init has it. Values depend on (seed, stream, index)
 * alone: not on the order of calls, the instruction set, the compiler or the C library.
 *
 *   kaiming_*  std = gain / sqrt(fan); fan is fan_in, or fan_out if asked; gain of the nonlinearity
 *   xavier_*   std = gain sqrt(2 / (fan_in + fan_out))
 *   lecun_*    std = sqrt(1 / fan_in), what SELU needs
 *   *_normal   std z with z of the standard normal distribution
 *   *_uniform  uniform in [-b, b) with b = sqrt(3) std, which has that std
 *   uniform    in [low, high)      normal  mean + std z      constant, zeros, ones
 *
 * Gains: linear, conv, sigmoid 1; tanh 5/3; relu sqrt(2); leaky_relu sqrt(2 / (1 + slope^2)); selu
 * 3/4. Sources: He et al. 2015, Glorot and Bengio 2010, LeCun et al. 1998, Klambauer et al. 2017.
 * A weight [out, in / groups, kernel...] has fan_in = in / groups * kernel..., fan_out = out *
 * kernel... .
 */
#ifndef RF_CORE_INIT_H
#define RF_CORE_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "core/tensor.h"

/* id, name */
#define RF_INIT_MAP(X)                                                                             \
    X(KAIMING_NORMAL, "kaiming_normal")                                                            \
    X(KAIMING_UNIFORM, "kaiming_uniform")                                                          \
    X(XAVIER_NORMAL, "xavier_normal")                                                              \
    X(XAVIER_UNIFORM, "xavier_uniform")                                                            \
    X(LECUN_NORMAL, "lecun_normal")                                                                \
    X(LECUN_UNIFORM, "lecun_uniform")                                                              \
    X(NORMAL, "normal")                                                                            \
    X(UNIFORM, "uniform")                                                                          \
    X(CONSTANT, "constant")                                                                        \
    X(ZEROS, "zeros")                                                                              \
    X(ONES, "ones")

enum rf_init_scheme {
#define X(id, name) RF_INIT_##id,
    RF_INIT_MAP(X)
#undef X
        RF_N_INIT
};

struct rf_init {
    enum rf_init_scheme scheme;
    bool fan_out;     /* kaiming: mode="fan_out" */
    double gain;      /* kaiming, xavier: from rf_init_gain; 0 means torch's default: sqrt(2), 1 */
    double low, high; /* uniform */
    double mean, std; /* normal */
    double value;     /* constant */
};

/* The scheme of this name, torch's trailing underscore allowed; false when there is none. */
bool rf_init_find(const char *name, enum rf_init_scheme *scheme);
/* The gain for torch's name of a nonlinearity; `slope` is leaky_relu's (torch: 0.01 unless given).
 * False when there is none. */
bool rf_init_gain(const char *nonlinearity, double slope, double *gain);

/* A tensor's own stream of numbers: the 64-bit FNV-1a hash of its name. */
uint64_t rf_init_stream(const char *name);

/* fan_in and fan_out of a weight [out, in / groups, kernel...] of rank 2 or more; false otherwise,
 * or on overflow. */
bool rf_init_fans(const struct rf_shape *weight, int64_t *fan_in, int64_t *fan_out);

/* Fills w[0..n). Fails with RF_INVALID where a fan that the scheme needs is not positive, or a
 * parameter is no finite float or has the wrong sign. */
enum rf_status rf_init_fill(float *w, size_t n, const struct rf_init *init, int64_t fan_in,
                            int64_t fan_out, uint64_t seed, uint64_t stream,
                            struct rf_error *err) RF_CHECKED;

/* The generator itself: element `index` of a stream, in (0, 1) and standard normal. */
double rf_init_uniform(uint64_t seed, uint64_t stream, uint64_t index);
double rf_init_normal(uint64_t seed, uint64_t stream, uint64_t index);

/* Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011). */
void rf_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
