// SPDX-License-Identifier: BSD-3-Clause

// Groups and rules for clients of the control plane's own server: what a worker would say. Group 0
// has the list "ads", group 1 (198.18.1.0/24, fd53:1::/32) "more" and another reply, group 2
// (198.18.2.0/24) may ask for nothing that is not allowed. In a network namespace of its own, for
// the neighbours.
#include "controlplane/base/rtnl.h"
#include "frontend_rig.h"
#include "tests/unit/core/config/net_segment.h"
#include "tests/unit/cp/resolver/policy_rig.h"

enum { GROUPS = 3 };
static struct answer_policy_fixture image, later_image;
static struct config_group groups[GROUPS - 1];
static struct ip_address prefixes[3];
static struct config_mac tablet = {{2, 0, 0, 0, 0, 0x77}};

// A name that is answered from the image, with so many addresses.
static void local_rule(struct rule_builder *builder, const char *text, unsigned addresses)
{
	struct dns_name name = fixture_name(text);
	struct list_rule rule = rule_of_name(RULE_CLASS_LOCAL, &name);
	rule.kind.reply = RULE_REPLY_DATA;
	rule.kind.covers = RULE_COVERS_SELF;
	rule.rtype = DNS_TYPE_A;
	rule.ttl_s = 60;
	rule.rdata_len = 4;
	for (unsigned i = 0; i < addresses; i++) {
		const uint8_t address[4] = {192, 0, 2, (uint8_t)i};
		rule.rdata = address;
		assert_int_equal(rule_builder_rule(builder, &rule), 0);
	}
}

static void own_rule(struct rule_builder *builder, const char *text, enum rule_reply reply)
{
	struct dns_name name = fixture_name(text);
	struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &name);
	rule.kind.reply = (uint8_t)reply;
	assert_int_equal(rule_builder_rule(builder, &rule), 0);
}

// `ad`: one more name of "ads".
static void image_make(struct answer_policy_fixture *f, const char *ad)
{
	fixture_open(f);
	fixture_source(f, "allow entries");
	fixture_rule(f, RULE_CLASS_OPERATOR_ALLOW, "wanted.example");
	fixture_source(f, "deny entries");
	fixture_source(f, "ads");
	fixture_rule(f, RULE_CLASS_BLOCK, "ads.example");
	fixture_rule(f, RULE_CLASS_BLOCK, ad);
	fixture_rule(f, RULE_CLASS_BLOCK, "/^ad[0-9]+[.]/");
	fixture_rule(f, RULE_CLASS_BLOCK, "192.0.2.99");
	local_rule(f->builder, "nas.lan", 50);
	own_rule(f->builder, "void.example", RULE_REPLY_DROP);
	fixture_rule_for(f, RULE_CLASS_BLOCK, "six.example", DNS_TYPE_AAAA);
	fixture_rule_for(f, RULE_CLASS_ALLOW, "four.example", DNS_TYPE_A);
	fixture_source(f, "more");
	fixture_rule(f, RULE_CLASS_BLOCK, "more.example");
	fixture_source(f, "own"); // with replies, and a pattern that may allow what it blocks
	own_rule(f->builder, "nodata.example", RULE_REPLY_NODATA);
	own_rule(f->builder, "refused.example", RULE_REPLY_REFUSED);
	own_rule(f->builder, "failed.example", RULE_REPLY_SERVFAIL);
	own_rule(f->builder, "drop.example", RULE_REPLY_DROP);
	fixture_rule(f, RULE_CLASS_ALLOW, "/^good[.]/");
	fixture_check(f);
}

static void groups_publish_with(const char *const has[GROUPS])
{
	struct policy_group group[GROUPS];
	for (unsigned i = 0; i < GROUPS; i++)
		group[i] = group_with(
			&image, &has[i], 1, i == 1 ? DNS_BLOCK_REFUSED : DNS_BLOCK_NXDOMAIN);
	group[2].block_all = 1;
	rig_policy(group);
}

static void groups_publish(void)
{
	static const char *const has[GROUPS] = {"ads", "more", "ads"};
	groups_publish_with(has);
}

// As a build of the rules does it: the resolver checks its cache, then the image is everyone's.
static void rules_now(void *arg)
{
	const struct answer_policy_fixture *f = arg;
	struct rule_image_region *r;
	char why[SHM_WHY_MAX];
	const struct region_fill fill = {.from = f->arena.base, .len = f->arena.size};
	resolver_set_answer_policy(rig.resolver, f->answer_policy, NULL, NULL);
	assert_int_equal(publish_rules_prepare(rig.publisher, &fill, &r, why), 0);
	assert_int_equal(publish_rules_publish(rig.publisher, r), 0);
}

