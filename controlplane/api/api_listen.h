// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// /metrics, /health and /ready over TCP, for a Prometheus that cannot reach the control socket
// (`metrics.listen`; off unless it is set). The same server as there, with GET of these endpoints
// alone: no endpoint that changes anything, or shows names and clients, is on the network.
//
// A request by a name that is not the box's (api_listen_host.h) gets 421: a web page that rebinds
// its own name to the box's address would have its readers' browsers read what is here.
//
// A client outside `metrics.allow` gets no connection (api_listener.h); the peer's address is
// checked again when a request is complete. No TLS and no password: on an untrusted network leave
// this off and use `control.listen` (api_control.c). Bounds: API_LISTEN_CONNECTIONS_MAX
// connections, each with API_LISTEN_LIFE_MS for a request and for taking its reply (one more is
// closed, and so is a slower one: http_conns.h), and API_LISTEN_REQUESTS_MAX requests at a time
// (one more is 503). On the service loop.

#include <stdbool.h>
#include <weir/attr.h>

enum {
	API_LISTEN_REQUESTS_MAX = 4,
	API_LISTEN_CONNECTIONS_MAX = 16,
	API_LISTEN_LIFE_MS = 10000,
};

struct api;

// Nothing, when it is off. -ENOMEM.
ATTR_MUST_CHECK int api_listen_open(struct api *a);
void api_listen_close(struct api *a);
bool api_listen_is_on(const struct api *a); // asked for, whether it listens or not
