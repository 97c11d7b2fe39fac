// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_tcp_kind.h"

#include "frontend_tcp_conn.h"

#include <stdio.h>

const char *const frontend_tcp_kind_names[FRONTEND_TCP_KINDS] = {
	[FRONTEND_TCP_CLEAR] = "tcp",
	[FRONTEND_TCP_DOT] = "dot",
	[FRONTEND_TCP_DOH] = "doh",
};

static const struct tcp_kind kinds[] = {
	[FRONTEND_TCP_CLEAR] =
		{
			.transport = FRONTEND_TCP,
			.take = conn_take,
			.resume = conn_take_held,
		},
	[FRONTEND_TCP_DOT] =
		{
			.transport = FRONTEND_DOT,
			.alpn = "\3dot",
			.take = conn_take,
			.resume = conn_take_held,
		},
};

const struct tcp_kind *tcp_kind_of(enum frontend_tcp_kind kind)
{
	return kind == FRONTEND_TCP_DOH ? &tcp_kind_doh : &kinds[kind];
}

void frontend_tcp_settings_of(const struct config *c, struct frontend_tcp_settings *out)
{
	*out = (struct frontend_tcp_settings){.tcp = c->tcp, .balancers = c->proxy_protocol};
	out->serves[FRONTEND_TCP_CLEAR] = (struct frontend_tcp_port){c->tcp.enabled, FRONTEND_PORT};
	out->serves[FRONTEND_TCP_DOT] = (struct frontend_tcp_port){c->dot.enabled, c->dot.port};
	out->serves[FRONTEND_TCP_DOH] = (struct frontend_tcp_port){c->doh.enabled, c->doh.port};
	frontend_names_of(c, &out->names);
	out->doh = (struct doh_settings){.streams = c->tcp.pipelined,
		.request_ms = c->tcp.query_timeout_s * 1000,
		.drain_ms = CONN_DRAIN_MS};
	(void)snprintf(out->doh.path, sizeof(out->doh.path), "%s", c->doh.path);
}
