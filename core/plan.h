/*
 * A plan: one model at one exact set of input shapes, and elements of its key inputs
 * (core/infer.h). Every value's shape and place, every step's wishes. Immutable once made, shared
 * by sessions.
 */
#ifndef RF_CORE_PLAN_H
#define RF_CORE_PLAN_H

#include <stdatomic.h>

#include "core/layer.h"
#include "core/infer.h"
#include "core/op.h"

struct rf_model;

/* Where a value's data comes from. */
enum rf_place {
    RF_PLACE_SLAB,
    RF_PLACE_IMAGE, /* in memory for one image, behind the slab */
    RF_PLACE_INPUT,
    RF_PLACE_KNOWN /* constant, or computed with the plan: `tensors` has the data, if any is needed
                    */
};

struct rf_place_of {
    enum rf_place kind;
    size_t offset; /* SLAB, IMAGE: bytes, of pixel (0, 0) or element 0 */
    size_t input;  /* INPUT: which one */
};

struct rf_step {
    const struct rf_node *node;
    const struct rf_layer *layer; /* of the activation it applies, or NULL */
    bool idle;                    /* nothing to run: a view, or known */
    int n_parts[2];               /* worth splitting into; [1]: where threads look out for work */
    size_t scratch;               /* bytes a part */
    struct rf_halo halo;          /* to fill around input 0 before it runs */
    float halo_value;
    int64_t macs;
    const char *algorithm;
};

struct rf_plan {
    atomic_int refs;
    uint64_t used; /* the model's clock when last handed out */
    struct rf_arena arena;
    struct rf_shape *inputs;
    void **keys;                /* one an input: elements of a key input, else NULL */
    struct rf_tensor *tensors;  /* one a value; data is bound by the session */
    struct rf_place_of *places; /* one a value */
    struct rf_step *steps;
    size_t n_values, n_steps;
    size_t slab_bytes;
    size_t scratch_bytes; /* a part */
    size_t count_bytes;   /* the mask of the largest layer */
    int max_parts;

    /* Steps that run image by image (core/images.h): the first ones; parts, wishes and counters
     * are those of one image. */
    size_t n_image_steps, n_images;
    size_t image_bytes;       /* for one image, a multiple of RF_ALIGN */
    size_t image_count_bytes; /* the same of counters */
};

enum rf_status rf_plan_new(struct rf_plan **out, const struct rf_model *model,
                           const struct rf_given *given, struct rf_error *err) RF_CHECKED;
void rf_plan_unref(struct rf_plan *plan);

/* How many images are worked on at once: whole ones where they can be shared out evenly, else one
 * by all threads. 0 where no step runs image by image. */
int rf_plan_image_parts(const struct rf_plan *plan, int threads);

/* Bytes of a session, its counters' totals apart; SIZE_MAX where they overflow. */
struct rf_plan_memory {
    size_t slab, scratch, counting;
    size_t images; /* tensors of values, of each image that is worked on */
};

struct rf_plan_memory rf_plan_memory(const struct rf_plan *plan, int threads);
/* All of it. */
size_t rf_plan_bytes(const struct rf_plan *plan, int threads);

#endif
