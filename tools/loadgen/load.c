// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#include "corpus.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_PORT = 20000, LATE_LOOKS_PER_S = 50000 };

static void flush(struct load *l)
{
	uint16_t sent = rte_eth_tx_burst(l->port, 0, l->out, (uint16_t)l->out_count);
	// Queries that did not leave are repeated in due time.
	rte_pktmbuf_free_bulk(l->out + sent, l->out_count - sent);
	l->out_count = 0;
}

static void put_frame(struct load *l, const uint8_t *frame, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(l->pool);
	if (!m)
		return; // counted as unanswered in due time
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
	l->out[l->out_count++] = m;
	if (l->out_count == LOAD_BURST)
		flush(l);
}

static void take_solicited(struct load *l)
{
	struct rte_mbuf *m[LOAD_BURST];
	uint16_t n = rte_eth_rx_burst(l->port, 0, m, LOAD_BURST);
	for (uint16_t j = 0; j < n; j++) {
		for (unsigned k = 0; k < l->endpoints; k++)
			packet_solicited(
				rte_pktmbuf_mtod(m[j], uint8_t *), m[j]->pkt_len, &l->endpoint[k]);
	}
	rte_pktmbuf_free_bulk(m, n);
}

bool load_resolve(struct load *l)
{
	uint8_t frame[PACKET_FRAME_MAX];
	// Out of step with a data plane that reflects and answers in turns of 5 ms: each try meets
	// another part of these, where 100 ms could meet the reflecting one for all of 10 s.
	enum { TRIES = 97, WAIT_US = 103000 };
	for (int i = 0; i < TRIES; i++) {
		unsigned left = 0;
		for (unsigned k = 0; k < l->endpoints; k++) {
			if (!l->endpoint[k].resolved) {
				put_frame(l, frame, packet_solicit(frame, l->mac, &l->endpoint[k]));
				left++;
			}
		}
		if (!left)
			return true;
		flush(l);
		rte_delay_us_sleep(WAIT_US);
		take_solicited(l);
	}
	return false;
}

static void ask(struct load *l, unsigned index)
{
	struct load_slot *s = &l->slot[index];
	uint8_t frame[PACKET_FRAME_MAX];
	size_t len = packet_query(frame, l->mac, &s->q);
	s->tries++;
	s->sent_tsc = rte_rdtsc();
	if (l->turn_count < LOAD_TURN_MAX)
		l->turn[l->turn_count++] = (uint16_t)index;
	put_frame(l, frame, len);
}

static void draw(const struct load *l, struct question *q)
{
	if (!l->corpus) {
		// A full-period step: a query for every name before the second one for any.
		q->name = (uint32_t)(l->asked * 2654435761u % l->names);
		return;
	}
	uint64_t bits = corpus_mix(l->asked);
	bool listed = bits % 100 < l->listed_percent;
	q->kind = listed ? QUESTION_LISTED : QUESTION_CACHED;
	q->name = (uint32_t)((bits >> 32) % (listed ? l->listed : l->names));
}

// `due_tsc` 0: due when it leaves. What the generator does before that, such as checking the reply
// that made room for it, is not the server's time.
static void ask_new(struct load *l, unsigned index, uint64_t due_tsc)
{
	struct load_slot *s = &l->slot[index];
	s->q = (struct question){
		.id = (uint16_t)(l->asked * 40503u),
		.client_port = (uint16_t)(FIRST_PORT + index),
		.endpoint = &l->endpoint[l->asked % l->endpoints],
	};
	draw(l, &s->q);
	s->tries = 0;
	l->asked++;
	ask(l, index);
	s->due_tsc = due_tsc ? due_tsc : s->sent_tsc;
	s->untimed = s->due_tsc < l->timed_tsc;
}

static void settle(struct load *l, unsigned index)
{
	l->slot[index].tries = 0;
	l->free[l->free_count++] = (uint16_t)index;
}

static uint64_t stall_cycles(void)
{
	return rte_get_tsc_hz() / 1000000 * LOAD_STALL_US;
}

// Looks at the clock, and whether the generator itself stood still since the last time.
static uint64_t look(struct load *l)
{
	uint64_t now = rte_rdtsc();
	if (!l->nap_us && now - l->seen_tsc > stall_cycles()) {
		l->stalls++;
		if (!l->stall_tsc)
			l->stall_tsc = l->seen_tsc;
		for (unsigned i = 0; i < l->turn_count; i++)
			l->slot[l->turn[i]].untimed = true;
		// The schedule stands still as long. What was overdue before stays so: the server's
		// fault is not forgiven.
		if (l->next_tsc < now)
			l->next_tsc += now - l->seen_tsc;
	}
	l->turn_count = 0;
	l->seen_tsc = now;
	return now;
}

static void reply_time(struct load *l, const struct load_slot *s, struct latency *out)
{
	uint64_t since = l->stall_tsc ? l->stall_tsc : l->seen_tsc;
	bool known = !l->stall_tsc || since > s->due_tsc + stall_cycles();
	if (!l->nap_us && known && !s->untimed && s->tries == 1)
		latency_add(out, since - s->due_tsc);
	else
		l->untimed++;
}

