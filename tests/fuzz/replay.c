/*
 * replay_TARGET FOLDER: gives a fuzz target every file of a folder, without libFuzzer. The name of
 * each is printed first, so that the last one is that of a crash; then how many there were.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/file.h"
#include "tests/fuzz/fuzz.h"

static int replay(const char *path)
{
    struct rf_error err = RF_ERROR_INIT;
    char *bytes;
    size_t n;
    printf("%s\n", path);
    fflush(stdout);
    if (rf_file_read(&bytes, &n, path, 1 << 20, &err) != RF_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    /* of exactly this size, so that a sanitizer sees one byte too far */
    char *const exact = realloc(bytes, n ? n : 1);
    LLVMFuzzerTestOneInput((const uint8_t *)(exact ? exact : bytes), n);
    free(exact ? exact : bytes);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *const folder = argc == 2 ? opendir(argv[1]) : NULL;
    int n = 0, failed = 0;
    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (const struct dirent *e; (e = readdir(folder));) {
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        failed |= replay(path);
        n++;
    }
    closedir(folder);
    printf("%d inputs\n", n);
    return failed || n == 0;
}
