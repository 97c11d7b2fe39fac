// SPDX-License-Identifier: BSD-3-Clause
// The test's control plane: what it writes into tables and rings.
#include "controlplane/policy/policy_build.h"
#include "controlplane/rule_image/rule_build.h"
#include "harness.h"

static void key_of(const struct harness *h, const struct dns_name *name, uint16_t qtype,
	uint8_t flags, uint16_t view, struct l0_key *key)
{
	*key = (struct l0_key){
		.name = name->wire,
		.name_len = name->len,
		.flags = flags,
		.qtype = qtype,
		.qclass = 1,
		.view = view,
	};
	l0_key_hash(&h->tables.l0, key);
}

static uint32_t or_else(uint32_t value, uint32_t fallback)
{
	return value ? value : fallback;
}

void harness_put(struct harness *h, const struct harness_record *r)
{
	static uint8_t answer[L0_ANSWER_MAX];
	static uint16_t ttl_off[1024];
	struct dns_name name = name_of_text(r->name);
	uint16_t qtype = r->qtype ? r->qtype : 1;
	unsigned rdata_len = or_else(r->rdata_len, 4);
	size_t n = 0;
	for (unsigned i = 0; i < r->count; i++) {
		wire_put16(answer + n, 0xc00c);
		wire_put16(answer + n + 2, qtype);
		wire_put16(answer + n + 4, 1);
		wire_put16(answer + n + 6, or_else(r->ttl_s, 300) >> 16);
		wire_put16(answer + n + 8, or_else(r->ttl_s, 300) & 0xffff);
		wire_put16(answer + n + 10, rdata_len);
		for (unsigned j = 0; j < rdata_len; j++)
			answer[n + 12 + j] = (uint8_t)(17 * i + 29 * j + 5);
		ttl_off[i] = (uint16_t)(n + 6);
		n += 12 + rdata_len;
	}
	struct l0_put put = {
		.answer =
			{
				.bytes = answer,
				.ttl_off = ttl_off,
				.len = (uint16_t)n,
				.ttl_count = (uint16_t)r->count,
				.ancount = (uint16_t)r->count,
				.rcode = r->rcode,
				.authenticated = r->authenticated,
				.insecure = r->insecure,
				.sum = wire_fold(wire_sum(answer, n)),
			},
		.created_ms = (uint64_t)((int64_t)h->start_ms + r->created_ms),
		.soft_ms = or_else(r->soft_ms, 300000),
		.hard_ms = or_else(r->hard_ms, 3900000),
		.refresh_ms = or_else(r->refresh_ms, UINT32_MAX),
		.stale_until_ms = r->stale_until_ms,
		.auth_ttl_s = or_else(r->ttl_s, 300),
		.mask = r->mask,
	};
	key_of(h, &name, qtype, r->key_flags, r->view, &put.key);
	assert_int_equal(l0_writer_put(h->l0, &put), 0);
}

static uint32_t find(const struct harness *h, const char *text)
{
	struct l0_key key;
	uint64_t anomalies = 0;
	struct dns_name name = name_of_text(text);
	key_of(h, &name, 1, 0, 0, &key);
	uint32_t record =
		l0_find(&h->tables.l0, &key, l0_candidate(&h->tables.l0, key.hash), &anomalies);
	assert_int_not_equal(record, L0_NONE);
	return record;
}

uint8_t harness_mark(const struct harness *h, const char *name)
{
	return h->marks[find(h, name)];
}

static struct rule_builder *rules_begin(struct harness *h)
{
	struct keyhash_secret secret;
	struct rule_builder *b;
	if (h->rules)
		rule_arena_free(h->rules);
	else
		h->rules = calloc(1, sizeof(struct rule_arena));
	assert_int_equal(keyhash_secret_make(&secret), 0);
	assert_int_equal(rule_builder_new(&secret, NULL, 0, &b), 0);
	assert_int_equal(rule_builder_source(b, "allow"), 0);
	assert_int_equal(rule_builder_source(b, "deny"), 0);
	return b;
}

static void rules_end(struct harness *h, struct rule_builder *b)
{
	char why[128];
	struct rule_arena *arena = h->rules;
	assert_int_equal(rule_builder_finish(b, 1, 1, arena), 0);
	rule_builder_free(b);
	assert_int_equal(
		rule_reader_init(&h->tables.rules, arena->base, arena->size, true, why), 0);
	h->tables.has_rules = true;
}

