// SPDX-License-Identifier: BSD-3-Clause
#include "address.h"
#include "ask.h"
#include "frame.h"
#include "reply.h"
#include "send.h"
#include "server_send.h"
#include "stages.h"

#include <rte_cycles.h>

#include <weir/bytes.h>
#include <weir/dns_name.h>
#include <weir/shm_msg.h>

// The worker's own copy of a message: the checked bytes are the used ones.
struct answer {
	struct msg_answer head;
	uint8_t dns[MSG_DNS_MAX];
};

// A watched one.
struct traced {
	uint16_t trace;
	uint16_t port, place; // where its frame is in the outbox
	uint64_t taken_tsc;
};

struct outbox {
	unsigned reported; // resolvers that hear of a refusal, one bit each
	unsigned count[WORKER_PORTS_MAX];
	unsigned traced_count;
	struct traced traced[ANSWERS_PER_TURN];
	struct rte_mbuf *frame[WORKER_PORTS_MAX][ANSWERS_PER_TURN];
};

static void count(struct worker *w, enum counter c)
{
	stats_add(&w->stats->counter[c], 1);
}

static bool path_is_sane(const struct worker *w, const struct return_path *path)
{
	// A reply goes to the balancer, if there is one, and then the client may be anyone.
	const bool is_via = path->via.ip_version != 0;
	const uint8_t *to = is_via ? path->via.ip : path->client_ip;
	if (path->port >= w->port_count || path->has_vlan > 1 || path->zero_csum > 1
		|| (is_via ? path->via.udp : path->client_udp) == 0
		|| path->service_udp != RTE_BE16(FRAME_DNS_PORT)
		|| (path->ip_version != 4 && path->ip_version != 6))
		return false;
	if (return_path_version(path) == 6)
		return !path->zero_csum && address_is_ours_ipv6(w->service, path->service_ip)
		       && address_can_ask_ipv6(w->service, to);
	rte_be32_t service, client;
	memcpy(&service, path->service_ip, 4);
	memcpy(&client, to, 4);
	return return_path_version(path) == 4 && address_is_ours_ipv4(w->service, service)
	       && address_can_ask_ipv4(w->service, client);
}

// `len` bytes came off the ring. Answers to the questions of another life or worker rings are
// expected after a restart; everything else that does not fit is an error of the other side.
static bool answer_valid(struct worker *w, struct answer *a, int len, uint16_t type)
{
	bool whole = type == MSG_ANSWER && (size_t)len >= sizeof(struct msg_answer) + DNS_HEADER_LEN
		     && a->head.dns_len <= MSG_DNS_MAX
		     && (size_t)len == sizeof(struct msg_answer) + a->head.dns_len;
	if (!whole) {
		count(w, COUNTER_answer_bad);
		return false;
	}
	if (a->head.dp_incarnation != w->dp_incarnation || a->head.path.worker != w->index) {
		count(w, COUNTER_answer_foreign);
		return false;
	}
	uint16_t sum = csum_partial(a->dns, a->head.dns_len);
	if (a->head.verdict >= ANSWER_KINDS || a->head.dropped > 1
		|| !path_is_sane(w, &a->head.path) || !(get_u16(a->dns + 2) & DNS_FLAG_QR)
		|| !csum_agree(sum, a->head.sum)) {
		count(w, COUNTER_answer_bad);
		return false;
	}
	a->head.sum = sum;
	return true;
}

// An answer that no frame on its port can carry (limits.udp_reply_size was raised after our start)
// becomes header and question with TC, without an OPT: the client asks again over TCP. False: there
// is no such question.
static bool answer_cut(struct answer *a)
{
	struct dns_name name;
	struct rd r = rd_init(a->dns, a->head.dns_len);
	rd_skip(&r, DNS_HEADER_LEN);
	if (get_u16(a->dns + 4) != 1 || dns_name_read(&r, &name) != 0 || rd_left(&r) < 4)
		return false;
	put_u16(a->dns + 2, get_u16(a->dns + 2) | DNS_FLAG_TC);
	memset(a->dns + 6, 0, 6); // no answer, authority or additional records
	a->head.dns_len = (uint16_t)(r.pos + 4);
	a->head.sum = csum_partial(a->dns, a->head.dns_len);
	return true;
}

