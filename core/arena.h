/*
 * Bump allocator: everything made while loading a model dies with it, at once. Not thread-safe.
 */
#ifndef RF_CORE_ARENA_H
#define RF_CORE_ARENA_H

#include <stddef.h>

struct rf_arena_block;

struct rf_arena {
    struct rf_arena_block *blocks; /* newest first */
};

/* A zeroed arena is ready to use. */
void rf_arena_release(struct rf_arena *arena);
/* Bytes handed out, rounded up to their alignment. */
size_t rf_arena_bytes(const struct rf_arena *arena);

/* Zeroed memory, aligned for any object of C; RF_ALIGN from rf_arena_alloc_aligned. NULL when
 * memory is out. */
void *rf_arena_alloc(struct rf_arena *arena, size_t bytes);
/* `n` elements of `size` bytes; NULL also on overflow. */
void *rf_arena_array(struct rf_arena *arena, size_t n, size_t size);
/* A block of its own, aligned to RF_ALIGN, for weights and tables that kernels read. */
void *rf_arena_alloc_aligned(struct rf_arena *arena, size_t bytes);
char *rf_arena_strdup(struct rf_arena *arena, const char *text);
char *rf_arena_printf(struct rf_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* RF_ALIGN-ed memory, not zeroed, for free(). Large blocks lie on huge pages where the system has
 * them to give: kernels walk through more memory than the processor knows small pages of. */
void *rf_block_alloc(size_t bytes);

#endif
