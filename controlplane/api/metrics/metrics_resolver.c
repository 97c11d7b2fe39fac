// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the resolver: misses, upstreams, and what it answers to clients of its own.

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
	TOTAL(coalesced, "Of these, joined with one under way."),
	TOTAL(refreshes, "Questions of refresh-ahead."),
	TOTAL(bad_misses, "Messages of workers that were no question."),
	TOTAL(answered, "Clients answered from upstreams, or a cache that had it by then."),
	TOTAL(answered_stale, "Clients answered with a stale record."),
	TOTAL(servfail, "Clients told SERVFAIL."),
	TOTAL(failed_recently, "Of these, from memory of a failure (RFC 9520)."),
	TOTAL(late, "Answers not sent, as their client asked over 2 s ago."),
	TOTAL(no_waiter, "Answers that nobody waited for."),
	TOTAL(answer_ring_full, "Answers that an answer ring had no room for."),
	TOTAL(answers_truncated, "Answers sent with TC."),
	TOTAL(refused_inflight, "Questions refused, as all places were taken."),
	TOTAL(refused_waiters, "Clients refused, as all places to wait were taken."),
	TOTAL(refused_zone, "Questions refused, as their zone had its share."),
	TOTAL(refused_client, "Questions refused, as their client had its share."),
	TOTAL(cut_short, "Questions ended to make room, as nobody waited any more."),
	TOTAL(upstream_sent, "Queries sent to upstreams of all views."),
	TOTAL(upstream_replies, "Replies taken from them."),
	TOTAL(mismatched, "Replies that fit no question."),
	TOTAL(stored, "Answers stored in L0."),
	TOTAL(not_stored, "Answers that were not."),
	TOTAL(rewritten, "Questions asked under another name."),
	TOTAL(refused_rewrites, "Such questions refused for want of room."),
	TOTAL(forwarded, "Questions asked of a zone's own servers."),
	TOTAL(l1_answers, "Questions answered from L1."),
	TOTAL(refreshed_elsewhere, "Refreshes that another box did."),
	TOTAL(ring_anomalies, "Nonsense read from shared memory."),
	TOTAL(foreign_messages, "Messages of another life of the data plane."),
	TOTAL(upstream_tcp_again, "Queries over TCP sent again, as their connection ended."),
	OTHER(METRICS_GAUGE, streams.open, "upstream_tcp_open", "TCP connections to upstreams.", 0),
	OTHER(METRICS_GAUGE, streams.queries, "upstream_tcp_queries",
		"Queries on them that wait for replies.", 0),
	OTHER(METRICS_COUNTER, streams.opened, "upstream_tcp_opened_total",
		"TCP connections opened to upstreams.", 0),
	OTHER(METRICS_COUNTER, streams.reused, "upstream_tcp_reused_total",
		"Queries on a connection that had had one before.", 0),
	OTHER(METRICS_COUNTER, streams.late, "upstream_tcp_late_total",
		"Replies over TCP that nobody waited for any more.", 0),
	OTHER(METRICS_COUNTER, streams.bad, "upstream_tcp_bad_total",
		"TCP connections closed for what was no reply to any query.", 0),
	OTHER(METRICS_COUNTER, streams.stalled, "upstream_tcp_stalled_total",
		"TCP connections given up, as nothing came.", 0),
	OTHER(METRICS_COUNTER, streams.broken, "upstream_tcp_broken_total",
		"TCP connections given up with half a message.", 0),
	OTHER(METRICS_GAUGE, streams.waiting, "upstream_tcp_waiting",
		"Queries that wait for a TCP connection.", 0),
	OTHER(METRICS_COUNTER, streams.waited, "upstream_tcp_waited_total",
		"Queries that had to wait for a TCP connection.", 0),
	OTHER(METRICS_COUNTER, streams.closed_peer, "upstream_tcp_closed_peer_total",
		"TCP connections that the upstream or the network ended.", 0),
	OTHER(METRICS_COUNTER, streams.closed_idle, "upstream_tcp_closed_idle_total",
		"TCP connections closed for want of queries.", 0),
	OTHER(METRICS_COUNTER, streams.evicted, "upstream_tcp_evicted_total",
		"Idle or stalled TCP connections closed to make room.", 0),
	OTHER(METRICS_COUNTER, streams.full, "upstream_tcp_full_total",
		"Queries over TCP refused, as too many wait for a connection.", 0),
	OTHER(METRICS_COUNTER, sockets.opened, "upstream_sockets_opened_total",
		"UDP sockets opened for upstreams.", 0),
	OTHER(METRICS_COUNTER, sockets.full, "upstream_sockets_full_total",
		"Times that there was no socket to be had.", 0),
	OTHER(METRICS_COUNTER, sockets.strays, "upstream_strays_total",
		"Datagrams and errors at sockets that nobody used.", 0),
	OTHER(METRICS_GAUGE, sockets.open, "upstream_sockets_open", "Sockets that are open.", 0),
	NOW(inflight, "Questions under way."),
	NOW(inflight_cap, "Most that can be."),
	NOW(waiters, "Clients that wait."),
	NOW(waiter_cap, "Most that can."),
	NOW(link_up, "Whether a data plane is connected."),
	NOW(lanes, "Its workers that are."),
	NOW(failures, "Failures that are remembered."),
	OTHER(METRICS_GAUGE, loop_busy_us, "loop_busy_seconds",
		"CPU time of the longest turn of the loop in the last minute.", 1e-6),
	OTHER(METRICS_COUNTER, judge.answers, "judge_answers_total", "Answers judged by the lists.",
		0),
	OTHER(METRICS_COUNTER, judge.listed, "judge_listed_total",
		"Of these, with something that is on a list.", 0),
	OTHER(METRICS_COUNTER, judge.answered_blocked, "judge_answered_blocked_total",
		"Clients answered as blocked for what their answer leads to.", 0),
	OTHER(METRICS_COUNTER, judge.questions_blocked, "judge_questions_blocked_total",
		"Questions blocked by a pattern.", 0),
	OTHER(METRICS_COUNTER, judge.rejudged, "judge_rejudged_total",
		"Cached records judged anew by a new image.", 0),
	OTHER(METRICS_COUNTER, step.steps, "clock_steps_total",
		"Steps of the wall clock ahead, by which cached records aged.", 0),
	OTHER(METRICS_COUNTER, step.stepped_ms, "clock_stepped_seconds_total",
		"By how much it stepped in all.", 1e-3),
	OTHER(METRICS_COUNTER, step.aged, "clock_aged_total",
		"Cached records written anew as that much older.", 0),
	OTHER(METRICS_COUNTER, step.dropped, "clock_dropped_total",
		"Cached records that were over by it, or for which there was no room.", 0),
};

