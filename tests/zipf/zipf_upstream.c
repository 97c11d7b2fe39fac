// SPDX-License-Identifier: BSD-3-Clause

// zipf_upstream PORT COUNTER TTL_MIN TTL_MAX DELAY_MS [ADDRESS]: a DNS server on 127.0.0.1, or that
// address, that answers each question of one after DELAY_MS as zipf_names.h says, whatever else its
// name is; an A question gets 198.18.200.1. COUNTER is a file of two numbers of 64 bits: questions,
// and those that were dropped because too many waited. Ends by a signal.
#include "tests/bench/bench_answer.h"
#include "tests/bench/bench_tools.h"
#include "zipf_names.h"

#include <poll.h>
#include <string.h>
#include <weir/bytes.h>

enum { HEADER = 12, QUESTION_MAX = 260, WAITING = 1 << 15 };

struct question {
	uint64_t due_us;
	struct sockaddr_in from;
	uint16_t len; // up to the question's end
	uint8_t message[HEADER + QUESTION_MAX];
};

struct counter {
	_Atomic uint64_t questions, dropped;
};

struct upstream {
	int fd;
	struct zipf_ttl ttl;
	uint64_t delay_us;
	struct counter *counter;
	uint32_t first, count, serial;
	struct question waiting[WAITING]; // a ring: all wait equally long
};

// The digits after the first letter of the name.
static uint32_t number_of(const uint8_t *question)
{
	uint32_t number = 0;

	for (unsigned i = 2; i <= question[0] && i < 10; i++)
		if (question[i] >= '0' && question[i] <= '9')
			number = number * 10 + (question[i] - '0');
	return number;
}

static void take(struct upstream *u)
{
	uint8_t message[1500];
	struct sockaddr_in from;

	for (;;) {
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(u->fd, message, sizeof(message), MSG_DONTWAIT,
			(struct sockaddr *)&from, &from_len);
		if (n < 0)
			return;
		size_t end = bench_question_end(message, (size_t)n);
		if (end == 0 || end > HEADER + QUESTION_MAX)
			continue;
		u->counter->questions++;
		if (u->count == WAITING) {
			u->counter->dropped++;
			continue;
		}
		struct question *q = &u->waiting[(u->first + u->count++) % WAITING];
		*q = (struct question){.due_us = zipf_clock_us() + u->delay_us,
			.from = from,
			.len = (uint16_t)end};
		memcpy(q->message, message, end);
	}
}

static size_t answer(struct upstream *u, const struct question *q, uint8_t *m)
{
	static const uint8_t here[] = {198, 18, 200, 1};
	uint32_t number = number_of(q->message + HEADER);
	size_t at = q->len;
	uint16_t qtype = get_u16(q->message + at - 4);
	bool numbered = qtype == ZIPF_TYPE;

	memcpy(m, q->message, at);
	m[2] |= 0x80;
	m[3] = 0x80;
	memset(m + 6, 0, 6);
	if (!numbered && qtype != 1)
		return at;
	m[7] = 1;
	put_u16(m + at, 0xc000 | HEADER);
	put_u16(m + at + 2, qtype);
	put_u16(m + at + 4, 1);
	put_u32(m + at + 6, zipf_ttl_s(&u->ttl, number));
	put_u16(m + at + 10, numbered ? ZIPF_RDATA : sizeof(here));
	at += 12;
	if (!numbered) {
		memcpy(m + at, here, sizeof(here));
		return at + sizeof(here);
	}
	put_u32(m + at, ZIPF_PREFIX);
	put_u32(m + at + 4, number);
	put_u32(m + at + 8, ++u->serial);
	put_u32(m + at + 12, zipf_clock_ms());
	return at + ZIPF_RDATA;
}

static void give(struct upstream *u)
{
	uint8_t message[HEADER + QUESTION_MAX + 12 + ZIPF_RDATA];
	uint64_t now_us = zipf_clock_us();

	while (u->count && u->waiting[u->first].due_us <= now_us) {
		const struct question *q = &u->waiting[u->first];
		(void)sendto(u->fd, message, answer(u, q, message), 0,
			(const struct sockaddr *)&q->from, sizeof(q->from));
		u->first = (u->first + 1) % WAITING;
		u->count--;
	}
}

static void serve(struct upstream *u)
{
	struct pollfd ready = {.fd = u->fd, .events = POLLIN};

	for (;;) {
		int wait_ms = -1;
		if (u->count) {
			int64_t us = (int64_t)(u->waiting[u->first].due_us - zipf_clock_us());
			wait_ms = us > 0 ? (int)((us + 999) / 1000) : 0;
		}
		(void)poll(&ready, 1, wait_ms);
		take(u);
		give(u);
	}
}

int main(int argc, char **argv)
{
	static struct upstream u;

	if (argc != 6 && argc != 7) {
		fputs("usage: zipf_upstream PORT COUNTER TTL_MIN TTL_MAX DELAY_MS [ADDRESS]\n",
			stderr);
		return 2;
	}
	u.ttl = (struct zipf_ttl){bench_number(argv[3]), bench_number(argv[4])};
	u.delay_us = UINT64_C(1000) * bench_number(argv[5]);
	if (u.ttl.min_s == 0 || u.ttl.max_s < u.ttl.min_s)
		return 2;
	u.fd = bench_server(argv[1], argv[6]);
	u.counter = bench_counter(argv[2], sizeof(*u.counter));
	serve(&u);
}
