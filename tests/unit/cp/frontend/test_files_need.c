// SPDX-License-Identifier: BSD-3-Clause
// How many files a configuration makes the control plane open.

#include "controlplane/frontend/files_need.h"
#include "controlplane/frontend/frontend_tcp.h"
#include "controlplane/recursor/recursor.h"
#include "controlplane/upstream/upstream.h"
#include "controlplane/validator/validator.h"
#include "tests/unit/unit.h"

static struct config_upstream server[4];

static struct config base(void)
{
	struct config c = {
		.upstreams.count = 2, .limits.inflight = 4096, .dataplane.address_count = 2};

	for (unsigned i = 0; i < 4; i++) {
		char text[] = "198.18.0.1:53";
		text[9] += (char)i;
		server[i].address = socket_of_text(text, 53);
	}
	return c;
}

static struct files_need need_of(const struct config *c)
{
	struct files_need need;
	files_need(c, &need);
	return need;
}

TEST(test_everyone_s_servers)
{
	struct config c = base();
	const struct files_need need = need_of(&c);
	assert_int_equal(need.sets, 1);
	assert_int_equal(need.servers, 2);
	assert_int_equal(need.least, 256 + 2 * UPSTREAM_STREAMS_EACH + 2 * 2 + 4096);
	assert_int_equal(
		need.all, need.least + (UPSTREAM_LEGS - 1) * 4096 + 2 * UPSTREAM_SOCKETS_AHEAD);
}

// The library has sockets beside those of the servers.
TEST(test_validation)
{
	struct config c = base();
	const struct files_need plain = need_of(&c);
	c.dnssec.validate = true;
	const struct files_need need = need_of(&c);
	assert_int_equal(need.least - plain.least, VALIDATOR_FETCHES + VALIDATOR_CONTEXTS);
	assert_int_equal(need.all - plain.all, VALIDATOR_FETCHES + VALIDATOR_CONTEXTS);
}

TEST(test_recursion)
{
	struct config c = base();
	const struct files_need plain = need_of(&c);
	c.upstreams.mode = UPSTREAM_FORWARD_FIRST;
	const struct files_need need = need_of(&c);
	assert_int_equal(need.least - plain.least, 512 + 64 + 1);
	assert_int_equal(need.all - plain.all, RECURSOR_SOCKETS + RECURSOR_TCP + 1);
}

// Connections without their PROXY header are not among tcp.connections.
TEST(test_balancers)
{
	struct config c = base();
	const struct files_need plain = need_of(&c);
	c.proxy_protocol.from_count = 1;
	const struct files_need need = need_of(&c);
	assert_int_equal(need.least - plain.least, FRONTEND_PROXY_WAITS);
	assert_int_equal(need.all - plain.all, FRONTEND_PROXY_WAITS);
}

// Each group with servers of its own has a set, even of the same ones; zones share theirs.
TEST(test_each_set_counts)
{
	struct config c = base();
	struct config_upstream turned[2] = {server[1], server[0]};
	struct config_forward_zone all[] = {{.server_count = 2, .servers = server},
		{.server_count = 2, .servers = server}, {.server_count = 2, .servers = turned}};
	struct config_forward_zone own[] = {
		{.server_count = 2, .servers = server}, {.server_count = 1, .servers = &server[3]}};
	struct config_group group[] = {{.upstream_count = 3, .upstreams = server},
		{.forwards = own, .forward_count = 2}, {.upstream_count = 3, .upstreams = server}};

	const struct files_need one = need_of(&c);
	c.forwards = all;
	c.forward_count = 3;
	c.groups = group;
	c.group_count = 3;
	const struct files_need need = need_of(&c);
	assert_int_equal(need.sets, 1 + 2 + 2 + 1);
	assert_int_equal(need.servers, 2 + 2 + 2 + 3 + 3 + 1);
	assert_int_equal(need.least - one.least, 11 * UPSTREAM_STREAMS_EACH);
	assert_int_equal(need.all - one.all, 11 * (UPSTREAM_STREAMS_EACH + UPSTREAM_SOCKETS_AHEAD));
}

