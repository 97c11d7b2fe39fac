// SPDX-License-Identifier: BSD-3-Clause

// Two resolvers in one process, each on its own loop's thread with its own shared memory, frontend,
// upstream and policy: both get queries for the same names at the same time. Each answer has the
// address of the resolver's own upstream, and a client that one policy refuses is served by the
// other: no state is shared.

#include "controlplane/base/loop.h"
#include "controlplane/frontend/frontend.h"
#include "tests/unit/wait.h"
#include "two_rig.h"

enum { BOXES = 2, BATCH = 32, NAMES = 500 };

static const char *const clients[] = {"198.18.0.2", "198.18.0.66"}; // box 1 refuses the second

struct box {
	unsigned number;
	struct two_box of; // one resolver
	struct frontend *frontend;
	struct frontend_session session;
	pthread_t thread;
	// The loop's.
	uint64_t asked, refused, hits;
	_Atomic uint64_t done; // also read by the main thread
};
static struct box boxes[BOXES];

static uint32_t address_of(const struct box *b)
{
	return 0xc0000210 + b->number; // 192.0.2.16 and on
}

static void reply_check(struct box *b, const struct frontend_reply *reply)
{
	unsigned rcode = reply->len ? get_u16(reply->msg + 2) & DNS_FLAG_RCODE : DNS_RCODE_SERVFAIL;
	if (rcode == DNS_RCODE_REFUSED) {
		CHECK(b->number == 1);
		b->refused++;
	} else {
		CHECK(rcode == DNS_RCODE_NOERROR && get_u16(reply->msg + 6) == 1);
		CHECK(get_u32(reply->msg + reply->len - 4) == address_of(b));
	}
	atomic_fetch_add(&b->done, 1);
}

static void on_reply(struct frontend_session *s, const union client_address *,
	const struct frontend_reply *reply)
{
	struct box *b = (struct box *)(void *)((char *)s - offsetof(struct box, session));
	reply_check(b, reply);
}

static void ask_batch(void *arg)
{
	struct box *b = arg;
	for (unsigned i = 0; i < BATCH; i++) {
		uint8_t msg[TWO_QUERY_MAX];
		struct frontend_reply reply;
		union client_address from = {
			.v4 = {.sin_family = AF_INET, .sin_port = htons(4000)}};
		unsigned id = (unsigned)b->asked++;
		const char *client = clients[id % 8 == 0];
		CHECK(inet_pton(AF_INET, client, &from.v4.sin_addr) == 1);
		size_t len = two_query(msg, id, NAMES);
		enum frontend_outcome o =
			frontend_ask(b->frontend, &b->session, &from, msg, len, &reply);
		CHECK(o == FRONTEND_REPLY || o == FRONTEND_LATER);
		if (o == FRONTEND_REPLY) {
			b->hits++;
			reply_check(b, &reply);
		}
	}
}

static void *run(void *arg)
{
	CHECK(loop_run(((struct box *)arg)->of.loop[0]) == 0);
	return NULL;
}

static void box_open(struct box *b, unsigned number)
{
	b->number = number;
	two_begin(&b->of);
	b->of.config.limits.answer_deadline_ms = 1900;
	b->of.upstream.address = address_of(b);
	b->of.upstream.ttl_s = 1 + number * 300; // one box sends every query again and again
	two_open(&b->of, "two", 1, 1);
	two_policy(&b->of, "198.18.0.0/16", number ? clients[1] : NULL);
	const struct frontend_given frontend = {
		.loop = b->of.loop[0], .resolvers = b->of.mesh, .publisher = b->of.publisher};
	CHECK(frontend_open(&b->frontend, &frontend, &b->of.config) == 0);
	b->session = (struct frontend_session){.reply = on_reply, .transport = FRONTEND_UDP};
	frontend_session_begin(&b->session);
	CHECK(pthread_create(&b->thread, NULL, run, b) == 0);
}

static void box_close(struct box *b)
{
	loop_stop(b->of.loop[0]);
	pthread_join(b->thread, NULL);
	frontend_session_end(b->frontend, &b->session);
	frontend_close(b->frontend);
	two_close(&b->of);
}

int main(int argc, char **argv)
{
	uint64_t batches = stress_rounds(argc, argv) / BATCH, asked = 0;
	log_init("two_resolvers", LOG_LEVEL_ERROR);
	for (unsigned i = 0; i < BOXES; i++)
		box_open(&boxes[i], i);
	for (uint64_t n = 0; n < batches; n++) {
		asked += BATCH;
		for (unsigned i = 0; i < BOXES; i++)
			CHECK(loop_call(boxes[i].of.loop[0], ask_batch, &boxes[i]) == 0);
		for (unsigned i = 0; i < BOXES; i++)
			WAIT_FOR(atomic_load(&boxes[i].done) >= asked);
	}
	for (unsigned i = 0; i < BOXES; i++)
		box_close(&boxes[i]);
	CHECK(boxes[0].refused == 0 && boxes[1].refused == asked / 8);
	CHECK(boxes[1].hits > asked / 8); // of its long-lived records, beside the refused
	CHECK(boxes[0].of.upstream.udp_queries >= NAMES
		&& boxes[1].of.upstream.udp_queries >= NAMES);
	printf("%llu queries each; hits %llu and %llu\n", (unsigned long long)asked,
		(unsigned long long)boxes[0].hits, (unsigned long long)boxes[1].hits);
	return 0;
}
