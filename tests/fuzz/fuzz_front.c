// SPDX-License-Identifier: BSD-3-Clause

// A client's message to the control plane itself, over UDP and TCP, through the whole front: rules,
// L0, a resolver and its upstream. It ends in one verdict and one reply at most, at once or once
// its answer is there, which passes the oracle.
//
// The first octet chooses (enum); the rest is the message.

#include "../../controlplane/front.h"
#include "../../controlplane/policy_build.h"
#include "reply_oracle.h"
#include "resolver_box.h"

#include <arpa/inet.h>
#include <string.h>

enum { OVER_TCP = 1, FROM_V6 = 2, WAYS = 4, INPUT_MOST = 1500 };

static struct front_session session[FRONT_TRANSPORTS];
static const uint8_t *query;
static size_t query_len;
static unsigned replies;

static void reply_check(enum front_transport t, const struct front_reply *r)
{
	const struct reply_oracle o = {.query = query,
		.query_len = query_len,
		.limit = t == FRONT_TCP ? (size_t)REPLY_ORACLE_TCP
					: box.config.limits.udp_reply_size};
	FUZZ_CHECK(r->len > 0);
	FUZZ_CHECK(r->opt == 0 || r->opt + DNS_OPT_FIXED_LEN <= r->len);
	reply_oracle_check(&o, r->msg, r->len);
	replies++;
}

static void on_reply(
	struct front_session *s, const union front_client *, const struct front_reply *r)
{
	reply_check(s->transport, r);
}

static void everyone_admit(void)
{
	static const struct policy_group everyone;
	struct policy_image image;
	char why[SHM_WHY_MAX];
	FUZZ_CHECK(policy_build(&box.config, &everyone, &image) == 0);
	FUZZ_CHECK(policy_publish(box.publisher, image.head, image.size, why) == 0);
	free(image.head);
}

int LLVMFuzzerInitialize(int *, char ***)
{
	box_open();
	box_link();
	everyone_admit();
	for (unsigned t = 0; t < FRONT_TRANSPORTS; t++) {
		session[t] = (struct front_session){
			.reply = on_reply, .transport = (enum front_transport)t};
		front_session_begin(&session[t]);
	}
	return 0;
}

static union front_client client_of(unsigned way)
{
	union front_client c = {.v4 = {.sin_family = AF_INET,
					.sin_port = htons(4000),
					.sin_addr.s_addr = htonl(0xc6120002)}};
	if (way & FROM_V6)
		c.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
			.sin6_port = htons(4000),
			.sin6_addr.s6_addr = {0xfd, 0x53, [15] = 2}};
	return c;
}

static uint64_t verdicts(const struct front_counts *c)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		n += c->verdict[i];
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct front_reply r;
	if (len < 1 || len > INPUT_MOST || data[0] >= WAYS)
		return 0;
	enum front_transport t = data[0] & OVER_TCP ? FRONT_TCP : FRONT_UDP;
	struct front *f = resolver_front(box.resolver);
	union front_client client = client_of(data[0]);
	struct front_status before, after;
	struct table_registry tables = {0};
	query = data + 1;
	query_len = len - 1;
	replies = 0;
	front_status(f, &before, &tables);
	enum front_outcome outcome = front_ask(f, &session[t], &client, query, query_len, &r);
	FUZZ_CHECK(replies == 0);
	if (outcome == FRONT_REPLY)
		reply_check(t, &r);
	if (outcome == FRONT_LATER) {
		FUZZ_CHECK(session[t].pending == 1);
		box_settle();
	}
	front_status(f, &after, &tables);
	FUZZ_CHECK(replies == (outcome == FRONT_REPLY || outcome == FRONT_LATER));
	FUZZ_CHECK(session[t].pending == 0 && after.pending == 0);
	FUZZ_CHECK(verdicts(&after.of[t]) == verdicts(&before.of[t]) + 1);
	FUZZ_CHECK(after.of[t].lost == 0 && after.of[t].left == 0);
	return 0;
}