// Bootstrap servers are the first resolver's, and asked only where there are names.
TEST(test_host_names)
{
	struct config c = base();

	c.controlplane.resolvers = 4;
	c.upstreams.bootstrap_count = 3;
	const struct files_need plain = need_of(&c);
	assert_int_equal(plain.sets, 1);
	struct config_upstream named[3] = {{.host = "a.example", .address.port = 53},
		{.host = "b.example", .address.port = 53}, {.address = server[0].address}};
	struct config_group group = {.upstream_count = 3, .upstreams = named};
	c.groups = &group;
	c.group_count = 1;
	const struct files_need need = need_of(&c);
	assert_int_equal(need.sets, 3);
	assert_int_equal(need.servers - plain.servers, CONFIG_UPSTREAMS_MAX + 3);
	const uint64_t more = 4 * CONFIG_UPSTREAMS_MAX + 3;
	assert_int_equal(need.least - plain.least, 4 + more * UPSTREAM_STREAMS_EACH);
	assert_int_equal(need.all - plain.all,
		4 * UPSTREAM_LEGS + more * (UPSTREAM_STREAMS_EACH + UPSTREAM_SOCKETS_AHEAD));
}

// Sockets and connections are each resolver's; the questions are divided.
TEST(test_each_resolver_counts)
{
	struct config c = base();
	const struct files_need one = need_of(&c);
	c.controlplane.resolvers = 4;
	const struct files_need need = need_of(&c);
	assert_int_equal(need.servers, one.servers);
	assert_int_equal(need.least - one.least, 3 * (64 + 2 * UPSTREAM_STREAMS_EACH));
	assert_int_equal(need.all - one.all,
		3 * (64 + 2 * (UPSTREAM_STREAMS_EACH + UPSTREAM_SOCKETS_AHEAD)));
}

TEST(test_what_is_left_for_tcp)
{
	const struct files_need need = {.least = 5000, .all = 20000};

	assert_int_equal(files_for_tcp(&need, 1024), 0);
	assert_int_equal(files_for_tcp(&need, 5000 + FILES_TCP_MIN - 1), 0);
	assert_int_equal(files_for_tcp(&need, 5000 + FILES_TCP_MIN), FILES_TCP_MIN);
	assert_int_equal(files_for_tcp(&need, 65536), 60536);
	assert_int_equal(files_for_tcp(&need, UINT64_MAX), FRONTEND_TCP_FILES_ALL);
}

// What a default gives way to: few files, and then TCP has as many of them as questions.
TEST(test_questions_that_fit)
{
	struct config c = base();
	c.tcp.enabled = true;
	c.tcp.connections = 12288;

	const struct files_need need = need_of(&c);
	const uint64_t fixed = need.least - 4096;
	assert_int_equal(files_for_questions(&c, &need, 65536), 4096);
	assert_int_equal(files_for_questions(&c, &need, fixed + 2 * 4096), 4096);
	assert_int_equal(files_for_questions(&c, &need, fixed + 2 * 4096 - 1), 4096);
	assert_int_equal(files_for_questions(&c, &need, fixed + 2 * 4096 - 2), 4095);
	for (uint64_t limit = 0; limit < 10000; limit++) {
		unsigned fit = files_for_questions(&c, &need, limit);
		struct config less = c;
		assert_int_equal(fit == 0, limit < fixed + FILES_QUESTIONS_MIN + FILES_TCP_MIN);
		less.limits.inflight = fit;
		const struct files_need fits = need_of(&less);
		assert_true(fit == 0 || files_for_tcp(&fits, limit) >= FILES_TCP_MIN);
	}
	// Nobody else has them.
	c.tcp.connections = 100;
	assert_int_equal(files_for_questions(&c, &need, fixed + 2000), 1900);
	c.tcp.enabled = false;
	assert_int_equal(files_for_questions(&c, &need, fixed + 2000), 2000 - FILES_TCP_MIN);
	assert_int_equal(files_for_questions(&c, &need, UINT64_MAX), 4096);
}

// Where questions are few one zone, or TCP, may no more have most of them than where they are many.
TEST(test_parts_of_fewer_questions)
{
	struct config c = base();
	c.limits.zone_inflight = 256;
	c.tcp.queries = 1024;
	files_questions_lower(&c, 1917);
	assert_int_equal(c.limits.inflight, 1917);
	assert_int_equal(c.limits.zone_inflight, 256);
	assert_int_equal(c.tcp.queries, 479);
	files_questions_lower(&c, 381);
	assert_int_equal(c.limits.zone_inflight, 95);
	assert_int_equal(c.tcp.queries, 95);
	files_questions_lower(&c, FILES_QUESTIONS_MIN);
	assert_int_equal(c.limits.zone_inflight, 4);
	c.limits.zone_inflight = 0; // no bound was asked for
	files_questions_lower(&c, 381);
	assert_int_equal(c.limits.zone_inflight, 0);
}
