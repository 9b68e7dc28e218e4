/*
 * Operators that combine elements of several inputs, in any mix of layouts, one output element
 * from those that lie at its place once the inputs are broadcast. They have RF_OP_READS_ANY.
 */
#ifndef RF_CORE_BROADCAST_H
#define RF_CORE_BROADCAST_H

#include "core/op.h"
#include "core/view.h"

#define RF_NUMBERS (1u << RF_F32 | 1u << RF_I32 | 1u << RF_I64)

/* How shapes meet. */
struct rf_broadcast {
    enum {
        RF_BROADCAST_BOTH, /* NumPy's way */
        RF_BROADCAST_TO_FIRST,
        RF_BROADCAST_NONE
    } how;
    int axis; /* opset 6: the second input's dimensions are the first's from here on; -1: the last
               */
};

/* Opset 6's attributes `broadcast` and `axis`; `state` is a struct rf_broadcast. */
enum rf_status rf_broadcast_prepare_6(struct rf_prepare *p, void *state);
/* Inputs from `first` on are of one dtype of a mask. */
enum rf_status rf_broadcast_dtypes(struct rf_infer *x, int first, uint32_t dtypes);
/* Output 0 has the shape that all inputs broadcast to, and the given type. */
enum rf_status rf_broadcast_infer(const struct rf_broadcast *b, struct rf_infer *x,
                                  enum rf_dtype dtype);
/* The view of an input that broadcasts to the output. */
struct rf_view rf_broadcast_view(const struct rf_broadcast *b, const struct rf_tensor *in, int i,
                                 const struct rf_tensor *out);

/* A run of a walk: view 0 is the output, the others are the inputs; see core/view.h. */
typedef void rf_broadcast_fn(const struct rf_walk *w, const void *context);

/* This part's share of the output. `views`: the output's, and up to 3 inputs' broadcast to it. */
void rf_broadcast_run(struct rf_view *views, int n_views, int part, int n_parts,
                      rf_broadcast_fn *fn, const void *context);

/* views[0] = views[1] op views[2], FP32, INT32 or INT64. */
void rf_broadcast_binary(const struct rf_kernels *k, enum rf_binary op, enum rf_dtype dtype,
                         struct rf_view *views, int part, int n_parts);

/* For each element of a run of two inputs, a of type A and b of type B, an output of type Y. */
#define RF_EACH_PAIR(w, Y, A, B, expression)                                                       \
    for (int64_t i_ = 0; i_ < (w)->n; i_++) {                                                      \
        const A a = ((const A *)(void *)(w)->data[1])[i_ * (w)->step[1]];                          \
        const B b = ((const B *)(void *)(w)->data[2])[i_ * (w)->step[2]];                          \
        ((Y *)(void *)(w)->data[0])[i_ * (w)->step[0]] = (Y)(expression);                          \
    }

/* The same of one input. */
#define RF_EACH(w, Y, T, expression)                                                               \
    for (int64_t i_ = 0; i_ < (w)->n; i_++) {                                                      \
        const T a = ((const T *)(void *)(w)->data[1])[i_ * (w)->step[1]];                          \
        ((Y *)(void *)(w)->data[0])[i_ * (w)->step[0]] = (Y)(expression);                          \
    }

#endif
