/* What handlers share. The handlers themselves are declared by the table in routes.h. */
#ifndef SRV_HANDLERS_H
#define SRV_HANDLERS_H

#include "core/rectifier.h"
#include "server/request.h"

struct srv_model;
struct srv_server;

/* The model and version in the path, the request's own from now on (r->job.model); or NULL after an
 * error. */
struct srv_model *srv_find_model(struct srv_server *server, struct srv_request *r);

/* The same for any inference: /infer names none. */
struct srv_model *srv_find_asked_model(struct srv_server *server, struct srv_request *r);

/* Whether models may be loaded and unloaded by request, by this one. False after a reply. */
bool srv_may_load(struct srv_request *r);

/* Makes a job for r->job.model. RF_TAKES_ANY: other forms than JSON may come and go, too. */
enum srv_next srv_infer_enqueue(struct srv_request *r, enum rf_takes takes);
/* Looks at the body that was received: in which forms it and the reply are. False after a reply. */
bool srv_infer_prepare(struct srv_request *r);

/* The text of /metrics, in one of its two formats. */
void srv_metrics_text(struct rf_buf *b, struct srv_server *server, bool open_metrics);

#endif
