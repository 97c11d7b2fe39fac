// SPDX-License-Identifier: BSD-3-Clause

// What a data plane puts on a miss ring: any bytes, or a message that the input decides in part.
// Each is counted once, as a miss or as a foreign message; it gets one answer at most, which
// goes back on the way that the miss said and passes the oracle; the ring goes on.
//
// The first byte chooses (enum); the second, where the rest is laid over a sound message, whose
// question it is with MODE_QUESTION.

#include "resolver_box.h"
#include "tests/oracle/reply_oracle.h"

#include <weir/dns_query.h>

enum {
	MODE_RAW = 1,      // the rest is the message
	MODE_HEADER = 2,   // and the ring's own bytes before it
	MODE_QUESTION = 4, // the rest is its question
	MODE_COOKIE = 8,   // a sound one has a cookie
	MODE_REFRESH = 16,
	MODE_NOTIFY = 32, // a sound one is a NOTIFY
	MODE_KINDS = 64,
	INPUT_MOST = 600,
	QUERY_MOST = DNS_HEADER_LEN + INPUT_MOST + DNS_OPT_FIXED_LEN,
};

static const char question[] = "\7example\4test\0\0\1\0"; // and the class's last byte

static struct {
	union {
		struct msg_miss head;
		uint8_t bytes[sizeof(struct msg_miss) + INPUT_MOST + DNS_COOKIE_LEN + 64];
	};
	size_t len;
} sent;

FUZZ_BEGIN
{
	box_open();
	box_link();
	return 0;
}

static void question_put(const uint8_t *bytes, size_t len)
{
	memcpy(sent.bytes + sizeof(sent.head), bytes, len);
	sent.head.question_len = (uint16_t)len;
	sent.len = sizeof(sent.head) + len;
}

// Behind the question, and the cookie if there is one.
static void notify_put(void)
{
	static const uint8_t notify[] = {0, 7, 0x20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, 'e', 'x', 'a',
		'm', 'p', 'l', 'e', 4, 't', 'e', 's', 't', 0, 0, 6, 0, 1};
	sent.head.kind = MISS_NOTIFY;
	sent.head.whole_len = sent.head.query_len = sizeof(notify);
	memcpy(sent.bytes + sent.len, notify, sizeof(notify));
	sent.len += sizeof(notify);
}

static void make(const uint8_t *data, size_t len)
{
	unsigned mode = data[0];
	const uint8_t *rest = data + 2;
	len -= 2;
	memset(&sent, 0, sizeof(sent));
	if (mode & MODE_RAW) {
		memcpy(sent.bytes, rest, len);
		sent.len = len;
		return;
	}
	sent.head = (struct msg_miss){.dp_incarnation = box.dp.incarnation,
		.arrival_ms = clock_mono_ms(),
		.path = {.ip_version = 4, .client_udp = 4242, .service_udp = 53},
		.id = 7,
		.flags = DNS_FLAG_RD,
		.udp_size = 1232,
		.has_opt = DNS_OPT_PLAIN | (mode & MODE_COOKIE ? DNS_OPT_COOKIE : 0),
		.kind = mode & MODE_REFRESH ? MISS_REFRESH : MISS_WAITER};
	if (mode & MODE_QUESTION)
		question_put(rest, len);
	else
		question_put((const uint8_t *)question, sizeof(question));
	sent.len += mode & MODE_COOKIE ? DNS_COOKIE_LEN : 0;
	if (mode & MODE_NOTIFY)
		notify_put();
	if (mode & MODE_QUESTION)
		return;
	size_t at = data[1] % sent.len, room = sent.len - at;
	memcpy(sent.bytes + at, rest, len < room ? len : room);
}

