// SPDX-License-Identifier: BSD-3-Clause

// A client's message to the control plane itself, over UDP and TCP, through the whole frontend: who
// may ask and how often, cookies, what weir says of itself, rules of every kind, L0, a resolver and
// its upstream. It ends in one verdict and one reply at most, at once or once its answer is there,
// which passes the oracle.
//
// The first byte chooses: its bits (enum), and from WHO on the client (ways); the rest is the
// message.

#include "controlplane/answer_policy/answer_policy.h"
#include "controlplane/frontend/frontend.h"
#include "controlplane/policy/policy_build.h"
#include "resolver_box.h"
#include "rule_kinds.h"
#include "tests/oracle/reply_oracle.h"

#include <arpa/inet.h>
#include <weir/attr.h>
#include <weir/dns_cookie.h>

enum {
	OVER_TCP = 1,
	FROM_V6 = 2,
	PAUSED = 4, // nothing is blocked
	PROVEN = 8, // a cookie of full length is made a right one
	WHO = 16,
	INPUT_MOST = 1500,
	CHILD = 1, // groups
	BED,
	GROUPS,
};

// The client: in no group, of the groups, over their rate, in a network over its rate, not
// allowed to.
static const struct {
	const char *v4, *v6;
} ways[] = {
	{"198.18.0.2", "fd53::2"},
	{"198.18.1.2", "fd53:0:0:1::2"},
	{"198.18.2.2", "fd53:0:0:2::2"},
	{"198.18.4.2", "fd53:0:0:4::2"},
	{"198.19.0.2", "fd54::2"},
	{"198.18.0.3", "::ffff:198.18.4.3"},
};

static struct frontend_session session[FRONTEND_TRANSPORTS];
static uint8_t query[INPUT_MOST];
static size_t query_len;
static unsigned replies;
static bool is_paused;
static struct rule_reader reader;

static bool has_drops(void)
{
	bool any = false;
	for (unsigned i = 0; i < reader.list_count; i++)
		any |= reader.lists[i].kind.reply == RULE_REPLY_DROP;
	return any;
}

static void reply_check(enum frontend_transport t, const struct frontend_reply *r)
{
	const struct reply_oracle o = {.query = query,
		.query_len = query_len,
		.limit = t != FRONTEND_UDP ? (size_t)REPLY_ORACLE_TCP
					   : box.config.limits.udp_reply_size};
	replies++;
	if (r->len == 0) { // a rule drops it: the client gets nothing
		FUZZ_CHECK(has_drops());
		return;
	}
	FUZZ_CHECK(r->opt == 0 || r->opt + DNS_OPT_FIXED_LEN <= r->len);
	reply_oracle_check(&o, r->msg, r->len);
}

static void on_reply(
	struct frontend_session *s, const union client_address *, const struct frontend_reply *r)
{
	reply_check(s->transport, r);
}

static struct ip_address prefix(const char *text)
{
	struct ip_address a;
	FUZZ_CHECK(ip_address_parse(text, &a) == 0);
	return a;
}

static void config_fill(struct config *c)
{
	static char child[] = "child", bed[] = "bed", said[] = "weir";
	static struct ip_address of_child[2], of_bed[2], allow[2], unlimited[6];
	static struct config_group groups[] = {
		{.name = child, .blocking = true, .clients = of_child, .client_count = 2},
		{.name = bed, .blocking = true, .clients = of_bed, .client_count = 2}};
	unlimited[0] = prefix("198.18.0.0/24"), unlimited[1] = prefix("fd53::/64");
	unlimited[2] = of_child[0] = prefix("198.18.1.0/24");
	unlimited[3] = of_child[1] = prefix("fd53:0:0:1::/64");
	unlimited[4] = of_bed[0] = prefix("198.18.2.0/24");
	unlimited[5] = of_bed[1] = prefix("fd53:0:0:2::/64");
	allow[0] = prefix("198.18.0.0/16"), allow[1] = prefix("fd53::/48");
	groups[0].filter.safe_search.level[SAFE_ENGINE_BING] = SAFE_LEVEL_STRICT;
	groups[0].has_safe_search = true;
	c->groups = groups;
	c->group_count = ARRAY_LEN(groups);
	c->access = (struct config_access){.refuse = true,
		.any_minimal = true,
		.allow = allow,
		.allow_count = ARRAY_LEN(allow),
		.unlimited = unlimited,
		.unlimited_count = ARRAY_LEN(unlimited),
		.rate = 1,
		.burst_s = 1,
		.slip = 2,
		.reply_octets = 100};
	c->cookies = (struct config_cookies){
		.enabled = true, .require = DNS_COOKIE_REQUIRE_OVER_LIMIT, .count = 1};
	c->identity = (struct config_identity){said, said, said};
	c->cache.rotate = true;
}

static void groups_fill(struct policy_group group[GROUPS])
{
	resolver_safe_view(box.resolver, 0, &group[0]);
	resolver_group_view(box.resolver, 0, &group[CHILD]);
	resolver_group_view(box.resolver, 1, &group[BED]);
	for (unsigned i = 0; i < reader.list_count && i < 64; i++) {
		unsigned rule_class = reader.lists[i].kind.rule_class;
		bool is_own = rule_class == RULE_CLASS_OPERATOR_ALLOW
			      || rule_class == RULE_CLASS_OPERATOR_DENY
			      || rule_class == RULE_CLASS_LOCAL;
		uint64_t bit = UINT64_C(1) << i;
		group[0].lists[0] |= is_own ? bit : 0;
		group[CHILD].lists[0] |= bit;
		group[BED].lists[0] |= is_own || rule_class == RULE_CLASS_SAFE ? bit : 0;
	}
	group[CHILD].block = (struct dns_block){.ttl_s = 9, .mode = DNS_BLOCK_NULL};
	group[BED].block = (struct dns_block){.ttl_s = 9, .mode = DNS_BLOCK_REFUSED};
	group[BED].block_all = 1;
}

