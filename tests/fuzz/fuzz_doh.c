// SPDX-License-Identifier: BSD-3-Clause

// What a client says by HTTP/1.1 or HTTP/2, in pieces: however it is cut, the same questions are
// asked and no memory is left; by HTTP/1.1 as many bytes come back. The first byte says which
// version (bit 0), whether a client's preface and SETTINGS come first (bit 1), when questions are
// answered (bits 2 and 3), and how much time passes with each piece (bit 4); the second how the
// rest is cut.

#include "controlplane/doh/doh.h"
#include "fuzz.h"

enum { HEAD = 2, INPUT_MOST = 16384, ASKED_MOST = 512, HELD_MOST = 8 };
enum { IS_H2 = 1, HAS_PREFACE = 2, WHEN_SHIFT = 2, WHEN_MASK = 3, TIME_PASSES = 16 };
enum { AT_ONCE, LATER, NEVER, REFUSED };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

struct run {
	struct doh *d;
	struct doh_conn *c;
	uint64_t now_ms;
	unsigned when, held;
	uint16_t hold[HELD_MOST];
	unsigned asked;
	uint64_t asked_sum; // of all messages, in their order
	bool smooth;        // no reset, and it has not ended by itself
	size_t out_len;
	unsigned out_ends; // of first and last bytes: all of it can be read
};

static struct run first, second;

static const struct doh_settings settings = {
	.path = "/dns-query", .streams = DOH_STREAMS_MAX, .request_ms = 2000, .drain_ms = 2000};

static uint64_t mix(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * UINT64_C(0x100000001b3);
}

static void answer(struct run *r, uint16_t id)
{
	uint8_t reply[12] = {0};

	put_u16(reply, id);
	if (r->when == REFUSED)
		doh_conn_refuse(r->c, id, DOH_403, r->now_ms);
	else
		doh_conn_answer(r->c, reply, sizeof(reply), r->now_ms);
}

static void ask_all(struct run *r)
{
	struct doh_question q;

	while (doh_conn_next(r->c, &q, r->now_ms)) {
		FUZZ_CHECK(q.len >= 12 && q.len <= DOH_MESSAGE_MAX && get_u16(q.msg) == q.id);
		r->asked++;
		for (size_t i = 2; i < q.len; i++)
			r->asked_sum = mix(r->asked_sum, q.msg[i]);
		if (r->when == LATER && r->held < HELD_MOST)
			r->hold[r->held++] = q.id;
		else if (r->when != NEVER)
			answer(r, q.id);
	}
}

static size_t send_all(struct run *r)
{
	const uint8_t *p;
	size_t n, all = 0;

	while ((n = doh_conn_out(r->c, &p, r->now_ms)) > 0) {
		all += n;
		r->out_ends += p[0] + p[n - 1];
		r->out_len += n;
	}
	return all;
}

// What is not taken at the end is what the client may not say yet.
static size_t put(struct run *r, const uint8_t *p, size_t len)
{
	size_t taken = 0, n, sent;

	do {
		n = doh_conn_take(r->c, p + taken, len - taken, r->now_ms);
		FUZZ_CHECK(n <= len - taken && n <= DOH_PIECE);
		taken += n;
		ask_all(r);
		sent = send_all(r);
		FUZZ_CHECK(doh_conn_memory(r->c) <= DOH_MEMORY_MAX);
		if (n == 0 && sent == 0 && r->held) {
			answer(r, r->hold[--r->held]);
			sent = 1;
		}
	} while (n || sent);
	return taken;
}

static void play(struct run *r, const uint8_t *data, size_t len, size_t piece)
{
	const enum doh_version version = data[0] & IS_H2 ? DOH_http2 : DOH_http1;
	struct doh_status_now now;

	*r = (struct run){.now_ms = 1, .when = data[0] >> WHEN_SHIFT & WHEN_MASK};
	FUZZ_CHECK(doh_new(&r->d, &settings) == 0);
	FUZZ_CHECK(doh_conn_new(&r->c, r->d, version, r->now_ms) == 0);
	if (data[0] & HAS_PREFACE)
		(void)put(r, (const uint8_t *)preface, sizeof(preface) - 1);
	for (size_t at = HEAD, n; at < len; at += n) {
		n = piece < len - at ? piece : len - at;
		if (put(r, data + at, n) < n)
			break;
		if (data[0] & TIME_PASSES && piece < len) {
			r->now_ms += 700;
			if (doh_conn_deadline(r->c) <= r->now_ms)
				doh_conn_expire(r->c, r->now_ms);
			(void)send_all(r);
		}
	}
	doh_status(r->d, &now);
	r->smooth = doh_conn_end(r->c) == DOH_OPEN && now.counts.resets_client == 0
		    && now.counts.resets_server == 0;
	doh_conn_part(r->c);
	(void)send_all(r);
	doh_conn_lost(r->c, r->now_ms);
	(void)send_all(r);
	doh_conn_free(r->c);
	doh_status(r->d, &now);
	FUZZ_CHECK(now.bytes == 0 && now.connections == 0);
	doh_free(r->d);
}

FUZZ_BODY(data, len)
{
	if (len < HEAD || len > INPUT_MOST)
		return 0;
	const size_t piece = data[1] ? data[1] : 1;
	play(&first, data, len, len);
	play(&second, data, len, piece);
	if (data[0] & TIME_PASSES)
		return 0;
	// A request of HTTP/2 that is reset, or before the end of its connection, may be asked or
	// not.
	const bool is_h1 = !(data[0] & IS_H2);
	if (is_h1 || (first.smooth && second.smooth))
		FUZZ_CHECK(first.asked == second.asked && first.asked_sum == second.asked_sum);
	// The field `date` may differ by a second, never in its length.
	FUZZ_CHECK(!is_h1 || first.out_len == second.out_len);
	return 0;
}
