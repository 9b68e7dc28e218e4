#include "server/novel.h"

#include <stdlib.h>
#include <string.h>

#include "proto/npy.h"

struct srv_novel_input {
    double distance;
    void *data;
};

void srv_novel_init(struct srv_novel *novel, size_t most)
{
    *novel = (struct srv_novel){.most = most};
    pthread_mutex_init(&novel->lock, NULL);
}

void srv_novel_release(struct srv_novel *novel)
{
    for (size_t i = 0; i < novel->n; i++)
        free(novel->list[i].data);
    free(novel->list);
    pthread_mutex_destroy(&novel->lock);
}

static size_t row_bytes(const struct srv_novel *novel)
{
    return rf_shape_bytes(&novel->shape, novel->dtype);
}

/* Where it belongs; novel->most if nowhere. */
static size_t place_of(const struct srv_novel *novel, double distance)
{
    size_t at = novel->n;
    while (at > 0 && novel->list[at - 1].distance < distance)
        at--;
    return at;
}

static void keep(struct srv_novel *novel, double distance, const char *data)
{
    const size_t at = place_of(novel, distance), bytes = row_bytes(novel);
    if (at >= novel->most)
        return;
    if (!novel->list && !(novel->list = calloc(novel->most, sizeof *novel->list)))
        return;
    void *copy = novel->n == novel->most ? novel->list[novel->n - 1].data : malloc(bytes + 1);
    if (!copy)
        return;
    memcpy(copy, data, bytes);
    novel->n += novel->n < novel->most;
    memmove(&novel->list[at + 1], &novel->list[at], (novel->n - 1 - at) * sizeof *novel->list);
    novel->list[at] = (struct srv_novel_input){.distance = distance, .data = copy};
}

void srv_novel_offer(struct srv_novel *novel, double distance, const struct rf_tensor *batch,
                     int64_t row)
{
    if (novel->most == 0 || batch->shape.rank < 1)
        return;
    const struct rf_shape shape = rf_shape_row(&batch->shape);
    pthread_mutex_lock(&novel->lock);
    if (novel->n == 0) {
        novel->shape = shape;
        novel->dtype = batch->dtype;
    }
    if (rf_shape_equal(&novel->shape, &shape))
        keep(novel, distance, (const char *)batch->data + (size_t)row * row_bytes(novel));
    pthread_mutex_unlock(&novel->lock);
}

bool srv_novel_npy(struct rf_buf *b, struct srv_novel *novel)
{
    pthread_mutex_lock(&novel->lock);
    const size_t bytes = row_bytes(novel), n = novel->n;
    struct rf_shape shape = {.rank = novel->shape.rank + 1, .dim[0] = (int64_t)n};
    char *rows = n ? malloc(n * bytes + 1) : NULL;
    memcpy(shape.dim + 1, novel->shape.dim, (size_t)novel->shape.rank * sizeof *shape.dim);
    for (size_t i = 0; rows && i < n; i++)
        memcpy(rows + i * bytes, novel->list[i].data, bytes);
    const enum rf_dtype dtype = novel->dtype;
    pthread_mutex_unlock(&novel->lock);
    if (rows)
        rf_npy_write(b, dtype, &shape, rows);
    else if (n && b->status == RF_OK)
        b->status = RF_NOMEM;
    free(rows);
    return n > 0;
}
