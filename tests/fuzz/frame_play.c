// SPDX-License-Identifier: BSD-3-Clause
#include "frame_play.h"

#include "frame_oracle.h"
#include "fuzz.h"
#include "reply_oracle.h"

static struct harness *h;

struct harness *frame_play_begin(void)
{
	static const char *const listed[] = {"ads.example"};
	const struct harness_record warm = {.name = "warm.example", .count = 3};
	const struct harness_record large = {.name = "large.example", .count = 60};
	const struct harness_record old = {.name = "a.b.c.d.e.f.g.old.example",
		.count = 2,
		.created_ms = -70000,
		.soft_ms = 60000};
	FUZZ_CHECK(harness_start(NULL) == 0);
	h = harness_begin(&(struct harness_options){.rx_csum_compute = true});
	harness_put(h, &warm);
	harness_put(h, &large);
	harness_put(h, &old);
	harness_block(h, listed, 1);
	h->tables.config.stale_mode = STALE_IMMEDIATE;
	h->tables.config.cookies = (struct dns_cookie_terms){.is_on = 1, .count = 1};
	strcpy(h->tables.config.identity.nsid, "box");
	strcpy(h->tables.config.identity.version, "1");
	return h;
}

static void check_out(const uint8_t *frame, size_t len)
{
	uint8_t out[WIRE_MAX];
	struct frame_udp query, reply;
	size_t n = harness_take(h, out);
	if (n == 0 || !frame_oracle_check(out, n, &reply))
		return;
	FUZZ_CHECK(frame_oracle_read(frame, len, &query));
	frame_oracle_check_ends(&query, &reply);
	const struct reply_oracle o = {.query = query.dns,
		.query_len = query.dns_len,
		.limit = h->tables.config.udp_limit,
		.any_rdata = true};
	reply_oracle_check(&o, reply.dns, reply.dns_len);
	FUZZ_CHECK(harness_waiting(h) == 0);
}

static uint64_t verdicts(void)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		n += harness_verdict(h, i);
	return n;
}

void frame_play(const uint8_t *frame, size_t len, bool is_chained)
{
	uint8_t question[300];
	struct msg_miss miss;
	uint64_t before = verdicts();
	if (is_chained)
		harness_inject_chained(h, frame, len, 1 + len / 2);
	else
		harness_inject(h, frame, len);
	harness_turns(h);
	FUZZ_CHECK(verdicts() == before + 1);
	check_out(frame, len);
	while (harness_miss(h, &miss, question))
		FUZZ_CHECK(miss.question_len >= 5 && miss.question_len <= 259);
}
