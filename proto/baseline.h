/*
 * Baselines as files: JSON, described in proto/README.md. Reading takes nothing on trust; a
 * baseline of another network is refused by both their names.
 */
#ifndef RF_PROTO_BASELINE_H
#define RF_PROTO_BASELINE_H

#include "core/baseline.h"
#include "core/graph.h"
#include "proto/buf.h"

/* What a baseline was made from. */
enum rf_baseline_source {
    RF_BASELINE_HELD_OUT, /* data that the network was not trained on */
    RF_BASELINE_TRAINING, /* data that it was: plain, with a warning in the file */
    RF_BASELINE_TRAFFIC,  /* live inputs */
    RF_N_BASELINE_SOURCES
};
/* "held-out data", "training data", "live traffic" */
const char *rf_baseline_source_text(enum rf_baseline_source source);

/* Whose it is, for people: what counts is whether the layers fit. */
struct rf_baseline_about {
    char model[RF_MAX_NAME + 1];
    char sha256[65]; /* of the model's files, as rf_network has it */
    enum rf_baseline_source source;
};

#define RF_BASELINE_LIMIT ((size_t)64 << 20) /* bytes of a file */

/* Appends the file's text; `map` is the model's. Failures show in `to->status`. */
void rf_baseline_write(struct rf_buf *to, const struct rf_baseline *baseline,
                       const struct rf_baseline_about *about, const struct rf_feature_map *map);

/* Whose baseline it must be. */
struct rf_baseline_owner {
    const char *model; /* in messages */
    const struct rf_feature_map *map;
};

struct rf_baseline_file {
    const char *source; /* begins every message */
    const void *text;
    size_t len;
};

/* RF_FORMAT; RF_SHAPE when it is another network's. The caller frees `*out`. */
enum rf_status rf_baseline_parse(struct rf_baseline **out, struct rf_baseline_about *about,
                                 const struct rf_baseline_file *file,
                                 const struct rf_baseline_owner *owner,
                                 struct rf_error *err) RF_CHECKED;
/* The same from a regular file of at most RF_BASELINE_LIMIT. */
enum rf_status rf_baseline_load(struct rf_baseline **out, struct rf_baseline_about *about,
                                const char *path, const struct rf_baseline_owner *owner,
                                struct rf_error *err) RF_CHECKED;

#endif
