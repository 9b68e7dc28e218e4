/*
 * The inputs of an Open Inference Protocol request: elements in JSON, or in bytes behind it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/json.h"
#include "proto/numbers.h"
#include "proto/oip.h"
#include "proto/tensor_json.h"
#include "proto/text.h"

/* One of them while it is read. */
struct input {
    size_t i; /* among the model's inputs */
    const struct rf_io *io;
    const char *what; /* "input 'x'" */
    struct rf_shape shape;
    enum rf_dtype dtype; /* of the elements sent */
};

static enum rf_status read_dtype(struct rf_decoder *d, const struct rf_oip_member *member,
                                 struct input *input)
{
    char name[RF_OIP_NAME];
    const enum rf_status rc = rf_oip_name(d, member, input->what, name);
    if (rc != RF_OK)
        return rc;
    if (rf_dtype_find(name, &input->dtype) && rf_decode_takes(input->io, input->dtype))
        return RF_OK;
    return rf_decode_wrong_type(d, input->io, name);
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
    rf_oip_list_names(d->io->inputs, d->io->n_inputs, names, sizeof names);
    return rf_fail(d->err, RF_INVALID,
                   "unexpected inference input '%s' for model '%s'; expected %s", shown,
                   d->io->name, names);
}

/* Elements in JSON. */
static enum rf_status read_data(struct rf_decoder *d, const struct input *input, const char *value)
{
    struct rf_json_array data;
    void *to = NULL;
    char path[RF_OIP_WHAT];
    snprintf(path, sizeof path, "%.*s: data", RF_OIP_NAME, input->what);
    enum rf_status rc = rf_json_array_measure(&data, path, value, input->dtype, d->err);
    if (rc == RF_OK)
        rc = check_data(d, input->what, &input->shape, &data);
    if (rc == RF_OK)
        rc = rf_decode_room(d, input->i, &input->shape, &to);
    if (rc != RF_OK)
        return rc;
    return rf_json_array_read(&data, to, input->io->dtype, input->dtype, path, d->err);
}

/* Elements in the next bytes behind the JSON. */
static enum rf_status read_bytes(struct rf_decoder *d, const struct input *input, uint64_t size)
{
    uint64_t expected;
    char path[RF_OIP_WHAT];
    if (__builtin_mul_overflow((uint64_t)rf_numel(&input->shape), rf_dtype_size(input->dtype),
                               &expected))
        expected = UINT64_MAX;
    if (size != expected)
        return rf_fail(d->err, RF_SHAPE,
                       "input byte size mismatch for input '%s' for model '%s'. Expected %" PRIu64
                       ", got %" PRIu64,
                       input->io->name, d->io->name, expected, size);
    if (size > d->tail_len)
        return rf_fail(d->err, RF_SHAPE,
                       "unexpected size for input '%s', expecting %" PRIu64
                       " additional bytes for model '%s'",
                       input->io->name, size - d->tail_len, d->io->name);
    snprintf(path, sizeof path, "%.*s: binary data", RF_OIP_NAME, input->what);
    const char *const bytes = d->tail;
    d->tail += size;
    d->tail_len -= (size_t)size;
    return rf_decode_elements(d, input->i, &input->shape, input->dtype, bytes, path);
}

/* From where its elements are said to be. */
static enum rf_status read_elements(struct rf_decoder *d, const struct input *input,
                                    const char *data, const char *parameters)
{
    enum { SIZE, SHARED };
    struct rf_oip_member p[] = {{"binary_data_size", NULL}, {"shared_memory_region", NULL}};
    char path[RF_OIP_WHAT];
    uint64_t size = 0;
    enum rf_status rc = rf_oip_parameters(d, parameters, input->what, p, 2, path);
    if (rc == RF_OK)
        rc = rf_oip_no_shared_memory(d, &p[SHARED], path);
    if (rc == RF_OK)
        rc = rf_oip_count(d, &p[SIZE], path, &size);
    if (rc != RF_OK)
        return rc;
    if (data && p[SIZE].value)
        return rf_fail(d->err, RF_INVALID,
                       "Input must set only one of the following fields: 'data', "
                       "'binary_data_size' in 'parameters'; input '%s' sets both",
                       input->io->name);
    if (data)
        return read_data(d, input, data);
    if (!p[SIZE].value)
        return rf_fail(d->err, RF_FORMAT, "%s: \"data\" is missing", input->what);
    if (!d->tail)
        return rf_fail(d->err, RF_INVALID,
                       "%s: binary data need the header Inference-Header-Content-Length, the "
                       "length of the JSON before them",
                       input->what);
    return read_bytes(d, input, size);
}

static enum rf_status read_input(struct rf_decoder *d, const char *object, size_t ordinal)
{
    enum { KEY_NAME, SHAPE, DATATYPE, DATA, PARAMETERS };
    struct rf_oip_member m[] = {
        {"name", NULL}, {"shape", NULL}, {"datatype", NULL}, {"data", NULL}, {"parameters", NULL}};
    struct input input = {.i = 0};
    char what[RF_OIP_NAME], name[RF_OIP_NAME], shown[RF_EXCERPT];
    snprintf(what, sizeof what, "inputs[%zu]", ordinal);
    enum rf_status rc = rf_oip_members(d, object, what, m, 5);
    if (rc != RF_OK || (rc = rf_oip_name(d, &m[KEY_NAME], what, name)) != RF_OK ||
        (rc = find_input(d, name, &input.i)) != RF_OK)
        return rc;
    snprintf(what, sizeof what, "input '%s'", rf_excerpt(shown, name, strlen(name)));
    input.what = what;
    input.io = &d->io->inputs[input.i];
    if ((rc = read_dtype(d, &m[DATATYPE], &input)) != RF_OK ||
        (rc = read_shape(d, m[SHAPE].value, what, &input.shape)) != RF_OK ||
        (rc = check_shape(d, input.io, what, &input.shape)) != RF_OK)
        return rc;
    return read_elements(d, &input, m[DATA].value, m[PARAMETERS].value);
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

enum rf_status rf_oip_inputs(struct rf_decoder *d, const char *array)
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
