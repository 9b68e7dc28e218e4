/* What this process may use: CPUs by affinity and cgroup quota, memory by cgroup and machine. */
#ifndef SRV_CPUS_H
#define SRV_CPUS_H

#include <stdbool.h>
#include <stdint.h>

struct srv_cpus {
    int affinity;    /* CPUs this process may run on */
    double quota;    /* cores a cgroup grants, or 0: no limit */
    int threads;     /* min(affinity, quota rounded down), at least 1 */
    const char *why; /* "affinity" or "cgroup quota" */
};

void srv_cpus_read(struct srv_cpus *cpus);
/* What --threads means: 0 is as many as there may be. */
int srv_cpus_threads(const struct srv_cpus *cpus, uint64_t option);
/* Whether so many threads may wait awake for a moment: nobody meters their time, and each has a CPU
 * of its own. */
bool srv_cpus_may_spin(const struct srv_cpus *cpus, int threads);
/* Bytes of memory: the cgroup's limit if it has one, else the machine's. */
uint64_t srv_memory_limit(void);
/* What --memory means: 0 is half of that. */
uint64_t srv_memory(uint64_t option);

#endif
