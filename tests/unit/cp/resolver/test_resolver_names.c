// SPDX-License-Identifier: BSD-3-Clause

// Local CNAMEs and forwarding zones: what is asked of whom, what the client is told, what is kept
// where. fake[0] is everyone's server, fake[1] that of zones.

#include "controlplane/resolver/question.h"
#include "resolver_rig.h"

static struct config_record records[8], own_records[4];
static struct config_forward_zone zones[4], own_zones[2];
static struct config_upstream zone_server[2];
static struct config_group group;
static uint8_t rdata[12][64];
static unsigned rdata_used;
static char group_name[] = "own";

// With a target it is a CNAME, without one an address that the image knows.
static void record_set(struct config_record *r, const char *name, const char *target)
{
	*r = (struct config_record){.ttl_s = 77, .type = target ? DNS_TYPE_CNAME : DNS_TYPE_A};
	r->wildcard = name[0] == '*';
	r->name = name_of_text(name + (r->wildcard ? 2 : 0));
	r->rdata = rdata[rdata_used++];
	r->rdata_len = 4;
	if (!target)
		return;
	const struct dns_name to = name_of_text(target);
	memcpy(r->rdata, to.wire, to.len);
	r->rdata_len = to.len;
}

static void zone_set(struct config_forward_zone *z, const char *name, unsigned server)
{
	zone_server[server] =
		(struct config_upstream){.address = rig.config.upstreams.server[server].address};
	*z = (struct config_forward_zone){.server_count = 1, .servers = &zone_server[server]};
	z->name = name_of_text(name);
}

static void config_make(void)
{
	struct config *c = &rig.config;
	rdata_used = 0;
	c->upstreams.count = 1;
	c->local.records = records;
	c->local.record_count = 7;
	record_set(&records[0], "alias.lan", "www.example");
	record_set(&records[1], "two.lan", "Alias.lan");
	record_set(&records[2], "*.wild.lan", "www.example");
	record_set(&records[3], "host.wild.lan", NULL);
	record_set(&records[4], "corp.lan", "deep.corp.example");
	record_set(&records[5], "loop.lan", "back.lan");
	record_set(&records[6], "both.lan", "everyone.example");
	c->forwards = zones;
	c->forward_count = 2;
	zone_set(&zones[0], "corp.example", 1);
	zone_set(&zones[1], "public.corp.example", 0);
	group = (struct config_group){.name = group_name,
		.blocking = true,
		.record_count = 2,
		.records = own_records,
		.forward_count = 1,
		.forwards = own_zones};
	group.has_safe_search = true;
	group.filter.safe_search.level[SAFE_ENGINE_GOOGLE] = SAFE_LEVEL_STRICT;
	record_set(&own_records[0], "back.lan", "loop.lan");
	record_set(&own_records[1], "both.lan", "group.example");
	zone_set(&own_zones[0], "public.corp.example", 1);
	c->groups = &group;
	c->group_count = 1;
}

static int setup(void **state)
{
	rig_setup(state);
	rig_box_stop();
	config_make();
	fake[0].ttl_s = fake[1].ttl_s = 300;
	rig_box_start();
	return 0;
}

static uint16_t group_view(void)
{
	return rig_group(0).view;
}

static void ask_of(uint16_t view, const char *name, uint16_t type, uint16_t id)
{
	rig_ask((struct fake_miss){
		.name = name, .type = type, .id = id, .view = view, .has_opt = false});
}

static void resolves_of(
	uint16_t view, const char *name, uint16_t type, uint16_t id, enum answer_kind kind)
{
	ask_of(view, name, type, id);
	expect_answer(id, 0, kind);
}

TEST_WITH(test_alias, setup, rig_teardown)
{
	for (uint16_t i = 1; i <= 2; i++) {
		resolves_of(
			0, "ALIAS.lan", DNS_TYPE_A, i, i == 1 ? ANSWER_UPSTREAM : ANSWER_CACHED);
		expect_records("alias.lan CNAME www.example.\nwww.example A 192.0.2.1\n");
		expect_asked(0, 1, "www.example");
	}
	// The target is a name of its own in the cache.
	resolves_of(0, "www.example", DNS_TYPE_A, 3, ANSWER_UPSTREAM);
	expect_records("www.example A 192.0.2.1\n");
	assert_int_equal(status().rewritten, 1);
}

