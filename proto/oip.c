/*
 * The Open Inference Protocol's request object. Keys that it does not know are passed over, as the
 * protocol wants: clients send their own.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/infer_decode.h"
#include "proto/json.h"
#include "proto/numbers.h"
#include "proto/tensor_json.h"
#include "proto/text.h"

enum { NAME = 256, LONGEST_ID = 1024 };

/* Values by key; NULL where a key is absent. */
struct wanted {
    const char *key, *value;
};

static enum rf_status find_members(struct rf_decoder *d, const char *object, const char *what,
                                   struct wanted *wanted, size_t n)
{
    const char *at = object, *key, *value;
    char name[32];
    if (*object != '{')
        return rf_fail(d->err, RF_FORMAT, "%s is %s, expected an object", what,
                       rf_json_kind(object));
    while (rf_json_member(&at, &key, &value)) {
        if (!rf_json_string(key, name, sizeof name))
            continue;
        for (size_t i = 0; i < n; i++) {
            if (strcmp(name, wanted[i].key) != 0)
                continue;
            if (wanted[i].value)
                return rf_fail(d->err, RF_FORMAT, "%s: \"%s\" is there twice", what, name);
            wanted[i].value = value;
        }
    }
    return RF_OK;
}

/* Of an object: a flag that would ask for something that is not offered. */
static enum rf_status refuse_extensions(struct rf_decoder *d, const char *parameters,
                                        const char *what)
{
    enum { INPUT_SIZE, OUTPUT, ALL_OUTPUTS, CLASSES };
    struct wanted w[] = {{"binary_data_size", NULL},
                         {"binary_data", NULL},
                         {"binary_data_output", NULL},
                         {"classification", NULL}};
    char path[NAME + 64];
    if (!parameters)
        return RF_OK;
    snprintf(path, sizeof path, "%s: \"parameters\"", what);
    const enum rf_status rc = find_members(d, parameters, path, w, 4);
    if (rc != RF_OK)
        return rc;
    const bool binary = w[INPUT_SIZE].value || (w[OUTPUT].value && *w[OUTPUT].value != 'f') ||
                        (w[ALL_OUTPUTS].value && *w[ALL_OUTPUTS].value != 'f');
    if (binary)
        return rf_fail(d->err, RF_UNSUPPORTED,
                       "%s: the binary tensor data extension is not offered; send \"data\" and "
                       "leave binary_data out",
                       path);
    if (w[CLASSES].value)
        return rf_fail(d->err, RF_UNSUPPORTED, "%s: the classification extension is not offered",
                       path);
    return RF_OK;
}

static enum rf_status read_name(struct rf_decoder *d, const char *value, const char *what,
                                const char *key, char name[NAME])
{
    if (!value || *value != '"')
        return rf_fail(d->err, RF_FORMAT, "%s: \"%s\" %s%s, expected a string", what, key,
                       value ? "is " : "is missing", value ? rf_json_kind(value) : "");
    if (!rf_json_string(value, name, NAME))
        return rf_fail(d->err, RF_FORMAT, "%s: \"%s\" is longer than %d bytes or holds U+0000",
                       what, key, NAME - 1);
    return RF_OK;
}

static enum rf_status read_dtype(struct rf_decoder *d, const struct rf_io *io, const char *value,
                                 const char *what, enum rf_dtype *dtype)
{
    char name[NAME];
    const enum rf_status rc = read_name(d, value, what, "datatype", name);
    if (rc != RF_OK)
        return rc;
    if (rf_dtype_find(name, dtype) && rf_decode_takes(io, *dtype))
        return RF_OK;
    return rf_decode_wrong_type(d, io, name);
}

static enum rf_status read_shape(struct rf_decoder *d, const char *value, const char *what,
                                 struct rf_shape *shape)
{
    const char *at = value, *dim;
    *shape = (struct rf_shape){.rank = 0};
    if (!value || *value != '[')
        return rf_fail(d->err, RF_FORMAT, "%s: \"shape\" %s%s, expected an array of integers", what,
                       value ? "is " : "is missing", value ? rf_json_kind(value) : "");
    while (rf_json_element(&at, &dim)) {
        const size_t len = (size_t)(rf_json_past(dim) - dim);
        char shown[RF_EXCERPT];
        int64_t v;
        if (shape->rank == RF_MAX_RANK)
            return rf_fail(d->err, RF_SHAPE, "%s: \"shape\" has more than %d dimensions", what,
                           RF_MAX_RANK);
        if (!rf_number_i64(dim, len, &v) || v < 0)
            return rf_fail(d->err, RF_SHAPE,
                           "%s: shape[%d] is %s, expected an integer from 0 to 2^63-1", what,
                           shape->rank, rf_excerpt(shown, dim, len < 32 ? len : 32));
        shape->dim[shape->rank++] = v;
    }
    return RF_OK;
}

