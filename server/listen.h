/*
 * The listening sockets, one or with --admin-port two, and their thread: accepts, answers 503
 * itself when there are too many connections, sweeps expired ones, and reads from closing sockets
 * until their peers have read our reply (else the kernel's reset would destroy it).
 */
#ifndef SRV_LISTEN_H
#define SRV_LISTEN_H

#include "core/status.h"
#include "server/server.h"

#define SRV_ADDRESS_TEXT 64

enum srv_port { SRV_PORT_MAIN, SRV_PORT_ADMIN, SRV_N_PORTS };

struct srv_listener;

/* Binds, so that a port in use is known before models are loaded. `host` is an IPv4 or IPv6
 * address, or a name. */
enum rf_status srv_listener_new(struct srv_listener **out, struct srv_server *server,
                                struct rf_error *err) RF_CHECKED;
/* Begins to accept; server->http must be there. */
enum rf_status srv_listener_start(struct srv_listener *l, struct rf_error *err) RF_CHECKED;
/* "127.0.0.1:8080" or "[::1]:8080", with the port really taken; "" without an admin port. */
const char *srv_listener_address(const struct srv_listener *l, enum srv_port port);
/* Which one a connection came by. */
enum srv_port srv_listener_port_of(const struct srv_listener *l, int fd);
/* Hands over what is in the accept queues, then closes the ports. Returns when that is done. */
void srv_listener_close(struct srv_listener *l);
/* Ends the thread. NULL is fine. */
void srv_listener_free(struct srv_listener *l);

/* Takes a socket to close once its peer has; any thread. */
void srv_listener_linger(void *listener, int fd);

#endif
