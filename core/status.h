/*
 * Statuses and errors. One list makes the enum, the texts and the server's
 * HTTP table. A failing function fills the caller's rf_error and returns its
 * status: `return rf_fail(err, RF_SHAPE, "...")` is the whole error path.
 */
#ifndef RF_CORE_STATUS_H
#define RF_CORE_STATUS_H

#define RF_STATUS_MAP(X)                                                                           \
    X(OK, "ok")                                                                                    \
    X(NOMEM, "out of memory")                                                                      \
    X(INVALID, "invalid argument")                                                                 \
    X(FORMAT, "malformed input")                                                                   \
    X(UNSUPPORTED, "unsupported operator or type")                                                 \
    X(SHAPE, "tensor shape mismatch")                                                              \
    X(LIMIT, "limit exceeded")                                                                     \
    X(NOT_FOUND, "not found")                                                                      \
    X(IO, "i/o error")

enum rf_status {
#define X(id, text) RF_##id,
    RF_STATUS_MAP(X)
#undef X
        RF_N_STATUS
};

/* Every function that returns a status wants it looked at. */
#define RF_CHECKED __attribute__((warn_unused_result))

#define RF_ERROR_TEXT 256 /* bytes, terminator included; longer texts are cut */

/* Lives on the caller's stack; start with RF_ERROR_INIT. The first failure wins. */
struct rf_error {
    enum rf_status status;
    char text[RF_ERROR_TEXT];
};

#define RF_ERROR_INIT                                                                              \
    {                                                                                              \
        .status = RF_OK, .text = ""                                                                \
    }

/* Records the failure (err may be NULL) and returns `status`. */
enum rf_status rf_fail(struct rf_error *err, enum rf_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));

/* rf_fail(RF_NOMEM) with the usual words: what could not be had, and how much of it. */
enum rf_status rf_fail_nomem(struct rf_error *err, const char *what, unsigned long long bytes)
    __attribute__((cold));

const char *rf_status_text(enum rf_status status);

#endif
