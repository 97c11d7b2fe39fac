// SPDX-License-Identifier: BSD-3-Clause

// Is there a message that takes much longer to read than others of its size?
//
// Each input of the fuzz corpora, and messages made for it (slowest_made.c), through the parsers of
// clients' queries (as a worker does it: dns_query_fast, else dns_query_parse), of compressed names
// (bytes of the labels and pointers that they lead through) and of upstreams' replies. In CPU time
// of this thread, the least of ROUNDS, per byte; by classes of size, as a call costs something
// however short a message is. Fails when the slowest of a class takes over WORST times the median
// of its plain ones that are read whole: a ratio within one run, whatever the machine.

#include "bench_row.h"
#include "bench_tools.h"
#include "dataplane/core/dns/dns_query_fast.h"
#include "slowest_made.h"

#include <dirent.h>
#include <math.h>
#include <string.h>
#include <weir/dns_answer.h>

#define GOAL "slowest"

enum { ROUNDS = 15, BATCH_NS = 20000, WORST = 10, CORPUS_AT_MAX = 64, DATAGRAM = 512 };

static const char *const parser_name[SLOW_PARSERS] = {"query", "name", "reply"};
// Nobody honest sends queries of over 128 bytes but padded ones, of which nothing is read.
enum { CLASSES = 4 };
static const size_t class_max[SLOW_PARSERS][CLASSES] = {[SLOW_QUERY] = {DNS_MESSAGE_MAX},
	[SLOW_NAME] = {64, 2 * DNS_NAME_MAX},
	[SLOW_REPLY] = {128, DATAGRAM, 4096, DNS_MESSAGE_MAX}};

