/*
 * Elementary functions on vectors. NaN stays NaN, infinities give the limits. Results below the
 * smallest normal float may be 0.
 *
 * The polynomials are minimax fits by the Remez exchange, computed with 40 digits and rounded to
 * float; each function names what was fitted, over which interval, and the largest error before
 * rounding. Reductions by ln 2 in two parts follow Cody and Waite ("Software Manual for the
 * Elementary Functions", 1980).
 */
#ifndef RF_CORE_KERNELS_SIMD_MATH_H
#define RF_CORE_KERNELS_SIMD_MATH_H

#include "core/kernels/simd/simd.h"

#define V_INFINITY __builtin_inff()
#define V_FLT_MIN 0x1p-126f
#define V_FLT_MAX 0x1.fffffep127f

/* ln 2 in two parts; the first has so few bits that its product with an exponent is exact. */
#define V_LN2_HIGH 0.693359375f
#define V_LN2_LOW (-2.12194440e-4f)

/* x = n ln 2 + r with whole n and |r| <= ln 2 / 2. */
struct v_reduced {
    vf r, n;
    vu bits; /* n in the low bits: 1.5 * 2^23 + n as a float has it there */
};

RF_INLINE struct v_reduced v_reduce(vf x)
{
    const vf shift = v_set(0x1.8p23f);
    const vf shifted = v_fma(x, v_set(1.44269504f), shift);
    const vf n = shifted - shift;
    vf r = v_fma(n, v_set(-V_LN2_HIGH), x);

    r = v_fma(n, v_set(-V_LN2_LOW), r);
    return (struct v_reduced){r, n, (vu)shifted};
}

/* e^r - 1 for |r| <= ln 2 / 2, as r + r^2 P(r): relative error 3.3e-9 of e^r. */
RF_INLINE vf v_expm1_poly(vf r)
{
    vf p = v_set(0.001381314493f);

    p = v_fma(p, r, v_set(0.008369418831f));
    p = v_fma(p, r, v_set(0.04166845678f));
    p = v_fma(p, r, v_set(0.1666651479f));
    p = v_fma(p, r, v_set(0.4999999305f));
    return v_fma(p, r * r, r);
}

RF_INLINE vf v_exp(vf x)
{
#ifdef RF_AVX512
    /* The ends are beyond overflow and underflow; scalef does the rest. */
    const struct v_reduced d = v_reduce(v_clamp(x, v_set(-106), v_set(90)));

    return _mm512_scalef_ps(v_expm1_poly(d.r) + v_set(1), d.n);
#else
    const struct v_reduced d = v_reduce(x);
    const vf p = v_expm1_poly(d.r) + v_set(1);
    /* n is added to the exponent. With n = 128, r <= 0 and p <= 1 for all x up to the limit. */
    vf y = (vf)((vu)p + (d.bits << 23));

    y = v_sel(v_ge(x, v_set(-87.33654475f)), y, v_set(0));
    return v_sel(v_le(x, v_set(88.72283173f)), y, x + v_set(V_INFINITY));
#endif
}

/* e^x - 1 for x <= 88. */
RF_INLINE vf v_expm1(vf x)
{
    const struct v_reduced d = v_reduce(v_max(x, v_set(-30)));
    const vf two_n = (vf)((d.bits << 23) + 0x3f800000u);

    return v_fma(two_n, v_expm1_poly(d.r), two_n - v_set(1));
}

/* ln(1 + t) for 0 <= t <= 1, as t P(t): relative error 4.7e-9. */
RF_INLINE vf v_log1p_unit(vf t)
{
    vf p = v_set(-0.003244029092f);

    p = v_fma(p, t, v_set(0.01985148416f));
    p = v_fma(p, t, v_set(-0.05695958349f));
    p = v_fma(p, t, v_set(0.1060366077f));
    p = v_fma(p, t, v_set(-0.1530559661f));
    p = v_fma(p, t, v_set(0.1967594087f));
    p = v_fma(p, t, v_set(-0.2495413402f));
    p = v_fma(p, t, v_set(0.3332996246f));
    p = v_fma(p, t, v_set(-0.4999990242f));
    p = v_fma(p, t, v_set(0.9999999953f));
    return p * t;
}

/* ln m for sqrt(1/2) <= m < sqrt(2), f = m - 1, as f - f^2 / 2 + f^3 P(f): relative error 5.8e-9.
 */