static enum rf_status check_shape(struct rf_decoder *d, const struct rf_io *io, const char *what,
                                  const struct rf_shape *got)
{
    char g[RF_SHAPE_TEXT], e[RF_SHAPE_TEXT];
    int64_t n;
    rf_shape_text(got, g, sizeof g);
    rf_shape_text(&io->shape, e, sizeof e);
    if (!rf_shape_numel(got, &n))
        return rf_fail(d->err, RF_SHAPE, "%s: shape %s has more than 2^63-1 elements", what, g);
    if (rf_decode_fits(&io->shape, got))
        return RF_OK;
    const bool no_batch =
        got->rank == io->shape.rank - 1 &&
        memcmp(got->dim, io->shape.dim + 1, (size_t)got->rank * sizeof *got->dim) == 0;
    return rf_fail(
        d->err, RF_SHAPE, "unexpected shape for input '%s' for model '%s'. Expected %s, got %s.%s",
        io->name, d->io->name, e, g, no_batch ? " The batch dimension comes first." : "");
}

static enum rf_status check_data(struct rf_decoder *d, const char *what,
                                 const struct rf_shape *shape, const struct rf_json_array *data)
{
    char g[RF_SHAPE_TEXT], e[RF_SHAPE_TEXT];
    const int64_t n = rf_numel(shape);
    rf_shape_text(shape, e, sizeof e);
    if (data->n != n)
        return rf_fail(d->err, RF_SHAPE,
                       "%s: shape %s has %" PRId64 " elements, \"data\" has %" PRId64, what, e, n,
                       data->n);
    if (data->shape.rank > 1 && n > 0 && !rf_shape_equal(&data->shape, shape))
        return rf_fail(d->err, RF_SHAPE, "%s: \"data\" is nested as %s, but its shape is %s", what,
                       rf_shape_text(&data->shape, g, sizeof g), e);
    return RF_OK;
}

/* "'a', 'b'": what a name could have been. */
static void list_names(const struct rf_io *io, size_t n, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n && at < size; i++) {
        char shown[RF_EXCERPT];
        rf_excerpt(shown, io[i].name, strlen(io[i].name));
        at += (size_t)snprintf(text + at, size - at, "%s'%s'", i ? ", " : "", shown);
    }
}

/* The model's input of this name that was not given before. */
static enum rf_status find_input(struct rf_decoder *d, const char *name, size_t *index)
{
    char shown[RF_EXCERPT];
    rf_excerpt(shown, name, strlen(name));
    for (size_t i = 0; i < d->io->n_inputs; i++) {
        if (strcmp(d->io->inputs[i].name, name) != 0)
            continue;
        *index = i;
        if (!d->out->inputs[i].data)
            return RF_OK;
        return rf_fail(d->err, RF_INVALID, "input '%s' already exists in request", shown);
    }
    char names[RF_ERROR_TEXT];
    list_names(d->io->inputs, d->io->n_inputs, names, sizeof names);
    return rf_fail(d->err, RF_INVALID,
                   "unexpected inference input '%s' for model '%s'; expected %s", shown,
                   d->io->name, names);
}

static enum rf_status read_input(struct rf_decoder *d, const char *object, size_t ordinal)
{
    enum { KEY_NAME, SHAPE, DATATYPE, DATA, PARAMETERS };
    struct wanted w[] = {
        {"name", NULL}, {"shape", NULL}, {"datatype", NULL}, {"data", NULL}, {"parameters", NULL}};
    struct rf_json_array data;
    struct rf_shape shape;
    enum rf_dtype dtype;
    void *to = NULL;
    size_t i = 0;
    char what[NAME + 16], name[NAME], shown[RF_EXCERPT];
    snprintf(what, sizeof what, "inputs[%zu]", ordinal);
    enum rf_status rc = find_members(d, object, what, w, 5);
    if (rc != RF_OK || (rc = read_name(d, w[KEY_NAME].value, what, "name", name)) != RF_OK ||
        (rc = find_input(d, name, &i)) != RF_OK)
        return rc;
    snprintf(what, sizeof what, "input '%s'", rf_excerpt(shown, name, strlen(name)));
    const struct rf_io *const io = &d->io->inputs[i];
    if ((rc = refuse_extensions(d, w[PARAMETERS].value, what)) != RF_OK ||
        (rc = read_dtype(d, io, w[DATATYPE].value, what, &dtype)) != RF_OK ||
        (rc = read_shape(d, w[SHAPE].value, what, &shape)) != RF_OK ||
        (rc = check_shape(d, io, what, &shape)) != RF_OK)
        return rc;
    if (!w[DATA].value)
        return rf_fail(d->err, RF_FORMAT, "%s: \"data\" is missing", what);
    char path[NAME + 32];
    snprintf(path, sizeof path, "%s: data", what);
    if ((rc = rf_json_array_measure(&data, path, w[DATA].value, dtype, d->err)) != RF_OK ||
        (rc = check_data(d, what, &shape, &data)) != RF_OK ||
        (rc = rf_decode_room(d, i, &shape, &to)) != RF_OK)
        return rc;
    return rf_json_array_read(&data, to, io->dtype, dtype, path, d->err);
}

