#include "tests/support/fence.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/net.h"

static char what[200];
static struct sigaction former;

/* Says which case it was; the access is then tried again, and goes to who handled faults before. */
static void on_fault(int signal)
{
    static const char text[] = "touches what is not its operand: ";

    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ||
        write(STDERR_FILENO, what, strlen(what)) < 0 || write(STDERR_FILENO, "\n", 1) < 0)
        _exit(1);
    sigaction(signal, &former, NULL);
}

static void must(int good, const char *text)
{
    if (good)
        return;
    fprintf(stderr, "fences: %s\n", text);
    abort();
}

void test_fences_init(struct test_fences *f, size_t bytes)
{
    const struct sigaction action = {.sa_handler = on_fault};

    memset(f, 0, sizeof(*f));
    f->page = (size_t)sysconf(_SC_PAGESIZE);
    f->bytes = (bytes + f->page - 1) / f->page * f->page;
    for (int i = 0; i < TEST_FENCES; i++) {
        f->room[i] =
            mmap(NULL, f->bytes + 2 * f->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(f->room[i] != MAP_FAILED, "out of memory");
        must(!mprotect(f->room[i] + f->page, f->bytes, PROT_READ | PROT_WRITE), "out of memory");
    }
    must(!sigaction(SIGSEGV, &action, &former), "no handler");
}

void test_fences_release(struct test_fences *f)
{
    sigaction(SIGSEGV, &former, NULL);
    for (int i = 0; i < TEST_FENCES; i++)
        munmap(f->room[i], f->bytes + 2 * f->page);
}

void test_fences_begin(struct test_fences *f, enum test_side side, const char *format, ...)
{
    va_list args;

    f->used = 0;
    f->side = side;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
}

void *test_fenced(struct test_fences *f, size_t bytes)
{
    must(f->used < TEST_FENCES, "too many operands");
    must(bytes <= f->bytes, "an operand is too large");
    char *const first = f->room[f->used++] + f->page;

    return f->side == TEST_BEFORE ? first : first + f->bytes - bytes;
}

float *test_fenced_floats(struct test_fences *f, uint64_t *seed, size_t n)
{
    float *const x = test_fenced(f, n * sizeof(float));

    test_random_fill(seed, x, n);
    return x;
}
