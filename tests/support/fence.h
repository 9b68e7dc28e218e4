/*
 * Operands of kernels between pages that cannot be touched: reading or writing beyond an end, even
 * by a vector whose other lanes are needed, is a fault.
 *
 *     test_fences_init(&f, bytes of the largest operand);
 *     for (a case) for (side) {
 *         test_fences_begin(&f, side, "channels %zu", n);
 *         float *const x = test_fenced_floats(&f, &seed, n), *const y = test_fenced(&f, bytes);
 *         kernel(y, x, n);
 *     }
 *     test_fences_release(&f);
 */
#ifndef TEST_SUPPORT_FENCE_H
#define TEST_SUPPORT_FENCE_H

#include <stddef.h>
#include <stdint.h>

/* Where the operands of a case touch a fence: one run shows one side. */
enum test_side { TEST_BEHIND, TEST_BEFORE, TEST_SIDES };

enum { TEST_FENCES = 24 }; /* operands of one case */

struct test_fences {
    char *room[TEST_FENCES];
    size_t bytes, page;
    int used;
    enum test_side side;
};

void test_fences_init(struct test_fences *f, size_t bytes);
void test_fences_release(struct test_fences *f);

/* Gives the operands of the last case back; the text is printed if a kernel leaves its operands. */
__attribute__((format(printf, 3, 4))) void
test_fences_begin(struct test_fences *f, enum test_side side, const char *format, ...);
/* The next operand; what it holds is left over from others. */
void *test_fenced(struct test_fences *f, size_t bytes);
/* The next operand, of random floats in [-1, 1). */
float *test_fenced_floats(struct test_fences *f, uint64_t *seed, size_t n);

#endif
