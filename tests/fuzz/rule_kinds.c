// SPDX-License-Identifier: BSD-3-Clause
#include "rule_kinds.h"

#include "fuzz.h"

#include <weir/dns_proto.h>

#define RULE(source_, class_, covers_, reply_, name_, ...)                     \
	{                                                                      \
		.source = source_, .rule_class = RULE_CLASS_##class_,          \
		.covers = RULE_COVERS_##covers_, .reply = RULE_REPLY_##reply_, \
		.name = name_ __VA_OPT__(, ) __VA_ARGS__                       \
	}
#define RECORD(type_, bytes_) \
	.rtype = DNS_TYPE_##type_, .rdata_len = sizeof(bytes_) - 1, .rdata = bytes_

enum { SOURCES = 6 };

static const struct {
	unsigned source;
	enum rule_class rule_class;
	unsigned covers;
	enum rule_reply reply;
	const char *name;
	struct rule_types types;
	const char *glob;
	uint16_t rtype, rdata_len;
	const char *rdata;
} rules[] = {
	RULE(0, OPERATOR_ALLOW, ALL, GROUP, "both.example"),
	RULE(1, OPERATOR_DENY, ALL, GROUP, "both.example"),
	RULE(1, OPERATOR_DENY, ALL, GROUP, "denied.example"),
	RULE(2, BLOCK, ALL, GROUP, "top"),
	RULE(2, BLOCK, ALL, GROUP, "ads.example"),
	RULE(3, BLOCK, ALL, GROUP, "ads.example"),
	RULE(2, ALLOW, ALL, GROUP, "good.ads.example"),
	RULE(2, IMPORTANT_BLOCK, ALL, GROUP, "bad.good.ads.example"),
	RULE(3, IMPORTANT_ALLOW, SELF, GROUP, "x.bad.good.ads.example"),
	RULE(2, BLOCK, ALL, GROUP, "shop.example"),
	RULE(2, EXCEPT, ALL, GROUP, "good.shop.example"),
	RULE(2, BLOCK, SELF, NXDOMAIN, "self.example"),
	RULE(2, BLOCK, BELOW, NODATA, "below.example"),
	RULE(2, BLOCK, ALL, NULL, "null.example"),
	RULE(2, BLOCK, ALL, REFUSED, "refused.example"),
	RULE(2, BLOCK, ALL, DROP, "drop.example"),
	RULE(3, BLOCK, ALL, GROUP, "typed.example", .types = {1, 0, {DNS_TYPE_AAAA}}),
	RULE(3, BLOCK, ALL, GROUP, "other.example", .types = {2, 1, {DNS_TYPE_A, DNS_TYPE_TXT}}),
	RULE(3, BLOCK, BELOW, GROUP, "stars.example", .glob = "*.ads-*"),
	RULE(3, BLOCK, BELOW, GROUP, "stars.example", .glob = ".*x.*y"),
	RULE(2, ALLOW, BELOW, GROUP, "stars.example", .glob = ".*-ok"),
	RULE(4, LOCAL, BELOW, NXDOMAIN, "lan"),
	RULE(4, LOCAL, SELF, DATA, "nas.lan", RECORD(A, "\xc0\0\2\1")),
	RULE(4, LOCAL, SELF, DATA, "nas.lan", RECORD(A, "\xc0\0\2\2")),
	RULE(4, LOCAL, SELF, DATA, "nas.lan", RECORD(TXT, "\3abc")),
	RULE(4, LOCAL, SELF, DATA, "txt.lan", RECORD(TXT, "\1a")),
	RULE(4, LOCAL, SELF, DATA, "txt.lan", RECORD(TXT, "\4abcd")),
	RULE(4, LOCAL, SELF, DATA, "www.lan", RECORD(CNAME, "\3nas\3lan\0")),
	RULE(4, LOCAL, BELOW, RESOLVE, "alias.lan"),
	RULE(5, SAFE, ALL, DATA, "search.example", RECORD(CNAME, "\4safe\7example\0")),
	RULE(5, SAFE, ALL, GROUP, "ads.example"),
};

