/*
 * What a run's inputs look like: features of input 0, classes by output 0, and a hash of each input
 * (row of a batch), by which different ones are told from those that come again.
 */
#ifndef RF_CORE_INPUTS_H
#define RF_CORE_INPUTS_H

#include "core/activity.h"
#include "core/kernels/kernels.h"

/* Of some inputs. */
struct rf_inputs {
    uint64_t n, nonfinite; /* inputs; values of input 0 that are in no feature */
    double *features;      /* [those of the map's layer "input"], sums */
    uint64_t *classes;     /* [classes] */
    size_t n_features, n_classes;
    uint64_t *hashes; /* of the first inputs, as many as there was room for */
    size_t n_hashes, cap_hashes;
};

enum rf_status rf_inputs_init(struct rf_inputs *in, const struct rf_feature_map *map,
                              struct rf_error *err) RF_CHECKED;
/* Makes room for the hashes of n inputs, or RF_DISTINCT_INPUTS if that is less. */
enum rf_status rf_inputs_reserve(struct rf_inputs *in, size_t n, struct rf_error *err) RF_CHECKED;
void rf_inputs_release(struct rf_inputs *in);
void rf_inputs_clear(struct rf_inputs *in);
/* Adds everything but hashes. */
void rf_inputs_add(struct rf_inputs *to, const struct rf_inputs *from);

/* One of a model's inputs in one run, dense: a part for each row, or all of it for every row. */
struct rf_given_input {
    const void *data;
    size_t bytes, step; /* of such a part, and between two; step 0: the same for every row */
};

/* What is given in this shape to a run of so many rows; `data` is NULL. */
struct rf_given_input rf_given_input(const struct rf_shape *shape, enum rf_dtype dtype,
                                     size_t rows);

/* Looks at `rows` inputs before a run. Input 0 has features where `map` says so. */
void rf_inputs_look(struct rf_inputs *in, const struct rf_given_input *given, size_t n, size_t rows,
                    const struct rf_feature_map *map, const struct rf_kernels *k);
/* The classes of as many rows of output 0, after the run. */
void rf_inputs_classify(struct rf_inputs *in, const float *output, size_t rows);

/* ---- how many are different ---- */

/* The newest RF_DISTINCT_INPUTS hashes, each with the number of its slot. */
struct rf_distinct {
    uint64_t *hash, *slot;
    size_t n; /* ever seen */
};

enum rf_status rf_distinct_init(struct rf_distinct *d, struct rf_error *err) RF_CHECKED;
void rf_distinct_release(struct rf_distinct *d);
void rf_distinct_add(struct rf_distinct *d, const struct rf_inputs *in, uint64_t slot);
/* Copies the hashes from `slot` on; returns their number. `to` is [RF_DISTINCT_INPUTS]. */
size_t rf_distinct_copy(const struct rf_distinct *d, uint64_t slot, uint64_t *to);
/* How many of these are different; sorts them. */
size_t rf_distinct_count(uint64_t *hashes, size_t n);

#endif
