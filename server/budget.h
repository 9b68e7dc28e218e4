/* Bytes that all requests together may hold. Thread-safe. */
#ifndef SRV_BUDGET_H
#define SRV_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct srv_budget {
    atomic_size_t used;
    size_t limit;
};

static inline bool srv_budget_take(struct srv_budget *b, size_t n)
{
    const size_t before = atomic_fetch_add(&b->used, n);
    if (n <= b->limit && before <= b->limit - n)
        return true;
    atomic_fetch_sub(&b->used, n);
    return false;
}

static inline void srv_budget_give(struct srv_budget *b, size_t n)
{
    atomic_fetch_sub(&b->used, n);
}

#endif
