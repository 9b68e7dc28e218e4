/*
 * Included before every file that clang-tidy reads: a failing function never returns RF_OK, which
 * the analyzer cannot see from rf_fail's declaration.
 */
#ifndef RF_LINT_ANALYZER_H
#define RF_LINT_ANALYZER_H

#include "core/status.h"

#define rf_fail(err, status, ...) ((void)rf_fail(err, status, __VA_ARGS__), status)
#define rf_fail_nomem(err, what, bytes) ((void)rf_fail_nomem(err, what, bytes), RF_NOMEM)

#endif
