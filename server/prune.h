/*
 * What a network would save without its dead channels. A convolution or linear layer has weights
 * for each pair of a channel that it reads and one that it writes; either gone, they are, too.
 */
#ifndef SRV_PRUNE_H
#define SRV_PRUNE_H

#include "core/rectifier.h"
#include "proto/buf.h"

#define SRV_NO_LAYER SIZE_MAX

struct srv_product {
    int64_t weights, others; /* others: bias, and BatchNorm's parameters, of the channels written */
    int64_t macs;            /* for one input */
    /* Activity layers, whose channels can go as far as this product knows; or SRV_NO_LAYER. */
    size_t reads, writes;
};

struct srv_products {
    struct srv_product *list; /* owned */
    size_t n;
};

/*
 * Of the model's activity layers `layers`. A layer's channels can go when a product alone writes
 * them and nothing but products reads them, past pools and the like: not what is added to other
 * values, read by groups, or an output. Empty where shapes follow from an input's elements.
 */
enum rf_status srv_products_find(struct srv_products *p, struct rf_model *model,
                                 const struct rf_layer_activity *layers, size_t n_layers,
                                 struct rf_error *err) RF_CHECKED;
void srv_products_release(struct srv_products *p);

/* ,"products":[...] */
void srv_products_json(struct rf_buf *b, const struct srv_products *p);

struct srv_saving {
    int64_t parameters, macs;         /* that would be saved */
    int64_t all_parameters, all_macs; /* of all products */
    size_t channels;                  /* that can go */
};

/* `dead[i]`: channels of layer i that would go. */
void srv_products_save(const struct srv_products *p, const struct rf_layer_activity *layers,
                       size_t n_layers, const size_t *dead, struct srv_saving *saving);

#endif