TEST_WITH(test_alias_of_alias_and_wildcard, setup, rig_teardown)
{
	resolves_of(0, "two.lan", DNS_TYPE_A, 1, ANSWER_UPSTREAM);
	expect_records("two.lan CNAME alias.lan.\nalias.lan CNAME www.example.\n"
		       "www.example A 192.0.2.1\n");
	resolves_of(0, "a.b.wild.lan", DNS_TYPE_A, 2, ANSWER_UPSTREAM);
	expect_records("a.b.wild.lan CNAME www.example.\nwww.example A 192.0.2.1\n");
	resolves_of(0, "host.wild.lan", DNS_TYPE_A, 3, ANSWER_UPSTREAM); // has a record of its own
	expect_asked(0, 3, "host.wild.lan");
}

TEST_WITH(test_alias_itself_and_nothing_there, setup, rig_teardown)
{
	resolves_of(0, "alias.lan", DNS_TYPE_CNAME, 1, ANSWER_UPSTREAM);
	expect_records("alias.lan CNAME www.example.\n");
	expect_asked(0, 0, NULL);
	fake[0].mode = FAKE_NXDOMAIN;
	ask_of(0, "alias.lan", DNS_TYPE_A, 2);
	expect_answer(2, DNS_RCODE_NXDOMAIN, ANSWER_UPSTREAM);
	expect_records("alias.lan CNAME www.example.\n"); // RFC 6604 3
	fake[0].mode = FAKE_SERVFAIL;
	ask_of(0, "two.lan", DNS_TYPE_A, 3);
	expect_answer(3, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	assert_int_equal(status().inflight, 0);
}

TEST_WITH(test_zones, setup, rig_teardown)
{
	resolves_of(0, "a.corp.example", DNS_TYPE_A, 1, ANSWER_UPSTREAM);
	expect_asked(1, 1, "a.corp.example");
	resolves_of(0, "corp.example", DNS_TYPE_A, 2, ANSWER_UPSTREAM);
	expect_asked(1, 2, "corp.example");
	resolves_of(0, "x.public.corp.example", DNS_TYPE_A, 3, ANSWER_UPSTREAM); // the longer zone
	resolves_of(0, "xcorp.example", DNS_TYPE_A, 4, ANSWER_UPSTREAM);
	expect_asked(1, 2, "corp.example");
	expect_asked(0, 2, "xcorp.example");
	resolves_of(0, "corp.lan", DNS_TYPE_A, 5,
		ANSWER_UPSTREAM); // by the name that is asked in the end
	expect_asked(1, 3, "deep.corp.example");
	// No way round the zone's servers.
	fake[1].mode = FAKE_SERVFAIL;
	ask_of(0, "b.corp.example", DNS_TYPE_A, 6);
	expect_answer(6, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	expect_asked(0, 2, "xcorp.example");
	assert_int_equal(status().forwarded, 5);
}

TEST_WITH(test_group_first, setup, rig_teardown)
{
	uint16_t own = group_view();
	assert_int_not_equal(own, 0);
	resolves_of(own, "x.public.corp.example", DNS_TYPE_A, 1, ANSWER_UPSTREAM);
	expect_asked(1, 1, "x.public.corp.example");
	resolves_of(own, "a.corp.example", DNS_TYPE_A, 2, ANSWER_UPSTREAM); // everyone's zone
	expect_asked(1, 2, "a.corp.example");
	resolves_of(own, "both.lan", DNS_TYPE_A, 3, ANSWER_UPSTREAM);
	expect_asked(0, 1, "group.example");
	resolves_of(0, "both.lan", DNS_TYPE_A, 4, ANSWER_UPSTREAM);
	expect_asked(0, 2, "everyone.example");
	// Everyone's CNAME and the group's make a circle.
	ask_of(own, "loop.lan", DNS_TYPE_A, 5);
	expect_answer(5, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	resolves_of(0, "loop.lan", DNS_TYPE_A, 6, ANSWER_UPSTREAM);
	expect_asked(0, 3, "back.lan");
	assert_int_equal(status().inflight, 0);
}

// In the safe view a search engine's host is another one, for addresses.
TEST_WITH(test_safe_search, setup, rig_teardown)
{
	const uint16_t safe = rig_group(0).safe_view, own = group_view();
	assert_int_not_equal(safe, 0);
	assert_int_not_equal(safe, own);
	resolves_of(safe, "www.google.com", DNS_TYPE_A, 1, ANSWER_UPSTREAM);
	expect_records("www.google.com CNAME forcesafesearch.google.com.\n"
		       "forcesafesearch.google.com A 192.0.2.1\n");
	expect_asked(0, 1, "forcesafesearch.google.com");
	ask_of(safe, "www.google.com", DNS_TYPE_MX, 2);
	assert_true(fake_dataplane_answer(&dp, &got, 20000));
	expect_asked(0, 2, "www.google.com");
	resolves_of(own, "www.google.com", DNS_TYPE_A, 3, ANSWER_UPSTREAM);
	expect_records("www.google.com A 192.0.2.1\n");
	resolves_of(safe, "both.lan", DNS_TYPE_A, 4,
		ANSWER_UPSTREAM); // with all else that the group has
	expect_asked(0, 4, "group.example");
}

// A zone that leaves while its server is thinking: the answer still arrives, then its set goes.
TEST_WITH(test_zone_leaves, setup, rig_teardown)
{
	fake[1].held = true;
	ask_of(0, "slow.corp.example", DNS_TYPE_A, 1);
	WAIT_FOR(fake[1].udp_queries > 0);
	rig.config.forward_count = 0;
	rig.config.group_count = 0;
	rig_reload();
	resolves_of(0, "a.corp.example", DNS_TYPE_A, 2, ANSWER_UPSTREAM);
	expect_asked(0, 1, "a.corp.example");
	fake[1].held = false;
	expect_answer(1, 0, ANSWER_UPSTREAM);
	rig.config.forward_count = 1;
	rig_reload();
	resolves_of(0, "b.corp.example", DNS_TYPE_A, 3, ANSWER_UPSTREAM);
	expect_asked(1, 2, "b.corp.example");
}

// L1 knows the target alone, and a zone's answers by the zone's definition.
TEST_WITH(test_l1, setup, rig_teardown)
{
	static struct redis_server redis;
	redis_server_start(&redis, NULL);
	rig_redis_box(&redis);
	resolves_of(0, "alias.lan", DNS_TYPE_A, 1, ANSWER_UPSTREAM);
	assert_non_null(strstr(rig_redis_keys_await(&redis, 1), rig_l1_key("www.example")));
	resolves_of(0, "corp.lan", DNS_TYPE_A, 2, ANSWER_UPSTREAM);
	const char *keys = rig_redis_keys_await(&redis, 2);
	assert_non_null(strstr(keys, "weir:deep.corp.example:1:1:v"));
	// Another box has the target from there, for itself and behind its own CNAMEs.
	rig_redis_box(&redis);
	resolves_of(0, "two.lan", DNS_TYPE_A, 3, ANSWER_CACHED);
	expect_records("two.lan CNAME alias.lan.\nalias.lan CNAME www.example.\n"
		       "www.example A 192.0.2.1\n");
	resolves_of(0, "www.example", DNS_TYPE_A, 4, ANSWER_CACHED);
	expect_records("www.example A 192.0.2.1\n");
	resolves_of(group_view(), "deep.corp.example", DNS_TYPE_A, 5,
		ANSWER_CACHED); // the zone is in all views
	expect_asked(0, 1, "www.example");
	expect_asked(1, 1, "deep.corp.example");
	// One that asks others has nothing of it.
	zone_set(&zones[0], "corp.example", 0);
	rig_redis_box(&redis);
	resolves_of(0, "deep.corp.example", DNS_TYPE_A, 6, ANSWER_UPSTREAM);
	expect_asked(0, 2, "deep.corp.example");
	redis_server_clean(&redis);
}

static void nonsense_put(const struct redis_server *redis)
{
	const char *said = redis_server_say(
		redis, text_from("SET %s nonsense", rig_l1_key_type("home.arpa", DNS_TYPE_DS)));
	assert_string_equal(said, "+OK\r\n");
}

// Asks for the DS of home.arpa; was what lay in L1 found, and deleted as no answer?
static bool nonsense_found(const struct redis_server *redis, uint16_t id)
{
	nonsense_put(redis);
	ask_of(0, "home.arpa", DNS_TYPE_DS, id);
	assert_true(fake_dataplane_answer(&dp, &got, 20000));
	assert_int_equal(fake[1].udp_queries, 0);
	bool is_gone;
	unsigned looks = 0;
	WAIT_FOR((is_gone = strncmp(redis_server_say(redis, "KEYS weir:*"), "*0\r\n", 4) == 0)
		 || looks++ == 200);
	return is_gone;
}

static unsigned nonsense_looked_for(const struct redis_server *redis)
{
	nonsense_put(redis);
	return rig_look("home.arpa", 0)->look.l1_bad;
}

// The DS of home.arpa is asked for above it, and named so in L1; who looks for it there does so by
// the same name. Each has some tries, as Redis may be late on a busy machine.
TEST_WITH(test_ds_of_home_arpa, setup, rig_teardown)
{
	static struct redis_server redis;
	unsigned tries = 0;
	redis_server_start(&redis, NULL);
	zone_set(&zones[2], "home.arpa", 1);
	rig.config.forward_count = 3;
	rig_redis_box(&redis);
	while (!nonsense_found(&redis, (uint16_t)++tries))
		assert_true(tries < 20);
	for (tries = 0; nonsense_looked_for(&redis) != 1; tries++)
		assert_true(tries < 20);
	redis_server_clean(&redis);
}

static void expect_ds(const char *name, uint16_t id, unsigned server)
{
	unsigned before = fake[server].udp_queries, others = fake[!server].udp_queries;
	resolves_of(0, name, DNS_TYPE_DS, id, ANSWER_UPSTREAM);
	expect_asked(server, before + 1, name);
	assert_int_equal(fake[!server].udp_queries, others);
}

// The DS of a zone is a record of the zone above (RFC 4035 3.1.4.1), and asked for there.
TEST_WITH(test_ds_of_zones, setup, rig_teardown)
{
	expect_ds("corp.example", 1, 0);
	expect_ds("public.corp.example", 2, 1); // above it is corp.example
	expect_ds("a.corp.example", 3, 1);      // no zone of its own
	expect_ds("xcorp.example", 4, 0);
}

// weir asks for an exempt zone within another where it would without both; but its DS is a record
// of the zone around it.
TEST_WITH(test_exempt_zone, setup, rig_teardown)
{
	zones[2].name = name_of_text("free.corp.example");
	zones[2].server_count = 0;
	rig.config.forward_count = 3;
	rig_reload();
	resolves_of(0, "a.corp.example", DNS_TYPE_A, 1, ANSWER_UPSTREAM);
	expect_asked(1, 1, "a.corp.example");
	resolves_of(0, "www.free.corp.example", DNS_TYPE_A, 2, ANSWER_UPSTREAM);
	expect_asked(0, 1, "www.free.corp.example");
	assert_int_equal(status().forwarded, 1);
	expect_ds("free.corp.example", 3, 1);
	expect_ds("www.free.corp.example", 4, 0);
}

// The root has no zone above it, and private reverse zones none that knows them: their DS is asked
// of the zone's own servers, and leaks nothing.
TEST_WITH(test_ds_of_zones_without_one_above, setup, rig_teardown)
{
	zone_set(&zones[0], ".", 1);
	zone_set(&zones[1], "1.168.192.in-addr.arpa", 0);
	zone_set(&zones[2], "168.192.in-addr.arpa", 0);
	rig.config.forward_count = 3;
	rig_reload();
	expect_ds(".", 1, 1);
	expect_ds("1.168.192.in-addr.arpa", 2, 0);
	expect_ds("168.192.in-addr.arpa", 3, 1); // in-addr.arpa is a public zone
}

// What a zone's servers say of its address is not what the zone above says of its DS.
TEST_WITH(test_ds_after_no_name, setup, rig_teardown)
{
	fake[0].mode = FAKE_NO_NAME;
	ask_of(0, "gone.example", DNS_TYPE_A, 1);
	expect_answer(1, DNS_RCODE_NXDOMAIN, ANSWER_UPSTREAM);
	ask_of(0, "gone.example", DNS_TYPE_AAAA, 2);
	expect_answer(2, DNS_RCODE_NXDOMAIN, ANSWER_CACHED);
	expect_asked(0, 1, "gone.example");
	ask_of(0, "gone.example", DNS_TYPE_DS, 3);
	expect_answer(3, DNS_RCODE_NXDOMAIN, ANSWER_UPSTREAM);
	expect_asked(0, 2, "gone.example");
}

static void hash_look(void *arg)
{
	const struct dns_name name = name_of_text("a.corp.example");
	struct resolver *r = rig.resolver;
	*(uint64_t *)arg = question_l1_hash(r, views_everyone(r->views), &name, DNS_TYPE_HTTPS);
}

// Boxes that leave out different parameters share no answers of a zone in L1.
TEST_WITH(test_zone_in_l1_by_what_is_left_out, setup, rig_teardown)
{
	uint64_t hash[3];
	for (unsigned i = 0; i < ARRAY_LEN(hash); i++) {
		rig.config.blocking.https_strip = i == 1 ? 1 << 5 : 0;
		rig_reload();
		on_loop(hash_look, &hash[i]);
	}
	assert_int_equal(hash[0], views_zone_hash(&zones[0]));
	assert_int_not_equal(hash[1], hash[0]);
	assert_int_equal(hash[2], hash[0]);
}

TEST_GROUP(rig_sends_once, NULL)
