/* Numbers with units, as people write them: "100us", "30s", "64MiB". */
#ifndef SRV_UNITS_H
#define SRV_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each is false unless the whole text is such a number that fits. */
bool srv_parse_uint(const char *text, uint64_t *value);
/* ns, us, ms, s, m, h; a bare 0 needs no unit. Nanoseconds. */
bool srv_parse_duration(const char *text, uint64_t *ns);
/* Bytes: none or B, KiB, MiB, GiB, TiB; KB, MB, GB, TB are powers of 1000. */
bool srv_parse_size(const char *text, uint64_t *bytes);

/* In the largest unit that divides the number. */
#define SRV_UNIT_TEXT 32
const char *srv_duration_text(uint64_t ns, char *text, size_t size);
const char *srv_size_text(uint64_t bytes, char *text, size_t size);
/* Rounded, for people: "12.1 KiB"; "10.0 MiB" and more in MiB. */
const char *srv_bytes_text(size_t bytes, char text[SRV_UNIT_TEXT]);

#endif
