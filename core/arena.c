#include "core/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/tensor.h"

#define BLOCK_BYTES 65536
#define HUGE_PAGE ((size_t)2 << 20)

struct rf_arena_block {
    struct rf_arena_block *next;
    size_t used, cap;
    _Alignas(RF_ALIGN) char bytes[];
};

void *rf_block_alloc(size_t bytes)
{
    const size_t huge = bytes / HUGE_PAGE * HUGE_PAGE;
    void *data;

    if (posix_memalign(&data, huge ? HUGE_PAGE : RF_ALIGN, bytes))
        return NULL;
    if (huge)
        madvise(data, huge, MADV_HUGEPAGE); /* a wish: without it the pages are small */
    return data;
}

static struct rf_arena_block *block_new(size_t cap)
{
    if (cap > SIZE_MAX / 2)
        return NULL;
    const size_t bytes = rf_align_up(sizeof(struct rf_arena_block) + cap);
    struct rf_arena_block *const block = rf_block_alloc(bytes);

    if (block)
        *block = (struct rf_arena_block){.cap = cap};
    return block;
}

void rf_arena_release(struct rf_arena *arena)
{
    while (arena->blocks) {
        struct rf_arena_block *const block = arena->blocks;

        arena->blocks = block->next;
        free(block);
    }
}

size_t rf_arena_bytes(const struct rf_arena *arena)
{
    size_t bytes = 0;

    for (const struct rf_arena_block *block = arena->blocks; block; block = block->next)
        bytes += block->used;
    return bytes;
}

void *rf_arena_alloc(struct rf_arena *arena, size_t bytes)
{
    const size_t align = _Alignof(max_align_t);
    struct rf_arena_block *block = arena->blocks;

    if (bytes > BLOCK_BYTES)
        return rf_arena_alloc_aligned(arena, bytes);
    bytes = ((bytes ? bytes : 1) + align - 1) / align * align;
    if (!block || block->cap - block->used < bytes) {
        block = block_new(BLOCK_BYTES);
        if (!block)
            return NULL;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *const p = block->bytes + block->used;

    block->used += bytes;
    return memset(p, 0, bytes);
}

void *rf_arena_array(struct rf_arena *arena, size_t n, size_t size)
{
    size_t bytes;

    return __builtin_mul_overflow(n, size, &bytes) ? NULL : rf_arena_alloc(arena, bytes);
}

/* Full from the start and put behind the block in use, so that small requests go on there. */
void *rf_arena_alloc_aligned(struct rf_arena *arena, size_t bytes)
{
    struct rf_arena_block *const block = block_new(bytes ? bytes : 1);

    if (!block)
        return NULL;
    block->used = block->cap;
    if (arena->blocks) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        arena->blocks = block;
    }
    return memset(block->bytes, 0, bytes);
}

char *rf_arena_strdup(struct rf_arena *arena, const char *text)
{
    const size_t n = strlen(text) + 1;
    char *const copy = rf_arena_alloc(arena, n);

    return copy ? memcpy(copy, text, n) : NULL;
}

char *rf_arena_printf(struct rf_arena *arena, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return rf_arena_strdup(arena, text);
}
