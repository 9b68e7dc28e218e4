#include "proto/classify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/convert.h"
#include "proto/numbers.h"

enum { MOST_STRINGS = 1000000 };

bool rf_classes_suit(enum rf_dtype dtype)
{
    return dtype != RF_BOOL;
}

static size_t elements_of_row(const struct rf_shape *shape)
{
    size_t n = 1;
    for (int d = shape->rank < 2 ? 0 : 1; d < shape->rank; d++)
        n *= (size_t)shape->dim[d];
    return n;
}

enum rf_status rf_classes_measure(struct rf_classes *c, struct rf_error *err)
{
    const struct rf_shape *const shape = &c->values->shape;
    const size_t n = elements_of_row(shape);
    const int64_t k = (int64_t)(c->limit < n ? c->limit : n);
    c->shape = shape->rank < 2 ? (struct rf_shape){.rank = 1, .dim = {k}}
                               : (struct rf_shape){.rank = 2, .dim = {shape->dim[0], k}};
    if (rf_numel(&c->shape) <= MOST_STRINGS)
        return RF_OK;
    char text[RF_SHAPE_TEXT];
    return rf_fail(err, RF_SHAPE,
                   "classification output tensor too large: %s strings, at most %d are made",
                   rf_shape_text(&c->shape, text, sizeof text), MOST_STRINGS);
}

/* An element as what it is: the other of the two is 0. */
struct item {
    double real;
    struct rf_whole whole;
    size_t index;
};

static int descending(const void *left, const void *right)
{
    const struct item *const a = left, *const b = right;
    if (isnan(a->real) != isnan(b->real))
        return isnan(a->real) ? 1 : -1;
    if (a->real > b->real || a->real < b->real)
        return a->real > b->real ? -1 : 1;
    if (a->whole.negative != b->whole.negative)
        return a->whole.negative ? 1 : -1;
    if (a->whole.bits != b->whole.bits)
        return a->whole.bits > b->whole.bits ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

static struct item item_at(enum rf_dtype dtype, const char *row, size_t index)
{
    struct item item = {.index = index};
    const void *const at = row + index * rf_dtype_size(dtype);
    if (rf_dtype_is_real(dtype))
        item.real = rf_load_real(dtype, at);
    else
        item.whole = rf_load_whole(dtype, at);
    return item;
}

/* The item at `at` goes down to its place in a heap whose root comes last in the order. */
static void sift_down(struct item *heap, size_t k, size_t at)
{
    const struct item item = heap[at];
    for (size_t child; (child = 2 * at + 1) < k; at = child) {
        if (child + 1 < k && descending(&heap[child + 1], &heap[child]) > 0)
            child++;
        if (descending(&item, &heap[child]) > 0)
            break;
        heap[at] = heap[child];
    }
    heap[at] = item;
}

/* The first k of n in the order. */
static void select_row(struct item *items, size_t k, enum rf_dtype dtype, const char *row, size_t n)
{
    for (size_t i = 0; i < k; i++)
        items[i] = item_at(dtype, row, i);
    for (size_t i = k / 2; i > 0; i--)
        sift_down(items, k, i - 1);
    for (size_t i = k; i < n; i++) {
        const struct item item = item_at(dtype, row, i);
        if (descending(&item, &items[0]) > 0)
            continue;
        items[0] = item;
        sift_down(items, k, 0);
    }
    qsort(items, k, sizeof *items, descending);
}

/* "0.750000:2:cat", terminated. */
static void print_item(struct rf_buf *text, const struct rf_classes *c, const struct item *item)
{
    char number[RF_NUMBER_TEXT];
    text->len = 0;
    if (rf_dtype_is_real(c->values->dtype))
        rf_buf_printf(text, "%f", item->real);
    else
        rf_buf_add(text, number, rf_whole_print(number, item->whole));
    rf_buf_printf(text, ":%zu", item->index);
    if (c->labels)
        rf_buf_printf(text, ":%s", c->labels[item->index]);
    rf_buf_add(text, "", 1);
}

static void write_item(struct rf_buf *b, bool binary, const struct rf_buf *text)
{
    const uint32_t len = (uint32_t)(text->len - 1);
    if (binary) {
        rf_buf_add(b, &len, sizeof len);
        rf_buf_add(b, text->data, len);
    } else {
        rf_buf_json_string(b, text->data);
    }
}

static void write_rows(struct rf_buf *b, const struct rf_classes *c, bool binary, size_t k,
                       struct item *items, struct rf_buf *text)
{
    const size_t rows = c->shape.rank < 2 ? 1 : (size_t)c->shape.dim[0];
    const size_t n = elements_of_row(&c->values->shape);
    const size_t row_bytes = n * rf_dtype_size(c->values->dtype);
    const char *row = c->values->data;
    rf_buf_text(b, binary ? "" : "[");
    for (size_t i = 0; i < rows && k > 0 && b->status == RF_OK; i++, row += row_bytes) {
        select_row(items, k, c->values->dtype, row, n);
        for (size_t j = 0; j < k && b->status == RF_OK; j++) {
            print_item(text, c, &items[j]);
            if (text->status != RF_OK)
                return;
            rf_buf_text(b, binary || i + j == 0 ? "" : ",");
            write_item(b, binary, text);
        }
    }
    rf_buf_text(b, binary ? "" : "]");
}

enum rf_status rf_classes_write(struct rf_buf *b, const struct rf_classes *c, bool binary,
                                struct rf_error *err)
{
    const size_t k = (size_t)c->shape.dim[c->shape.rank - 1];
    struct item *const items = calloc(k ? k : 1, sizeof *items);
    struct rf_buf text;
    if (!items)
        return rf_fail_nomem(err, "the classes of a row", k * sizeof *items);
    rf_buf_init(&text, b->limit);
    write_rows(b, c, binary, k, items, &text);
    const enum rf_status rc = text.status;
    rf_buf_release(&text);
    free(items);
    return rc == RF_OK ? RF_OK : rf_fail_nomem(err, "the text of a class", 0);
}
