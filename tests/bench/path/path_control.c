// SPDX-License-Identifier: BSD-3-Clause
#include "path_control.h"

#include "tools/loadgen/corpus.h"

#include <string.h>
#include <weir/bytes.h>
#include <weir/csum.h>
#include <weir/dns_proto.h>
#include <weir/shm_msg.h>

enum { TURN_MOST = 64 }; // as many as a worker takes in a turn: so there is always room

struct miss {
	struct msg_miss head;
	uint8_t question[260];
};

static bool answer(struct path_control *c, const struct miss *m)
{
	unsigned dns_len = DNS_HEADER_LEN + m->head.question_len + CORPUS_ANSWER_LEN;
	uint8_t *out = ring_reserve(
		&c->answer, MSG_ANSWER, (uint32_t)(sizeof(struct msg_answer) + dns_len));
	if (!out)
		return false;
	struct msg_answer head = {
		.dp_incarnation = m->head.dp_incarnation,
		.arrival_ms = m->head.arrival_ms,
		.path = m->head.path,
		.dns_len = (uint16_t)dns_len,
		.verdict = ANSWER_UPSTREAM,
	};
	uint8_t *dns = out + sizeof(head);
	memset(dns, 0, DNS_HEADER_LEN);
	put_u16(dns, m->head.id);
	put_u16(dns + 2, 0x8180); // QR, RD, RA
	put_u16(dns + 4, 1);
	put_u16(dns + 6, CORPUS_ANSWERS);
	memcpy(dns + DNS_HEADER_LEN, m->question, m->head.question_len);
	corpus_answer(m->head.id, dns + DNS_HEADER_LEN + m->head.question_len);
	head.sum = csum_partial(dns, dns_len);
	memcpy(out, &head, sizeof(head));
	return true;
}

void path_control_turn(struct path_control *c)
{
	struct miss m;
	uint16_t type = 0;
	for (unsigned n = 0; n < TURN_MOST; n++) {
		int len = ring_read(&c->miss, &m, sizeof(m), &type);
		if (len == 0)
			break;
		bool ok = type == MSG_MISS && len > 0
			  && (size_t)len == sizeof(m.head) + m.head.question_len && answer(c, &m);
		c->answered += ok;
		c->bad += !ok;
	}
	ring_release(&c->miss);
	ring_publish(&c->answer);
}

void path_control_forget(struct path_control *c)
{
	struct miss m;
	uint16_t type = 0;
	while (ring_read(&c->miss, &m, sizeof(m), &type) != 0)
		;
	ring_release(&c->miss);
	c->answered = c->bad = 0;
}
