// SPDX-License-Identifier: BSD-3-Clause

// zipf_load SERVICE RATE SECONDS NAMES TTL_MIN TTL_MAX HOT_PER_MINUTE DELAY_MS SEED: asks SERVICE
// for NAMES names, at a steady RATE by Zipf(1.0), and judges every reply. The
// upstream is zipf_upstream, on the same machine, with the same TTLs and delay. Prints one JSON
// object; on standard error, a line each minute and one for each hot name that is late.
#include "tests/bench/bench_tools.h"
#include "zipf_names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/bytes.h>

// Reads a reply to a question of zipf_load, which may hold anything.

struct zipf_reply {
	uint32_t number, serial, born_ms; // of zipf_names.h
	uint32_t ttl_s;
	bool stale; // EDE 3 or 19 says so (RFC 8914)
};

enum zipf_verdict { ZIPF_ANSWER, ZIPF_SERVFAIL, ZIPF_WRONG };

// `question`: header and question as they were sent.
enum zipf_verdict zipf_reply_read(const uint8_t *message, size_t len, const uint8_t *question,
	size_t question_len, struct zipf_reply *out);

enum {
	HEADER = 12,
	RECORD = 10, // of a record's bytes between name and data
	TYPE_OPT = 41,
	OPTION_EDE = 15,
	EDE_STALE = 3,
	EDE_STALE_NX = 19,
};

struct record {
	const uint8_t *data;
	uint32_t ttl_s;
	uint16_t type, class, len;
};

static bool name_skip(const uint8_t *m, size_t len, size_t *at)
{
	while (*at < len && m[*at] != 0) {
		if (m[*at] >= 0xc0) {
			*at += 2;
			return *at <= len;
		}
		*at += 1u + m[*at];
	}
	*at += 1;
	return *at <= len;
}

static bool record_read(const uint8_t *m, size_t len, size_t *at, struct record *out)
{
	if (!name_skip(m, len, at) || *at + RECORD > len)
		return false;
	const uint8_t *p = m + *at;
	*out = (struct record){
		p + RECORD, get_u32(p + 4), get_u16(p), get_u16(p + 2), get_u16(p + 8)};
	*at += RECORD + (size_t)out->len;
	return *at <= len;
}

static bool says_stale(const struct record *opt)
{
	for (size_t at = 0; at + 4 <= opt->len;) {
		uint16_t code = get_u16(opt->data + at), size = get_u16(opt->data + at + 2);
		if (at + 4 + size > opt->len)
			return false;
		if (code == OPTION_EDE && size >= 2) {
			uint16_t info = get_u16(opt->data + at + 4);
			if (info == EDE_STALE || info == EDE_STALE_NX)
				return true;
		}
		at += 4u + size;
	}
	return false;
}

enum zipf_verdict zipf_reply_read(const uint8_t *message, size_t len, const uint8_t *question,
	size_t question_len, struct zipf_reply *out)
{
	struct record r;
	size_t at = question_len;

	if (len < question_len || !(message[2] & 0x80) || get_u16(message + 4) != 1
		|| memcmp(message + HEADER, question + HEADER, question_len - HEADER) != 0)
		return ZIPF_WRONG;
	unsigned rcode = message[3] & 15, answers = get_u16(message + 6);
	unsigned others = get_u16(message + 8) + get_u16(message + 10);
	if (rcode == 2 && answers == 0)
		return ZIPF_SERVFAIL;
	if (rcode != 0 || answers != 1 || !record_read(message, len, &at, &r))
		return ZIPF_WRONG;
	if (r.type != ZIPF_TYPE || r.class != 1 || r.len != ZIPF_RDATA
		|| get_u32(r.data) != ZIPF_PREFIX)
		return ZIPF_WRONG;
	*out = (struct zipf_reply){.number = get_u32(r.data + 4),
		.serial = get_u32(r.data + 8),
		.born_ms = get_u32(r.data + 12),
		.ttl_s = r.ttl_s};
	while (others--) {
		if (!record_read(message, len, &at, &r))
			return ZIPF_WRONG;
		out->stale |= r.type == TYPE_OPT && says_stale(&r);
	}
	return at == len ? ZIPF_ANSWER : ZIPF_WRONG;
}

// What zipf_load knows of each name, and its judgement of every reply. A name is hot when the
// distribution alone makes it so, by its expected rate; warm from a tenth of that on.
//
// A client of a name that was answered before is late when the reply is stale (EDE says so, or the
// data is older than its TTL), or when it was missed: the reply's data was made after the question
// was sent, and the copy known before that one had run out when the reply came. Was it still good,
// the name was renewed while the question lay in some queue (`overtaken`, no miss).
//
// Beside that runs a cache without refresh-ahead: what the same questions would have cost a cache
// that keeps each answer for its TTL, with the same upstream.

