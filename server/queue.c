/* Two lists of a model's jobs: as they came, and in the order in which they run. */
#include "server/queue.h"

/* ---- lists ---- */

/* Behind `at`; NULL: at the front. */
static void link_behind(struct srv_waiting_list *list, struct srv_waiting *at,
                        struct srv_waiting *w)
{
    w->prev = at;
    w->next = at ? at->next : list->first;
    *(at ? &at->next : &list->first) = w;
    *(w->next ? &w->next->prev : &list->last) = w;
}

static void unlink_from(struct srv_waiting_list *list, struct srv_waiting *w)
{
    *(w->prev ? &w->prev->next : &list->first) = w->next;
    *(w->next ? &w->next->prev : &list->last) = w->prev;
    w->prev = w->next = NULL;
}

bool srv_queue_is_empty(const struct srv_queue *q)
{
    return !q->arrived.first && !q->ready.first;
}

/* ---- arrived ---- */

void srv_queue_arrive(struct srv_queue *q, struct srv_waiting *w)
{
    link_behind(&q->arrived, q->arrived.last, w);
}

struct srv_waiting *srv_queue_take_arrived(struct srv_queue *q)
{
    struct srv_waiting *w = q->arrived.first;
    if (w)
        unlink_from(&q->arrived, w);
    return w;
}

/* ---- ready ---- */

static bool goes_before(const struct srv_waiting *a, const struct srv_waiting *b)
{
    /* 0 - 1 is the largest number: behind all others */
    if (a->priority != b->priority)
        return a->priority - 1 < b->priority - 1;
    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns;
    return a->arrival_ns < b->arrival_ns;
}

/* From the end, near which most belong: they have no priority, and the deadlines of their order. */
void srv_queue_insert(struct srv_queue *q, struct srv_waiting *w)
{
    struct srv_waiting *at = q->ready.last;
    while (at && goes_before(w, at))
        at = at->prev;
    link_behind(&q->ready, at, w);
    q->ready_rows += w->rows;
}

static bool same_but_rows(const struct srv_waiting *a, const struct srv_waiting *b)
{
    for (size_t i = 0; i < a->n_inputs; i++) {
        struct rf_shape shape = b->inputs[i].shape;
        if (shape.rank > 0)
            shape.dim[0] = a->rows;
        if (!rf_shape_equal(&shape, &a->inputs[i].shape))
            return false;
    }
    return true;
}

static void take_ready(struct srv_queue *q, struct srv_waiting *w)
{
    unlink_from(&q->ready, w);
    q->ready_rows -= w->rows;
}

struct srv_waiting *srv_queue_take_batch(struct srv_queue *q)
{
    struct srv_waiting *const first = q->ready.first, *last = first, *next;
    if (!first)
        return NULL;
    struct srv_waiting *w = first->next;
    int64_t rows = first->rows;
    take_ready(q, first);
    for (; w && first->rows > 0 && rows < q->max_batch; w = next) {
        next = w->next;
        if (w->rows == 0 || w->rows > q->max_batch - rows || !same_but_rows(first, w))
            continue;
        take_ready(q, w);
        rows += w->rows;
        last->next = w;
        last = w;
    }
    return first;
}

uint64_t srv_queue_ripe(const struct srv_queue *q, uint64_t max_delay)
{
    uint64_t oldest = UINT64_MAX;
    if (max_delay == 0 || q->ready_rows >= q->max_batch)
        return 0;
    for (const struct srv_waiting *w = q->ready.first; w; w = w->next) {
        if (w->rows == 0)
            return 0;
        oldest = w->arrival_ns < oldest ? w->arrival_ns : oldest;
    }
    return oldest > UINT64_MAX - max_delay ? UINT64_MAX : oldest + max_delay;
}

/* ---- both ---- */

struct srv_waiting *srv_queue_drop(struct srv_queue *q,
                                   bool (*is_over)(const struct srv_waiting *w, uint64_t now),
                                   uint64_t now)
{
    struct srv_waiting *dropped = NULL, *next;
    struct srv_waiting_list *const lists[] = {&q->arrived, &q->ready};
    for (int i = 0; i < 2; i++)
        for (struct srv_waiting *w = lists[i]->first; w; w = next) {
            next = w->next;
            if (!is_over(w, now))
                continue;
            q->ready_rows -= i == 1 ? w->rows : 0;
            unlink_from(lists[i], w);
            w->next = dropped;
            dropped = w;
        }
    return dropped;
}
