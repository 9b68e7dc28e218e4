/* Log lines: building and escaping. */
#include "server/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/sink.h"

static bool as_json;
static enum srv_level least_level = SRV_INFO;

/* Room kept for the end of the line: a closing quote, brace and newline. */
#define TAIL 4
#define MAX_VALUE 512

void srv_log_configure(bool json, enum srv_level least)
{
    as_json = json;
    least_level = least;
}

static void add(struct srv_line *line, const char *bytes, size_t n)
{
    if (line->len + n + TAIL > sizeof line->text) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, bytes, n);
    line->len += n;
}

/* In both formats a quoted value is a JSON string; bytes beyond ASCII become '?'. */
static void add_quoted(struct srv_line *line, const char *value)
{
    add(line, "\"", 1);
    for (size_t i = 0; i < MAX_VALUE && value[i]; i++) {
        const unsigned char c = (unsigned char)value[i];
        char escaped[8] = {(char)c};
        if (c == '"' || c == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
        else if (c >= 0x80)
            escaped[0] = '?';
        add(line, escaped, strlen(escaped));
    }
    /* The tail's room is for this quote even when the value was cut. */
    line->text[line->len++] = '"';
}

static bool is_plain(const char *value)
{
    if (!*value)
        return false;
    for (const char *p = value; *p; p++)
        if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '=' || *p == '\\')
            return false;
    return true;
}

static void add_key(struct srv_line *line, const char *key)
{
    if (as_json) {
        add(line, line->len > 1 ? ",\"" : "\"", line->len > 1 ? 2 : 1);
        add(line, key, strlen(key));
        add(line, "\":", 2);
    } else {
        add(line, " ", line->len > 0 ? 1 : 0);
        add(line, key, strlen(key));
        add(line, "=", 1);
    }
}

/* A key with its value is written whole or not at all, so that JSON stays JSON. */
static bool fits(struct srv_line *line, const char *key, size_t value_bytes)
{
    if (line->skip || line->full)
        return false;
    if (line->len + strlen(key) + 4 + value_bytes + TAIL > sizeof line->text)
        line->full = true;
    return !line->full;
}

static size_t quoted_bytes(const char *value)
{
    size_t n = 2;
    for (size_t i = 0; i < MAX_VALUE && value[i]; i++) {
        const unsigned char c = (unsigned char)value[i];
        n += c == '"' || c == '\\' ? 2 : c < 0x20 || c == 0x7f ? 6 : 1;
    }
    return n;
}

void srv_line_text(struct srv_line *line, const char *key, const char *value)
{
    if (!fits(line, key, quoted_bytes(value)))
        return;
    add_key(line, key);
    if (!as_json && is_plain(value))
        add(line, value, strnlen(value, MAX_VALUE));
    else
        add_quoted(line, value);
}

static void line_number(struct srv_line *line, const char *key, const char *digits)
{
    if (!fits(line, key, strlen(digits)))
        return;
    add_key(line, key);
    add(line, digits, strlen(digits));
}

void srv_line_uint(struct srv_line *line, const char *key, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    line_number(line, key, digits);
}

void srv_line_ms(struct srv_line *line, const char *key, uint64_t ns)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%" PRIu64 ".%03" PRIu64, ns / 1000000, ns / 1000 % 1000);
    line_number(line, key, digits);
}

static void add_time(struct srv_line *line)
{
    struct timespec now;
    struct tm tm;
    char text[48];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    const size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof text - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
    srv_line_text(line, "ts", text);
}

void srv_line_begin(struct srv_line *line, enum srv_level level, const char *message)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    line->skip = level > least_level;
    line->full = false;
    line->len = 0;
    if (line->skip)
        return;
    if (as_json)
        add(line, "{", 1);
    add_time(line);
    srv_line_text(line, "level", names[level]);
    srv_line_text(line, "msg", message);
}

void srv_line_end(struct srv_line *line)
{
    if (line->skip)
        return;
    if (as_json)
        line->text[line->len++] = '}';
    line->text[line->len++] = '\n';
    srv_sink_line(line->text, line->len);
}

void srv_log(enum srv_level level, const char *fmt, ...)
{
    char message[MAX_VALUE];
    struct srv_line line;
    va_list args;
    if (level > least_level)
        return;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    srv_line_begin(&line, level, message);
    srv_line_end(&line);
}
