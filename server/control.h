/* Who may do what only the server's operator should. */
#ifndef SRV_CONTROL_H
#define SRV_CONTROL_H

#include "server/request.h"

/* With --admin-port whoever asks there, else whoever asks from this machine; never a web page.
 * False after a reply of 403, which begins with `what`: "a baseline is set". */
bool srv_may_control(struct srv_request *r, const char *what);

#endif
