/*
 * Reading files that may be anything: FIFOs, devices, files that grow or lead out of their folder.
 */
#ifndef RF_PROTO_FILE_H
#define RF_PROTO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "core/status.h"

/* A whole regular file of at most `limit` bytes (free); "" for an empty one. RF_NOT_FOUND, RF_IO,
 * RF_LIMIT; `*text` is NULL then. */
enum rf_status rf_file_read(char **text, size_t *len, const char *path, size_t limit,
                            struct rf_error *err) RF_CHECKED;

#define RF_LONGEST_PATH 3000

/* What lies at `path`, which must not be empty nor longer than that; RF_INVALID, RF_NOT_FOUND,
 * RF_IO. */
enum rf_status rf_path_stat(struct stat *st, const char *path, struct rf_error *err) RF_CHECKED;

/* How a file that could be anything is opened: a FIFO must not block, a terminal not become ours.
 */
#define RF_OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* Opens `path` below the open folder; -1 and errno when it is not there or leads out. Links are
 * followed as long as they stay below. */
int rf_open_beneath(int folder, const char *path);
/* The same step by step, for kernels and sandboxes without openat2: no links at all. */
int rf_open_by_steps(int folder, const char *path);

/* "PATH: what: " and errno's text; RF_NOT_FOUND when nothing is there, else RF_IO. */
enum rf_status rf_fail_errno(struct rf_error *err, const char *path, const char *what)
    __attribute__((cold));
/* Neither size nor times differ. */
bool rf_same_file(const struct stat *a, const struct stat *b);

#endif
