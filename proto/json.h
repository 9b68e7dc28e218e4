/*
 * JSON from outside. rf_json_check proves a whole text: grammar, UTF-8, nesting of at most
 * RF_JSON_DEPTH, without recursion or allocation. Over a checked text the walkers below need no
 * error paths. What is small and read at load time (model.json, safetensors' header) goes on to
 * jansson by rf_json_parse; what clients send never does, it would grow twentyfold and more.
 */
#ifndef RF_PROTO_JSON_H
#define RF_PROTO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define RF_JSON_DEPTH 64

/* `what` starts the message ("request body"). `tokens`: the bare NaN, Infinity and -Infinity are
 * values, too. RF_FORMAT says what is wrong at which line and column. */
enum rf_status rf_json_check(const char *what, const void *text, size_t len, bool tokens,
                             struct rf_error *err) RF_CHECKED;

/* Past white space. */
const char *rf_json_space(const char *at);
/* Past the value that starts at `at`, which lies within an array or object. */
const char *rf_json_past(const char *at);
/* Past what an array of numbers consists of: digits, signs, points, exponents, commas and white
 * space. `*commas` grows by those passed. */
const char *rf_json_past_numbers(const char *at, int64_t *commas);

/*
 * Walks an object or array: `*at` is its opening bracket at first, and belongs to the walk. False
 * at the end. `*key` points to the key's opening quote, `*value` to the value's first byte.
 */
bool rf_json_member(const char **at, const char **key, const char **value);
bool rf_json_element(const char **at, const char **value);

/* Decodes the string whose opening quote is at `quote`. False, with `out` cut short at a whole
 * character, when it needs more than size - 1 bytes or holds U+0000. */
bool rf_json_string(const char *quote, char *out, size_t size);

/* "an object", "a string", ... for messages. */
const char *rf_json_kind(const char *at);

/* jansson's tree of the text, duplicate keys refused; the caller calls json_decref. */
struct json_t;
enum rf_status rf_json_parse(struct json_t **out, const char *what, const void *text, size_t len,
                             struct rf_error *err) RF_CHECKED;

#endif