static bool answer_fits_frame(struct worker *w, struct answer *a)
{
	uint16_t most = w->port[a->head.path.port].dns_most;
	if (likely_(a->head.dns_len <= most))
		return true;
	bool cut = answer_cut(a) && a->head.dns_len <= most;
	count(w, cut ? COUNTER_reply_truncated : COUNTER_answer_large);
	return cut;
}

static struct rte_mbuf *make_frame(struct worker *w, const struct answer *a)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	if (!m) {
		count(w, COUNTER_answer_nombuf);
		return NULL;
	}
	mbuf_own(m, mbuf_mark(MBUF_OWNER_answer, w->now_ms));
	unsigned headers = frame_headers_len(&a->head.path);
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(headers + a->head.dns_len));
	if (!frame) {
		rte_pktmbuf_free(m);
		count(w, COUNTER_answer_large);
		return NULL;
	}
	memcpy(frame + headers, a->dns, a->head.dns_len);
	frame_build(frame, &a->head.path, a->head.dns_len, a->head.sum);
	return m;
}

static void count_answer(struct worker *w, uint8_t kind)
{
	count(w, COUNTER_answers);
	if (kind == ANSWER_STALE)
		count(w, COUNTER_answers_stale);
	else if (kind == ANSWER_SERVFAIL)
		count(w, COUNTER_answers_servfail);
	else if (kind == ANSWER_BLOCKED)
		count(w, COUNTER_answers_blocked);
}

// `len` bytes of a message; 0 and below: not a sound one.
static void take(struct worker *w, struct answer *a, int len, uint16_t type, struct outbox *out)
{
	if (len < 0 || !answer_valid(w, a, len, type))
		return;
	const struct path_note note = frame_note_get(a->head.path.note);
	dedup_end(&w->dedup, note.ticket);
	if (a->head.dropped || !answer_fits_frame(w, a))
		return;
	struct rte_mbuf *m = make_frame(w, a);
	if (!m)
		return;
	unsigned port = a->head.path.port;
	if (unlikely_(a->head.trace))
		out->traced[out->traced_count++] = (struct traced){.trace = a->head.trace,
			.port = (uint16_t)port,
			.place = (uint16_t)out->count[port],
			.taken_tsc = rte_rdtsc()};
	out->frame[port][out->count[port]++] = m;
	reply_charge(
		w, a->head.path.ip_version, a->head.path.client_ip, note.proven, a->head.dns_len);
	count_answer(w, a->head.verdict);
	stats_add(&w->stats->rcode[a->dns[3] % STATS_RCODES], 1);
}

// A resolver's own query.
static void take_query(
	struct worker *w, unsigned resolver, const void *msg, int len, struct outbox *out)
{
	unsigned port = 0;
	bool reported;
	struct rte_mbuf *m = server_send_frame(w, resolver, msg, (size_t)len, &port, &reported);
	if (m)
		out->frame[port][out->count[port]++] = m;
	out->reported |= (unsigned)reported << resolver;
}

// Takes messages off the rings into frames, by port. Number of messages read. Each turn begins with
// another ring, so that a full one leaves the others a share of the turns.
static unsigned collect(struct worker *w, struct outbox *out)
{
	struct answer a;
	const unsigned most = ANSWERS_PER_TURN - w->answers_held;
	unsigned n = 0, r = w->answer_next;
	for (unsigned left = w->resolvers; left > 0; left--) {
		struct ring_consumer *ring = &w->answer[r];
		uint16_t type = 0;
		int len;
		while (n < most && (len = ring_read(ring, &a, sizeof(a), &type)) != 0) {
			if (len > 0 && type == MSG_SEND)
				take_query(w, r, &a, len, out);
			else
				take(w, &a, len, type, out);
			n++;
		}
		ring_release(
			ring); // each poll releases the ring, which puts a scribbled index right
		r = r + 1 < w->resolvers ? r + 1 : 0;
	}
	w->answer_next = r + 1 < w->resolvers ? r + 1 : 0;
	return n;
}

