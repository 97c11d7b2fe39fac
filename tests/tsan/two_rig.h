// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One or two resolvers with shared memory, an upstream and a policy of their own, as one control
// plane has them; questions for names that all programs of this kind share.

#include "controlplane/policy/policy_build.h"
#include "controlplane/resolver/resolvers.h"
#include "stress.h"
#include "tests/unit/cp/l1/redis_local.h"
#include "tests/unit/cp/resolver/resolver_config.h"
#include "tests/unit/cp/upstream/fake_upstream.h"

enum { TWO = 2, TWO_QUERY_MAX = 128 };

struct two_box {
	struct shm_paths paths;
	struct config config;
	struct ip_address allow, deny;
	struct publisher *publisher;
	struct link_server *link;
	struct upstream_book *book;
	struct loop *loop[TWO];
	struct views *views[TWO];
	struct resolvers resolvers;
	struct ring_mesh *mesh;
	struct fake_upstream upstream;
};

// Before two_open: a configuration that may still be changed, and the upstream that it names.
static inline void two_begin(struct two_box *b)
{
	struct config *c = &b->config;
	char text[32];
	fake_upstream_start(&b->upstream);
	resolver_config_fill(c);
	c->limits.inflight = 4096;
	c->limits.waiters = 1024;
	c->redis = redis_local(0);
	c->upstreams.count = 1;
	c->upstreams.first_timeout_ms = 5000;
	c->upstreams.max_sends = 2;
	snprintf(text, sizeof(text), "127.0.0.1:%u", b->upstream.port);
	CHECK(socket_address_parse(text, 53, &c->upstreams.server[0].address) == 0);
}

// `denied`: of those that are allowed, or NULL.
static inline void two_policy(struct two_box *b, const char *allowed, const char *denied)
{
	static const struct policy_group everyone;
	struct policy_image image;
	char why[SHM_WHY_MAX];
	CHECK(ip_address_parse(allowed, &b->allow) == 0);
	CHECK(!denied || ip_address_parse(denied, &b->deny) == 0);
	b->config.access = (struct config_access){.refuse = true,
		.allow = &b->allow,
		.allow_count = 1,
		.deny = &b->deny,
		.deny_count = denied != NULL};
	CHECK(policy_build(&b->config, &everyone, &image) == 0);
	CHECK(publish_policy(b->publisher, image.head, image.size, why) == 0);
	free(image.head);
}

// So many resolvers, whose loops do not run yet, for so many frontends.
static inline void two_open(
	struct two_box *b, const char *name, unsigned resolvers, unsigned frontends)
{
	char dir[64], why[SHM_WHY_MAX] = "";
	CHECK(folder_make(dir, name) == 0);
	CHECK(shm_paths_init(&b->paths, dir, "off", why) == 0);
	CHECK(publisher_open(&b->publisher, &b->paths, &b->config, why) == 0);
	CHECK(upstream_book_open(&b->book) == 0);
	CHECK(resolver_client_mesh(&b->mesh, frontends, resolvers) == 0);
	for (unsigned i = 0; i < resolvers; i++)
		CHECK(loop_new("resolver", &b->loop[i]) == 0);
	CHECK(link_open(&b->link, b->loop, b->publisher, why) == 0);
	b->resolvers.count = resolvers;
	for (unsigned i = 0; i < resolvers; i++) {
		CHECK(resolver_views_open(
			      &b->views[i], b->loop[i], b->book, NULL, b->publisher, &b->config)
			== 0);
		const struct resolver_given given = {.all = &b->resolvers,
			.index = i,
			.loop = b->loop[i],
			.publisher = b->publisher,
			.link = b->link,
			.views = b->views[i],
			.frontends = b->mesh};
		CHECK(resolver_open(&b->resolvers.one[i], &given, &b->config, why) == 0);
	}
	b->resolvers.running = true;
}

// After the loops' threads and the frontends.
static inline void two_close(struct two_box *b)
{
	for (unsigned i = b->resolvers.count; i-- > 0;) {
		resolver_close(b->resolvers.one[i]);
		views_free(b->views[i]);
	}
	ring_mesh_free(b->mesh);
	upstream_book_close(b->book);
	link_close(b->link);
	publisher_close(b->publisher);
	for (unsigned i = 0; i < b->resolvers.count; i++)
		loop_free(b->loop[i]);
	fake_upstream_stop(&b->upstream);
	shm_paths_close(&b->paths);
	CHECK(folder_remove(b->paths.run, b->paths.mem) == 0);
}

// For one of so many names.
static inline size_t two_query(uint8_t msg[TWO_QUERY_MAX], unsigned id, unsigned names)
{
	char text[32];
	struct dns_name name;
	struct wr w = wr_init(msg, TWO_QUERY_MAX);
	snprintf(text, sizeof(text), "n%u.shared.test", id % names);
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