static void pause_set(bool paused)
{
	static const uint64_t none[4];
	if (is_paused != paused)
		publish_config(box.publisher, &box.config, none, !paused, 0, 0);
	is_paused = paused;
}

static void rules_publish(void)
{
	static struct rule_arena arena; // of the process
	static struct answer_policy *answer_policy;
	struct rule_image_region *rules;
	struct policy_group group[GROUPS] = {0};
	struct policy_image image;
	char why[SHM_WHY_MAX];
	rule_kinds_build(&arena);
	FUZZ_CHECK(rule_reader_init(&reader, arena.base, arena.size, true, why) == 0);
	FUZZ_CHECK(answer_policy_new(&answer_policy, &reader, 1) == 0);
	resolver_set_answer_policy(box.resolver, answer_policy, NULL, NULL);
	const struct region_fill fill = {.from = arena.base, .len = arena.size};
	FUZZ_CHECK(publish_rules_prepare(box.publisher, &fill, &rules, why) == 0);
	FUZZ_CHECK(publish_rules_publish(box.publisher, rules) == 0);
	groups_fill(group);
	FUZZ_CHECK(policy_build(&box.config, group, &image) == 0);
	FUZZ_CHECK(publish_policy(box.publisher, image.head, image.size, why) == 0);
	free(image.head);
}

FUZZ_BEGIN
{
	config_fill(&box.config);
	box_open();
	box_link();
	is_paused = true;
	pause_set(false);
	rules_publish();
	for (unsigned t = 0; t < FRONTEND_TRANSPORTS; t++) {
		session[t] = (struct frontend_session){
			.reply = on_reply, .transport = (enum frontend_transport)t};
		frontend_session_begin(&session[t]);
	}
	return 0;
}

static union client_address client_of(unsigned how)
{
	union client_address c = {.v6 = {.sin6_port = htons(4000)}};
	if (how & FROM_V6) {
		c.v6.sin6_family = AF_INET6;
		FUZZ_CHECK(inet_pton(AF_INET6, ways[how / WHO].v6, &c.v6.sin6_addr) == 1);
	} else {
		c.v4.sin_family = AF_INET;
		FUZZ_CHECK(inet_pton(AF_INET, ways[how / WHO].v4, &c.v4.sin_addr) == 1);
	}
	return c;
}

// As that of a client who has been here.
static void cookie_prove(const union client_address *from)
{
	struct dns_query q;
	struct dns_cookie_terms terms;
	struct dns_cookie_client client = {.ip_version = 4,
		.address = (const uint8_t *)&from->v4.sin_addr,
		.now_s = (uint32_t)time(NULL)};
	const uint8_t *v6 = from->v6.sin6_addr.s6_addr;
	if (dns_query_parse(query, query_len, &q) == DNS_QUERY_SHORT
		|| q.cookie_len != DNS_COOKIE_LEN)
		return;
	if (from->any.sa_family == AF_INET6) {
		bool is_mapped = IN6_IS_ADDR_V4MAPPED(&from->v6.sin6_addr);
		client.ip_version = is_mapped ? 4 : 6;
		client.address = is_mapped ? v6 + 12 : v6;
	}
	uint8_t *at = memmem(query, query_len, q.cookie, DNS_COOKIE_LEN);
	FUZZ_CHECK(at);
	publisher_cookies(box.publisher, &terms);
	dns_cookie_make(&terms, &client, at);
}

static uint64_t verdicts(const struct frontend_counts *c)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		n += c->verdict[i];
	return n;
}

FUZZ_BODY(data, len)
{
	struct frontend_reply r;
	if (len < 1 || len > INPUT_MOST || data[0] / WHO >= ARRAY_LEN(ways))
		return 0;
	enum frontend_transport t = data[0] & OVER_TCP ? FRONTEND_TCP : FRONTEND_UDP;
	struct frontend *f = box.frontend;
	union client_address client = client_of(data[0]);
	struct frontend_status before, after;
	query_len = len - 1;
	memcpy(query, data + 1, query_len);
	replies = 0;
	pause_set(data[0] & PAUSED);
	if (data[0] & PROVEN)
		cookie_prove(&client);
	uint8_t *exact = malloc(query_len ? query_len : 1);
	FUZZ_CHECK(exact);
	memcpy(exact, query, query_len);
	frontend_status(f, &before);
	enum frontend_outcome outcome = frontend_ask(f, &session[t], &client, exact, query_len, &r);
	free(exact);
	FUZZ_CHECK(replies == 0);
	if (outcome == FRONTEND_REPLY)
		reply_check(t, &r);
	if (outcome == FRONTEND_LATER) {
		FUZZ_CHECK(session[t].pending == 1);
		box_settle();
	}
	frontend_status(f, &after);
	FUZZ_CHECK(replies == (outcome == FRONTEND_REPLY || outcome == FRONTEND_LATER));
	FUZZ_CHECK(session[t].pending == 0 && after.pending == 0);
	FUZZ_CHECK(verdicts(&after.of[t]) == verdicts(&before.of[t]) + 1);
	FUZZ_CHECK(after.of[t].lost == 0 && after.of[t].left == 0);
	return 0;
}
