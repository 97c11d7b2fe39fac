// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the resolver: misses, upstreams, and clients of the frontend.

#include "metrics.h"

#define TOTAL(field, text)                                            \
	METRICS_FIELD(METRICS_COUNTER, struct resolver_status, field, \
		"weir_resolver_" #field "_total", text, 0)
#define NOW(field, text) \
	METRICS_FIELD(   \
		METRICS_GAUGE, struct resolver_status, field, "weir_resolver_" #field, text, 0)
#define OTHER(kind, field, metric, text, scale) \
	METRICS_FIELD(kind, struct resolver_status, field, "weir_resolver_" metric, text, scale)

static const struct metrics_field of_resolver[] = {
	TOTAL(misses, "Questions that were not in L0."),
	TOTAL(coalesced, "Of these, questions that joined one in flight."),
	TOTAL(refreshes, "Questions that refresh-ahead asked."),
	TOTAL(bad_misses, "Messages of workers that held no question."),
	TOTAL(answered, "Clients that the resolver answered from upstreams or a cache."),
	TOTAL(answered_stale, "Clients that the resolver answered with a stale record."),
	TOTAL(servfail, "Clients that the resolver answered with SERVFAIL."),
	TOTAL(failed_recently, "Of these, because the question failed a moment ago (RFC 9520)."),
	TOTAL(late, "Answers not sent because the client no longer waits."),
	TOTAL(no_waiter, "Answers for which no client waited."),
	TOTAL(answer_ring_full, "Answers dropped because the answer ring was full."),
	TOTAL(answer_evicted, "Answers dropped because their worker was evicted."),
	TOTAL(answers_truncated, "Answers sent with TC."),
	TOTAL(refused_inflight, "Questions refused because limits.inflight was reached."),
	TOTAL(refused_waiters, "Clients refused because no more clients could wait."),
	TOTAL(refused_zone, "Questions refused because their zone reached limits.zone_inflight."),
	TOTAL(refused_suffix,
		"Questions refused because three quarters of limits.inflight are below their "
		"public suffix."),
	TOTAL(refused_client,
		"Questions refused because their client reached limits.client_waiters."),
	TOTAL(unlimited_zone,
		"Questions over limits.zone_inflight, of a zone in limits.unlimited_zones."),
	TOTAL(unlimited_client,
		"Questions over limits.client_waiters, of a client in limits.unlimited_clients."),
	OTHER(METRICS_GAUGE, met_bounds.met[0].count, "bound_refused",
		"Questions refused in the last 5 to 10 minutes to the zone or client that met a "
		"bound most.",
		0),
	TOTAL(cut_short, "Questions ended to make room because no client waited any more."),
	TOTAL(upstream_sent, "Queries sent to upstreams of all views."),
	TOTAL(upstream_replies, "Replies of upstreams that the resolver accepted."),
	TOTAL(mismatched, "Replies that matched no question."),
	TOTAL(stored, "Answers stored in L0."),
	TOTAL(not_stored, "Answers not stored in L0."),
	TOTAL(rewritten, "Questions that weir asked under another name."),
	TOTAL(refused_rewrites, "Questions under another name refused because there was no room."),
	TOTAL(forwarded, "Questions sent to the servers of a forward zone."),
	TOTAL(dns64, "AAAA questions without an answer that were asked for A (DNS64)."),
	TOTAL(filtered_aaaa, "AAAA questions answered without AAAA by ipv6.filter_aaaa."),
	TOTAL(l1_answers, "Questions answered from L1."),
	TOTAL(refreshed_elsewhere, "Refreshes left to another box."),
	TOTAL(ring_anomalies, "Implausible values read from shared memory."),
	TOTAL(foreign_messages, "Messages of the data plane of an earlier run or a wrong shape, or "
				"changed on the way."),
	TOTAL(upstream_tcp_again, "Queries sent again because their TCP connection ended."),
	OTHER(METRICS_GAUGE, streams.open, "upstream_tcp_open", "TCP connections to upstreams.", 0),
	OTHER(METRICS_GAUGE, streams.queries, "upstream_tcp_queries",
		"Queries on TCP connections that wait for replies.", 0),
	OTHER(METRICS_COUNTER, streams.opened, "upstream_tcp_opened_total",
		"TCP connections opened to upstreams.", 0),
	OTHER(METRICS_COUNTER, streams.reused, "upstream_tcp_reused_total",
		"Queries on a TCP connection that had carried one before.", 0),
	OTHER(METRICS_COUNTER, streams.late, "upstream_tcp_late_total",
		"Replies over TCP that no question waited for any more.", 0),
	OTHER(METRICS_COUNTER, streams.bad, "upstream_tcp_bad_total",
		"TCP connections closed because the server sent a reply to no query.", 0),
	OTHER(METRICS_COUNTER, streams.stalled, "upstream_tcp_stalled_total",
		"TCP connections closed because the server sent nothing.", 0),
	OTHER(METRICS_COUNTER, streams.broken, "upstream_tcp_broken_total",
		"TCP connections closed within a message.", 0),
	OTHER(METRICS_GAUGE, streams.waiting, "upstream_tcp_waiting",
		"Queries that wait for a TCP connection.", 0),
	OTHER(METRICS_COUNTER, streams.waited, "upstream_tcp_waited_total",
		"Queries that had to wait for a TCP connection.", 0),
	OTHER(METRICS_COUNTER, streams.closed_peer, "upstream_tcp_closed_peer_total",
		"TCP connections that the upstream or the network ended.", 0),
	OTHER(METRICS_COUNTER, streams.closed_idle, "upstream_tcp_closed_idle_total",
		"Idle TCP connections that weir closed.", 0),
	OTHER(METRICS_COUNTER, streams.evicted, "upstream_tcp_evicted_total",
		"Idle or stalled TCP connections closed to make room.", 0),
	OTHER(METRICS_COUNTER, streams.full, "upstream_tcp_full_total",
		"Queries over TCP refused because too many wait for a connection.", 0),
	OTHER(METRICS_COUNTER, sockets.opened, "upstream_sockets_opened_total",
		"UDP sockets opened for upstreams.", 0),
	OTHER(METRICS_COUNTER, sockets.full, "upstream_sockets_full_total",
		"Times that no UDP socket was free.", 0),
	OTHER(METRICS_COUNTER, sockets.strays, "upstream_strays_total",
		"Datagrams and errors received at unused sockets.", 0),
	OTHER(METRICS_COUNTER, port.sent, "upstream_port_sent_total",
		"Queries to upstreams that a worker sent through its port.", 0),
	OTHER(METRICS_COUNTER, port.replies, "upstream_port_replies_total",
		"Datagrams of upstreams that workers handed over.", 0),
	OTHER(METRICS_COUNTER, port.unreachable, "upstream_port_unreachable_total",
		"ICMP port unreachable for these queries.", 0),
	OTHER(METRICS_COUNTER, port.strays, "upstream_port_strays_total",
		"Messages of workers that no query waited for.", 0),
	OTHER(METRICS_COUNTER, port.refused, "upstream_port_refused_total",
		"Queries that a worker did not send, and a socket did.", 0),
	OTHER(METRICS_COUNTER, port.dead, "upstream_port_dead_total",
		"Queries that a socket sent again because their worker died.", 0),
	OTHER(METRICS_COUNTER, port.unsent, "upstream_port_unsent_total",
		"Queries that no worker took, and a socket sent.", 0),
	OTHER(METRICS_COUNTER, port.full, "upstream_port_full_total",
		"Queries for which no local port of the port was free, and a socket sent.", 0),
	OTHER(METRICS_GAUGE, port.open, "upstream_port_open",
		"Queries to upstreams under way through the port.", 0),
	OTHER(METRICS_GAUGE, sockets.open, "upstream_sockets_open",
		"UDP sockets that are open for upstreams.", 0),
	NOW(inflight, "Questions in flight."),
	NOW(inflight_cap, "Most questions that can be in flight."),
	NOW(waiters, "Clients that wait for an answer."),
	NOW(waiter_cap, "Most clients that can wait."),
	NOW(link_up, "Whether a data plane is connected."),
	NOW(worker_rings, "Workers of the data plane that are connected."),
	NOW(failures, "Questions whose last failure weir remembers."),
	OTHER(METRICS_GAUGE, loop_busy_us, "loop_busy_seconds",
		"CPU time of the longest turn of the loop in the last minute.", 1e-6),
	OTHER(METRICS_COUNTER, answer_policy.answers, "answer_policy_answers_total",
		"Answers checked by the answer policy.", 0),
	OTHER(METRICS_COUNTER, answer_policy.listed, "answer_policy_listed_total",
		"Of these, answers with a record that is on a list.", 0),
	OTHER(METRICS_COUNTER, answer_policy.answered_blocked,
		"answer_policy_answered_blocked_total",
		"Clients that got a blocked answer because of the records of their answer.", 0),
	OTHER(METRICS_COUNTER, answer_policy.questions_blocked,
		"answer_policy_questions_blocked_total", "Questions blocked by a pattern.", 0),
	OTHER(METRICS_COUNTER, answer_policy.rechecked, "answer_policy_rechecked_total",
		"Cached records checked again by a new rule image.", 0),
	OTHER(METRICS_COUNTER, step.steps, "clock_steps_total",
		"Forward steps of the wall clock that aged cached records.", 0),
	OTHER(METRICS_COUNTER, step.stepped_ms, "clock_stepped_seconds_total",
		"Sum of the forward steps of the wall clock.", 1e-3),
	OTHER(METRICS_COUNTER, step.aged, "clock_aged_total",
		"Cached records written again as older.", 0),
	OTHER(METRICS_COUNTER, step.dropped, "clock_dropped_total",
		"Cached records dropped because they expired by a clock step or had no room.", 0),
};

void metrics_resolver(struct metrics_text *t, const struct resolver_status *s)
{
	metrics_fields(t, s, of_resolver, ARRAY_LEN(of_resolver));
}

#define SERVER(kind, field, metric, text, scale) \
	METRICS_FIELD(kind, struct upstream_status, field, "weir_upstream_" metric, text, scale)
static const struct metrics_field of_upstreams[] = {
	SERVER(METRICS_GAUGE, up, "up", "Whether weir uses the server; 0: it is in back-off.", 0),
	SERVER(METRICS_COUNTER, sent, "queries_total", "Queries sent to the server.", 0),
	SERVER(METRICS_COUNTER, answered, "answers_total", "Questions that the server answered.",
		0),
	SERVER(METRICS_COUNTER, timeouts, "timeouts_total",
		"Queries that the server did not answer in time.", 0),
	SERVER(METRICS_COUNTER, bad_replies, "bad_replies_total", "Replies that weir rejected.", 0),
	SERVER(METRICS_COUNTER, failures, "failures_total",
		"Replies with SERVFAIL, REFUSED or another failure.", 0),
	SERVER(METRICS_COUNTER, tcp_retries, "tcp_retries_total",
		"Questions sent to the server over TCP.", 0),
	SERVER(METRICS_COUNTER, tcp_opened, "tcp_opened_total",
		"TCP connections opened to the server.", 0),
	SERVER(METRICS_GAUGE, tcp_open, "tcp_open", "TCP connections to the server.", 0),
	SERVER(METRICS_COUNTER, send_errors, "send_errors_total", "Queries that could not be sent.",
		0),
	SERVER(METRICS_COUNTER, refused, "refused_total",
		"Queries that the server's host refused by ICMP port unreachable.", 0),
	SERVER(METRICS_COUNTER, case_changed, "case_changed_total",
		"Replies that changed the letter case of the question.", 0),
	SERVER(METRICS_GAUGE, suspect, "suspect",
		"Whether the server, though up, left a query unanswered and is being checked.", 0),
	SERVER(METRICS_GAUGE, drained, "drained",
		"Whether an operator has taken the server out of use.", 0),
	SERVER(METRICS_COUNTER, checks, "checks_total", "Checks sent to the server.", 0),
	SERVER(METRICS_COUNTER, checks_failed, "checks_failed_total",
		"Checks that the server did not answer in time.", 0),
	SERVER(METRICS_COUNTER, tls_handshakes, "tls_handshakes_total",
		"TLS handshakes with the server that were done.", 0),
	SERVER(METRICS_COUNTER, tls_resumed, "tls_resumed_total",
		"TLS handshakes that resumed a session.", 0),
	SERVER(METRICS_COUNTER, tls_failed[TLS_FAILURE_handshake], "tls_handshake_failed_total",
		"TLS handshakes that the server ended or did not finish.", 0),
	SERVER(METRICS_COUNTER, tls_failed[TLS_FAILURE_certificate], "tls_certificate_failed_total",
		"TLS handshakes with a certificate that is expired or not trusted.", 0),
	SERVER(METRICS_COUNTER, tls_failed[TLS_FAILURE_name], "tls_name_failed_total",
		"TLS handshakes with a certificate for another name.", 0),
	SERVER(METRICS_COUNTER, tls_failed[TLS_FAILURE_pin], "tls_pin_failed_total",
		"TLS handshakes with a key that is not pinned.", 0),
	SERVER(METRICS_GAUGE, srtt_us, "srtt_seconds", "Smoothed round-trip time to the server.",
		1e-6),
	SERVER(METRICS_GAUGE, down_for_ms, "down_for_seconds",
		"Time left of the server's back-off.", 1e-3),
};

void metrics_upstreams(struct metrics_text *t, const struct resolver_status *s)
{
	metrics_one(t, METRICS_GAUGE, "weir_upstream_sets",
		"Sets of servers: everyone's, those of groups and those of forward zones.",
		s->upstream_sets);
	metrics_one(t, METRICS_GAUGE, "weir_upstream_sets_down",
		"Sets of servers in which no server answers.", s->upstream_sets_down);
	const char *names[CONFIG_UPSTREAMS_MAX];
	unsigned count =
		s->upstream_count < CONFIG_UPSTREAMS_MAX ? s->upstream_count : CONFIG_UPSTREAMS_MAX;
	for (unsigned f = 0; f < ARRAY_LEN(of_upstreams) && count; f++) {
		const struct metrics_field *field = &of_upstreams[f];
		metrics_family(t, field->type, field->name, "%s", field->help);
		for (unsigned i = 0; i < count; i++) {
			names[i] = s->upstream[i].name;
			// Two servers may have one name, but not one address too.
			metrics_real(t,
				METRICS_LABELS({"upstream", names[i]},
					{"address", s->upstream[i].address}),
				metrics_field_value(&s->upstream[i], field));
		}
	}
}

static const char *const transports[FRONTEND_TRANSPORTS] = {"udp", "tcp", "dot"};

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
					METRICS_LABELS({"transport", transports[i]},
						{"verdict", verdict_names[v]}),
					s->of[i].verdict[v]);
	metrics_field_rows(t, of_frontend, ARRAY_LEN(of_frontend), s->of, FRONTEND_TRANSPORTS,
		sizeof(s->of[0]), "transport", transports);
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
}
