// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// /metrics, /health and /ready over TCP, for a Prometheus that cannot reach the control socket
// (`metrics.listen`; off unless it is set). The same server and endpoints as there, GET alone, and
// nothing else: what changes something, or shows names and clients, is not on the network.
//
// Who is not in `metrics.allow` gets no connection: a filter on the listening socket drops its
// packets in the kernel, so it can hold no descriptor of ours. The peer's address is looked at once
// more when a request is complete. No TLS and no password: where the network between is not
// trusted, leave this off or put a proxy that has them in front.
// Bounds: API_LISTEN_REQUESTS_MAX requests at a time (one more is 503), the rest as in
// http_server.h: connections are not counted, so who is in `allow` must be trusted with descriptors
// and with replies that it takes slowly. On the service loop.

#include <stdbool.h>
#include <sys/socket.h>
#include <weir/config.h>

enum { API_LISTEN_REQUESTS_MAX = 4 };

struct api;

// Nothing, when it is off. -errno.
ATTR_MUST_CHECK int api_listen_open(struct api *a);

// Its parts, for tests: a listening socket or -errno; whether a peer may ask.
ATTR_MUST_CHECK int api_listen_socket(const struct config_metrics *c);
bool api_listen_admits(const struct config_metrics *c, const struct sockaddr_storage *peer);