enum zipf_heat { ZIPF_HOT, ZIPF_WARM, ZIPF_COLD, ZIPF_HEATS };

struct zipf_name {
	uint32_t filled_ms;         // when the first answer came
	uint32_t serial, ends_ms;   // of the newest answer
	uint32_t before_ms;         // ends_ms of the one before
	uint32_t ready_ms, over_ms; // of the cache without refresh-ahead
	uint8_t heat;
	bool filled, in_model;
};

struct zipf_tally {
	uint64_t names, filled, sent, answers;
	uint64_t first_waits; // the first fill, and who waited for it as well
	uint64_t missed, stale, overtaken;
	uint64_t servfail, unanswered;
	uint64_t model_misses, model_late; // late: after the first fill
};

struct zipf_books {
	struct zipf_ttl ttl;
	uint32_t names, delay_ms;
	struct zipf_name *name;
	double *below; // share of the traffic of names up to this one
	uint64_t seed;
	struct zipf_tally tally[ZIPF_HEATS];
	uint64_t wrong, model_upstream;
	uint32_t lines; // about late replies, on standard error
};

struct zipf_question {
	uint32_t number, sent_ms;
};

enum {
	WARM_PART = 10,
	SLACK_MS = 3000, // from the upstream's answer to its storing, on a machine with no CPU left
	TOLD_MAX = 50,
};

static uint8_t heat_of(double per_minute, uint32_t hot_per_minute)
{
	if (per_minute >= hot_per_minute)
		return ZIPF_HOT;
	return per_minute * WARM_PART >= hot_per_minute ? ZIPF_WARM : ZIPF_COLD;
}

// False: no memory. The names' rates are those of Zipf(1.0) at `rate` questions a second.
static bool zipf_books_open(struct zipf_books *b, uint32_t rate, uint32_t hot_per_minute)
{
	double sum = 0;

	b->name = calloc(b->names, sizeof(*b->name));
	b->below = calloc(b->names, sizeof(*b->below));
	if (!b->name || !b->below)
		return false;
	for (uint32_t i = 0; i < b->names; i++) {
		sum += 1.0 / (i + 1);
		b->below[i] = sum;
	}
	for (uint32_t i = 0; i < b->names; i++) {
		b->below[i] /= sum;
		b->name[i].heat = heat_of(rate * 60.0 / sum / (i + 1), hot_per_minute);
		b->tally[b->name[i].heat].names++;
	}
	return true;
}