void metrics_resolver(struct metrics_text *t, const struct resolver_status *s)
{
	metrics_fields(t, s, of_resolver, ARRAY_LEN(of_resolver));
}

#define SERVER(kind, field, metric, text, scale) \
	METRICS_FIELD(kind, struct upstream_status, field, "weir_upstream_" metric, text, scale)
static const struct metrics_field of_upstreams[] = {
	SERVER(METRICS_GAUGE, up, "up", "Whether the server is not in back-off.", 0),
	SERVER(METRICS_COUNTER, sent, "queries_total", "Queries sent to it.", 0),
	SERVER(METRICS_COUNTER, answered, "answers_total", "Questions that it answered.", 0),
	SERVER(METRICS_COUNTER, timeouts, "timeouts_total", "Waits that it let pass.", 0),
	SERVER(METRICS_COUNTER, bad_replies, "bad_replies_total", "Replies not to be believed.", 0),
	SERVER(METRICS_COUNTER, failures, "failures_total", "SERVFAIL, REFUSED and the like.", 0),
	SERVER(METRICS_COUNTER, tcp_retries, "tcp_retries_total", "Questions asked over TCP.", 0),
	SERVER(METRICS_COUNTER, tcp_opened, "tcp_opened_total", "TCP connections opened to it.", 0),
	SERVER(METRICS_GAUGE, tcp_open, "tcp_open", "TCP connections to it.", 0),
	SERVER(METRICS_COUNTER, send_errors, "send_errors_total", "Queries that could not be sent.",
		0),
	SERVER(METRICS_COUNTER, case_changed, "case_changed_total",
		"Replies whose letter case was not ours.", 0),
	SERVER(METRICS_GAUGE, srtt_us, "srtt_seconds", "Smoothed round-trip time.", 1e-6),
	SERVER(METRICS_GAUGE, down_for_ms, "down_for_seconds", "Back-off still to run.", 1e-3),
};

