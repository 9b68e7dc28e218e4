/* X-Request-Id and traceparent: taken from the client when they are sound. */
#ifndef SRV_REQUEST_ID_H
#define SRV_REQUEST_ID_H

#include <stdbool.h>

#define SRV_REQUEST_ID_MADE 17 /* bytes of an id made here, terminator included */
#define SRV_MAX_REQUEST_ID 129 /* of one taken from the client */
#define SRV_TRACEPARENT 56     /* "00-" 32 hex "-" 16 hex "-" 2 hex */

/* Unique among the ids of all servers, as good as certainly. Thread-safe. */
void srv_request_id_make(char id[SRV_REQUEST_ID_MADE]);
/* Printable ASCII without blanks at the ends, 1 to 128 characters. */
bool srv_request_id_is_sound(const char *id);
bool srv_traceparent_is_valid(const char *text);

#endif
