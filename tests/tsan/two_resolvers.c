// SPDX-License-Identifier: BSD-3-Clause

// Two resolvers in one process, each on its own loop's thread with its own shared memory, frontend,
// upstream and policy: both get queries for the same names at the same time. Each answer has the
// address of the resolver's own upstream, and a client that one policy refuses is served by the
// other: no state is shared.

#include "controlplane/base/loop.h"
#include "controlplane/frontend/frontend.h"
#include "controlplane/policy/policy_build.h"
#include "controlplane/resolver/resolvers.h"
#include "stress.h"
#include "tests/unit/cp/l1/redis_local.h"
#include "tests/unit/cp/resolver/resolver_config.h"
#include "tests/unit/cp/upstream/fake_upstream.h"
#include "tests/unit/folder.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <weir/dns_name.h>
#include <weir/log.h>

enum { BOXES = 2, BATCH = 32, NAMES = 500, PATIENCE_MS = 60000 };

static const char *const clients[] = {"198.18.0.2", "198.18.0.66"}; // box 1 refuses the second

struct box {
	unsigned number;
	struct shm_paths paths;
	struct config config;
	struct ip_address allow, deny;
	struct publisher *publisher;
	struct loop *loop;
	struct link_server *link;
	struct upstream_book *book;
	struct views *views;
	struct resolvers all; // of the box: one
	struct resolver *resolver;
	struct ring_mesh *mesh;
	struct frontend *frontend;
	struct frontend_session session;
	struct fake_upstream upstream;
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

static size_t query_make(uint8_t msg[128], unsigned id)
{
	char text[32];
	struct dns_name name;
	struct wr w = wr_init(msg, 128);
	snprintf(text, sizeof(text), "n%u.shared.test", id % NAMES);
	CHECK(dns_name_from_text(text, strlen(text), &name) == 0);
	wr_u16(&w, (uint16_t)id);
	wr_u16(&w, DNS_FLAG_RD);
	wr_u16(&w, 1);
	wr_bytes(&w, "\0\0\0\0\0\0", 6);
	wr_bytes(&w, name.wire, name.len);
	wr_u16(&w, DNS_TYPE_A);
	wr_u16(&w, DNS_CLASS_IN);
	CHECK(wr_ok(&w));
	return w.pos;
}

static void ask_batch(void *arg)
{
	struct box *b = arg;
	for (unsigned i = 0; i < BATCH; i++) {
		uint8_t msg[128];
		struct frontend_reply reply;
		union client_address from = {
			.v4 = {.sin_family = AF_INET, .sin_port = htons(4000)}};
		unsigned id = (unsigned)b->asked++;
		const char *client = clients[id % 8 == 0];
		CHECK(inet_pton(AF_INET, client, &from.v4.sin_addr) == 1);
		size_t len = query_make(msg, id);
		enum frontend_outcome o =
			frontend_ask(b->frontend, &b->session, &from, msg, len, &reply);
		CHECK(o == FRONTEND_REPLY || o == FRONTEND_LATER);
		if (o == FRONTEND_REPLY) {
			b->hits++;
			reply_check(b, &reply);
		}
	}
}

static void policy_open(struct box *b)
{
	static const struct policy_group everyone;
	struct policy_image image;
	char why[SHM_WHY_MAX];
	CHECK(ip_address_parse("198.18.0.0/16", &b->allow) == 0);
	CHECK(ip_address_parse(clients[1], &b->deny) == 0);
	b->config.access = (struct config_access){.refuse = true,
		.allow = &b->allow,
		.allow_count = 1,
		.deny = &b->deny,
		.deny_count = b->number};
	CHECK(policy_build(&b->config, &everyone, &image) == 0);
	CHECK(publish_policy(b->publisher, image.head, image.size, why) == 0);
	free(image.head);
}

static void config_fill(struct box *b)
{
	char text[32];
	struct config *c = &b->config;
	resolver_config_fill(c);
	c->limits.inflight = 4096;
	c->limits.waiters = 1024;
	c->limits.answer_deadline_ms = 1900;
	c->redis = redis_local(0);
	c->upstreams.count = 1;
	c->upstreams.first_timeout_ms = 5000;
	c->upstreams.max_sends = 2;
	snprintf(text, sizeof(text), "127.0.0.1:%u", b->upstream.port);
	CHECK(socket_address_parse(text, 53, &c->upstreams.server[0].address) == 0);
}

static void *run(void *arg)
{
	CHECK(loop_run(((struct box *)arg)->loop) == 0);
	return NULL;
}

static void box_open(struct box *b, unsigned number)
{
	char dir[64], why[SHM_WHY_MAX] = "";
	b->number = number;
	CHECK(folder_make(dir, "two") == 0);
	CHECK(shm_paths_init(&b->paths, dir, "off", why) == 0);
	fake_upstream_start(&b->upstream);
	b->upstream.address = address_of(b);
	b->upstream.ttl_s = 1 + number * 300; // one box sends every query again and again
	config_fill(b);
	CHECK(publisher_open(&b->publisher, &b->paths, &b->config, why) == 0);
	CHECK(loop_new("test", &b->loop) == 0);
	CHECK(link_open(&b->link, &b->loop, b->publisher, why) == 0);
	CHECK(upstream_book_open(&b->book) == 0);
	CHECK(resolver_views_open(&b->views, b->loop, b->book, NULL, b->publisher, &b->config)
		== 0);
	b->all = (struct resolvers){.count = 1, .running = true};
	CHECK(resolver_client_mesh(&b->mesh, 1, 1) == 0);
	const struct resolver_given given = {.all = &b->all,
		.loop = b->loop,
		.publisher = b->publisher,
		.link = b->link,
		.views = b->views,
		.frontends = b->mesh};
	CHECK(resolver_open(&b->resolver, &given, &b->config, why) == 0);
	b->all.one[0] = b->resolver;
	const struct frontend_given frontend = {
		.loop = b->loop, .resolvers = b->mesh, .publisher = b->publisher};
	CHECK(frontend_open(&b->frontend, &frontend, &b->config) == 0);
	policy_open(b);
	b->session = (struct frontend_session){.reply = on_reply, .transport = FRONTEND_UDP};
	frontend_session_begin(&b->session);
	CHECK(pthread_create(&b->thread, NULL, run, b) == 0);
}

static void box_close(struct box *b)
{
	loop_stop(b->loop);
	pthread_join(b->thread, NULL);
	frontend_session_end(b->frontend, &b->session);
	frontend_close(b->frontend);
	resolver_close(b->resolver);
	ring_mesh_free(b->mesh);
	views_free(b->views);
	upstream_book_close(b->book);
	link_close(b->link);
	publisher_close(b->publisher);
	loop_free(b->loop);
	fake_upstream_stop(&b->upstream);
	shm_paths_close(&b->paths);
	CHECK(folder_remove(b->paths.run, b->paths.mem) == 0);
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
			CHECK(loop_call(boxes[i].loop, ask_batch, &boxes[i]) == 0);
		uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;
		for (unsigned i = 0; i < BOXES; i++)
			while (atomic_load(&boxes[i].done) < asked) {
				CHECK(clock_mono_ms() < until_ms);
				usleep(100);
			}
	}
	for (unsigned i = 0; i < BOXES; i++)
		box_close(&boxes[i]);
	CHECK(boxes[0].refused == 0 && boxes[1].refused == asked / 8);
	CHECK(boxes[1].hits > asked / 8); // of its long-lived records, beside the refused
	CHECK(boxes[0].upstream.udp_queries >= NAMES && boxes[1].upstream.udp_queries >= NAMES);
	printf("%llu queries each; hits %llu and %llu\n", (unsigned long long)asked,
		(unsigned long long)boxes[0].hits, (unsigned long long)boxes[1].hits);
	return 0;
}
