// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the frontends and of their clients, and of the lag of loops.

#include "metrics.h"

#define FRONT(field, text)                                            \
	METRICS_FIELD(METRICS_COUNTER, struct frontend_counts, field, \
		"weir_frontend_" #field "_total", text, 0)
static const struct metrics_field of_frontend[] = {
	FRONT(answers, "Clients of the frontend that the resolver answered."),
	FRONT(answers_stale, "Of these, answers from a stale record."),
	FRONT(answers_servfail, "Of these, answers with SERVFAIL."),
	FRONT(answers_blocked, "Of these, blocked answers."),
	FRONT(left, "Clients that left before their answer came."),
	FRONT(lost, "Questions of the frontend that got no answer."),
	FRONT(truncated, "Replies of the frontend with TC."),
};

#define UDP(field, metric, text)                                                                   \
	METRICS_FIELD(METRICS_COUNTER, struct frontend_udp_status, field, "weir_fallback_" metric, \
		text, 0)
static const struct metrics_field of_fallback[] = {
	UDP(received, "received_total", "Queries that the control plane received over UDP."),
	UDP(alone, "alone_total", "Of these, queries while no data plane was attached."),
	UDP(sent, "sent_total", "Replies that the control plane sent over UDP."),
	UDP(send_full, "send_full_total",
		"Replies dropped because the kernel's send buffer was full."),
	UDP(send_errors, "send_errors_total", "Replies that the kernel refused to send."),
	UDP(proxied, "proxied_total", "Queries of clients that a balancer named over UDP."),
	UDP(bad_proxy, "bad_proxy_total",
		"Datagrams dropped: no PROXY header, or a bad one, from a balancer."),
	UDP(forwarded_full, "forwarded_full_total",
		"Queries of such clients dropped because too many waited."),
	UDP(kernel_drops, "kernel_drops_total",
		"Queries dropped because the kernel's receive buffer was full."),
	METRICS_FIELD(METRICS_GAUGE, struct frontend_udp_status, bound, "weir_fallback_bound",
		"Service addresses to which the control plane is bound.", 0),
};

static void metrics_frontend(struct metrics_text *t, const struct frontend_status *s)
{
	metrics_family(t, METRICS_COUNTER, "weir_frontend_queries_total",
		"Queries that the frontend received, by verdict.");
	for (unsigned i = 0; i < FRONTEND_TRANSPORTS; i++)
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			if (s->of[i].verdict[v])
				metrics_count(t,
					METRICS_LABELS({"transport", frontend_transport_names[i]},
						{"verdict", verdict_names[v]}),
					s->of[i].verdict[v]);
	metrics_field_rows(t, of_frontend, ARRAY_LEN(of_frontend), s->of, FRONTEND_TRANSPORTS,
		sizeof(s->of[0]), "transport", frontend_transport_names);
}

#define TCP(kind, field, metric, text) \
	METRICS_FIELD(kind, struct frontend_tcp_status, field, "weir_tcp_" metric, text, 0)
static const struct metrics_field of_tcp[] = {
	TCP(METRICS_GAUGE, open, "connections", "TCP connections of clients."),
	TCP(METRICS_GAUGE, cap, "connections_cap", "Most TCP connections of clients."),
	TCP(METRICS_GAUGE, clients, "clients", "Clients with a connection."),
	TCP(METRICS_GAUGE, pending, "pending", "Questions over TCP that wait for an answer."),
	TCP(METRICS_GAUGE, buffered, "buffered_bytes", "Bytes in buffers of TCP connections."),
	TCP(METRICS_GAUGE, buffered_cap, "buffered_cap_bytes",
		"Most bytes in buffers of TCP connections."),
	TCP(METRICS_COUNTER, accepted, "accepted_total", "TCP connections accepted."),
	TCP(METRICS_COUNTER, proxied, "proxied_total",
		"Of these, TCP connections of clients that a balancer named."),
	TCP(METRICS_COUNTER, refused_full, "refused_full_total",
		"TCP connections refused because tcp.connections was reached."),
	TCP(METRICS_COUNTER, refused_client, "refused_client_total",
		"TCP connections refused because their client reached tcp.per_client."),
	TCP(METRICS_COUNTER, refused_denied, "refused_denied_total",
		"TCP connections refused because their client may not ask."),
	TCP(METRICS_COUNTER, accept_paused, "accept_paused_total",
		"Times that accepting paused because no file descriptor was free."),
	TCP(METRICS_COUNTER, queries, "queries_total", "Queries received over TCP."),
	TCP(METRICS_COUNTER, replies, "replies_total", "Replies sent over TCP."),
	TCP(METRICS_COUNTER, bytes_in, "received_bytes_total", "Bytes received over TCP."),
	TCP(METRICS_COUNTER, bytes_out, "sent_bytes_total", "Bytes sent over TCP."),
};

#define TLS(kind, field, metric, text) \
	METRICS_FIELD(kind, struct frontend_tls_status, field, "weir_tls_" metric, text, 0)
static const struct metrics_field of_tls[] = {
	TLS(METRICS_GAUGE, open, "connections", "Connections of clients over TLS."),
	TLS(METRICS_COUNTER, handshakes, "handshakes_total", "TLS handshakes of clients."),
	TLS(METRICS_COUNTER, resumed, "resumed_total", "Of these, sessions resumed by a ticket."),
	TLS(METRICS_COUNTER, certified, "certified_total",
		"TLS handshakes of clients with a certificate that tls.client_ca vouches for."),
};

static void metrics_tls(struct metrics_text *t, const struct frontend_tls_status *s)
{
	metrics_fields(t, s, of_tls, ARRAY_LEN(of_tls));
	metrics_family(t, METRICS_COUNTER, "weir_tls_failed_total",
		"TLS handshakes of clients that failed, by reason.");
	for (unsigned i = 0; i < TLS_REFUSAL_COUNT; i++)
		metrics_count(t, METRICS_LABELS({"why", tls_refusal_names[i]}), s->failed[i]);
}

static void metrics_tcp(struct metrics_text *t, const struct frontend_tcp_status *s)
{
	metrics_fields(t, s, of_tcp, ARRAY_LEN(of_tcp));
	metrics_family(t, METRICS_COUNTER, "weir_tcp_ended_total",
		"TCP connections that ended, by reason.");
	for (unsigned i = FRONTEND_TCP_OPEN + 1; i < FRONTEND_TCP_END_COUNT; i++)
		metrics_count(t, METRICS_LABELS({"why", frontend_tcp_end_names[i]}), s->ended[i]);
	metrics_family(t, METRICS_COUNTER, "weir_tcp_accept_errors_total",
		"TCP connections that weir could not accept, by reason.");
	for (unsigned i = 0; i < FRONTEND_TCP_ACCEPT_ERROR_COUNT; i++)
		metrics_count(t, METRICS_LABELS({"why", frontend_tcp_accept_error_names[i]}),
			s->accept_errors[i]);
}

static void lag_put(struct metrics_text *t, const char *loop, const struct loop_lag_minute *l)
{
	metrics_real(t, METRICS_LABELS({"loop", loop}, {"of", "p50"}), (double)l->p50_us / 1e6);
	metrics_real(t, METRICS_LABELS({"loop", loop}, {"of", "p99"}), (double)l->p99_us / 1e6);
	metrics_real(t, METRICS_LABELS({"loop", loop}, {"of", "max"}), (double)l->max_us / 1e6);
}

void metrics_lag(struct metrics_text *t, const struct loop_lag_minute *resolver,
	const struct loop_lag_minute *frontend, const struct loop_lag_minute *service)
{
	metrics_family(t, METRICS_GAUGE, "weir_loop_lag_seconds",
		"How late an event loop ran its timers in the last minute.");
	lag_put(t, "resolver", resolver);
	lag_put(t, "frontend", frontend);
	lag_put(t, "service", service);
}

void metrics_frontends(struct metrics_text *t, const struct frontends_status *s)
{
	metrics_frontend(t, &s->engine);
	metrics_fields(t, &s->udp, of_fallback, ARRAY_LEN(of_fallback));
	metrics_tcp(t, &s->tcp);
	metrics_tls(t, &s->tcp.tls);
	metrics_doh(t, &s->tcp.doh);
}
