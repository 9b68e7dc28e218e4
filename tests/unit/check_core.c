/* Statuses, shapes, half floats, the arena, memory placement, layouts. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/memory.h"
#include "core/tensor.h"
#include "tests/support/net.h"

START_TEST(first_failure_wins)
{
    struct rf_error err = RF_ERROR_INIT;

    ck_assert_int_eq(rf_fail(&err, RF_SHAPE, "first %d", 1), RF_SHAPE);
    ck_assert_int_eq(rf_fail(&err, RF_LIMIT, "second"), RF_LIMIT);
    ck_assert_int_eq(err.status, RF_SHAPE);
    ck_assert_str_eq(err.text, "first 1");
    ck_assert_int_eq(rf_fail(NULL, RF_IO, "nobody listens"), RF_IO);
}
END_TEST

START_TEST(numel_refuses_overflow_and_negatives)
{
    const struct {
        struct rf_shape shape;
        int64_t n; /* -1: refused */
    } cases[] = {
        {{.rank = 0}, 1},
        {SHAPE(2, 3, 4), 24},
        {SHAPE(0, 5), 0},
        {SHAPE(-1, 5), -1},
        {SHAPE(INT64_MAX, 2), -1},
        {SHAPE(INT64_C(1) << 32, INT64_C(1) << 32), -1},
        {SHAPE(0, INT64_MAX, INT64_MAX), -1},
        {SHAPE(INT64_MAX), INT64_MAX},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int64_t n = -1;

        ck_assert_int_eq(rf_shape_numel(&cases[i].shape, &n), cases[i].n >= 0);
        if (cases[i].n >= 0)
            ck_assert_int_eq(n, cases[i].n);
    }
}
END_TEST

START_TEST(a_row_is_what_the_batch_repeats)
{
    const struct rf_shape batch = SHAPE(4, 3, 2), image = SHAPE(3, 2), one = SHAPE(7);
    const struct rf_shape row = rf_shape_row(&batch), scalar = rf_shape_row(&one);

    ck_assert(rf_shape_equal(&row, &image));
    ck_assert_int_eq(scalar.rank, 0);
    ck_assert_uint_eq(rf_shape_bytes(&row, RF_F64), 48);
    ck_assert_uint_eq(rf_shape_bytes(&batch, RF_F16), 48);
    ck_assert_uint_eq(rf_shape_bytes(&scalar, RF_U8), 1);
}
END_TEST

START_TEST(shape_text_is_always_terminated)
{
    const struct rf_shape shape = SHAPE(1, -1, INT64_MAX, 4);
    char text[64];

    ck_assert_str_eq(rf_shape_text(&shape, text, sizeof(text)), "[1,-1,9223372036854775807,4]");
    for (size_t size = 1; size < sizeof(text); size++) {
        memset(text, '#', sizeof(text));
        ck_assert_uint_lt(strlen(rf_shape_text(&shape, text, size)), size);
    }
}
END_TEST

/* Half precision from its definition. */
static double half_value(uint16_t h)
{
    const int exponent = h >> 10 & 31, mantissa = h & 0x3ff;
    const double magnitude = exponent == 31  ? (mantissa ? NAN : INFINITY)
                             : exponent == 0 ? ldexp(mantissa, -24)
                                             : ldexp(1024 + mantissa, exponent - 25);

    return h & 0x8000 ? -magnitude : magnitude;
}

START_TEST(every_half_converts)
{
    for (uint32_t h = 0; h < 65536; h++) {
        const double want = half_value((uint16_t)h);
        const float got = rf_f16_to_f32((uint16_t)h);

        if (isnan(want)) {
            ck_assert(isnan(got));
            ck_assert(isnan(rf_f16_to_f32(rf_f32_to_f16(got))));
            continue;
        }
        ck_assert_double_eq((double)got, want);
        ck_assert_uint_eq(rf_f32_to_f16(got), h);
    }
}
END_TEST

/* Between two neighbours the nearer one is taken, and the even one in the middle. */
START_TEST(halves_round_to_nearest_even)
{
    for (uint32_t h = 0; h < 0x7bff; h++) {
        const double lo = half_value((uint16_t)h), hi = half_value((uint16_t)(h + 1));
        const float middle = (float)((lo + hi) / 2);

        ck_assert_uint_eq(rf_f32_to_f16(middle), h + (h & 1));
        ck_assert_uint_eq(rf_f32_to_f16(nextafterf(middle, INFINITY)), h + 1);
        ck_assert_uint_eq(rf_f32_to_f16(nextafterf(middle, 0)), h);
    }
    ck_assert_uint_eq(rf_f32_to_f16(65519.996f), 0x7bff);
    ck_assert_uint_eq(rf_f32_to_f16(65520.0f), 0x7c00);
    ck_assert_uint_eq(rf_f32_to_f16(-1e30f), 0xfc00);
    ck_assert_uint_eq(rf_f32_to_bf16(0.1f), 0x3dcd);
    ck_assert_uint_eq(rf_f32_to_bf16(-INFINITY), 0xff80);
    ck_assert(isnan(rf_bf16_to_f32(rf_f32_to_bf16(NAN))));
    ck_assert_float_eq(rf_bf16_to_f32(0x3f80), 1);
}
END_TEST

