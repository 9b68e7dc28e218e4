/*
 * The inputs of a network as they lie in .npy files, a batch of rows at a time, so that files may
 * be larger than memory. One file for each input; all have as many rows.
 */
#ifndef SRV_SAMPLES_H
#define SRV_SAMPLES_H

#include "proto/infer.h"
#include "server/config.h"

struct srv_samples;

/* `args` from the second on are "[NAME=]FILE". `io` must outlive the samples. */
enum rf_status srv_samples_open(struct srv_samples **out, const struct rf_model_io *io,
                                const struct srv_list *args, struct rf_error *err) RF_CHECKED;
void srv_samples_free(struct srv_samples *samples); /* NULL is fine */

int64_t srv_samples_rows(const struct srv_samples *samples);
/* Rows that a run must take; 0: as many as it likes. */
int64_t srv_samples_fixed(const struct srv_samples *samples);
/* The next `n` rows of every input in the model's dtypes, valid until the next call. */
enum rf_status srv_samples_read(struct srv_samples *samples, int64_t n,
                                const struct rf_tensor **inputs, struct rf_error *err) RF_CHECKED;

#endif
