// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Local data as the rules of an image: a configuration, the real builder, and what it answers.

#include "controlplane/policy/local_data.h"
#include "controlplane/policy/special_names.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"

#include <weir/csum.h>
#include <weir/hosts_file.h>
#include <weir/rdata_parse.h>
#include <weir/rule_data.h>
#include <weir/rule_reply.h>

enum { RECORDS = 32 };

static struct config config;
static struct config_record records[RECORDS], own[4];
static struct config_local_zone zones[8];
static struct config_forward_zone forwards[4], own_forwards[2];
static struct config_group group;
static char group_name[] = "kids", hosts_path[64];
static const char *denied; // an entry of `deny`, or NULL
static char *hosts_files[] = {hosts_path};
static uint8_t rdata[RECORDS + 4][300];
static unsigned rdata_used;
static struct rule_arena arena;
static struct rule_reader reader;

static inline struct dns_name name_of(const char *text)
{
	struct dns_name name;
	if (dns_name_from_text(text, strlen(text), &name) != 0)
		fail_msg("%s", text);
	return name;
}

static inline void record(struct config_record *list, unsigned *count, const char *name,
	const char *type, const char *value)
{
	struct config_record *r = &list[(*count)++];
	uint8_t out[RDATA_PARSE_MAX];
	const char *why = "";
	*r = (struct config_record){.ttl_s = 60, .wildcard = name[0] == '*'};
	r->name = name_of(name + (r->wildcard ? 2 : 0));
	assert_true(rdata_parse_type(type, &r->type));
	if (rdata_parse(r->type, value, strlen(value), out, &r->rdata_len, &why) != 0)
		fail_msg("%s: %s", value, why);
	r->rdata = memcpy(rdata[rdata_used++], out, r->rdata_len);
}

static inline void everyone(const char *name, const char *type, const char *value)
{
	record(records, &config.local.record_count, name, type, value);
}

static inline void zone(const char *name, bool forward)
{
	zones[config.local.zone_count++] =
		(struct config_local_zone){.name = name_of(name), .forward = forward};
}

// The domain, and the zone that the configuration makes of it.
static inline void house(const char *name)
{
	config.local.house = name_of(name);
	zones[config.local.zone_count++] =
		(struct config_local_zone){.name = name_of(name), .is_house = true};
}

static inline void forward(const char *name)
{
	forwards[config.forward_count++].name = name_of(name);
}

static inline int setup(void **)
{
	memset(&config, 0, sizeof(config));
	rdata_used = 0;
	denied = NULL;
	config.local = (struct config_local){.ttl_s = 300,
		.special_names = true,
		.doh_canary = true,
		.hosts_ptr = true,
		.records = records,
		.zones = zones,
		.hosts_files = hosts_files};
	config.forwards = forwards;
	group = (struct config_group){
		.name = group_name, .blocking = true, .records = own, .forwards = own_forwards};
	config.groups = &group;
	config.group_count = 1;
	return 0;
}

static inline int teardown(void **)
{
	rule_arena_free(&arena);
	arena = (struct rule_arena){0};
	unlink(hosts_path);
	return 0;
}

static inline void hosts(const char *text)
{
	snprintf(hosts_path, sizeof(hosts_path), "/tmp/weir-test-local-%d", getpid());
	text_to_file(hosts_path, text);
	config.local.hosts_file_count = 1;
}

static inline void build(void)
{
	struct rule_builder *b = fixture_builder();
	struct local_data *d;
	char why[128] = "";
	rule_arena_free(&arena);
	assert_int_equal(local_data_new(&config, &d), 0);
	assert_int_equal(rule_builder_source(b, "allow entries"), 0);
	assert_int_equal(rule_builder_source(b, "deny entries"), 0);
	if (denied) {
		const struct dns_name name = name_of(denied);
		const struct list_rule deny = rule_of_name(RULE_CLASS_OPERATOR_DENY, &name);
		assert_int_equal(rule_builder_rule(b, &deny), 0);
	}
	for (unsigned i = 0; i < local_data_sources(d); i++) {
		assert_int_equal(rule_builder_source(b, local_data_title(d, i)), 0);
		assert_int_equal(local_data_rules(local_data_arg(d, i), rule_builder_rule, b), 0);
	}
	fixture_finish(b, &arena);
	local_data_free(d);
	if (rule_reader_init(&reader, arena.base, arena.size, true, why) != 0)
		fail_msg("%s", why);
}

