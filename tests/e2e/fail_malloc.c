/*
 * Preloaded into the server by test_memory_full.py: makes one allocation fail that the program
 * itself asks for (those of its libraries do not count), and keeps count of what is allocated.
 */
#include "tests/e2e/shim.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);
extern void __libc_free(void *block);

/* In a file that the test maps, too. */
struct control {
    atomic_int_fast64_t countdown; /* the allocation to fail, 1 being the next; 0: none */
    atomic_int_fast64_t live;      /* blocks allocated and not freed */
};
static struct control unused;
static struct control *control = &unused;
static uintptr_t program_start, program_end;

static int find_program(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *const segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        program_start = (uintptr_t)(info->dlpi_addr + segment->p_vaddr);
        program_end = program_start + segment->p_memsz;
    }
    return 1; /* the program comes first */
}

static void __attribute__((constructor)) map_control(void)
{
    struct control *map = shim_map("FAIL_MALLOC", sizeof *map);
    if (map)
        control = map;
    dl_iterate_phdr(find_program, NULL);
}

static bool fails(const void *caller)
{
    const uintptr_t at = (uintptr_t)caller;
    if (at < program_start || at >= program_end || atomic_load(&control->countdown) <= 0 ||
        atomic_fetch_sub(&control->countdown, 1) != 1)
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *block)
{
    if (block)
        atomic_fetch_add(&control->live, 1);
    return block;
}

void *malloc(size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(n));
}

void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_calloc(n, size));
}

static void *resize(void *old, size_t n)
{
    void *block = __libc_realloc(old, n);
    if (!old)
        counted(block);
    else if (!block && n == 0)
        atomic_fetch_sub(&control->live, 1);
    return block;
}

void *realloc(void *old, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : resize(old, n);
}

void *reallocarray(void *old, size_t n, size_t size)
{
    if (fails(__builtin_return_address(0)) || __builtin_mul_overflow(n, size, &n))
        return NULL;
    return resize(old, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_memalign(alignment, n));
}

int posix_memalign(void **block, size_t alignment, size_t n)
{
    if (fails(__builtin_return_address(0)))
        return ENOMEM;
    *block = counted(__libc_memalign(alignment, n));
    return *block ? 0 : ENOMEM;
}

char *strdup(const char *text)
{
    const size_t n = strlen(text) + 1;
    char *copy = fails(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(n));
    return copy ? memcpy(copy, text, n) : NULL;
}

void free(void *block)
{
    if (block)
        atomic_fetch_sub(&control->live, 1);
    __libc_free(block);
}
