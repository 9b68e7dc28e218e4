/* /proc/self: see proc(5) for the fields of stat. */
#include "server/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    double n = -3; /* ".", ".." and the folder itself */
    if (!dir)
        return -1;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* When the machine started, in seconds of the day's clock. */
static double boot_time(void)
{
    struct timespec now, up;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || clock_gettime(CLOCK_BOOTTIME, &up) != 0)
        return 0;
    return (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) * 1e-9;
}

static void read_stat(struct srv_process *p)
{
    char text[1024];
    FILE *f = fopen("/proc/self/stat", "re");
    const size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    /* The command's name may hold anything; the last ')' ends it. */
    const char *rest = strrchr(text, ')');
    unsigned long user, system;
    long threads, resident;
    unsigned long long start;
    if (!rest || sscanf(rest + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %ld"
                        " %*d %llu %*u %ld",
                        &user, &system, &threads, &start, &resident) != 5)
        return;
    const double tick = (double)sysconf(_SC_CLK_TCK);
    p->cpu_seconds = ((double)user + (double)system) / tick;
    p->threads = (double)threads;
    p->start_time = boot_time() + (double)start / tick;
    p->resident_bytes = (double)resident * (double)sysconf(_SC_PAGESIZE);
}

void srv_process_read(struct srv_process *p)
{
    struct rlimit limit;
    *p = (struct srv_process){-1, -1, -1, -1, -1, -1};
    read_stat(p);
    p->open_fds = count_fds();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        p->max_fds = (double)limit.rlim_cur;
}
