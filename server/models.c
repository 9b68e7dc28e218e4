/* Loading a model, counting references to it, handing out its sessions. */
#include "server/models.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "server/clock.h"
#include "server/embedded.h"
#include "server/loader.h"
#include "server/log.h"
#include "server/repository.h"

static void return_memory(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static enum rf_status read_network(struct rf_network *network, const char *path,
                                   struct rf_error *err)
{
    if (!srv_model_is_bundled(path))
        return rf_network_load(network, path, err);
    return rf_network_parse(network, "the bundled network", srv_digits_json,
                            (size_t)(srv_digits_json_end - srv_digits_json), srv_digits_weights,
                            (size_t)(srv_digits_weights_end - srv_digits_weights), err);
}

static struct rf_io *copy_io(const struct rf_model *model,
                             const struct rf_io *(*get)(const struct rf_model *, size_t), size_t n)
{
    struct rf_io *list = calloc(n ? n : 1, sizeof *list);
    for (size_t i = 0; list && i < n; i++)
        list[i] = *get(model, i);
    return list;
}

static enum rf_status describe_io(struct srv_model *m, struct rf_error *err)
{
    m->io = (struct rf_model_io){
        .name = m->name,
        .version = m->version,
        .n_inputs = rf_model_n_inputs(m->model),
        .n_outputs = rf_model_n_outputs(m->model),
        .labels = m->network.labels,
        .n_labels = m->network.n_labels,
    };
    m->io_inputs = copy_io(m->model, rf_model_input, m->io.n_inputs);
    m->io_outputs = copy_io(m->model, rf_model_output, m->io.n_outputs);
    if (!m->io_inputs || !m->io_outputs)
        return rf_fail_nomem(err, "a model's inputs and outputs", sizeof(struct rf_io));
    m->io.inputs = m->io_inputs;
    m->io.outputs = m->io_outputs;
    return RF_OK;
}

static enum rf_status give_name(struct srv_model *m, const struct srv_model_source *source,
                                struct rf_error *err)
{
    const char *const name = *source->name ? source->name : m->network.name;
    if (!srv_model_name_is_valid(name))
        return rf_fail(err, RF_INVALID,
                       "%s: '%.64s' cannot name a model (letters, digits, '.', '_', '-', at most "
                       "%d); give one: NAME=%s",
                       source->path, name, SRV_MAX_MODEL_NAME, source->path);
    snprintf(m->name, sizeof m->name, "%s", name);
    return RF_OK;
}

static enum rf_status load(struct srv_model *m, const struct srv_model_source *source,
                           const struct rf_model_options *options, struct rf_error *err)
{
    enum rf_status rc = read_network(&m->network, source->path, err);
    if (!rc)
        rc = give_name(m, source, err);
    if (rc)
        return rc;
    struct rf_graph *graph = m->network.graph;
    m->network.graph = NULL;
    struct rf_error inner = RF_ERROR_INIT;
    rc = rf_model_new(&m->model, graph, options, &inner);
    if (rc) {
        rf_fail(err, rc, "%s: %s", source->path, inner.text);
        rf_error_clean(err);
        return rc;
    }
    return describe_io(m, err);
}

enum rf_status srv_model_load_version(struct srv_model **out, const struct srv_model_source *source,
                                      const struct rf_model_options *options, struct rf_error *err)
{
    struct srv_model *m = calloc(1, sizeof *m);
    if (!m)
        return rf_fail_nomem(err, "a model", sizeof *m);
    atomic_init(&m->refs, 1);
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->baseline_lock, NULL);
    pthread_mutex_init(&m->metrics.novelty.lock, NULL);
    srv_novel_init(&m->novel, 0);
    snprintf(m->version, sizeof m->version, "%" PRIu64, source->version);
    const enum rf_status rc = load(m, source, options, err);
    if (rc) {
        srv_model_unref(m);
        return rc;
    }
    return_memory(); /* the file and its tensors lay between what stays */
    m->loaded_ns = srv_now();
    atomic_store(&m->rolled_ns, m->loaded_ns);
    m->load_time = srv_time_of_day();
    *out = m;
    return RF_OK;
}

