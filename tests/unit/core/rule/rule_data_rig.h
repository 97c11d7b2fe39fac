// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An image of a few records, and its answers as text.

#include "tests/unit/cp/rule_image/listgen.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"

#include <weir/csum.h>
#include <weir/rule_data.h>

static const uint64_t everyone[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

struct record {
	const char *owner;
	uint16_t type;
	uint32_t ttl_s;
	const char *value; // name of a CNAME, else bytes
	unsigned covers;   // 0: self
};

static inline struct list_rule rule_of(
	const struct record *r, const struct dns_name *owner, struct dns_name *target)
{
	struct list_rule rule = rule_of_name(RULE_CLASS_LOCAL, owner);
	rule.kind.reply = RULE_REPLY_DATA;
	rule.kind.covers = (uint8_t)(r->covers ? r->covers : RULE_COVERS_SELF);
	rule.rtype = r->type;
	rule.ttl_s = r->ttl_s;
	if (r->type == DNS_TYPE_CNAME) {
		*target = fixture_name(r->value);
		rule.rdata = target->wire;
		rule.rdata_len = target->len;
	} else if (r->type) {
		rule.rdata = (const uint8_t *)r->value;
		rule.rdata_len = (uint16_t)strlen(r->value);
	}
	return rule;
}

static inline void add(struct rule_builder *b, const struct record *r)
{
	struct dns_name owner = fixture_name(r->owner), target;
	struct list_rule rule = rule_of(r, &owner, &target);
	assert_int_equal(rule_builder_rule(b, &rule), 0);
}

static inline struct rule_reader make(
	const struct record *records, unsigned count, struct rule_arena *a)
{
	struct rule_builder *b = fixture_builder();
	struct rule_reader r;
	char why[128];
	for (unsigned i = 0; i < RULE_LIST_FIRST; i++)
		assert_int_equal(rule_builder_source(b, "entries"), 0);
	assert_int_equal(rule_builder_source(b, "local"), 0);
	for (unsigned i = 0; i < count; i++)
		add(b, &records[i]);
	fixture_finish(b, a);
	assert_int_equal(rule_reader_init(&r, a->base, a->size, true, why), 0);
	return r;
}

static inline bool ask(
	const struct rule_reader *r, const char *text, uint16_t qtype, struct dns_answer_view *out)
{
	struct dns_name name = fixture_name(text);
	struct rule_verdict v;
	rule_decide(r, &name, qtype, everyone, &v);
	if (v.d.action != RULE_DATA)
		fail_msg("%s: action %d", text, v.d.action);
	return rule_data_find(r, v.hash, v.d.list, qtype, out);
}

// The answer as text: owner (@: the question's), type, TTL, value of each record.
static inline const char *answer(const struct rule_reader *r, const char *text, uint16_t qtype)
{
	static char out[4096];
	struct dns_answer_view a;
	size_t n = 0;
	out[0] = 0;
	if (!ask(r, text, qtype, &a)) {
		assert_int_equal(a.len | a.ancount | a.ttl_count, 0);
		return "none";
	}
	assert_int_equal(a.ancount, a.ttl_count);
	assert_int_equal(csum_partial(a.bytes, a.len), a.sum);
	struct rd rd = rd_init(a.bytes, a.len);
	for (unsigned i = 0; i < a.ancount; i++) {
		char owner[DNS_NAME_TEXT_MAX] = "@", value[DNS_NAME_TEXT_MAX];
		struct dns_name name;
		if (a.len - rd_left(&rd) < a.len && a.bytes[a.len - rd_left(&rd)] == 0xc0) {
			assert_int_equal(rd_u16(&rd), 0xc00c);
		} else {
			assert_int_equal(dns_name_read(&rd, &name), 0);
			dns_name_to_text(&name, owner);
		}
		uint16_t type = rd_u16(&rd);
		assert_int_equal(rd_u16(&rd), DNS_CLASS_IN);
		assert_int_equal(a.len - rd_left(&rd), dns_answer_ttl_at(&a, i));
		uint32_t ttl = rd_u32(&rd);
		uint16_t len = rd_u16(&rd);
		const uint8_t *rdata = rd_bytes(&rd, len);
		assert_true(rd_ok(&rd));
		if (type == DNS_TYPE_CNAME)
			dns_name_wire_to_text(rdata, len, value);
		else
			snprintf(value, sizeof(value), "%.*s", len, (const char *)rdata);
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s %u %u %s", i ? ", " : "",
			owner, type, ttl, value);
	}
	assert_int_equal(rd_left(&rd), 0);
	return out;
}

#define EXPECT(name, type, text) assert_string_equal(answer(&r, name, type), text)
