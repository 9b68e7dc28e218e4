/*
 * Where log lines go: to stderr by a thread of its own, so that a reader that has stopped or a disk
 * that is slow holds up nobody who logs. Lines that find no room or cannot be written are dropped
 * and counted.
 */
#ifndef SRV_SINK_H
#define SRV_SINK_H

#include <stddef.h>
#include <stdint.h>

/* Before it, and without memory for the thread, lines are written by whoever logs. */
void srv_sink_start(void);
/* Before the process ends: gives the lines that wait half a second. */
void srv_sink_flush(void);

/* One line with its newline; any thread. */
void srv_sink_line(const char *line, size_t n);
/* Lines lost so far. */
uint64_t srv_sink_dropped(void);

#endif