static void count_reply(struct load *l, struct load_slot *s, bool reflected, const char *why)
{
	if (why) {
		if (l->bad++ < 10)
			fprintf(stderr, "weir-loadgen: name %u: wrong %s\n", s->q.name, why);
		return;
	}
	*(reflected ? &l->sent_back : &l->answered) += 1;
	reply_time(l, s, reflected ? &l->reflect_time : &l->answer_time);
}

static void take_reply(struct load *l, const uint8_t *frame, size_t len)
{
	uint16_t id, client_port;
	if (!packet_is_reply(frame, len, &id, &client_port))
		return;
	unsigned index = (unsigned)client_port - FIRST_PORT;
	if (index >= l->window || !l->slot[index].tries || l->slot[index].q.id != id) {
		l->unmatched++;
		return;
	}
	struct load_slot *s = &l->slot[index];
	bool servfail = false, reflected = l->reflected && packet_is_query(frame, len);
	const char *why = reflected ? packet_check_reflected(frame, len, l->mac, &s->q)
				    : packet_check(frame, len, l->mac, &s->q, &servfail);
	if (servfail)
		return; // asked again when its time is up
	count_reply(l, s, reflected, why);
	settle(l, index);
}

static void receive(struct load *l)
{
	struct rte_mbuf *m[LOAD_BURST];
	bool stalled = l->stall_tsc != 0;
	uint16_t n = rte_eth_rx_burst(l->port, 0, m, LOAD_BURST);
	look(l);
	for (uint16_t i = 0; i < n; i++)
		take_reply(l, rte_pktmbuf_mtod(m[i], uint8_t *), m[i]->pkt_len);
	rte_pktmbuf_free_bulk(m, n);
	if (stalled && n < LOAD_BURST) // what came meanwhile has been taken
		l->stall_tsc = 0;
}

// A few slots at a time, so that the look itself does not make anything late.
static void ask_late_again(struct load *l)
{
	uint64_t now = rte_rdtsc(), late = rte_get_tsc_hz() / 1000 * LOAD_TRY_MS;
	for (unsigned n = 0; n < LOAD_LATE_SLOTS && n < l->window; n++) {
		unsigned i = l->late_from;
		struct load_slot *s = &l->slot[i];
		l->late_from = i + 1 < l->window ? i + 1 : 0;
		if (!s->tries || now - s->sent_tsc <= late)
			continue;
		if (s->tries < LOAD_TRIES_MAX) {
			l->again++;
			ask(l, i);
		} else {
			l->given_up++;
			settle(l, i);
		}
	}
	if (l->out_count)
		flush(l);
}

// A full burst, as soon as there are slots for it.
static void fill_window(struct load *l, unsigned burst)
{
	if (l->free_count < burst || l->asked >= l->queries)
		return;
	for (unsigned i = 0; i < burst && l->asked < l->queries; i++)
		ask_new(l, l->free[--l->free_count], 0);
	if (l->out_count)
		flush(l);
}

// Those that are due, one burst at most.
static void send_due(struct load *l, uint64_t period)
{
	for (unsigned i = 0; i < LOAD_BURST && l->next_tsc <= l->seen_tsc && l->free_count
			     && l->asked < l->queries;
		i++) {
		ask_new(l, l->free[--l->free_count], l->next_tsc);
		l->next_tsc += period;
	}
	if (l->out_count)
		flush(l);
}

static void run_reset(struct load *l, uint64_t now)
{
	memset(l->slot, 0, sizeof(*l) - offsetof(struct load, slot));
	for (unsigned i = 0; i < l->window; i++)
		l->free[l->free_count++] = (uint16_t)i;
	l->seen_tsc = l->next_tsc = now;
	l->timed_tsc = l->rate ? now + rte_get_tsc_hz() / 1000 * LOAD_WARM_MS : now;
}

double load_run(struct load *l)
{
	uint64_t hz = rte_get_tsc_hz(), begin = rte_rdtsc(), end = begin + l->seconds * hz;
	uint64_t hard_end = end + (uint64_t)LOAD_TRIES_MAX * LOAD_TRY_MS * hz / 1000;
	uint64_t next_look = begin, now, period = l->rate ? hz / l->rate : 0;
	unsigned burst = l->window < LOAD_BURST ? l->window : LOAD_BURST;
	run_reset(l, begin);
	while ((now = look(l)) < hard_end) {
		bool more = now < end && l->asked < l->queries;
		receive(l);
		if (!more && l->free_count == l->window)
			break;
		if (more && l->rate)
			send_due(l, period);
		else if (more)
			fill_window(l, burst);
		if (now >= next_look) {
			next_look = now + hz / LATE_LOOKS_PER_S;
			ask_late_again(l);
		}
		if (l->nap_us)
			rte_delay_us_sleep(l->nap_us);
	}
	return (double)(rte_rdtsc() - begin) / (double)hz;
}
