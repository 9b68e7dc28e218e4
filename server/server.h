/* Everything that serves: made by `rectifier serve`, seen by every handler. */
#ifndef SRV_SERVER_H
#define SRV_SERVER_H

#include "server/budget.h"
#include "server/config.h"
#include "server/conns.h"
#include "server/cpus.h"
#include "server/dispatch.h"
#include "server/metrics.h"
#include "server/policy.h"
#include "server/repository.h"

struct srv_http;
struct srv_listener;
struct srv_loader;
struct srv_sync;

struct srv_server {
    const struct srv_config *config;
    struct srv_policy policy; /* the effective --version-policy */
    struct srv_cpus cpus;
    uint64_t memory;          /* the effective --memory */
    size_t reply_limit;       /* bytes of one reply */
    struct srv_budget budget; /* bodies, decoded inputs, replies */
    size_t batch_bytes;       /* of each worker's run */
    struct srv_repository repository;
    struct srv_sync *sync;
    struct srv_loader *loader;
    struct rf_pool *pool;
    struct srv_dispatch dispatch;
    struct srv_conns conns;
    struct srv_metrics metrics;
    uint64_t next_roll; /* the accept thread's: when activity's slots are closed */
    struct srv_http *http;
    struct srv_listener *listener;
    atomic_bool loaded;   /* every MODEL was, once */
    atomic_bool ready;    /* requests are welcome */
    atomic_bool draining; /* replies close their connections */
};

#endif