void harness_block(struct harness *h, const char *const *names, unsigned count)
{
	struct rule_builder *b = rules_begin(h);
	assert_int_equal(rule_builder_source(b, "test"), 0);
	for (unsigned i = 0; i < count; i++) {
		struct dns_name name = name_of_text(names[i]);
		struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &name);
		assert_int_equal(rule_builder_rule(b, &rule), 0);
	}
	rules_end(h, b);
}

void harness_rules(struct harness *h, const struct harness_rule *rules, unsigned count)
{
	struct rule_builder *b = rules_begin(h);
	for (unsigned i = 0; i < count; i++) {
		const struct harness_rule *r = &rules[i];
		struct dns_name name;
		char title[32];
		bool goes_on = i && r->rtype && strcmp(r->name, r[-1].name) == 0;
		snprintf(title, sizeof(title), "source %u", i);
		if (!goes_on)
			assert_int_equal(rule_builder_source(b, title), 0);
		bool pattern = r->name[0] == '/';
		if (!pattern)
			name = name_of_text(r->name);
		struct list_rule rule = rule_of_name(r->rule_class, pattern ? NULL : &name);
		rule.what = pattern ? LIST_RULE_PATTERN : LIST_RULE_NAME;
		rule.pattern = r->name + 1;
		rule.pattern_len = strlen(r->name) - 2;
		rule.kind.reply = (uint8_t)r->reply;
		if (rule_kind_opens(&rule.kind))
			rule.kind.covers = RULE_COVERS_SELF; // an alias
		if (r->reply == RULE_REPLY_DATA)
			rule.rtype = r->rtype;
		else if (r->rtype)
			rule.kind.types = (struct rule_types){.count = 1, .type = {r->rtype}};
		rule.rdata = (const uint8_t *)r->rdata;
		rule.rdata_len = r->rdata_len;
		rule.ttl_s = 77;
		assert_int_equal(rule_builder_rule(b, &rule), 0);
	}
	rules_end(h, b);
}

void harness_rules_lost(struct harness *h)
{
	const struct rule_arena *arena = h->rules;
	memset(arena->base, 0, arena->size);
}

static bool mac_add(struct config_group *g, const char *text)
{
	unsigned o[6];
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", o, o + 1, o + 2, o + 3, o + 4, o + 5) != 6)
		return false;
	g->macs = realloc(g->macs, (g->mac_count + 1) * sizeof(*g->macs));
	assert_non_null(g->macs);
	for (unsigned i = 0; i < 6; i++)
		g->macs[g->mac_count].bytes[i] = (uint8_t)o[i];
	g->mac_count++;
	return true;
}

static bool vlan_add(struct config_group *g, const char *text)
{
	unsigned id;
	if (sscanf(text, "vlan%u", &id) != 1)
		return false;
	g->vlans = realloc(g->vlans, (g->vlan_count + 1) * sizeof(*g->vlans));
	assert_non_null(g->vlans);
	g->vlans[g->vlan_count++] = (uint16_t)id;
	return true;
}

static bool iid_add(struct config_group *g, const char *text)
{
	struct config_iid iid;
	if (config_iid_parse(text, &iid) != 0)
		return false;
	g->iids = realloc(g->iids, (g->iid_count + 1) * sizeof(*g->iids));
	assert_non_null(g->iids);
	g->iids[g->iid_count++] = iid;
	return true;
}

static void client_add(struct config_group *g, const char *text, size_t len)
{
	char one[64];
	assert_true(len < sizeof(one));
	memcpy(one, text, len);
	one[len] = 0;
	if (mac_add(g, one) || vlan_add(g, one) || iid_add(g, one))
		return;
	g->clients = realloc(g->clients, (g->client_count + 1) * sizeof(*g->clients));
	assert_non_null(g->clients);
	g->clients[g->client_count++] = address_of_text(one);
}

static void policy_use(struct harness *h, struct config *config, const struct policy_group *group)
{
	struct policy_image image;
	char why[128];
	config->proxy_protocol = h->balancers;
	assert_int_equal(policy_build(config, group, &image), 0);
	assert_int_equal(policy_reader_init(&h->tables.policy, image.head, image.size, why), 0);
	free(h->policy);
	h->policy = image.head;
	h->tables.has_groups = policy_has_groups(&h->tables.policy);
	h->tables.has_access = h->tables.policy.has_access;
	h->tables.has_balancers = h->tables.policy.balancer_count > 0;
	h->tables.is_closed = false;
}

