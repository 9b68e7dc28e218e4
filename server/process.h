/* This process's use of the machine, from /proc; what cannot be read is negative. */
#ifndef SRV_PROCESS_H
#define SRV_PROCESS_H

struct srv_process {
    double cpu_seconds, start_time; /* of day */
    double resident_bytes, open_fds, max_fds, threads;
};

void srv_process_read(struct srv_process *p);

#endif
