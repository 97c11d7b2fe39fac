// SPDX-License-Identifier: BSD-3-Clause

// zipf_load SERVICE RATE SECONDS NAMES TTL_MIN TTL_MAX HOT_PER_MINUTE DELAY_MS SEED: asks SERVICE
// for NAMES names, at a steady RATE by Zipf(1.0), and judges every reply (zipf_books.h). The
// upstream is zipf_upstream, on the same machine, with the same TTLs and delay. Prints one JSON
// object; on standard error, a line each minute and one for each hot name that is late.
#include "tests/bench/bench_tools.h"
#include "zipf_books.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/bytes.h>

enum {
	MESSAGE_MAX = 80,
	REPLY_MAX = 1500,
	IDS = 1 << 16,
	DEADLINE_MS = 5000,
	PAUSE_US = 1000,
	BURSTS = 20, // of a second's questions may be caught up on in one turn
	MINUTE_MS = 60000,
	BUFFER = 16 << 20,
};

struct load {
	int fd;
	uint32_t rate, seconds;
	struct zipf_books books;
	struct zipf_question asked[IDS]; // by id: from `oldest` on, up to `sent`
	bool waits[IDS];
	uint64_t oldest, sent;
};

static size_t question_write(uint8_t *m, uint16_t id, uint32_t number, size_t *question_end)
{
	static const uint8_t edns[] = {0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0, 0, 0, 0};
	size_t at = 12;
	int label = snprintf((char *)m + at + 1, 12, "z%u", (unsigned)number);

	memset(m, 0, at);
	put_u16(m, id);
	m[2] = 1; // RD
	m[5] = 1;
	m[11] = 1;
	m[at] = (uint8_t)label;
	at += 1u + (size_t)label;
	memcpy(m + at, "\4zipf\4test\0\0\0\0\1", 15);
	m[at + 12] = ZIPF_TYPE;
	at += 15;
	*question_end = at;
	memcpy(m + at, edns, sizeof(edns));
	return at + sizeof(edns);
}

static void ask(struct load *l)
{
	uint8_t message[MESSAGE_MAX];
	uint16_t id = (uint16_t)l->sent;
	size_t end;
	struct zipf_question q = {zipf_books_draw(&l->books), zipf_clock_ms()};
	size_t len = question_write(message, id, q.number, &end);

	while (send(l->fd, message, len, 0) < 0 && (errno == ENOBUFS || errno == EAGAIN))
		usleep(PAUSE_US);
	l->asked[id] = q;
	l->waits[id] = true;
	l->sent++;
	zipf_books_sent(&l->books, &q);
}

static void give_up_old(struct load *l, uint32_t now_ms)
{
	for (; l->oldest < l->sent; l->oldest++) {
		uint16_t id = (uint16_t)l->oldest;
		if (l->waits[id]) {
			if (now_ms - l->asked[id].sent_ms < DEADLINE_MS
				&& l->sent - l->oldest < IDS)
				return;
			l->waits[id] = false;
			zipf_books_unanswered(&l->books, &l->asked[id]);
		}
	}
}

static void take_replies(struct load *l)
{
	uint8_t message[REPLY_MAX], question[MESSAGE_MAX];
	struct zipf_reply reply = {0};
	ssize_t n;
	size_t end;

	while ((n = recv(l->fd, message, sizeof(message), MSG_DONTWAIT)) >= 0
		|| errno == ECONNREFUSED) {
		if (n < 12)
			continue;
		uint16_t id = get_u16(message);
		if (!l->waits[id])
			continue;
		(void)question_write(question, id, l->asked[id].number, &end);
		enum zipf_verdict verdict =
			zipf_reply_read(message, (size_t)n, question, end, &reply);
		l->waits[id] = false;
		zipf_books_reply(&l->books, &l->asked[id], verdict, &reply, zipf_clock_ms());
	}
}

static void tell_minute(const struct load *l, uint32_t minute)
{
	const struct zipf_tally *hot = &l->books.tally[ZIPF_HOT],
				*warm = &l->books.tally[ZIPF_WARM];

	fprintf(stderr,
		"minute %u: %ju sent; hot: missed %ju, stale %ju, overtaken %ju, unanswered "
		"%ju; warm: missed %ju\n",
		(unsigned)minute, (uintmax_t)l->sent, (uintmax_t)hot->missed, (uintmax_t)hot->stale,
		(uintmax_t)hot->overtaken, (uintmax_t)hot->unanswered, (uintmax_t)warm->missed);
}

static void run(struct load *l)
{
	uint64_t began_us = zipf_clock_us(), end_us = began_us + UINT64_C(1000000) * l->seconds;
	uint64_t now_us, due = 0;
	uint32_t minute = 1;

	while ((now_us = zipf_clock_us()) < end_us) {
		uint64_t until = (now_us - began_us) * l->rate / 1000000, n = until - due;
		due = until;
		// No burst after a pause of this program.
		for (n = n < l->rate / BURSTS ? n : l->rate / BURSTS; n; n--)
			ask(l);
		take_replies(l);
		give_up_old(l, zipf_clock_ms());
		if (now_us - began_us >= UINT64_C(1000) * MINUTE_MS * minute)
			tell_minute(l, minute++);
		usleep(PAUSE_US);
	}
	for (unsigned ms = 0; ms <= DEADLINE_MS; ms++) {
		take_replies(l);
		give_up_old(l, zipf_clock_ms());
		usleep(PAUSE_US);
	}
}

static int service_open(const char *address)
{
	const int room = BUFFER;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1
		|| connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		bench_die(address);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	return fd;
}

int main(int argc, char **argv)
{
	static struct load l;

	if (argc != 10) {
		fputs("usage: zipf_load SERVICE RATE SECONDS NAMES TTL_MIN TTL_MAX HOT_PER_MINUTE "
		      "DELAY_MS SEED\n",
			stderr);
		return 2;
	}
	l.rate = bench_number(argv[2]);
	l.seconds = bench_number(argv[3]);
	l.books = (struct zipf_books){.names = bench_number(argv[4]),
		.ttl = {bench_number(argv[5]), bench_number(argv[6])},
		.delay_ms = bench_number(argv[8]),
		.seed = zipf_mix(bench_number(argv[9]))};
	if (l.books.names == 0 || l.books.ttl.min_s == 0 || l.books.ttl.max_s < l.books.ttl.min_s
		|| !zipf_books_open(&l.books, l.rate, bench_number(argv[7])))
		return 2;
	l.fd = service_open(argv[1]);
	run(&l);
	zipf_books_print(&l.books);
	return 0;
}