void harness_groups(struct harness *h, const char *const *prefixes, unsigned count,
	const struct policy_group *group)
{
	static struct config config;
	static struct config_group groups[CONFIG_GROUPS_MAX];
	memset(groups, 0, sizeof(groups));
	config.groups = groups;
	config.group_count = count;
	for (unsigned i = 0; i < count; i++)
		for (const char *p = prefixes[i]; *p; p += strspn(p, " ")) {
			size_t len = strcspn(p, " ");
			client_add(&groups[i], p, len);
			p += len;
		}
	policy_use(h, &config, group);
	for (unsigned i = 0; i < count; i++) {
		free(groups[i].clients);
		free(groups[i].macs);
		free(groups[i].iids);
		free(groups[i].vlans);
	}
}

void harness_access(struct harness *h, const struct config_access *access)
{
	static const struct policy_group everyone = {.lists = {7}};
	static struct config config;
	config.access = *access;
	policy_use(h, &config, &everyone);
	limiter_free(h->limiter);
	assert_int_equal(limiter_new(1, &h->limiter), 0);
	h->w.limit = limiter_table(h->limiter, 0);
}

void harness_limits_look(struct harness *h, uint64_t now_ms)
{
	limiter_look(h->limiter, &h->tables.policy.limit, now_ms);
}

void harness_access_at(struct harness *h, const struct config_access *access, uint64_t now_ms)
{
	harness_access(h, access);
	harness_limits_look(h, now_ms);
}

uint8_t harness_question[300 + MSG_WHOLE_MAX];

bool harness_miss_is_there(struct harness *h, struct msg_miss *msg)
{
	static alignas(8) uint8_t buf[sizeof(struct msg_miss) + sizeof(harness_question)];
	uint16_t type = 0;
	int len = ring_read(&h->miss, buf, sizeof(buf), &type);
	if (len == 0)
		return false;
	assert_int_equal(type, MSG_MISS);
	assert_true(len >= (int)sizeof(*msg));
	memcpy(msg, buf, sizeof(*msg));
	unsigned cookie = msg->has_opt & DNS_OPT_COOKIE ? DNS_COOKIE_LEN : 0;
	const size_t behind = msg->question_len + cookie + (size_t)msg->whole_len;
	assert_int_equal(len, sizeof(*msg) + behind);
	memcpy(harness_question, buf + sizeof(*msg), behind);
	ring_release(&h->miss);
	return true;
}

struct msg_miss harness_miss(struct harness *h)
{
	struct msg_miss msg;
	assert_true(harness_miss_is_there(h, &msg));
	return msg;
}

unsigned harness_misses(struct harness *h)
{
	struct msg_miss msg;
	unsigned count = 0;
	while (harness_miss_is_there(h, &msg))
		count++;
	return count;
}

struct msg_miss harness_ask_missed(struct harness *h, const struct wire_query *q)
{
	harness_ask_dropped(h, q, VERDICT_miss);
	return harness_miss(h);
}

struct msg_answer harness_answer_to(const struct msg_miss *msg, unsigned flags, uint8_t *dns)
{
	memset(dns, 0, 12);
	wire_put16(dns, msg->id);
	wire_put16(dns + 2, flags);
	wire_put16(dns + 4, 1);
	memcpy(dns + 12, harness_question, msg->question_len);
	return (struct msg_answer){.dp_incarnation = msg->dp_incarnation,
		.arrival_ms = msg->arrival_ms,
		.path = msg->path,
		.dns_len = (uint16_t)(12 + msg->question_len)};
}

void harness_answer(
	struct harness *h, const struct msg_answer *head, const uint8_t *dns, uint32_t dns_len)
{
	uint8_t *room = ring_reserve(&h->answer, MSG_ANSWER, (uint32_t)(sizeof(*head) + dns_len));
	assert_non_null(room);
	struct msg_answer a = *head;
	if (a.sum == 0) // not a wrong one on purpose
		a.sum = wire_fold(wire_sum(dns, dns_len));
	memcpy(room, &a, sizeof(a));
	memcpy(room + sizeof(a), dns, dns_len);
	ring_publish(&h->answer);
}

void harness_all_lists(struct harness *h)
{
	memset(h->tables.config.group_lists, 0xff, sizeof(h->tables.config.group_lists));
}
