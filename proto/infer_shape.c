/*
 * Which shapes of arrays mean an input, where the request does not say.
 */
#include <stdio.h>

#include "proto/infer_decode.h"

bool rf_decode_fits(const struct rf_shape *declared, const struct rf_shape *got)
{
    bool fits = got->rank == declared->rank;
    for (int i = 0; i < got->rank && fits; i++) {
        const int64_t want = declared->dim[i];
        fits = got->dim[i] == want || (want < 0 && (got->dim[i] > 0 || i == 0));
    }
    return fits;
}

/* Shapes by rank of preference; -1 is any. */
struct forms {
    struct rf_shape list[4];
    int n;
};

static void add_form(struct forms *f, const struct rf_shape *shape)
{
    for (int i = 0; i < f->n; i++)
        if (rf_shape_equal(&f->list[i], shape))
            return;
    f->list[f->n++] = *shape;
}

bool rf_decode_row(const struct rf_shape *declared, struct rf_shape *row, int64_t *n)
{
    *row = rf_shape_row(declared);
    return rf_shape_numel(row, n);
}

static struct forms forms_of(const struct rf_shape *declared, bool batches)
{
    struct forms f = {.n = 0};
    const struct rf_shape scalar = {.rank = 1, .dim = {1}};
    int64_t product;
    if (declared->rank == 0) {
        add_form(&f, declared);
        add_form(&f, &scalar);
        return f;
    }
    struct rf_shape sample;
    const int64_t n = declared->dim[0];
    const bool fixed = rf_decode_row(declared, &sample, &product);
    const bool alone = n < 0 || n == 1; /* a sample is a batch of one */
    if (fixed && alone && !batches)
        add_form(&f, &sample);
    add_form(&f, declared);
    struct rf_shape flat = {.rank = 1, .dim = {product}};
    if (fixed && !batches && (alone || !__builtin_mul_overflow(n, product, &flat.dim[0])))
        add_form(&f, &flat);
    const struct rf_shape rows = {.rank = 2, .dim = {n, product}};
    if (fixed)
        add_form(&f, &rows);
    const struct rf_shape singles = {.rank = 1, .dim = {n}};
    if (fixed && batches && product == 1)
        add_form(&f, &singles);
    return f;
}

static enum rf_status no_match(struct rf_decoder *d, const char *what, const struct rf_shape *got,
                               const struct rf_io *io, const struct forms *forms)
{
    char text[RF_SHAPE_TEXT], list[4 * RF_SHAPE_TEXT];
    int at = 0;
    for (int i = 0; i < forms->n; i++) {
        const char *const separator = i == 0 ? "" : i == forms->n - 1 ? " or " : ", ";
        at += snprintf(list + at, sizeof list - (size_t)at, "%s%s", separator,
                       rf_shape_text(&forms->list[i], text, sizeof text));
    }
    rf_shape_text(got, text, sizeof text);
    return rf_fail(d->err, RF_SHAPE, "%s of shape %s: input '%s' takes %s", what, text, io->name,
                   list);
}

enum rf_status rf_decode_match(struct rf_decoder *d, const char *what, const struct rf_shape *got,
                               bool batches, struct rf_shape *shape)
{
    const struct rf_io *io;
    const enum rf_status rc = rf_decode_only_input(d, what, &io);
    if (rc != RF_OK)
        return rc;
    const struct forms forms = forms_of(&io->shape, batches);
    const bool open = io->shape.rank > 0 && io->shape.dim[0] < 0;
    *shape = io->shape;
    if (batches && open && got->rank == 1 && got->dim[0] == 0) { /* "instances": [] */
        shape->dim[0] = 0;
        return RF_OK;
    }
    for (int i = 0; i < forms.n; i++) {
        const struct rf_shape *const form = &forms.list[i];
        if (!rf_decode_fits(form, got))
            continue;
        if (rf_shape_equal(form, &io->shape))
            *shape = *got;
        else if (open)
            shape->dim[0] = form->rank > 0 && form->dim[0] < 0 ? got->dim[0] : 1;
        return RF_OK;
    }
    return no_match(d, what, got, io, &forms);
}
