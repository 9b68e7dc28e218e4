/*
 * Greedy by size: the largest span first, each into the lowest gap between the placed spans whose
 * lives touch its own. Quadratic, and only as a plan is made.
 */
#include "core/memory.h"

#include <stdbool.h>
#include <stdlib.h>

#include "core/tensor.h"

static bool live_together(const struct rf_span *a, const struct rf_span *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static int by_size_then_start(const void *pa, const void *pb)
{
    const struct rf_span *const a = *(struct rf_span *const *)pa;
    const struct rf_span *const b = *(struct rf_span *const *)pb;

    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return (a->first > b->first) - (a->first < b->first);
}

/* Lowest aligned offset where `s` fits: moved up past each conflict until there is none. */
static size_t place(const struct rf_span *s, struct rf_span *const *placed, size_t n)
{
    size_t at = 0;

    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < n; i++) {
            const struct rf_span *const p = placed[i];
            const size_t end = p->offset + p->bytes;

            if (live_together(s, p) && at < end && p->offset < at + s->bytes) {
                at = rf_align_up(end);
                moved = true;
            }
        }
    }
    return at;
}

enum rf_status rf_place_spans(struct rf_span *spans, size_t n, size_t *slab_bytes)
{
    struct rf_span **const order = calloc(n + 1, sizeof(*order));
    size_t m = 0, total = 0;

    *slab_bytes = 0;
    if (!order)
        return RF_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!spans[i].bytes)
            continue;
        order[m++] = &spans[i];
        /* No offset can exceed the sum of all sizes. */
        if (spans[i].bytes > SIZE_MAX / 2 ||
            __builtin_add_overflow(total, spans[i].bytes + RF_ALIGN, &total)) {
            free(order);
            return RF_LIMIT;
        }
    }
    qsort(order, m, sizeof(*order), by_size_then_start);
    for (size_t i = 0; i < m; i++) {
        order[i]->offset = place(order[i], order, i);
        if (*slab_bytes < order[i]->offset + order[i]->bytes)
            *slab_bytes = order[i]->offset + order[i]->bytes;
    }
    free(order);
    return RF_OK;
}
