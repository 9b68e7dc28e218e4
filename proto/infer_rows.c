/*
 * "instances" that are objects: each row names its inputs, whose elements come one row at a time.
 * Of an input with one element a row, [n] or [n,1], it may come without brackets.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/infer_decode.h"
#include "proto/json.h"
#include "proto/tensor_json.h"
#include "proto/text.h"

enum { NAME = 256, PATH = NAME + 32 };

/* An input while its rows come. */
struct column {
    struct rf_shape row; /* the shape of one, as the first row has it */
    int64_t n;           /* rows that have come */
};

struct rows {
    struct rf_decoder *d;
    struct column *columns; /* one for each input */
    int64_t row;            /* the one at hand */
};

typedef enum rf_status (*on_value)(struct rows *r, size_t input, const char *path,
                                   const char *value);

/* Whether a row of the input is one element. */
static bool is_single(const struct rf_shape *declared, struct rf_shape *row)
{
    int64_t n;
    return declared->rank > 0 && rf_decode_row(declared, row, &n) && n == 1;
}

static enum rf_status measure(struct rows *r, size_t input, const char *path, const char *value)
{
    const struct rf_io *const io = &r->d->io->inputs[input];
    struct column *const column = &r->columns[input];
    struct rf_json_array array;
    char got[RF_SHAPE_TEXT], first[RF_SHAPE_TEXT];
    if (!rf_json_is_element(value, io->dtype) || !is_single(&io->shape, &array.shape)) {
        const enum rf_status rc = rf_json_array_measure(&array, path, value, io->dtype, r->d->err);
        if (rc != RF_OK)
            return rc;
    }
    if (r->row == 0)
        column->row = array.shape;
    if (rf_shape_equal(&column->row, &array.shape))
        return RF_OK;
    return rf_fail(r->d->err, RF_SHAPE, "%s has shape %s, the rows before it have %s", path,
                   rf_shape_text(&array.shape, got, sizeof got),
                   rf_shape_text(&column->row, first, sizeof first));
}

static enum rf_status read(struct rows *r, size_t input, const char *path, const char *value)
{
    const struct rf_tensor *const t = &r->d->out->inputs[input];
    const struct rf_json_array array = {.at = value, .shape = r->columns[input].row};
    const size_t bytes = rf_shape_bytes(&array.shape, t->dtype);
    return rf_json_array_read(&array, (char *)t->data + (size_t)r->row * bytes, t->dtype, t->dtype,
                              path, r->d->err);
}

/* The input of a member's name, which this row did not have yet. */
static enum rf_status find(struct rows *r, const char *key, size_t *input, char path[PATH])
{
    const struct rf_model_io *const io = r->d->io;
    char name[NAME], shown[RF_EXCERPT];
    const bool whole = rf_json_string(key, name, sizeof name);
    size_t i = 0;
    rf_excerpt(shown, name, strlen(name));
    snprintf(path, PATH, "instances[%" PRId64 "]: \"%s\"", r->row, shown);
    while (i < io->n_inputs && (!whole || strcmp(io->inputs[i].name, name) != 0))
        i++;
    if (i == io->n_inputs)
        return rf_fail(r->d->err, RF_INVALID, "%s is no input of model '%s'", path, io->name);
    if (r->columns[i].n++ != r->row)
        return rf_fail(r->d->err, RF_FORMAT, "%s is there twice", path);
    *input = i;
    return RF_OK;
}

static enum rf_status walk_row(struct rows *r, const char *object, on_value each)
{
    const char *key, *value;
    char path[PATH];
    size_t input = 0;
    if (*object != '{')
        return rf_fail(r->d->err, RF_FORMAT, "instances[%" PRId64 "] is %s, expected an object",
                       r->row, rf_json_kind(object));
    while (rf_json_member(&object, &key, &value)) {
        enum rf_status rc = find(r, key, &input, path);
        if (rc == RF_OK)
            rc = each(r, input, path, value);
        if (rc != RF_OK)
            return rc;
    }
    for (size_t i = 0; i < r->d->io->n_inputs; i++)
        if (r->columns[i].n == r->row)
            return rf_fail(r->d->err, RF_INVALID, "instances[%" PRId64 "]: input '%s' is missing",
                           r->row, r->d->io->inputs[i].name);
    return RF_OK;
}

static enum rf_status walk(struct rows *r, const char *array, on_value each)
{
    const char *object;
    r->row = 0;
    for (size_t i = 0; i < r->d->io->n_inputs; i++)
        r->columns[i].n = 0;
    for (; rf_json_element(&array, &object); r->row++) {
        const enum rf_status rc = walk_row(r, object, each);
        if (rc != RF_OK)
            return rc;
    }
    return RF_OK;
}

/* Every input as a batch of the rows that came. */
static enum rf_status make_room(struct rows *r)
{
    char got[RF_SHAPE_TEXT], want[RF_SHAPE_TEXT];
    for (size_t i = 0; i < r->d->io->n_inputs; i++) {
        const struct rf_io *const io = &r->d->io->inputs[i];
        const struct rf_shape *const row = &r->columns[i].row;
        struct rf_shape shape = {.rank = row->rank + 1, .dim = {r->row}};
        void *data;
        if (shape.rank <= RF_MAX_RANK)
            memcpy(shape.dim + 1, row->dim, (size_t)row->rank * sizeof *row->dim);
        if (!rf_decode_fits(&io->shape, &shape))
            return rf_fail(r->d->err, RF_SHAPE,
                           "%" PRId64 " instances of shape %s: input '%s' takes %s", r->row,
                           rf_shape_text(row, got, sizeof got), io->name,
                           rf_shape_text(&io->shape, want, sizeof want));
        const enum rf_status rc = rf_decode_room(r->d, i, &shape, &data);
        if (rc != RF_OK)
            return rc;
    }
    return RF_OK;
}

enum rf_status rf_decode_named_rows(struct rf_decoder *d, const char *array)
{
    struct rows r = {.d = d, .columns = calloc(d->io->n_inputs + 1, sizeof *r.columns)};
    if (!r.columns)
        return rf_fail_nomem(d->err, "instances", d->io->n_inputs * sizeof *r.columns);
    enum rf_status rc = walk(&r, array, measure);
    if (rc == RF_OK)
        rc = make_room(&r);
    if (rc == RF_OK)
        rc = walk(&r, array, read);
    free(r.columns);
    return rc;
}
