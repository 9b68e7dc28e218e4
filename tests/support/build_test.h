/*
 * Checks that the tests of proto/ share. Each test function has a `struct rf_error err`.
 */
#ifndef RF_TESTS_BUILD_TEST_H
#define RF_TESTS_BUILD_TEST_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/status.h"

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        err = (struct rf_error)RF_ERROR_INIT;                                                      \
        const enum rf_status rc_ = (call);                                                         \
        ck_assert_msg(rc_ == RF_OK, "%s: %s", #call, err.text);                                    \
    } while (0)

/* The status, and a part of the text that tells this failure from others. */
#define assert_fails(status_, part_, call)                                                         \
    do {                                                                                           \
        err = (struct rf_error)RF_ERROR_INIT;                                                      \
        const enum rf_status rc_ = (call);                                                         \
        ck_assert_msg(rc_ == (status_), "%s: status %d, not %d: %s", #call, (int)rc_,              \
                      (int)(status_), err.text);                                                   \
        ck_assert_msg(strstr(err.text, (part_)) != NULL, "%s: \"%s\" lacks \"%s\"", #call,         \
                      err.text, (part_));                                                          \
    } while (0)

/* main of a test program with one suite. */
static inline int run_suite(Suite *suite)
{
    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

/* A copy of exactly `len` bytes on the heap, so that a sanitizer sees one byte too far. */
static inline void *exact_copy(const void *bytes, size_t len)
{
    void *const copy = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(copy);
    if (len)
        memcpy(copy, bytes, len);
    return copy;
}

#endif