static int setup_without_rules(void **state)
{
	static char name[] = "group";
	image_make(&image, "ads.invalid");
	rig_setup(state);
	frontend_rig_open();
	prefixes[0] = address_of_text("198.18.1.0/24");
	prefixes[1] = address_of_text("fd53:1::/32");
	prefixes[2] = address_of_text("198.18.2.0/24");
	groups[0] = (struct config_group){.name = name,
		.blocking = true,
		.clients = prefixes,
		.client_count = 2,
		.macs = &tablet,
		.mac_count = 1};
	groups[1] = (struct config_group){
		.name = name, .blocking = true, .clients = &prefixes[2], .client_count = 1};
	rig.config.groups = groups;
	rig.config.group_count = GROUPS - 1;
	rig_pause(0, 0);
	groups_publish();
	fake[0].ttl_s = fake[1].ttl_s = 300;
	return 0;
}

static int setup(void **state)
{
	setup_without_rules(state);
	on_loop(rules_now, &image);
	return 0;
}

static int teardown(void **state)
{
	int rc = frontend_rig_teardown(state);
	fixture_close(&image);
	fixture_close(&later_image);
	later_image = (struct answer_policy_fixture){0};
	return rc;
}

static enum frontend_outcome ask_as(const char *client, const char *name)
{
	return FRONTEND_ASK(
		FRONTEND_UDP, .name = name, .id = 1, .udp_size = 1232, .client = client);
}

static unsigned rcode_said(void)
{
	return get_u16(frontend_said + 2) & DNS_FLAG_RCODE;
}

// At once.
static void answered(const char *client, const char *name, unsigned rcode)
{
	assert_int_equal(ask_as(client, name), FRONTEND_REPLY);
	assert_int_equal(rcode_said(), rcode);
}

static uint64_t verdicts(enum verdict v)
{
	return frontend_counts(FRONTEND_UDP).verdict[v];
}

// Blocked for whom, and how, goes by the client's group, by either family.
TEST_WITH(test_blocked_by_group, setup, teardown)
{
	answered("198.18.0.2", "x.ads.example", DNS_RCODE_NXDOMAIN);
	assert_int_equal(get_u16(frontend_said + 8), 1); // the SOA
	assert_int_equal(ask_as("198.18.1.2", "x.ads.example"), FRONTEND_LATER);
	answered("198.18.1.2", "more.example", DNS_RCODE_REFUSED);
	assert_int_equal(ask_as("fd53:1::2", "more.example"), FRONTEND_REPLY);
	assert_int_equal(ask_as("::ffff:198.18.1.2", "more.example"), FRONTEND_REPLY);
	assert_int_equal(ask_as("fd53::2", "more.example"), FRONTEND_LATER);
	assert_int_equal(verdicts(VERDICT_blocked), 4);
	expect_later(1);
}

TEST_WITH(test_local_data_and_drop, setup, teardown)
{
	assert_int_equal(ask_as("198.18.0.2", "nas.lan"), FRONTEND_REPLY);
	assert_int_equal(get_u16(frontend_said + 6), 50);
	const struct frontend_rig_query small = {.name = "nas.lan", .type = DNS_TYPE_A, .id = 2};
	assert_int_equal(frontend_rig_ask(FRONTEND_UDP, &small), FRONTEND_REPLY);
	assert_true(get_u16(frontend_said + 2) & DNS_FLAG_TC);
	assert_int_equal(frontend_rig_ask(FRONTEND_TCP, &small), FRONTEND_REPLY);
	assert_int_equal(get_u16(frontend_said + 6), 50);
	assert_int_equal(
		FRONTEND_ASK(FRONTEND_UDP, .name = "nas.lan", .type = DNS_TYPE_TXT, .id = 3),
		FRONTEND_REPLY);
	assert_int_equal(rcode_said(), DNS_RCODE_NOERROR);
	assert_int_equal(get_u16(frontend_said + 6), 0);
	assert_int_equal(ask_as("198.18.0.2", "void.example"), FRONTEND_NO_REPLY);
	assert_int_equal(verdicts(VERDICT_drop_rule), 1);
	assert_int_equal(verdicts(VERDICT_local), 3);
}

TEST_WITH(test_all_blocked_but_allowed, setup, teardown)
{
	answered("198.18.2.2", "any.example", DNS_RCODE_NXDOMAIN);
	answered("198.18.2.2", "nas.lan", DNS_RCODE_NOERROR);
	assert_int_equal(ask_as("198.18.2.2", "wanted.example"), FRONTEND_LATER);
	expect_later(0);
	// A pause for everyone does not lift it, one that says so does.
	rig_pause(UINT64_MAX, 0);
	answered("198.18.2.2", "any.example", DNS_RCODE_NXDOMAIN);
	assert_int_equal(ask_as("198.18.0.2", "x.ads.example"), FRONTEND_LATER);
	expect_later(1);
	rig_pause(UINT64_MAX, UINT64_MAX);
	assert_int_equal(ask_as("198.18.2.2", "any.example"), FRONTEND_LATER);
	expect_later(2);
	rig_pause(0, 0);
}