/* Names of the inputs that were given, or of those that were not: "'a','b'". */
static void list_inputs(const struct rf_decoder *d, bool given, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < d->io->n_inputs && n < size; i++) {
        const bool is_given = d->out->inputs[i].data != NULL;
        if (is_given == given) {
            const int more =
                snprintf(out + n, size - n, "%s'%.40s'", n ? "," : "", d->io->inputs[i].name);
            n += more > 0 ? (size_t)more : 0;
        }
    }
}

static enum rf_status read_inputs(struct rf_decoder *d, const char *array)
{
    const char *at = array, *object;
    size_t n = 0;
    if (!array && d->io->n_inputs == 0)
        return RF_OK;
    if (!array || *array != '[')
        return rf_fail(d->err, RF_FORMAT, "%s: \"inputs\" %s%s, expected an array", d->what,
                       array ? "is " : "is missing", array ? rf_json_kind(array) : "");
    while (rf_json_element(&at, &object)) {
        const enum rf_status rc = read_input(d, object, n++);
        if (rc != RF_OK)
            return rc;
    }
    if (n == d->io->n_inputs)
        return RF_OK;
    char got[96], missing[96];
    list_inputs(d, true, got, sizeof got);
    list_inputs(d, false, missing, sizeof missing);
    return rf_fail(d->err, RF_INVALID,
                   "expected %zu inputs but got %zu inputs for model '%s'. Got input(s) [%s], but "
                   "missing required input(s) [%s]. Please provide all required input(s).",
                   d->io->n_inputs, n, d->io->name, got, missing);
}

static enum rf_status read_output(struct rf_decoder *d, const char *object, size_t ordinal)
{
    struct wanted w[] = {{"name", NULL}, {"parameters", NULL}};
    char what[NAME], name[NAME], shown[RF_EXCERPT];
    snprintf(what, sizeof what, "outputs[%zu]", ordinal);
    enum rf_status rc = find_members(d, object, what, w, 2);
    if (rc != RF_OK || (rc = read_name(d, w[0].value, what, "name", name)) != RF_OK ||
        (rc = refuse_extensions(d, w[1].value, what)) != RF_OK)
        return rc;
    rf_excerpt(shown, name, strlen(name));
    size_t i = 0;
    while (i < d->io->n_outputs && strcmp(d->io->outputs[i].name, name) != 0)
        i++;
    if (i == d->io->n_outputs) {
        char names[RF_ERROR_TEXT];
        list_names(d->io->outputs, d->io->n_outputs, names, sizeof names);
        return rf_fail(d->err, RF_INVALID,
                       "unexpected inference output '%s' for model '%s'; expected %s", shown,
                       d->io->name, names);
    }
    for (size_t j = 0; j < d->out->n_outputs; j++)
        if (d->out->outputs[j] == i)
            return rf_fail(d->err, RF_INVALID, "output '%s' already exists in request", shown);
    d->out->outputs[d->out->n_outputs++] = i;
    return RF_OK;
}

/* Absent or empty: all of them. */
static enum rf_status read_outputs(struct rf_decoder *d, const char *array)
{
    const char *at = array, *object;
    enum rf_status rc = rf_decode_all_outputs(d);
    if (rc != RF_OK || !array)
        return rc;
    if (*array != '[')
        return rf_fail(d->err, RF_FORMAT, "%s: \"outputs\" is %s, expected an array", d->what,
                       rf_json_kind(array));
    const size_t all = d->out->n_outputs;
    d->out->n_outputs = 0;
    for (size_t n = 0; rf_json_element(&at, &object); n++) {
        rc = read_output(d, object, n);
        if (rc != RF_OK)
            return rc;
    }
    if (d->out->n_outputs == 0)
        d->out->n_outputs = all; /* the list is still that of all */
    return RF_OK;
}

static enum rf_status read_id(struct rf_decoder *d, const char *value)
{
    if (!value)
        return RF_OK;
    if (*value != '"')
        return rf_fail(d->err, RF_FORMAT, "%s: \"id\" is %s, expected a string", d->what,
                       rf_json_kind(value));
    d->out->id = malloc(LONGEST_ID + 1);
    if (!d->out->id)
        return rf_fail_nomem(d->err, "the request's id", LONGEST_ID + 1);
    if (!rf_json_string(value, d->out->id, LONGEST_ID + 1))
        return rf_fail(d->err, RF_INVALID, "%s: \"id\" is longer than %d bytes or holds U+0000",
                       d->what, LONGEST_ID);
    return RF_OK;
}

enum rf_status rf_decode_oip(struct rf_decoder *d, const char *object)
{
    enum { ID, PARAMETERS, INPUTS, OUTPUTS };
    struct wanted w[] = {{"id", NULL}, {"parameters", NULL}, {"inputs", NULL}, {"outputs", NULL}};
    enum rf_status rc = find_members(d, object, d->what, w, 4);
    if (rc == RF_OK)
        rc = read_id(d, w[ID].value);
    if (rc == RF_OK)
        rc = refuse_extensions(d, w[PARAMETERS].value, d->what);
    if (rc == RF_OK)
        rc = read_inputs(d, w[INPUTS].value);
    if (rc == RF_OK)
        rc = read_outputs(d, w[OUTPUTS].value);
    return rc;
}