// the next name to ask for
static uint32_t zipf_books_draw(struct zipf_books *b)
{
	double at = (double)(zipf_mix(b->seed++) >> 11) / (double)(UINT64_C(1) << 53);
	uint32_t low = 0, high = b->names - 1;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (b->below[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void model_ask(struct zipf_books *b, struct zipf_name *n, const struct zipf_question *q)
{
	bool again = n->in_model, gone = !again || !zipf_after(n->over_ms, q->sent_ms);

	if (gone) {
		b->model_upstream++;
		n->in_model = true;
		n->ready_ms = q->sent_ms + b->delay_ms;
		n->over_ms = n->ready_ms + zipf_ttl_s(&b->ttl, q->number) * 1000;
	}
	if (!zipf_after(n->ready_ms, q->sent_ms))
		return;
	b->tally[n->heat].model_misses++;
	b->tally[n->heat].model_late += gone && again;
}

static void zipf_books_sent(struct zipf_books *b, const struct zipf_question *q)
{
	struct zipf_name *n = &b->name[q->number];

	b->tally[n->heat].sent++;
	model_ask(b, n, q);
}

static void tell(struct zipf_books *b, const struct zipf_question *q, const struct zipf_reply *r,
	const char *what, uint32_t now_ms)
{
	const struct zipf_name *n = &b->name[q->number];

	if (b->lines++ >= TOLD_MAX)
		return;
	fprintf(stderr,
		"%s: z%u (TTL %u s, filled %u ms ago): asked, then made after %d ms, came after %u "
		"ms; the copy before ran out %d ms before it was asked\n",
		what, (unsigned)q->number, (unsigned)zipf_ttl_s(&b->ttl, q->number),
		(unsigned)(now_ms - n->filled_ms), (int)(r->born_ms - q->sent_ms),
		(unsigned)(now_ms - q->sent_ms), (int)(q->sent_ms - n->ends_ms));
}

static bool is_wrong(const struct zipf_books *b, const struct zipf_question *q,
	const struct zipf_reply *r, uint32_t now_ms)
{
	uint32_t ttl_s = zipf_ttl_s(&b->ttl, q->number);
	uint32_t over_ms = r->born_ms + ttl_s * 1000 + SLACK_MS;

	if (r->number != q->number || zipf_after(r->born_ms, now_ms))
		return true;
	// Its TTL must not outlive the record. A stale one has a TTL of its own.
	return !r->stale && (r->ttl_s > ttl_s || zipf_after(q->sent_ms + r->ttl_s * 1000, over_ms));
}

static void judge(struct zipf_books *b, const struct zipf_question *q, const struct zipf_reply *r,
	uint32_t now_ms)
{
	struct zipf_name *n = &b->name[q->number];
	struct zipf_tally *t = &b->tally[n->heat];
	uint32_t over_ms = r->born_ms + zipf_ttl_s(&b->ttl, q->number) * 1000 + SLACK_MS;
	// Others may have waited for this very answer, and have got it already.
	uint32_t before_ms = r->serial == n->serial ? n->before_ms : n->ends_ms;

	if (r->stale || zipf_after(q->sent_ms, over_ms)) {
		t->stale++;
		if (n->heat == ZIPF_HOT)
			tell(b, q, r, "stale", now_ms);
	} else if (zipf_after(r->born_ms, q->sent_ms)) {
		if (!n->filled || !zipf_after(q->sent_ms, n->filled_ms)) {
			t->first_waits++;
		} else if (zipf_after(before_ms, now_ms)) {
			t->overtaken++;
		} else {
			t->missed++;
			if (n->heat == ZIPF_HOT)
				tell(b, q, r, "missed", now_ms);
		}
	}
}

static void zipf_books_reply(struct zipf_books *b, const struct zipf_question *q,
	enum zipf_verdict verdict, const struct zipf_reply *r, uint32_t now_ms)
{
	struct zipf_name *n = &b->name[q->number];
	struct zipf_tally *t = &b->tally[n->heat];

	if (verdict == ZIPF_SERVFAIL) {
		t->servfail++;
		return;
	}
	if (verdict != ZIPF_ANSWER || is_wrong(b, q, r, now_ms)) {
		b->wrong++;
		return;
	}
	t->answers++;
	judge(b, q, r, now_ms);
	if (!n->filled) {
		n->filled = true;
		n->filled_ms = now_ms;
		n->serial = r->serial - 1;
		n->ends_ms = now_ms;
		t->filled++;
	}
	// An older copy than one seen before: an answer that lay in a queue, or asked for earlier.
	if ((int32_t)(r->serial - n->serial) <= 0)
		return;
	n->serial = r->serial;
	n->before_ms = n->ends_ms;
	n->ends_ms = r->born_ms + zipf_ttl_s(&b->ttl, q->number) * 1000;
}

static void zipf_books_unanswered(struct zipf_books *b, const struct zipf_question *q)
{
	b->tally[b->name[q->number].heat].unanswered++;
}

// A JSON object on standard output.
static void zipf_books_print(const struct zipf_books *b)
{
	static const char *const heats[] = {"hot", "warm", "cold"};
	struct zipf_tally all = {0};

	printf("{");
	for (unsigned i = 0; i < ZIPF_HEATS; i++) {
		const struct zipf_tally *t = &b->tally[i];
		printf("\"%s\": {\"names\": %ju, \"filled\": %ju, \"sent\": %ju, \"answers\": %ju, "
		       "\"first_waits\": %ju, \"missed\": %ju, \"stale\": %ju, \"overtaken\": %ju, "
		       "\"servfail\": %ju, \"unanswered\": %ju, \"late_without\": %ju}, ",
			heats[i], (uintmax_t)t->names, (uintmax_t)t->filled, (uintmax_t)t->sent,
			(uintmax_t)t->answers, (uintmax_t)t->first_waits, (uintmax_t)t->missed,
			(uintmax_t)t->stale, (uintmax_t)t->overtaken, (uintmax_t)t->servfail,
			(uintmax_t)t->unanswered, (uintmax_t)t->model_late);
		all.sent += t->sent;
		all.answers += t->answers;
		all.missed += t->first_waits + t->missed;
		all.unanswered += t->unanswered;
		all.model_misses += t->model_misses;
	}
	printf("\"sent\": %ju, \"answers\": %ju, \"wrong\": %ju, \"unanswered\": %ju, \"misses\": "
	       "%ju, \"misses_without\": %ju, \"upstream_without\": %ju}\n",
		(uintmax_t)all.sent, (uintmax_t)all.answers, (uintmax_t)b->wrong,
		(uintmax_t)all.unanswered, (uintmax_t)all.missed, (uintmax_t)all.model_misses,
		(uintmax_t)b->model_upstream);
}

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