static uint64_t cpu_ns(void)
{
	return bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static bool read_query(const struct slow_input *in)
{
	static const struct keyhash_secret secret = {{1, 2, 3}};
	static struct dns_query q;
	uint64_t hash;
	return dns_query_fast(in->bytes, in->len, &secret, &q, &hash) != DNS_QUERY_ODD
	       || dns_query_parse(in->bytes, in->len, &q) == DNS_QUERY_OK;
}

static bool read_name(const struct slow_input *in)
{
	static struct dns_name name;
	static uint8_t wire_case[DNS_NAME_MAX];
	struct rd r = rd_init(in->bytes, in->len);
	r.pos = in->at;
	return dns_name_read_compressed(&r, &name, wire_case) == 0;
}

// To the question that it has; AD stands for DO, as in the corpus.
static bool read_reply(const struct slow_input *in)
{
	static const struct dns_answer_rules limits = {.max_s = 86400, .negative_s = 3600};
	static struct dns_answer answer;
	static struct dns_query q;
	struct rd r = rd_init(in->bytes, in->len);
	rd_skip(&r, DNS_HEADER_LEN);
	if (dns_name_read(&r, &q.name) || rd_left(&r) < 4)
		return false;
	q.qtype = rd_u16(&r);
	q.qclass = rd_u16(&r);
	q.dnssec_ok = in->bytes[3] & DNS_FLAG_AD;
	const uint8_t *question = in->bytes + DNS_HEADER_LEN;
	return dns_answer_matches(in->bytes, in->len, get_u16(in->bytes), question,
		       (uint16_t)(q.name.len + 4), false)
	       && dns_answer_read(in->bytes, in->len, &q, &limits, &answer) == 0;
}

static bool (*const read_one[SLOW_PARSERS])(const struct slow_input *) = {
	read_query, read_name, read_reply};

// Bytes of the labels and pointers that a name leads through.
static size_t name_bytes(const struct slow_input *in)
{
	size_t at = in->at, seen = 0, jumps = 0;
	while (at + 1 < in->len && jumps < in->len) {
		uint8_t byte = in->bytes[at];
		bool jump = byte >= 0xc0;
		seen += jump ? 2 : 1u + byte;
		if (byte == 0)
			break;
		at = jump ? (size_t)(byte & 0x3f) << 8 | in->bytes[at + 1] : at + 1 + byte;
		jumps += jump;
	}
	return seen;
}

static double batch_ns(enum slow_parser parser, const struct slow_input *in)
{
	uint64_t began = cpu_ns();
	for (unsigned i = 0; i < in->calls; i++)
		(void)read_one[parser](in);
	return (double)(cpu_ns() - began);
}

// So many calls that reading the clock does not count; an interrupt is not to be taken for a call.
static unsigned calls_of(enum slow_parser parser, struct slow_input *in)
{
	unsigned long_ones = 0;
	for (in->calls = 1; long_ones < 3; in->calls += long_ones ? 0 : in->calls)
		long_ones = batch_ns(parser, in) < BATCH_NS ? 0 : long_ones + 1;
	return in->calls;
}

// Rounds over all inputs, so that no moment of a busy machine is in all rounds of one.
static void measure(enum slow_parser parser, struct slow_set *s)
{
	for (unsigned round = 0; round <= ROUNDS; round++)
		for (size_t i = 0; i < s->count; i++) {
			struct slow_input *in = &s->input[i];
			if (round == 0) {
				in->is_whole = read_one[parser](in);
				in->size = parser == SLOW_NAME ? name_bytes(in) : in->len;
				in->ns = HUGE_VAL;
				in->calls = calls_of(parser, in);
				continue;
			}
			double ns = batch_ns(parser, in) / in->calls;
			in->ns = ns < in->ns ? ns : in->ns;
		}
}

static void add_file(
	enum slow_parser parser, struct slow_set *s, const char *folder, const char *file)
{
	static uint8_t bytes[DNS_MESSAGE_MAX];
	char path[1024];
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	FILE *f = fopen(path, "rb");
	if (!f)
		return;
	struct slow_input in = {.bytes = bytes, .len = fread(bytes, 1, sizeof(bytes), f)};
	fclose(f);
	snprintf(in.name, sizeof(in.name), "%.63s", file);
	if (parser != SLOW_NAME)
		slow_add(s, &in);
	else
		for (; in.at < in.len && in.at < CORPUS_AT_MAX; in.at++)
			if (read_name(&in))
				slow_add(s, &in);
}

static bool corpus_read(enum slow_parser parser, struct slow_set *s, const char *corpus)
{
	char folder[512];
	snprintf(folder, sizeof(folder), "%s/dns_%s", corpus,
		parser == SLOW_REPLY ? "answer" : parser_name[parser]);
	struct dirent **entry;
	int n = scandir(folder, &entry, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (entry[i]->d_name[0] != '.')
			add_file(parser, s, folder, entry[i]->d_name);
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
	return s->count > 0;
}

// The median of the plain ones; 0: there are none.
static double median(const struct slow_set *s, size_t above, size_t most)
{
	double *cost = calloc(s->count, sizeof(*cost)), middle;
	size_t n = 0;
	if (!cost)
		exit(1);
	for (size_t i = 0; i < s->count; i++) {
		const struct slow_input *in = &s->input[i];
		if (in->is_whole && !in->is_evil && in->size > above && in->size <= most)
			cost[n++] = in->ns / (double)in->size;
	}
	qsort(cost, n, sizeof(*cost), bench_by_value);
	middle = n ? cost[n / 2] : 0;
	free(cost);
	return middle;
}

// False when one is too slow, or when there is nothing to compare it with.
static bool judge(enum slow_parser parser, const struct slow_set *s, size_t above, size_t most)
{
	const struct slow_input *worst = NULL;
	double middle = median(s, above, most);
	size_t n = 0;
	char name[64], which[96];
	for (size_t i = 0; i < s->count; i++) {
		const struct slow_input *in = &s->input[i];
		if (in->size <= above || in->size > most)
			continue;
		n++;
		if (!worst || in->ns / (double)in->size > worst->ns / (double)worst->size)
			worst = in;
	}
	if (!worst || middle <= 0)
		return false;
	double ratio = worst->ns / (double)worst->size / middle;
	snprintf(
		name, sizeof(name), "%s of %zu to %zu bytes", parser_name[parser], above + 1, most);
	snprintf(which, sizeof(which), "slowest (%zu bytes, %s)", worst->size, worst->name);
	bench_say(GOAL, name, "inputs", (double)n, "inputs", 0);
	bench_say(GOAL, name, "median", middle, "ns/byte", 0);
	bench_say(GOAL, name, which, worst->ns / (double)worst->size, "ns/byte", 0);
	bench_say(GOAL, name, "ratio", ratio, "of median", WORST);
	return ratio <= WORST;
}

// What one message can cost, whatever its size.
static void say_longest(
	enum slow_parser parser, const struct slow_set *s, size_t most, double goal_us)
{
	const struct slow_input *worst = &s->input[0];
	char name[64], which[96];
	for (size_t i = 0; i < s->count; i++)
		if (s->input[i].len <= most && s->input[i].ns > worst->ns)
			worst = &s->input[i];
	snprintf(name, sizeof(name), "%s of %zu bytes at most", parser_name[parser], most);
	snprintf(which, sizeof(which), "longest (%zu bytes, %s)", worst->len, worst->name);
	bench_say(GOAL, name, which, worst->ns / 1000, "us", goal_us);
}

int main(int argc, char **argv)
{
	bool right = argc > 1;
	for (enum slow_parser p = 0; argc > 1 && p < SLOW_PARSERS; p++) {
		struct slow_set s = {0};
		if (!corpus_read(p, &s, argv[1])) {
			fprintf(stderr, "bench_slowest: no corpus in %s\n", argv[1]);
			return 1;
		}
		slow_make(p, &s);
		measure(p, &s);
		for (size_t i = 0, above = 0; i < CLASSES && class_max[p][i];
			above = class_max[p][i++])
			right &= judge(p, &s, above, class_max[p][i]);
		say_longest(p, &s, DATAGRAM, p == SLOW_QUERY ? 2 : 0);
		say_longest(p, &s, DNS_MESSAGE_MAX, 0);
	}
	return !right;
}
