/* Tells the service manager how the server does: sd_notify's protocol, a datagram to the socket
 * that NOTIFY_SOCKET names. */
#ifndef SRV_NOTIFY_H
#define SRV_NOTIFY_H

/* Lines of NAME=VALUE. Does nothing where no manager listens. */
void srv_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
