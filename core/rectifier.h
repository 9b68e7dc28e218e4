/*
 * Rectifier's engine: what the server, an embedder or a test needs.
 *
 *   graph    built by an importer (proto/) or by hand (core/graph.h); taken by the model
 *   model    immutable after rf_model_new; shared by any number of threads
 *   session  memory and counters for one run at a time; make one for each concurrent caller
 *   pool     compute threads; optional
 *
 * Failing functions return a status other than RF_OK and fill `err` (may be NULL); core never
 * prints, logs, exits or reads files.
 */
#ifndef RF_RECTIFIER_H
#define RF_RECTIFIER_H

#include "core/activity.h"
#include "core/graph.h"
#include "core/pool.h"
#include "core/status.h"
#include "core/tensor.h"

struct rf_model;
struct rf_session;

struct rf_model_options {
    enum rf_activity_level activity; /* RF_ACTIVITY_OFF is 0 */
    const char *const *keep; /* values, or nodes for their output 0, that become outputs, too */
    size_t n_keep;
    bool keep_activations;    /* every activation layer's output becomes an output, too */
    bool compact;             /* keeps no weights twice: less memory, slower single rows */
    uint32_t passes_off;      /* bits 1u << enum rf_pass (core/passes/passes.h); for tests */
    size_t max_session_bytes; /* planned memory a session may need; 0 = 4 GiB */
    size_t n_slots;           /* of activity; 0 = 30 */
};

/*
 * An input or output; `id` as the steps that read or write it have it. `shape` as declared, -1 is
 * any; an output's rank is -1 where its shape follows from the elements of an input. `nominal`:
 * sizes that fit together, for what is open. A *key* input is one whose elements others' shapes
 * follow from. Borrowed from the model.
 */
struct rf_io {
    int32_t id;
    const char *name;
    enum rf_dtype dtype;
    struct rf_shape shape, nominal;
    bool is_key;
};

/* Takes the graph, on failure too. `options` may be NULL. */
enum rf_status rf_model_new(struct rf_model **out, struct rf_graph *graph,
                            const struct rf_model_options *options,
                            struct rf_error *err) RF_CHECKED;
struct rf_model *rf_model_ref(struct rf_model *model);
void rf_model_unref(struct rf_model *model); /* frees with the last reference; NULL is fine */

const char *rf_model_name(const struct rf_model *model);
size_t rf_model_n_inputs(const struct rf_model *model);
size_t rf_model_n_outputs(const struct rf_model *model); /* kept values follow the network's own */
const struct rf_io *rf_model_input(const struct rf_model *model, size_t i);
const struct rf_io *rf_model_output(const struct rf_model *model, size_t i);

/* The instruction set and GEMM backend in use: "avx512", "openblas". */
const char *rf_engine_isa(void);
const char *rf_engine_gemm(void);
/* Of the BLAS library: version and kernel, for logs. */
const char *rf_engine_blas(void);

/* A value that a step reads or writes; a copy in another layout has the same name, not the same id.
 */
struct rf_step_value {
    int32_t id;
    const char *name;
    bool is_output; /* of the network */
};

/* One row of `inspect`: a step of the plan for the given input shapes. Borrowed for the call. */
struct rf_step_info {
    size_t step; /* its number in the plan */
    const char *name, *path;
    const struct rf_step_value *inputs, *outputs; /* constants left out */
    size_t n_inputs, n_outputs;
    struct rf_shape output;
    int64_t parameters;    /* trainable: weights, biases, slopes, BatchNorm's scale and shift */
    int64_t macs;          /* multiply-accumulates for these shapes */
    size_t slab_offset;    /* bytes, of output 0 */
    const char *algorithm; /* "im2col+openblas", ... */
};

/* Calls `each` (may be NULL) for every step that is left to a run; memory of a session in
 * `*session_bytes`. */
enum rf_status rf_model_inspect(struct rf_model *model, const struct rf_shape *shapes, size_t n,
                                void (*each)(void *arg, const struct rf_step_info *info), void *arg,
                                size_t *session_bytes, struct rf_error *err) RF_CHECKED;
/* Memory that the model holds whatever its sessions do: weights as they were packed, tables. */
size_t rf_model_bytes(const struct rf_model *model);
int64_t rf_model_parameters(const struct rf_model *model);

/* A session keeps a reference to the model. `pool` may be NULL: runs in the caller's thread alone.
 */
enum rf_status rf_session_new(struct rf_session **out, struct rf_model *model, struct rf_pool *pool,
                              struct rf_error *err) RF_CHECKED;
void rf_session_free(struct rf_session *session); /* its counters stay with the model */

/* Makes the session ready for inputs of these shapes, one for each of the model's inputs. `values`:
 * as `in` of rf_session_run; only key inputs are read; NULL where there are none. May allocate.
 * RF_SHAPE names the input that does not fit. */
enum rf_status rf_session_prepare(struct rf_session *session, const struct rf_shape *shapes,
                                  const void *const *values, size_t n,
                                  struct rf_error *err) RF_CHECKED;

/*
 * Runs the network once. `in[i]`: dense row-major elements of input i, in the dtype declared and
 * the shape prepared, aligned to their size; borrowed for the call. `out[i]` points to dense
 * row-major outputs, valid until the session's next call. No allocation, no locks against other
 * runs, no log. `n_rows` of `count` false: a warm-up that activity does not count.
 */
enum rf_status rf_session_run(struct rf_session *session, const void *const *in, size_t n_in,
                              struct rf_tensor *out, size_t n_out, bool count,
                              struct rf_error *err) RF_CHECKED;

/*
 * While a session is *observed*, each counted run is known by itself until the next one: what it
 * did, and with one input its features. No reader sees it before then, or the end of observing.
 * Between the session's runs, by whoever runs it.
 */
void rf_session_observe(struct rf_session *session, bool on);
/* The last run's activity, without units. The caller frees. */
enum rf_status rf_session_activity(struct rf_session *session, struct rf_activity **out,
                                   struct rf_error *err) RF_CHECKED;
/* The last run's features, [rf_model_features()->n_features], the mean over its inputs, all
 * infinite where any value was not finite; returns the class of a single input, -1 where it has
 * none. */
int rf_session_features(const struct rf_session *session, double *features);

/* Measures: `after(arg, step)` is called behind every step of the session's runs, one call at a
 * time; where steps run image by image, behind every image, or every one of one thread's. NULL ends
 * it. */
void rf_session_watch(struct rf_session *session, void (*after)(void *arg, size_t step), void *arg);
/* Multiply-accumulates of one core at the best the instruction set in use can do: the kernel that
 * products end in, on operands that stay in the first-level cache. Does that work once; the caller
 * takes the time. */
int64_t rf_engine_exercise(void);

#endif
