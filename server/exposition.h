/*
 * Metrics as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0, whose counters'
 * names end in _total in their samples only, and which alone has exemplars.
 */
#ifndef SRV_EXPOSITION_H
#define SRV_EXPOSITION_H

#include "proto/buf.h"
#include "server/models.h"
#include "server/repository.h"

struct srv_exposition {
    struct rf_buf *b;
    bool open; /* OpenMetrics */
};

/* The versions served. */
struct srv_served {
    size_t n;
    struct srv_model **list;
    const struct srv_listing *listing; /* of those that are not there yet, too */
};

/* A family; its samples follow. A counter's name ends in _total. */
void srv_head(struct srv_exposition *x, const char *family, const char *type, const char *help);
/* A label's value: backslash, quote and newline escaped, other control characters replaced. */
void srv_label(struct srv_exposition *x, const char *separator, const char *key, const char *value);
/* FAMILY{model="...",version="..." without the closing brace. */
void srv_model_labels(struct srv_exposition *x, const char *family, const struct srv_model *m);
/* The samples of a model. */
void srv_model_histogram_text(struct srv_exposition *x, const char *family,
                              const struct srv_model *m, const struct srv_histogram *h,
                              const struct srv_buckets *buckets,
                              const struct srv_exemplar *exemplars);
/* `labels` without the closing brace, or "" for none. `exemplars`: one a bucket, or NULL. */
void srv_histogram_text(struct srv_exposition *x, const char *family, const char *labels,
                        const struct srv_histogram *h, const struct srv_buckets *buckets,
                        const struct srv_exemplar *exemplars);

struct srv_server;

/* The families of activations. */
void srv_activity_metrics(struct srv_exposition *x, const struct srv_server *server,
                          const struct srv_served *models);

#endif