static const char *const replies[RULE_REPLIES] = {[RULE_REPLY_NXDOMAIN] = "NXDOMAIN",
	[RULE_REPLY_NODATA] = "NODATA",
	[RULE_REPLY_DATA] = "DATA",
	[RULE_REPLY_RESOLVE] = "RESOLVE"};

static inline struct rule_verdict verdict_of(
	const struct config_group *g, const char *text, uint16_t type)
{
	uint64_t lists[4] = {0};
	struct rule_verdict v;
	const struct dns_name name = name_of(text);
	for (unsigned i = 0; i < reader.list_count; i++)
		if (reader.lists[i].kind.covers
			&& local_data_applies(&config, g, reader.lists[i].title))
			lists[i / 64] |= UINT64_C(1) << i % 64;
	rule_decide(&reader, &name, type, lists, &v);
	return v;
}

// "" where nothing decides; else the reply, and for data the number of records.
static inline const char *decided(const struct config_group *g, const char *text, uint16_t type)
{
	static char out[64];
	const struct rule_verdict v = verdict_of(g, text, type);
	if (!v.d.matched)
		return "";
	assert_int_equal(v.d.rule_class, RULE_CLASS_LOCAL);
	struct dns_answer_view answer;
	snprintf(out, sizeof(out), "%s", replies[v.d.reply]);
	if (v.d.reply == RULE_REPLY_DATA)
		snprintf(out, sizeof(out), "%u",
			rule_data_find(&reader, v.hash, v.d.list, type, &answer) ? answer.ancount
										 : 0);
	return out;
}

// The whole answer of local data: "RCODE: OWNER TYPE VALUE, ...", the authority behind "; ".
static inline void expect_answer(
	const struct config_group *g, const char *text, uint16_t type, const char *wanted)
{
	char out[1024], one[DNS_NAME_TEXT_MAX];
	struct dns_answer_view a;
	const struct rule_verdict v = verdict_of(g, text, type);
	assert_int_equal(v.d.reply, RULE_REPLY_DATA);
	assert_true(rule_data_find(&reader, v.hash, v.d.list, type, &a));
	assert_int_equal(a.ancount + a.nscount, a.ttl_count);
	assert_int_equal(csum_partial(a.bytes, a.len), a.sum);
	size_t n = (size_t)snprintf(out, sizeof(out), "%u:", a.rcode);
	struct rd rd = rd_init(a.bytes, a.len);
	for (unsigned i = 0; i < a.ttl_count; i++) {
		struct dns_name owner = {0};
		if (a.bytes[rd.pos] == 0xc0)
			rd_skip(&rd, 2);
		else
			assert_int_equal(dns_name_read(&rd, &owner), 0);
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s",
			i && i == a.ancount ? "; "
			: i                 ? ", "
					    : " ",
			owner.len ? dns_name_to_text(&owner, one) : "@");
		const uint16_t rtype = rd_u16(&rd);
		rd_skip(&rd, 2);
		assert_int_equal(rd.pos, dns_answer_ttl_at(&a, i));
		rd_skip(&rd, 4);
		const uint16_t len = rd_u16(&rd);
		const uint8_t *bytes = rd_bytes(&rd, len);
		assert_true(rd_ok(&rd));
		if (rtype == DNS_TYPE_CNAME)
			dns_name_wire_to_text(bytes, len, one);
		n += (size_t)snprintf(out + n, sizeof(out) - n, " %s%s%s",
			rtype == DNS_TYPE_SOA ? "SOA" : rdata_parse_type_text(rtype),
			rtype == DNS_TYPE_CNAME ? " " : "", rtype == DNS_TYPE_CNAME ? one : "");
	}
	assert_int_equal(rd_left(&rd), 0);
	assert_string_equal(out, wanted);
}

static inline void expect(const char *name, uint16_t type, const char *wanted)
{
	const char *got = decided(NULL, name, type);
	if (strcmp(got, wanted) != 0)
		fail_msg("%s %u: \"%s\", not \"%s\"", name, type, got, wanted);
}

static inline void expect_group(const char *name, uint16_t type, const char *wanted)
{
	const char *got = decided(&group, name, type);
	if (strcmp(got, wanted) != 0)
		fail_msg("of the group: %s %u: \"%s\", not \"%s\"", name, type, got, wanted);
}
