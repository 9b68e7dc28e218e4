/* The frame of an ONNX file: unpacking under a budget, versions, what is refused as a whole. */
#include "proto/onnx.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/onnx_import.h"
#include "proto/text.h"

enum { OLDEST_IR = 3, NEWEST_IR = 20, OLDEST_OPSET = 6, NEWEST_OPSET = 27 };

/* ---- unpacking ---- */

/* What protobuf-c may allocate: of small or unknown fields it makes up to 60 times the file. */
struct budget {
    ProtobufCAllocator allocator;
    size_t whole, left;
    enum rf_status status; /* why an allocation failed */
};

enum { BLOCK_COST = 16, SLACK = 64 << 20 };

static void *budget_alloc(void *data, size_t size)
{
    struct budget *const b = data;
    if (b->left < BLOCK_COST || size > b->left - BLOCK_COST) {
        b->status = RF_LIMIT;
        return NULL;
    }
    b->left -= size + BLOCK_COST;
    void *const block = malloc(size ? size : 1);
    if (!block)
        b->status = RF_NOMEM;
    return block;
}

static void budget_free(void *data, void *block)
{
    (void)data;
    free(block);
}

static enum rf_status unpack(RfOnnx__Model **out, struct budget *b, const void *bytes, size_t len,
                             struct rf_error *err)
{
    const size_t whole = 2 * len + SLACK;
    *b = (struct budget){
        .allocator = {.alloc = budget_alloc, .free = budget_free, .allocator_data = b},
        .whole = whole,
        .left = whole};
    *out = rf_onnx__model__unpack(&b->allocator, len, bytes);
    if (*out)
        return RF_OK;
    if (b->status == RF_LIMIT)
        return rf_fail(err, RF_LIMIT, "a file of %zu bytes may not unpack to more than %zu", len,
                       whole);
    if (b->status == RF_NOMEM)
        return rf_fail_nomem(err, "the unpacked file", whole);
    return rf_fail(err, RF_FORMAT, "is no ONNX file, or damaged: malformed protobuf");
}

/* ---- the model ---- */

static bool is_default(const char *domain)
{
    return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

static enum rf_status find_opset(const RfOnnx__Model *model, int *opset, struct rf_error *err)
{
    int64_t found = 0;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const RfOnnx__OperatorSet *const set = model->opset_import[i];
        if (!is_default(set->domain))
            continue;
        if (found && found != set->version)
            return rf_fail(err, RF_FORMAT,
                           "opset_import: versions %" PRId64 " and %" PRId64
                           " of the default operators",
                           found, set->version);
        if (set->version < OLDEST_OPSET || set->version > NEWEST_OPSET)
            return rf_fail(err, RF_UNSUPPORTED,
                           "opset_import: opset %" PRId64 "; %d to %d are read", set->version,
                           OLDEST_OPSET, NEWEST_OPSET);
        found = set->version;
    }
    *opset = (int)found;
    return found ? RF_OK
                 : rf_fail(err, RF_FORMAT, "opset_import: no version of the default operators");
}

static enum rf_status check_model(const RfOnnx__Model *model, struct rf_error *err)
{
    char name[RF_EXCERPT];
    if (!model->has_ir_version)
        return rf_fail(err, RF_FORMAT, "is no ONNX file: it has no ir_version");
    if (model->ir_version < OLDEST_IR || model->ir_version > NEWEST_IR)
        return rf_fail(err, RF_UNSUPPORTED, "ir_version %" PRId64 "; %d to %d are read",
                       model->ir_version, OLDEST_IR, NEWEST_IR);
    if (!model->graph)
        return rf_fail(err, RF_FORMAT, "holds no graph");
    if (model->n_functions) {
        const char *const first = model->functions[0]->name ? model->functions[0]->name : "";
        return rf_fail(err, RF_UNSUPPORTED,
                       "local function '%s': local functions are not supported; inline them",
                       rf_excerpt(name, first, strlen(first)));
    }
    if (model->graph->n_sparse_initializer)
        return rf_fail(err, RF_UNSUPPORTED, "sparse initializers are not supported");
    return RF_OK;
}

static enum rf_status import(struct rf_import *imp)
{
    int opset;
    enum rf_status rc = check_model(imp->model, imp->err);
    if (rc == RF_OK)
        rc = find_opset(imp->model, &opset, imp->err);
    if (rc == RF_OK)
        rc = rf_graph_new(&imp->graph, "", opset, imp->err);
    if (rc == RF_OK)
        rc = rf_import_graph(imp);
    const enum rf_status closed = rf_external_close(imp);
    return rc == RF_OK ? closed : rc;
}

static enum rf_status read_model(struct rf_graph **out, const struct rf_onnx_file *file,
                                 struct rf_error *err)
{
    struct budget budget;
    struct rf_import imp = {
        .names = json_object(),
        .external = {.path = file->path, .folder = -1, .file = -1, .hash = file->hash},
        .err = err};
    enum rf_status rc = imp.names ? unpack(&imp.model, &budget, file->bytes, file->len, err)
                                  : rf_fail_nomem(err, "the table of names", 1);
    free(file->bytes);
    imp.allocator = &budget.allocator;
    if (rc == RF_OK)
        rc = import(&imp);
    if (imp.model)
        rf_onnx__model__free_unpacked(imp.model, imp.allocator);
    json_decref(imp.names);
    if (imp.external.folder >= 0)
        close(imp.external.folder);
    if (rc == RF_OK)
        *out = imp.graph;
    else
        rf_graph_free(imp.graph);
    return rc;
}

enum rf_status rf_onnx_read(struct rf_graph **out, const struct rf_onnx_file *file,
                            struct rf_error *err)
{
    struct rf_error inner = RF_ERROR_INIT;
    *out = NULL;
    const enum rf_status rc = read_model(out, file, &inner);
    if (rc == RF_OK)
        return RF_OK;
    rf_fail(err, rc, "%s: %s", file->source, inner.text);
    rf_error_clean(err);
    return rc;
}
