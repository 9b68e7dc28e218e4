/* What the libraries have in common that tests preload into the server. */
#ifndef TESTS_SHIM_H
#define TESTS_SHIM_H

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The file that the environment names, which the test maps, too; NULL when there is none. For good.
 */
static inline void *shim_map(const char *variable, size_t size)
{
    const char *path = getenv(variable);
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map = MAP_FAILED;
    if (fd >= 0) {
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    return map == MAP_FAILED ? NULL : map;
}

#endif