enum rf_status srv_model_load(struct srv_model **out, const char *spec,
                              const struct rf_model_options *options, struct rf_error *err)
{
    char name[SRV_MAX_MODEL_NAME + 1] = "";
    const char *const path = spec ? srv_model_split(spec, name) : SRV_BUNDLED_NAME;
    const struct srv_model_source source = {.name = name, .path = path, .version = 1};
    return srv_model_load_version(out, &source, options, err);
}

/* Every inference that began has one result by now. */
static void check_results(const struct srv_model *model)
{
    const struct srv_model_metrics *m = &model->metrics;
    uint64_t ended = 0;
    for (int i = 0; i < SRV_N_RESULTS; i++)
        ended += srv_read(&m->result[i]);
    if (ended != srv_read(&m->started))
        srv_log(SRV_ERROR, "model %s: %" PRIu64 " inferences began, and %" PRIu64 " have a result",
                model->name, srv_read(&m->started), ended);
}

static void free_model(struct srv_model *model)
{
    check_results(model);
    for (size_t i = 0; i < model->n_sessions; i++)
        rf_session_free(model->sessions[i]);
    free(model->sessions);
    srv_nodes_release(&model->nodes);
    rf_model_unref(model->model);
    rf_network_release(&model->network);
    free(model->io_inputs);
    free(model->io_outputs);
    srv_novel_release(&model->novel);
    pthread_mutex_destroy(&model->metrics.novelty.lock);
    pthread_mutex_destroy(&model->baseline_lock);
    pthread_mutex_destroy(&model->lock);
    free(model);
}

struct srv_model *srv_model_ref(struct srv_model *model)
{
    atomic_fetch_add_explicit(&model->refs, 1, memory_order_relaxed);
    return model;
}

static void release_task(struct rf_task *task)
{
    struct srv_model *const model =
        (struct srv_model *)((char *)task - offsetof(struct srv_model, release));
    const struct srv_place place = model->place;
    free_model(model);
    return_memory();
    if (place.repository)
        srv_repository_freed(&place);
}

void srv_model_unref(struct srv_model *model)
{
    if (!model || atomic_fetch_sub(&model->refs, 1) != 1)
        return;
    if (!model->loader) {
        free_model(model);
        return;
    }
    model->release.run = release_task;
    srv_loader_submit(model->loader, &model->release);
}

bool srv_model_shapes(const struct rf_model *model, int64_t rows, struct rf_shape *shapes)
{
    for (size_t i = 0; i < rf_model_n_inputs(model); i++) {
        const struct rf_io *const io = rf_model_input(model, i);
        shapes[i] = io->nominal;
        if (rows > 1 && io->shape.rank > 0 && io->shape.dim[0] < 0)
            shapes[i].dim[0] = rows;
        if (io->is_key)
            return false;
    }
    return true;
}

enum rf_status srv_model_steps(struct rf_model *model,
                               void (*each)(void *arg, const struct rf_step_info *info), void *arg,
                               struct rf_error *err)
{
    const size_t n = rf_model_n_inputs(model);
    size_t session_bytes;
    enum rf_status rc = RF_OK;
    struct rf_shape *shapes = calloc(n + 1, sizeof *shapes);
    if (!shapes)
        rc = rf_fail_nomem(err, "shapes", n * sizeof *shapes);
    else if (srv_model_shapes(model, 1, shapes))
        rc = rf_model_inspect(model, shapes, n, each, arg, &session_bytes, err);
    free(shapes);
    return rc;
}

struct rf_session *srv_model_take_session(struct srv_model *model)
{
    struct rf_session *session = NULL;
    pthread_mutex_lock(&model->lock);
    if (model->n_free > 0)
        session = model->sessions[--model->n_free];
    pthread_mutex_unlock(&model->lock);
    return session;
}

void srv_model_give_session(struct srv_model *model, struct rf_session *session)
{
    pthread_mutex_lock(&model->lock);
    model->sessions[model->n_free++] = session;
    pthread_mutex_unlock(&model->lock);
}