void metrics_upstreams(struct metrics_text *t, const struct resolver_status *s)
{
	metrics_family(t, METRICS_GAUGE, "weir_upstream_sets",
		"Sets of servers: everyone's, and those of groups and forwarding zones.");
	metrics_count(t, NULL, s->upstream_sets);
	metrics_family(t, METRICS_GAUGE, "weir_upstream_sets_down",
		"Sets of servers without one that answers.");
	metrics_count(t, NULL, s->upstream_sets_down);
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

static const char *const transports[FRONT_TRANSPORTS] = {"udp", "tcp"};

#define FRONT(field, text)                                                                        \
	METRICS_FIELD(METRICS_COUNTER, struct front_counts, field, "weir_front_" #field "_total", \
		text, 0)
static const struct metrics_field of_front[] = {
	FRONT(answers, "Clients of the control plane itself answered by the resolver."),
	FRONT(answers_stale, "Of these, stale."),
	FRONT(answers_servfail, "Of these, SERVFAIL."),
	FRONT(answers_blocked, "Of these, blocked."),
	FRONT(left, "Clients that had left before their answer came."),
	FRONT(lost, "Questions that nobody answered."),
	FRONT(truncated, "Replies with TC."),
};

#define UDP(field, metric, text) \
	METRICS_FIELD(           \
		METRICS_COUNTER, struct front_udp_status, field, "weir_fallback_" metric, text, 0)
static const struct metrics_field of_fallback[] = {
	UDP(received, "received_total", "Queries over UDP that came to the control plane."),
	UDP(alone, "alone_total", "Of these, while no data plane was attached."),
	UDP(sent, "sent_total", "Replies to them."),
	UDP(send_full, "send_full_total", "Replies that the kernel had no room for."),
	UDP(send_errors, "send_errors_total", "Replies that could not be sent."),
	UDP(kernel_drops, "kernel_drops_total", "Queries that the kernel had no room for."),
	METRICS_FIELD(METRICS_GAUGE, struct front_udp_status, bound, "weir_fallback_bound",
		"Service addresses that the control plane is bound to.", 0),
};

static void metrics_front(struct metrics_text *t, const struct front_status *s)
{
	metrics_family(t, METRICS_COUNTER, "weir_front_queries_total",
		"Queries that the control plane took itself, by what became of them.");
	for (unsigned i = 0; i < FRONT_TRANSPORTS; i++)
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			if (s->of[i].verdict[v])
				metrics_count(t,
					METRICS_LABELS({"transport", transports[i]},
						{"verdict", verdict_names[v]}),
					s->of[i].verdict[v]);
	metrics_field_rows(t, of_front, ARRAY_LEN(of_front), s->of, FRONT_TRANSPORTS,
		sizeof s->of[0], "transport", transports);
}

#define TCP(kind, field, metric, text) \
	METRICS_FIELD(kind, struct front_tcp_status, field, "weir_tcp_" metric, text, 0)
static const struct metrics_field of_tcp[] = {
	TCP(METRICS_GAUGE, open, "connections", "TCP connections of clients."),
	TCP(METRICS_GAUGE, cap, "connections_cap", "Most that there can be."),
	TCP(METRICS_GAUGE, clients, "clients", "Clients with a connection."),
	TCP(METRICS_GAUGE, pending, "pending", "Questions without their answers."),
	TCP(METRICS_GAUGE, buffered, "buffered_bytes", "Octets in buffers of connections."),
	TCP(METRICS_GAUGE, buffered_cap, "buffered_cap_bytes", "Most that there can be."),
	TCP(METRICS_COUNTER, accepted, "accepted_total", "Connections taken."),
	TCP(METRICS_COUNTER, refused_full, "refused_full_total", "Refused: all places taken."),
	TCP(METRICS_COUNTER, refused_client, "refused_client_total",
		"Refused: the client has its share."),
	TCP(METRICS_COUNTER, refused_denied, "refused_denied_total",
		"Refused: the client may not ask."),
	TCP(METRICS_COUNTER, accept_paused, "accept_paused_total",
		"Times that the kernel had no file for one more."),
	TCP(METRICS_COUNTER, queries, "queries_total", "Queries."),
	TCP(METRICS_COUNTER, replies, "replies_total", "Replies."),
	TCP(METRICS_COUNTER, octets_in, "received_bytes_total", "Octets received."),
	TCP(METRICS_COUNTER, octets_out, "sent_bytes_total", "Octets sent."),
};

static void metrics_tcp(struct metrics_text *t, const struct front_tcp_status *s)
{
	metrics_fields(t, s, of_tcp, ARRAY_LEN(of_tcp));
	metrics_family(
		t, METRICS_COUNTER, "weir_tcp_ended_total", "Connections that ended, by why.");
	for (unsigned i = FRONT_TCP_OPEN + 1; i < FRONT_TCP_END_COUNT; i++)
		metrics_count(t, METRICS_LABELS({"why", front_tcp_end_names[i]}), s->ended[i]);
	metrics_family(t, METRICS_COUNTER, "weir_tcp_accept_errors_total",
		"Connections that could not be taken, by why.");
	for (unsigned i = 0; i < FRONT_TCP_ACCEPT_ERROR_COUNT; i++)
		metrics_count(t, METRICS_LABELS({"why", front_tcp_accept_error_names[i]}),
			s->accept_errors[i]);
}

static void lag_put(struct metrics_text *t, const char *loop, const struct loop_lag_minute *l)
{
	metrics_real(t, METRICS_LABELS({"loop", loop}, {"of", "p50"}), (double)l->p50_us / 1e6);
	metrics_real(t, METRICS_LABELS({"loop", loop}, {"of", "p99"}), (double)l->p99_us / 1e6);
	metrics_real(t, METRICS_LABELS({"loop", loop}, {"of", "max"}), (double)l->max_us / 1e6);
}

void metrics_lag(struct metrics_text *t, const struct loop_lag_minute *resolver,
	const struct loop_lag_minute *service)
{
	metrics_family(t, METRICS_GAUGE, "weir_loop_lag_seconds",
		"How late an event loop came to its timers in the last minute.");
	lag_put(t, "resolver", resolver);
	lag_put(t, "service", service);
}

void metrics_fronts(struct metrics_text *t, const struct fronts_status *s)
{
	metrics_front(t, &s->engine);
	metrics_fields(t, &s->udp, of_fallback, ARRAY_LEN(of_fallback));
	metrics_tcp(t, &s->tcp);
}