// The query that such a miss is of.
static size_t query_make(uint8_t query[QUERY_MOST])
{
	const struct msg_miss *m = &sent.head;
	size_t n = DNS_HEADER_LEN;
	memset(query, 0, QUERY_MOST);
	put_u16(query, m->id);
	put_u16(query + 2, m->flags);
	put_u16(query + 4, 1);
	put_u16(query + 10, m->has_opt & DNS_OPT_PLAIN);
	FUZZ_CHECK(sizeof(*m) + m->question_len <= sent.len);
	memcpy(query + n, sent.bytes + sizeof(*m), m->question_len);
	n += m->question_len;
	if (!(m->has_opt & DNS_OPT_PLAIN))
		return n;
	put_u16(query + n + 1, DNS_TYPE_OPT);
	put_u16(query + n + 3, m->udp_size);
	query[n + 7] = m->dnssec_ok ? DNS_EDNS_FLAG_DO >> 8 : 0;
	return n + DNS_OPT_FIXED_LEN;
}

// A NOTIFY goes along as it came.
static struct reply_oracle notify_oracle(void)
{
	const struct msg_miss *m = &sent.head;
	size_t at =
		sizeof(*m) + m->question_len + (m->has_opt & DNS_OPT_COOKIE ? DNS_COOKIE_LEN : 0u);
	FUZZ_CHECK(at + m->whole_len == sent.len);
	return (struct reply_oracle){
		.query = sent.bytes + at, .query_len = m->whole_len, .limit = DNS_MESSAGE_MAX};
}

static void answer_check(const struct msg_answer *a, const uint8_t *dns)
{
	uint8_t query[QUERY_MOST];
	FUZZ_CHECK(a->dp_incarnation == box.dp.incarnation && a->verdict < ANSWER_KINDS);
	FUZZ_CHECK(memcmp(&a->path, &sent.head.path, sizeof(a->path)) == 0);
	FUZZ_CHECK(a->arrival_ms == sent.head.arrival_ms);
	const bool is_notify = sent.head.kind == MISS_NOTIFY;
	const struct reply_oracle o = is_notify ? notify_oracle()
						: (struct reply_oracle){.query = query,
							.query_len = query_make(query),
							.limit = box.config.limits.udp_reply_size};
	reply_oracle_check(&o, dns, a->dns_len);
}

static unsigned answers_take(void)
{
	static uint8_t buf[FAKE_ANSWER_MAX];
	struct msg_answer a;
	unsigned answers = 0;
	uint16_t type;
	for (unsigned rings = 0; rings < box.dp.workers; rings++) {
		for (int len;
			(len = ring_read(&box.dp.answers[rings], buf, sizeof(buf), &type)) != 0;
			answers++) {
			FUZZ_CHECK(len >= (int)sizeof(a) && type == MSG_ANSWER);
			memcpy(&a, buf, sizeof(a));
			FUZZ_CHECK(sizeof(a) + a.dns_len == (size_t)len);
			FUZZ_CHECK(a.path.worker == rings);
			answer_check(&a, buf + sizeof(a));
		}
		ring_release(&box.dp.answers[rings]);
	}
	return answers;
}

FUZZ_BODY(data, len)
{
	if (len < 3 || len > INPUT_MOST || data[0] >= MODE_KINDS)
		return 0;
	make(data, len);
	const struct resolver_status before = box_status();
	uint8_t *room = ring_reserve(&box.dp.misses[0], MSG_MISS, (uint32_t)sent.len);
	FUZZ_CHECK(room);
	memcpy(room, sent.bytes, sent.len);
	if (data[0] & MODE_HEADER)
		memcpy(room - sizeof(struct ring_unit), data + 1,
			len - 1 < sizeof(struct ring_unit) ? len - 1 : sizeof(struct ring_unit));
	ring_publish(&box.dp.misses[0]);
	fake_dataplane_ring(&box.dp);
	box_settle();
	const struct resolver_status after = box_status();
	uint64_t misses = after.misses - before.misses + after.notifies - before.notifies,
		 foreign = after.foreign_messages - before.foreign_messages,
		 bad = after.bad_misses - before.bad_misses, late = after.late - before.late,
		 refreshes = after.refreshes - before.refreshes,
		 anomalies =
			 after.ring_anomalies - before.ring_anomalies; // longer than any miss, too
	unsigned answers = answers_take();
	FUZZ_CHECK(misses <= 1 && answers <= misses);
	if (!(data[0] & MODE_HEADER))
		FUZZ_CHECK(misses + foreign + anomalies == 1
			   && answers == misses - bad - late - refreshes);
	return 0;
}