RF_INLINE vf v_log(vf x)
{
    const uint32_t root_half = 0x3f3504f3u; /* sqrt(1/2) as a float's bits */
    const vm tiny = v_lt(x, v_set(V_FLT_MIN));
    const vu from_root = (vu)v_sel(tiny, x * 0x1p25f, x) - root_half;
    const vf f = (vf)((from_root & 0x007fffffu) + root_half) - v_set(1);
    vf e = __builtin_convertvector((vi)from_root >> 23, vf);
    vf p = v_set(-0.07634528244f), y;

    e -= v_sel(tiny, v_set(25), v_set(0));
    p = v_fma(p, f, v_set(0.1276159447f));
    p = v_fma(p, f, v_set(-0.1316017785f));
    p = v_fma(p, f, v_set(0.1420175484f));
    p = v_fma(p, f, v_set(-0.1662335751f));
    p = v_fma(p, f, v_set(0.2000122706f));
    p = v_fma(p, f, v_set(-0.2500082103f));
    p = v_fma(p, f, v_set(0.333333317f));
    y = v_fma(e, v_set(V_LN2_LOW), p * f * f * f);
    y = v_fma(f * f, v_set(-0.5f), y) + f;
    y = v_fma(e, v_set(V_LN2_HIGH), y);
    y = v_sel(v_le(x, v_set(V_FLT_MAX)), y, x); /* infinity, NaN */
    return v_sel(v_gt(x, v_set(0)), y,
                 v_sel(v_eq(x, v_set(0)), v_set(-V_INFINITY), v_set(__builtin_nanf(""))));
}

/* (1 - e^-2a) / (1 + e^-2a) with a = |x|, and x's sign: no cancellation near 0. */
RF_INLINE vf v_tanh(vf x)
{
    const vf t = v_expm1(v_abs(x) * v_set(-2));

    return v_with_sign(v_abs(t / (t + v_set(2))), x);
}

/*
 * erf z = z P(z^2) / Q(z^2) for |z| <= 3.925 (there 1 - erf is under half an ulp): relative error
 * 1.9e-8. At the ends +-4 of the clamp the fraction is above 1 in magnitude, so that what lies
 * beyond is exactly +-1.
 */
RF_INLINE vf v_erf(vf x)
{
    const vf z = v_clamp(x, v_set(-4), v_set(4)), w = z * z;
    vf p = v_set(2.04601817e-6f), q = v_set(3.804776464e-5f);

    p = v_fma(p, w, v_set(2.848451786e-4f));
    p = v_fma(p, w, v_set(3.772615921e-3f));
    p = v_fma(p, w, v_set(5.276950262e-2f));
    p = v_fma(p, w, v_set(0.190595269f));
    p = v_fma(p, w, v_set(1.128379146f));
    q = v_fma(q, w, v_set(1.163874017e-3f));
    q = v_fma(q, w, v_set(1.498332984e-2f));
    q = v_fma(q, w, v_set(0.1141833511f));
    q = v_fma(q, w, v_set(0.5022433895f));
    q = v_fma(q, w, v_set(1));
    return v_clamp(p * z / q, v_set(-1), v_set(1));
}

/* (1 + s)^2 - 1, without the rounding of 1 + s. */
RF_INLINE vf v_square_around_1(vf s)
{
    return v_fma(s, s, s + s);
}

/*
 * The standard normal distribution function, for Gelu. The tail erfc(t / sqrt 2) / 2, t = |x|, is
 * 1/2 (1 + t P(t))^-8: error 1.3e-8 / max(1, t) for t <= 5.7. Beyond, P goes on growing and the
 * tail to 0, as it must where Gelu multiplies it with a large x. (The form is that of Hastings' in
 * Abramowitz and Stegun, 7.1.28.)
 */
RF_INLINE vf v_normal_cdf(vf x)
{
    const vf t = v_abs(x);
    vf p = v_set(3.174215437e-7f), tail;

    p = v_fma(p, t, v_set(-1.6351036e-6f));
    p = v_fma(p, t, v_set(1.023647937e-5f));
    p = v_fma(p, t, v_set(1.27300214e-5f));
    p = v_fma(p, t, v_set(2.652781283e-4f));
    p = v_fma(p, t, v_set(8.176201364e-4f));
    p = v_fma(p, t, v_set(8.688609807e-3f));
    p = v_fma(p, t, v_set(4.475980072e-2f));
    p = v_fma(p, t, v_set(9.973573251e-2f)) * t;
    p = v_square_around_1(v_square_around_1(v_square_around_1(p)));
    tail = v_set(0.5f) / (v_set(1) + p);
    return v_sel(v_gt(x, v_set(0)), v_set(1) - tail, tail);
}

/* Nearest whole number, ties to even: adding 2^23 leaves no room for a fraction. */
RF_INLINE vf v_round(vf x)
{
    const vf magnitude = v_abs(x), shift = v_set(0x1p23f);
    const vf rounded = v_with_sign(magnitude + shift - shift, x);

    return v_sel(v_lt(magnitude, shift), rounded, x);
}

RF_INLINE vf v_floor(vf x)
{
    const vf n = v_round(x);

    return v_sel(v_gt(n, x), n - v_set(1), n);
}

RF_INLINE vf v_ceil(vf x)
{
    const vf n = v_round(x);

    /* The sign makes -0 of what lies in (-1, 0). */
    return v_sel(v_lt(n, x), v_with_sign(v_abs(n + v_set(1)), x), n);
}

#endif