// By a pattern before any query upstream, and by the records of the answer, also when it is cached.
TEST_WITH(test_masked, setup, teardown)
{
	assert_int_equal(ask_as("198.18.0.2", "ad7.example"), FRONTEND_LATER);
	const struct frontend_rig_reply *l = expect_later(0);
	assert_int_equal(get_u16(l->msg + 2) & DNS_FLAG_RCODE, DNS_RCODE_NXDOMAIN);
	assert_int_equal(rig_asked(), 0);
	fake[0].address = fake[1].address = 0xc0000263; // 192.0.2.99
	assert_int_equal(ask_as("198.18.0.2", "leads.example"), FRONTEND_LATER);
	l = expect_later(1); // other types of the name may be good
	assert_int_equal(get_u16(l->msg + 2) & DNS_FLAG_RCODE, DNS_RCODE_NOERROR);
	assert_int_equal(get_u16(l->msg + 6), 0);
	answered("198.18.0.2", "leads.example", DNS_RCODE_NOERROR);
	assert_int_equal(get_u16(frontend_said + 6), 0);
	answered("198.18.1.2", "leads.example", DNS_RCODE_NOERROR);
	assert_int_equal(get_u16(frontend_said + 6), 1);
	struct frontend_status s = frontend_now();
	assert_int_equal(s.of[FRONTEND_UDP].answers_blocked, 2);
	assert_int_equal(s.of[FRONTEND_UDP].verdict[VERDICT_blocked_answer], 1);
	assert_int_equal(s.of[FRONTEND_UDP].verdict[VERDICT_hit], 1);
}

static void answered_type(const char *client, const char *name, uint16_t type, unsigned rcode)
{
	assert_int_equal(FRONTEND_ASK(FRONTEND_UDP, .name = name, .type = type, .id = 1,
				 .udp_size = 1232, .client = client),
		FRONTEND_REPLY);
	assert_int_equal(rcode_said(), rcode);
	assert_int_equal(get_u16(frontend_said + 6), 0);
}

// A rule for some types says nothing of the name's others, so it does not deny the name.
TEST_WITH(test_one_type, setup, teardown)
{
	answered_type("198.18.0.2", "six.example", DNS_TYPE_AAAA, DNS_RCODE_NOERROR);
	answered_type("198.18.2.2", "four.example", DNS_TYPE_AAAA, DNS_RCODE_NOERROR);
	answered_type("198.18.2.2", "other.example", DNS_TYPE_AAAA, DNS_RCODE_NXDOMAIN);
}

// A list's own replies where a pattern may allow: of the resolver, then of the cache.
TEST_WITH(test_own_replies, setup, teardown)
{
	static const char *const own[GROUPS] = {"own", "more", "ads"};
	groups_publish_with(own);
	static const struct {
		const char *name;
		unsigned rcode;
	} replies[] = {{"nodata.example", DNS_RCODE_NOERROR},
		{"refused.example", DNS_RCODE_REFUSED}, {"failed.example", DNS_RCODE_SERVFAIL}};
	enum { REPLIES = ARRAY_LEN(replies) };
	for (unsigned i = 0; i < REPLIES; i++) {
		const char *const name = replies[i].name;
		const unsigned rcode = replies[i].rcode;
		assert_int_equal(ask_as("198.18.0.2", name), FRONTEND_LATER);
		const struct frontend_rig_reply *l = expect_later(2 * i);
		assert_int_equal(get_u16(l->msg + 2) & DNS_FLAG_RCODE, rcode);
		assert_int_equal(get_u16(l->msg + 6), 0);
		assert_int_equal(ask_as("198.18.1.2", name), FRONTEND_LATER); // for all to find
		(void)expect_later(2 * i + 1);
		answered_type("198.18.0.2", name, DNS_TYPE_A, rcode);
	}
	assert_int_equal(verdicts(VERDICT_blocked), REPLIES);
	assert_int_equal(ask_as("198.18.0.2", "drop.example"), FRONTEND_LATER);
	assert_int_equal(expect_later(2 * REPLIES)->len, 0);
	assert_int_equal(ask_as("198.18.1.2", "drop.example"), FRONTEND_LATER);
	assert_true(expect_later(2 * REPLIES + 1)->len > 0);
	assert_int_equal(ask_as("198.18.0.2", "drop.example"), FRONTEND_NO_REPLY);
	assert_int_equal(verdicts(VERDICT_drop_rule), 1);
	assert_int_equal(ask_as("198.18.0.2", "good.drop.example"), FRONTEND_LATER);
	assert_int_equal(get_u16(expect_later(2 * REPLIES + 2)->msg + 6), 1);
}

