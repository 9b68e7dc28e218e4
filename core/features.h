/*
 * What of a network's inputs and activations is compared with a baseline: its *features*, one flat
 * array of doubles for each input (row of a batch).
 *
 * The first layer is the input itself, where input 0 is FP32 and its channels are declared; then
 * every activation layer in order. A layer has vectors, a vector one number a channel:
 *
 *   input       "mean", "std" (of the population) and "range" of the channel's elements
 *   activation  "firing", the share of its positions with y > 0, and "activation", the mean of y
 *
 * The input's channels are dimension 1 from rank 3 on; an input of rank 2 is one channel.
 *
 * Everything is linear in the inputs' features, so sums over inputs say all that drift needs: those
 * of a layer's counts as well as those of single inputs. In layers of open size an input's weight
 * grows with its positions when they come from counts.
 *
 * An input's *class* is the largest column of its row of output 0, where that is FP32 of rank 2
 * with 2 to RF_MAX_CLASSES columns; else the model has no classes.
 */
#ifndef RF_CORE_FEATURES_H
#define RF_CORE_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define RF_MAX_CLASSES 64

enum { RF_FEATURE_FIRING, RF_FEATURE_ACTIVATION, RF_N_LAYER_VECTORS };
enum { RF_FEATURE_MEAN, RF_FEATURE_STD, RF_FEATURE_RANGE, RF_N_INPUT_VECTORS };

struct rf_feature_layer {
    const char *name; /* borrowed; "input" for the input */
    size_t n_channels;
    size_t n_vectors; /* RF_N_INPUT_VECTORS or RF_N_LAYER_VECTORS */
    size_t first;     /* vector v of channel c is feature first + v * n_channels + c */
};

struct rf_feature_map {
    struct rf_feature_layer *layers; /* owned */
    size_t n_layers, n_features;
    size_t n_classes; /* 0: none */
    bool has_input;   /* layers[0] is the input */
};

struct rf_model;

/* Of a model, whose names it borrows. */
enum rf_status rf_feature_map_init(struct rf_feature_map *map, const struct rf_model *model,
                                   struct rf_error *err) RF_CHECKED;
void rf_feature_map_release(struct rf_feature_map *map);
/* "firing", "mean", ... */
const char *rf_feature_vector_name(const struct rf_feature_layer *layer, size_t vector);
/* The class of a row of output 0: its largest column, the first of equals. -1 where one is NaN. */
int rf_feature_class(const float *row, size_t n_classes);

/* Sums over some inputs. */
struct rf_feature_sum {
    uint64_t inputs;
    uint64_t nonfinite; /* values, of the input or of activations; they are in no sum */
    uint64_t *classes;  /* [n_classes] inputs of each; may be fewer than inputs in all */
    double *sum;        /* [n_features] */
};

enum rf_status rf_feature_sum_init(struct rf_feature_sum *sum, const struct rf_feature_map *map,
                                   struct rf_error *err) RF_CHECKED;
void rf_feature_sum_release(struct rf_feature_sum *sum);
void rf_feature_sum_clear(struct rf_feature_sum *sum, const struct rf_feature_map *map);
void rf_feature_sum_add(struct rf_feature_sum *to, const struct rf_feature_sum *from,
                        const struct rf_feature_map *map);

#endif
