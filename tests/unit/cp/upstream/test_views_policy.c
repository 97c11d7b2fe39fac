// SPDX-License-Identifier: BSD-3-Clause
// Policies of groups and forward zones: their own, or that of `upstreams`, also after a reload.
// What they are is no part of what names a cached answer; the root of recursion is.

#include "controlplane/upstream/upstream_internal.h"
#include "controlplane/upstream/views.h"
#include "tests/unit/unit.h"

enum { ZONES = 4 };

static struct loop *loop;
static struct views *views;
static struct config config;
static struct config_upstream server;
static struct config_group group[2];
static struct config_forward_zone zone[ZONES];
static _Atomic uint32_t next;

// Zones a to d and two groups, all with the same server.
static int setup(void **)
{
	static char name[] = "group";
	memset(&config, 0, sizeof(config));
	memset(&server, 0, sizeof(server));
	memset(group, 0, sizeof(group));
	memset(zone, 0, sizeof(zone));
	server.address = socket_of_text("192.0.2.9", 53);
	config.upstreams.policy = UPSTREAM_LATENCY;
	config.upstreams.race = 1;
	config.groups = group;
	config.forwards = zone;
	config.forward_count = ZONES;
	for (unsigned i = 0; i < 2; i++)
		group[i] = (struct config_group){.name = name,
			.blocking = true,
			.inherits = true,
			.upstreams = &server,
			.upstream_count = 1};
	for (unsigned i = 0; i < ZONES; i++) {
		const char text[] = {(char)('a' + i), '\0'};
		zone[i].servers = &server;
		zone[i].server_count = 1;
		assert_int_equal(dns_name_from_text(text, 1, &zone[i].name), 0);
	}
	atomic_store(&next, 5);
	assert_int_equal(loop_new("test", &loop), 0);
	assert_int_equal(views_new(&views, &(struct upstream_shared){.loop = loop},
				 &config.upstreams, &next),
		0);
	return 0;
}

static int teardown(void **)
{
	views_free(views);
	loop_free(loop);
	return 0;
}

static const struct upstreams *set_of(unsigned i)
{
	const struct forward_zone *found = views_zone(views, views_everyone(views), &zone[i].name);
	assert_non_null(found);
	return found->set->upstreams;
}

TEST_WITH(test_zones, setup, teardown)
{
	zone[1].pick = (struct config_pick){.has_policy = true, .policy = UPSTREAM_FAILOVER};
	zone[2].pick = zone[1].pick;
	zone[3].pick.race = 2;
	assert_true(views_zone_hash(&zone[1])
		    == views_zone_hash(&(struct config_forward_zone){
			    .name = zone[1].name, .server_count = 1, .servers = &server}));
	assert_int_equal(views_configure(views, &config, 1000), 0);
	assert_int_equal(set_of(0)->policy, UPSTREAM_LATENCY);
	assert_int_equal(set_of(1)->policy, UPSTREAM_FAILOVER);
	assert_ptr_equal(set_of(2), set_of(1));
	assert_ptr_not_equal(set_of(1), set_of(0));
	assert_ptr_not_equal(set_of(3), set_of(0));
	assert_int_equal(set_of(3)->policy, UPSTREAM_LATENCY);
	assert_int_equal(set_of(3)->race, 2);
	assert_int_equal(set_of(0)->race, 1);
	// Another policy for all but those that have their own; the sets stay.
	const struct upstreams *own = set_of(1), *race = set_of(3);
	config.upstreams.policy = UPSTREAM_LEAST;
	assert_int_equal(views_configure(views, &config, 2000), 0);
	assert_ptr_equal(set_of(1), own);
	assert_ptr_equal(set_of(3), race);
	assert_int_equal(own->policy, UPSTREAM_FAILOVER);
	assert_int_equal(race->policy, UPSTREAM_LEAST);
	assert_int_equal(race->race, 2);
	assert_int_equal(set_of(0)->policy, UPSTREAM_LEAST);
}

TEST_WITH(test_groups, setup, teardown)
{
	const struct upstreams *set;

	config.group_count = 1;
	const uint64_t hash = view_hash(&config, &group[0]);
	group[0].pick =
		(struct config_pick){.has_policy = true, .policy = UPSTREAM_ROUND_ROBIN, .race = 2};
	assert_true(view_hash(&config, &group[0]) == hash);
	assert_int_equal(views_configure(views, &config, 1000), 0);
	set = views_of_group(views, 0)->upstreams;
	assert_int_equal(set->policy, UPSTREAM_ROUND_ROBIN);
	assert_int_equal(set->race, 2);
	assert_int_equal(views_everyone(views)->upstreams->policy, UPSTREAM_LATENCY);
	// One set for both, and the later group's word.
	config.group_count = 2;
	assert_int_equal(views_configure(views, &config, 2000), 0);
	assert_ptr_equal(views_of_group(views, 1)->upstreams, set);
	assert_ptr_equal(views_of_group(views, 0)->upstreams, set);
	assert_int_equal(set->policy, UPSTREAM_LATENCY);
	assert_int_equal(set->race, 1);
}

static const struct upstreams *set_of_group(unsigned i)
{
	return views_zone(views, views_of_group(views, 0), &zone[i].name)->set->upstreams;
}

// The view of a group stays, and its zones have the servers of the new configuration.
TEST_WITH(test_zones_of_a_group, setup, teardown)
{
	config.forward_count = 0;
	config.group_count = 1;
	group[0].forwards = zone;
	group[0].forward_count = 2;
	assert_int_equal(views_configure(views, &config, 1000), 0);
	const struct view *view = views_of_group(views, 0);
	assert_int_equal(set_of_group(0)->policy, UPSTREAM_LATENCY);
	zone[0].pick = (struct config_pick){.has_policy = true, .policy = UPSTREAM_FAILOVER};
	assert_int_equal(views_configure(views, &config, 2000), 0);
	assert_ptr_equal(views_of_group(views, 0), view);
	assert_int_equal(set_of_group(0)->policy, UPSTREAM_FAILOVER);
	assert_int_equal(set_of_group(1)->policy, UPSTREAM_LATENCY);
}

// Answers of another root are no answers of this one.
TEST_WITH(test_root_hints, setup, teardown)
{
	config.upstreams.mode = UPSTREAM_RECURSIVE;
	config.upstreams.count = 1;
	config.upstreams.server[0] = (struct config_upstream){.is_recursion = true,
		.address = {.ip = {.version = 4, .prefix_len = 32, .bytes = {127, 0, 0, 1}}}};
	assert_int_equal(views_configure(views, &config, 1000), 0);
	const uint64_t all = view_everyone_hash(&config), own = view_hash(&config, &group[0]);
	const uint32_t turn = views_turn(views);
	group[1].upstream_count = 0;
	const uint64_t shared = view_hash(&config, &group[1]);
	config.upstreams.root_hints_hash = 7;
	assert_true(view_everyone_hash(&config) != all);
	assert_true(view_hash(&config, &group[1]) != shared);
	assert_true(view_hash(&config, &group[0]) == own); // has servers of its own
	assert_int_equal(views_configure(views, &config, 2000), 0);
	assert_true(views_turn(views) != turn);
	config.upstreams.mode = UPSTREAM_FORWARD;
	const uint64_t forward = view_everyone_hash(&config);
	config.upstreams.root_hints_hash = 0;
	assert_true(view_everyone_hash(&config) == forward); // nobody reads them
}
