/* What `rectifier audit` found, of one network over a data set or of several replicas together. */
#ifndef SRV_AUDIT_H
#define SRV_AUDIT_H

#include "core/arena.h"
#include "server/activity.h"
#include "server/config.h"
#include "server/prune.h"

struct srv_audit {
    const char *model, *version;
    const struct rf_activity *activity;
    const struct srv_products *products;
    struct rf_criteria criteria;
    size_t replicas;                   /* 0: it is one network over data */
    struct rf_layer_verdict *verdicts; /* of its layers, by srv_audit_judge; owned */
};

/* Before all that follows. The caller frees the verdicts. */
enum rf_status srv_audit_judge(struct srv_audit *x, struct rf_error *err) RF_CHECKED;

/* Rules of --fail-on. */
struct srv_rule {
    bool dying;      /* or else: */
    double sparsity; /* more zeros than this share */
};
/* "dying", "sparsity=0.9" */
bool srv_rule_parse(struct srv_rule *rule, const char *text);
/* Appends a line for each layer that breaks the rule; their number. */
size_t srv_rule_check(struct rf_buf *b, const struct srv_audit *x, const struct srv_rule *rule);

/* What would be saved without the channels that are dead; nothing while that is unknown. */
void srv_audit_save(const struct srv_audit *x, struct srv_saving *saving);

/* Each appends the whole text; what fails is in b->status. */
void srv_audit_table(struct rf_buf *b, const struct srv_audit *x);
void srv_audit_json(struct rf_buf *b, const struct srv_audit *x);

/* ---- replicas ---- */

struct srv_merge {
    struct rf_arena arena; /* owns the rest */
    const char *model, *version;
    struct rf_activity activity;
    struct srv_products products;
};

/* Asks or reads each of `sources`, URLs or files, and adds their counts. */
enum rf_status srv_merge_read(struct srv_merge *merge, const struct srv_list *sources,
                              struct rf_error *err) RF_CHECKED;
void srv_merge_release(struct srv_merge *merge);

#endif