// While blocking is paused local data stays.
TEST_WITH(test_paused, setup, teardown)
{
	rig_pause(clock_mono_ms() + 60000, 0);
	assert_int_equal(ask_as("198.18.0.2", "ads.example"), FRONTEND_LATER);
	assert_int_equal(ask_as("198.18.2.2", "any.example"), FRONTEND_REPLY);
	rig_pause(clock_mono_ms() + 60000, clock_mono_ms() + 60000);
	assert_int_equal(ask_as("198.18.2.2", "any.example"), FRONTEND_LATER);
	assert_int_equal(ask_as("198.18.0.2", "nas.lan"), FRONTEND_REPLY);
	expect_later(1);
	rig_pause(0, 0);
	answered("198.18.0.2", "ads.example", DNS_RCODE_NXDOMAIN);
}

// blocking.closed: nobody is answered as long as there is no image.
TEST_WITH(test_without_rules, setup_without_rules, teardown)
{
	assert_int_equal(ask_as("198.18.0.2", "ads.example"), FRONTEND_LATER);
	rig.config.blocking.closed = rig.config.blocking.enabled = true;
	rig_pause(0, 0);
	answered("198.18.0.2", "other.example", DNS_RCODE_SERVFAIL);
	assert_int_equal(verdicts(VERDICT_servfail_no_rules), 1);
	rig_pause(clock_mono_ms() + 60000, 0);
	assert_int_equal(ask_as("198.18.0.2", "more.example"), FRONTEND_LATER);
	rig_pause(0, 0);
	expect_later(1);
	on_loop(rules_now, &image);
	answered("198.18.0.2", "ads.example", DNS_RCODE_NXDOMAIN);
}

// A new rule image decides from the next question on.
TEST_WITH(test_new_image, setup, teardown)
{
	image_make(&later_image, "late.example");
	assert_int_equal(ask_as("198.18.0.2", "late.example"), FRONTEND_LATER);
	expect_later(0);
	assert_int_equal(ask_as("198.18.0.2", "late.example"), FRONTEND_REPLY); // cached
	on_loop(rules_now, &later_image);
	answered("198.18.0.2", "late.example", DNS_RCODE_NXDOMAIN);
}

// A new policy image is active from the next question on.
TEST_WITH(test_new_groups, setup, teardown)
{
	assert_int_equal(ask_as("198.18.2.2", "any.example"), FRONTEND_REPLY);
	groups[1].client_count = 0;
	groups_publish();
	assert_int_equal(ask_as("198.18.2.2", "any.example"), FRONTEND_LATER);
	expect_later(0);
}

// A client that waits is answered by the image under which it was let in.
TEST_WITH(test_new_groups_while_one_waits, setup, teardown)
{
	static const char *const other[GROUPS] = {"more", "ads", "more"};
	fake[0].address = fake[1].address = 0xc0000263; // 192.0.2.99
	fake[0].held = fake[1].held = true;
	assert_int_equal(ask_as("198.18.0.2", "leads.example"), FRONTEND_LATER);
	groups_publish_with(other);
	assert_int_equal(ask_as("198.18.0.2", "leads.example"), FRONTEND_LATER);
	fake[0].held = fake[1].held = false;
	const struct frontend_rig_reply *l = expect_later(0);
	assert_int_equal(get_u16(l->msg + 6), 0);
	l = expect_later(1);
	assert_int_equal(get_u16(l->msg + 6), 1);
}

// qemu's user mode hands on no question about neighbours: it refuses it itself.
static void neighbours_need(void)
{
	const struct ndmsg body = {.ndm_family = AF_INET};
	struct rtnl kernel = {.fd = -1};
	struct rtnl_request q;
	struct rtnl_reply r;
	net_segment_need();
	assert_int_equal(rtnl_open(&kernel, 0), 0);
	rtnl_begin(&q, RTM_GETNEIGH, &body, sizeof(body));
	int rc = rtnl_ask(&kernel, &q, sizeof(body), &r);
	rtnl_close(&kernel);
	if (rc == -EOPNOTSUPP)
		skip();
}

// By asking over a socket nobody leaves the group of his MAC address.
TEST_WITH(test_group_by_mac, setup, teardown)
{
	neighbours_need();
	answered("198.18.0.77", "more.example", DNS_RCODE_REFUSED);
	assert_int_equal(ask_as("198.18.0.78", "more.example"), FRONTEND_LATER);
	expect_later(0);
}

static int group_setup(void **)
{
	return net_segment_open(
		"link set lo up\n"
		"addr add 198.18.0.1/24 dev seg0\n"
		"neigh add 198.18.0.77 lladdr 02:00:00:00:00:77 dev seg0 nud permanent\n");
}

TEST_GROUP(group_setup, NULL)