// The rings count impossible values themselves; this copies the counts into the statistics.
static void count_anomalies(struct worker *w)
{
	_Atomic uint64_t *c = &w->stats->counter[COUNTER_ring_anomaly];
	uint64_t all = w->log.ring.anomalies + w->anomalies_left;
	for (unsigned r = 0; r < w->resolvers; r++)
		all += w->miss[r].anomalies + w->answer[r].anomalies;
	if (unlikely_(atomic_load_explicit(c, memory_order_relaxed) != all))
		atomic_store_explicit(c, all, memory_order_relaxed);
}

static void traced_tell(
	struct worker *w, const struct outbox *out, unsigned port, unsigned sent, uint64_t now)
{
	for (unsigned i = 0; i < out->traced_count; i++) {
		const struct traced *t = &out->traced[i];
		if (t->port == port)
			watch_answer(w, t->trace, t->taken_tsc, now, t->place < sent);
	}
}

static bool answers_pile_up(const struct worker *w)
{
	for (unsigned r = 0; r < w->resolvers; r++)
		if (ring_consumer_used(&w->answer[r]) > w->answer[r].units / 2)
			return true;
	return false;
}

// The time of `n` answers sets the number for the next iteration. From a ring that is over half
// full it takes the full number: where sending is always slow, the pace alone would fill the ring.
static void pace(struct worker *w, unsigned n, uint64_t took)
{
	const uint64_t most = w->slow_cycles / ANSWERS_SHARE; // 0: there is no such time
	if (likely_(took * ANSWERS_PER_TURN <= most * n || most == 0) || answers_pile_up(w))
		w->answers_held = 0;
	else
		w->answers_held = ANSWERS_PER_TURN
				  - RTE_MAX((unsigned)(most * n / took), (unsigned)ANSWERS_LEAST);
}

// Rings of resolvers that a restart of the control plane took away: what they still hold is read,
// then they are polled no more. take_tables adds them again.
static void leave_rings(struct worker *w, unsigned used)
{
	while (w->resolvers > used && ring_consumer_used(&w->answer[w->resolvers - 1]) == 0) {
		const unsigned last = --w->resolvers;
		w->anomalies_left += w->miss[last].anomalies + w->answer[last].anomalies;
		w->miss[last].anomalies = w->answer[last].anomalies = 0;
	}
	w->answer_next = 0;
}

unsigned stage_answer(struct worker *w)
{
	struct outbox out;
	memset(out.count, 0, sizeof(out.count));
	out.traced_count = out.reported = 0;
	unsigned read = collect(w, &out);
	count_anomalies(w);
	const unsigned used = RTE_MAX(w->tables->l0.resolvers, 1u);
	if (unlikely_(w->resolvers > used))
		leave_rings(w, used);
	if (read == 0)
		return 0;
	const uint64_t began = rte_rdtsc();
	unsigned sent = 0;
	for (unsigned i = 0; i < w->port_count; i++) {
		if (!out.count[i])
			continue;
		unsigned n = send_to_clients(w, &w->port[i], out.frame[i], out.count[i]);
		if (unlikely_(out.traced_count))
			traced_tell(w, &out, i, n, rte_rdtsc());
		sent += n;
	}
	if (unlikely_(out.reported)) {
		ask_publish(w, out.reported);
		ask_wake(w, out.reported);
	}
	pace(w, read, rte_rdtsc() - began);
	return sent;
}