const struct rule_kinds_ask rule_kinds_asks[] = {
	{".", DNS_TYPE_A, -1},
	{"example", DNS_TYPE_A, -1},
	{"both.example", DNS_TYPE_A, RULE_PASS},
	{"x.denied.example", DNS_TYPE_A, RULE_BLOCK},
	{"top", DNS_TYPE_A, RULE_BLOCK},
	{"a.b.c.d.e.f.g.h.top", DNS_TYPE_A, RULE_BLOCK},
	{"ads.example", DNS_TYPE_A, RULE_BLOCK},
	{"x.good.ads.example", DNS_TYPE_A, RULE_PASS},
	{"bad.good.ads.example", DNS_TYPE_A, RULE_BLOCK},
	{"x.bad.good.ads.example", DNS_TYPE_A, RULE_PASS},
	{"y.x.bad.good.ads.example", DNS_TYPE_A, RULE_BLOCK},
	{"good.shop.example", DNS_TYPE_A, -1},
	{"bad.shop.example", DNS_TYPE_A, RULE_BLOCK},
	{"self.example", DNS_TYPE_A, RULE_BLOCK},
	{"x.self.example", DNS_TYPE_A, -1},
	{"below.example", DNS_TYPE_A, -1},
	{"x.below.example", DNS_TYPE_A, RULE_BLOCK},
	{"null.example", DNS_TYPE_AAAA, RULE_BLOCK},
	{"refused.example", DNS_TYPE_A, RULE_BLOCK},
	{"x.drop.example", DNS_TYPE_A, RULE_DROP},
	{"typed.example", DNS_TYPE_A, -1},
	{"typed.example", DNS_TYPE_AAAA, RULE_BLOCK},
	{"other.example", DNS_TYPE_TXT, -1},
	{"other.example", DNS_TYPE_AAAA, RULE_BLOCK},
	{"stars.example", DNS_TYPE_A, -1},
	{"w.ads-1.stars.example", DNS_TYPE_A, RULE_BLOCK},
	{"ads-ok.stars.example", DNS_TYPE_A, RULE_PASS},
	{"xx.a.yy.stars.example", DNS_TYPE_A, RULE_BLOCK},
	{"x.stars.example", DNS_TYPE_A, -1},
	{"pc.lan", DNS_TYPE_A, RULE_BLOCK},
	{"nas.lan", DNS_TYPE_A, RULE_DATA},
	{"txt.lan", DNS_TYPE_TXT, RULE_DATA},
	{"www.lan", DNS_TYPE_A, RULE_DATA},
	{"www.lan", DNS_TYPE_MX, RULE_DATA},
	{"gone.lan", DNS_TYPE_A, RULE_DATA},
	{"x.alias.lan", DNS_TYPE_A, RULE_RESOLVE},
	{"search.example", DNS_TYPE_A, -1},
};
const unsigned rule_kinds_ask_count = ARRAY_LEN(rule_kinds_asks);

static void add(struct rule_builder *b, unsigned i)
{
	struct dns_name name;
	FUZZ_CHECK(dns_name_from_text(rules[i].name, strlen(rules[i].name), &name) == 0);
	struct list_rule rule = rule_of_name(rules[i].rule_class, &name);
	rule.kind.covers = (uint8_t)rules[i].covers;
	rule.kind.reply = (uint8_t)rules[i].reply;
	rule.kind.types = rules[i].types;
	rule.glob = rules[i].glob;
	rule.glob_len = rule.glob ? strlen(rule.glob) : 0;
	rule.kind.globs = rule.glob != NULL;
	rule.rtype = rules[i].rtype;
	rule.rdata_len = rules[i].rdata_len;
	rule.rdata = (const uint8_t *)rules[i].rdata;
	rule.ttl_s = 60 + i;
	FUZZ_CHECK(rule_builder_rule(b, &rule) == 0);
}

// What local data hands of an alias: an address behind it, and the answer for all other types.
static void add_behind(struct rule_builder *b, const char *alias, const uint8_t *address)
{
	static const uint8_t target[] = "\3nas\3lan";
	const struct list_chain chain = {.count = 1, .alias = {{target, 60, sizeof(target)}}};
	struct dns_name name;
	FUZZ_CHECK(dns_name_from_text(alias, strlen(alias), &name) == 0);
	struct list_rule rule = rule_of_name(RULE_CLASS_LOCAL, &name);
	rule.kind.covers = RULE_COVERS_SELF;
	rule.kind.reply = RULE_REPLY_DATA;
	rule.ttl_s = 60;
	rule.chain = &chain;
	rule.chain_is_dead = !address;
	FUZZ_CHECK(rule_builder_rule(b, &rule) == 0);
	rule.rtype = DNS_TYPE_A;
	rule.rdata = address;
	rule.rdata_len = 4;
	if (address)
		FUZZ_CHECK(rule_builder_rule(b, &rule) == 0);
}

static void add_others(struct rule_builder *b, enum rule_class rule_class)
{
	struct list_rule rule = {
		.what = LIST_RULE_PATTERN, .pattern = "^ads[0-9]", .pattern_len = 9};
	rule.kind =
		(struct rule_kind){.rule_class = (uint8_t)rule_class, .covers = RULE_COVERS_SELF};
	FUZZ_CHECK(rule_builder_rule(b, &rule) == 0);
	rule.what = LIST_RULE_ADDRESS;
	rule.prefix = (struct ip_address){.version = 4, .prefix_len = 24, .bytes = {192, 0, 2}};
	FUZZ_CHECK(rule_builder_rule(b, &rule) == 0);
	rule.prefix = (struct ip_address){.version = 6, .prefix_len = 48, .bytes = {0xfd, 0x53}};
	FUZZ_CHECK(rule_builder_rule(b, &rule) == 0);
}

void rule_kinds_build(struct rule_arena *out)
{
	struct keyhash_secret secret;
	struct rule_builder *b;
	for (size_t i = 0; i < sizeof(secret.bytes); i++)
		secret.bytes[i] = (uint8_t)(i * 151 + 17);
	FUZZ_CHECK(rule_builder_new(&secret, NULL, 0, &b) == 0);
	for (unsigned source = 0; source < SOURCES; source++) {
		FUZZ_CHECK(rule_builder_source(b, "source") == 0);
		for (unsigned i = 0; i < ARRAY_LEN(rules); i++)
			if (rules[i].source == source)
				add(b, i);
		if (source == 4) {
			add_behind(b, "www.lan", (const uint8_t[]){192, 0, 2, 1});
			add_behind(b, "gone.lan", NULL);
		}
		if (source == 2 || source == 3)
			add_others(b, source == 2 ? RULE_CLASS_BLOCK : RULE_CLASS_ALLOW);
	}
	FUZZ_CHECK(rule_builder_finish(b, 77, 1234, out) == 0);
	rule_builder_free(b);
}
