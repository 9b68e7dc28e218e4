/*
 * The log: one event a line on stderr, logfmt for people or JSON for machines. A line is built on
 * the caller's stack and left to the sink, which never makes it wait (sink.h). Values are escaped,
 * so nothing that a client sends can forge a line. Thread-safe after srv_log_configure.
 */
#ifndef SRV_LOG_H
#define SRV_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum srv_level { SRV_ERROR, SRV_WARN, SRV_INFO, SRV_DEBUG };

void srv_log_configure(bool json, enum srv_level least);

#define SRV_LINE_BYTES 2048

struct srv_line {
    bool skip; /* below the level: every call does nothing */
    bool full; /* values that no longer fit are left out */
    size_t len;
    char text[SRV_LINE_BYTES];
};

void srv_line_begin(struct srv_line *line, enum srv_level level, const char *message);
void srv_line_text(struct srv_line *line, const char *key, const char *value);
void srv_line_uint(struct srv_line *line, const char *key, uint64_t value);
void srv_line_ms(struct srv_line *line, const char *key, uint64_t ns); /* as milliseconds */
void srv_line_end(struct srv_line *line);

/* A line that is only a message. */
void srv_log(enum srv_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
