// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// /metrics, /health and /ready over TCP, for a Prometheus that cannot reach the control socket
// (`metrics.listen`; off unless it is set). The same server as there, with GET of these endpoints
// alone: no endpoint that changes anything, or shows names and clients, is on the network.
//
// A client outside `metrics.allow` gets no connection: a filter on the listening socket drops its
// packets in the kernel, so it holds no descriptor. The peer's address is checked again when a
// request is complete. No TLS and no password: on an untrusted network leave this off or use a
// proxy that has them. Bounds: API_LISTEN_CONNECTIONS_MAX connections, each with API_LISTEN_LIFE_MS
// for a request and for taking its reply (one more is closed, and so is a slower one:
// http_conns.h), and API_LISTEN_REQUESTS_MAX requests at a time (one more is 503). On the service
// loop.
//
// If the address cannot be bound (mostly because it is in use) weir serves all the same: that is
// logged, shown in `weirctl status` and /ready, counted, and tried again after 1 s, 2 s and so on
// up to 60 s.

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <weir/attr.h>
#include <weir/config.h>

enum {
	API_LISTEN_REQUESTS_MAX = 4,
	API_LISTEN_CONNECTIONS_MAX = 16,
	API_LISTEN_LIFE_MS = 10000,
	API_LISTEN_AGAIN_MAX_S = 60,
};

struct event;
struct http_server;

struct api_listener {
	struct http_server *server; // NULL: off, or not yet
	struct event *again;        // NULL: nothing is to be tried again
	unsigned wait_s;            // until then
	int error;                  // why not, -errno; 0: it listens, or is off
	uint64_t failures;
};

struct api;

// Nothing, when it is off. -ENOMEM.
ATTR_MUST_CHECK int api_listen_open(struct api *a);
void api_listen_close(struct api *a);
bool api_listen_is_on(const struct api *a); // asked for, whether it listens or not

// Its parts, for tests: a listening socket or -errno; whether a peer may ask.
ATTR_MUST_CHECK int api_listen_socket(const struct config_metrics *c);
bool api_listen_admits(const struct config_metrics *c, const struct sockaddr_storage *peer);