START_TEST(arena_gives_zeroed_aligned_memory)
{
    struct rf_arena arena = {0};
    uint64_t seed = 1;

    for (int i = 0; i < 2000; i++) {
        const size_t n = (size_t)test_random_int(&seed, 0, i % 50 ? 300 : 100000);
        unsigned char *const p =
            i % 3 ? rf_arena_alloc(&arena, n) : rf_arena_alloc_aligned(&arena, n);

        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % (i % 3 ? _Alignof(max_align_t) : RF_ALIGN), 0);
        unsigned any = 0;
        for (size_t k = 0; k < n; k++)
            any |= p[k];
        ck_assert_uint_eq(any, 0);
        memset(p, 0xff, n);
    }
    ck_assert_ptr_null(rf_arena_array(&arena, SIZE_MAX / 2, 4));
    rf_arena_release(&arena);
    ck_assert_ptr_null(arena.blocks);
}
END_TEST

START_TEST(spans_that_live_together_do_not_overlap)
{
    uint64_t seed = 7;

    for (int round = 0; round < 200; round++) {
        struct rf_span span[60];
        const size_t n = (size_t)test_random_int(&seed, 0, 60);
        size_t total = 0, slab;

        for (size_t i = 0; i < n; i++) {
            const uint32_t first = (uint32_t)test_random_int(&seed, 0, 40);

            span[i] = (struct rf_span){.first = first,
                                       .last = first + (uint32_t)test_random_int(&seed, 0, 10),
                                       .bytes = (size_t)test_random_int(&seed, 0, 5000)};
            total += span[i].bytes + RF_ALIGN;
        }
        ck_assert_int_eq(rf_place_spans(span, n, &slab), RF_OK);
        ck_assert_uint_le(slab, total);
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_eq(span[i].offset % RF_ALIGN, 0);
            ck_assert_uint_le(span[i].offset + span[i].bytes, span[i].bytes ? slab : SIZE_MAX);
            for (size_t k = 0; k < i; k++)
                if (span[i].bytes && span[k].bytes && span[i].first <= span[k].last &&
                    span[k].first <= span[i].last)
                    ck_assert(span[i].offset + span[i].bytes <= span[k].offset ||
                              span[k].offset + span[k].bytes <= span[i].offset);
        }
    }
}
END_TEST

START_TEST(spans_reuse_memory_of_the_dead)
{
    struct rf_span span[] = {{0, 1, 1000, 0}, {1, 2, 1000, 0}, {2, 3, 1000, 0}, {3, 4, 1000, 0}};
    struct rf_span huge[] = {{0, 1, SIZE_MAX - 10, 0}, {0, 1, 100, 0}};
    size_t slab;

    ck_assert_int_eq(rf_place_spans(span, 4, &slab), RF_OK);
    ck_assert_uint_eq(slab, 1024 + 1000);
    ck_assert_int_eq(rf_place_spans(huge, 2, &slab), RF_LIMIT);
}
END_TEST

START_TEST(layouts_convert_both_ways)
{
    uint64_t seed = 3;

    for (int round = 0; round < 100; round++) {
        const bool line = round % 4 == 0;
        struct rf_tensor image = {.dtype = RF_F32, .layout = RF_NHWC};
        const int64_t n = test_random_int(&seed, 1, 3), c = test_random_int(&seed, 1, 40);
        const int64_t h = test_random_int(&seed, 1, 9), w = test_random_int(&seed, 1, 37);

        image.shape = line ? SHAPE(n, c, w) : SHAPE(n, c, h, w);
        image.halo = (struct rf_halo){line ? 0 : 1, 2, line ? 0 : 3, 1};
        struct rf_tensor dense = {.dtype = RF_F32, .shape = image.shape};
        size_t before;
        const size_t bytes = rf_tensor_lay_out(&image, &before);
        const size_t numel = (size_t)rf_numel(&image.shape);
        char *const memory = malloc(bytes);
        float *const in = malloc(numel * sizeof(*in)), *const out = malloc(numel * sizeof(*out));

        test_random_fill(&seed, in, numel);
        image.data = memory + before;
        dense.data = in;
        const struct rf_pixels p = rf_tensor_pixels(&image);
        const size_t positions = p.n * p.h * p.w, half = positions / 2;

        rf_tensor_to_nhwc(&dense, &image, 0, half);
        rf_tensor_to_nhwc(&dense, &image, half, positions);
        ck_assert_float_eq(
            p.data[(p.n - 1) * p.image + (p.h - 1) * p.row + (p.w - 1) * p.pitch + p.c - 1],
            in[numel - 1]);
        dense.data = out;
        rf_tensor_to_rowmajor(&image, &dense, half, positions);
        rf_tensor_to_rowmajor(&image, &dense, 0, half);
        ck_assert_mem_eq(in, out, numel * sizeof(*in));
        free(memory);
        free(in);
        free(out);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("core");
    TCase *const tc = tcase_create("basics");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, first_failure_wins);
    tcase_add_test(tc, numel_refuses_overflow_and_negatives);
    tcase_add_test(tc, a_row_is_what_the_batch_repeats);
    tcase_add_test(tc, shape_text_is_always_terminated);
    tcase_add_test(tc, every_half_converts);
    tcase_add_test(tc, halves_round_to_nearest_even);
    tcase_add_test(tc, arena_gives_zeroed_aligned_memory);
    tcase_add_test(tc, spans_that_live_together_do_not_overlap);
    tcase_add_test(tc, spans_reuse_memory_of_the_dead);
    tcase_add_test(tc, layouts_convert_both_ways);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
