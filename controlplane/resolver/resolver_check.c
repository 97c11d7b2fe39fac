// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_check.h"

#include "answer_policy/answer_records.h"
#include "policy/house.h"
#include "resolver_store.h"

#include <event2/event.h>

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

bool resolver_is_local(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype)
{
	struct policy_group group;

	return r->answer_policy && answer_policy_knows_local(r->answer_policy, name, qtype)
	       && (!publisher_group_in_view(r->publisher, view->number, &group)
		       || answer_policy_is_local(r->answer_policy, name, qtype, group.lists));
}

bool resolver_local_alias(
	const struct resolver *r, const struct view *view, const struct dns_name *name)
{
	struct rewrite w;

	return views_rewrite(r->views, view, name, &w) < 0 || w.count > 0;
}

int resolver_forward_labels(
	const struct resolver *r, const struct view *view, const struct dns_name *name)
{
	const struct forward_zone *zone = views_zone(r->views, view, name);
	return zone ? zone->name.labels : -1;
}

bool resolver_has_local(
	const struct resolver *r, const struct view *view, const struct dns_name *name)
{
	static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_PTR, DNS_TYPE_MX,
		DNS_TYPE_TXT, DNS_TYPE_SRV, DNS_TYPE_CAA, DNS_TYPE_SVCB, DNS_TYPE_HTTPS};

	// Else what is local for one type is for all.
	const size_t count = r->set.missing_forward ? ARRAY_LEN(types) : 1;
	for (size_t i = 0; i < count; i++)
		if (resolver_is_local(r, view, name, types[i]))
			return true;
	return false;
}

// Does the name exist without anything, but for leases? No record has HINFO, so a rule for it is
// one for all types; the image leaves only those of leases out of one (local_data.c).
static bool is_but_for_leases(
	const struct resolver *r, const struct view *view, const struct dns_name *name)
{
	return !resolver_is_local(r, view, name, DNS_TYPE_A)
	       && resolver_is_local(r, view, name, DNS_TYPE_HINFO);
}

// Do the operator's records, hosts files or special-use names have that name?
static bool is_operators(
	const struct resolver *r, const struct view *view, const struct dns_name *name)
{
	return resolver_local_alias(r, view, name)
	       || (resolver_has_local(r, view, name) && !is_but_for_leases(r, view, name));
}

// The lease that answers for the name: not where the operator has that name, or the one that the
// lease's PTR would say, or its label alone.
static const struct lease_name *lease_of(const struct resolver *r, const struct view *view,
	const struct dns_name *name, time_t now_s)
{
	const struct config *c = r->set.config;
	struct dns_name host, single;
	const struct lease_name *l =
		house_lease(c, r->leases, name, resolver_forward_labels(r, view, name), now_s);
	if (!l || !r->answer_policy || !house_host(c, l, &host, &single)
		|| !house_lease(c, r->leases, &host, resolver_forward_labels(r, view, &host), now_s)
		|| is_operators(r, view, &host) || is_operators(r, view, &single))
		return NULL;
	return l;
}

size_t resolver_house_answer(struct resolver *r, const struct view *view, const struct dns_query *q,
	uint8_t *msg, size_t cap)
{
	const time_t now_s = time(NULL);
	const struct lease_names *leases = lease_names_now(&r->leases);
	const struct lease_name *l = lease_of(r, view, &q->name, now_s);
	const struct house_question of = {.query = q,
		.forward_labels = resolver_forward_labels(r, view, &q->name),
		.lease = l,
		.exists = !l && house_has(r->set.config, &q->name)
			  && is_but_for_leases(r, view, &q->name),
		.now_s = now_s};

	return house_answer(r->set.config, leases, &of, msg, cap);
}

bool resolver_is_house(
	const struct resolver *r, const struct view *view, const struct dns_name *name)
{
	struct dns_name zone;
	return house_has(r->set.config, name)
	       && (house_keeps(r->set.config, name, resolver_forward_labels(r, view, name), &zone)
		       || lease_of(r, view, name, time(NULL)));
}

// Does a cached answer to `name` lead to a name with local data or a local CNAME?
static bool resolver_leads_home(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype, const struct dns_answer_view *answer)
{
	struct answer_records records = answer_records_of(name, answer);
	struct answer_record record;
	struct dns_name target;

	if (qtype == DNS_TYPE_CNAME || qtype == DNS_TYPE_ANY)
		return false;
	// The CNAMEs come first in an answer.
	while (answer_records_next(&records, &record)
		&& (record.type == DNS_TYPE_CNAME || record.type == DNS_TYPE_DNAME
			|| record.type == DNS_TYPE_RRSIG))
		if (record.type == DNS_TYPE_CNAME
			&& answer_record_target(&records, &record, &target)
			&& (resolver_local_alias(r, view, &target)
				|| resolver_is_house(r, view, &target)
				|| resolver_is_local(r, view, &target, qtype)))
			return true;
	return false;
}

bool resolver_check_blocks(const struct resolver *r, const struct dns_query *q,
	const struct waiter *w, const struct answer_match *finding, struct rule_ruling *out,
	struct dns_block *block)
{
	struct policy_group group;

	if (!finding || finding->count == 0 || !r->answer_policy
		|| !publisher_blocks(r->publisher, clock_mono_ms()))
		return false;
	publisher_group_at(r->publisher, w->policy, w->group, &group);
	*block = group.block;
	return answer_policy_blocks(
		r->answer_policy, finding, &q->name, q->qtype, group.lists, out);
}

void resolver_check_answer(const struct resolver *r, const struct view *in,
	const struct dns_query *q, const struct dns_answer_view *answer, struct answer_match *out)
{
	out->count = 0;
	out->cut = false;
	if (r->answer_policy)
		answer_policy_answer(r->answer_policy, ANSWER_POLICY_ON_RESOLVER + r->index,
			&q->name, q->qtype, answer, &in->ipv6.dns64, out);
}

void resolver_check_reply(struct resolver *r, const struct view *in, const struct dns_query *q,
	const struct dns_answer *a, struct answer_match *out)
{
	const struct dns_answer_view view = dns_answer_view_of(a);

	resolver_check_answer(r, in, q, &view, out);
	r->count.answer_policy.answers += r->answer_policy != NULL;
	r->count.answer_policy.listed += out->count > 0;
	r->count.answer_policy.cut += out->cut;
}

bool resolver_check_mask(
	struct resolver *r, const struct answer_match *finding, struct rule_set *mask)
{
	bool exact = answer_match_mask(finding, mask);
	r->count.answer_policy.not_kept += !exact;
	return exact;
}

void resolver_check_record(
	const struct resolver *r, const struct l0_view *v, struct answer_match *out)
{
	out->count = 0;
	if (v->masked && r->answer_policy)
		answer_match_of_mask(&v->mask, answer_policy_allowing(r->answer_policy), out);
}

// A new image: L0 is checked by it before workers get it, so that no cached answer is served by
// rules that its mask does not include. Answers that arrive meanwhile are checked by the new one
// too. An answer that leads to a name which is local by this image is deleted: its chain may end
// elsewhere now. The walk goes through the index in slices between which the loop works. A record
// whose mask changes is written again; it is deleted if there is no room, or no mask
// (answer_match.h). Entries do not move, so none is missed.
struct recheck {
	struct resolver *resolver;
	struct event *step;
	bool running;
	uint64_t cursor; // bucket
	uint64_t start_ms;
	void (*then)(void *arg);
	void *arg;
};

// Does the answer begin with a CNAME, or with a record that may come before one?
static bool may_lead(const struct l0_view *v)
{
	static const struct dns_name root = {.len = 1};
	struct answer_records records = answer_records_of(&root, &v->answer);
	struct answer_record first;

	return answer_records_next(&records, &first)
	       && (first.type == DNS_TYPE_CNAME || first.type == DNS_TYPE_DNAME
		       || first.type == DNS_TYPE_RRSIG);
}

static void record_check(struct resolver *r, const struct l0_view *v, void *)
{
	struct answer_policy_count *count = &r->count.answer_policy;
	const unsigned label = l0_subnet_len(v->key_flags, v->name, v->name_len);
	struct rd rd = rd_init(v->name + label, v->name_len - label);
	uint8_t wire[DNS_NAME_MAX]; // the key's name: a write may move the record
	struct dns_name name;
	struct l0_key key;
	struct rule_set mask;
	struct answer_match finding = {.count = 0};

	const bool is_concerned =
		v->masked
		|| (r->answer_policy && answer_policy_concerns(r->answer_policy, &v->answer));
	if ((!is_concerned && !may_lead(v)) || dns_name_read(&rd, &name))
		return;
	l0_key_of_view(l0_writer_reader(r->l0), v, &key);
	memcpy(wire, v->name, v->name_len);
	key.name = wire;
	const struct view *in = views_find(r->views, key.view);
	if (in && resolver_leads_home(r, in, &name, v->qtype, &v->answer)) {
		count->rechecked_deleted += l0_writer_delete(r->l0, &key);
		return;
	}
	if (!is_concerned)
		return;
	count->rechecked++;
	if (r->answer_policy)
		answer_policy_answer(r->answer_policy, ANSWER_POLICY_ON_RESOLVER + r->index, &name,
			v->qtype, &v->answer, in ? &in->ipv6.dns64 : NULL, &finding);
	if (!answer_match_mask(&finding, &mask)) {
		count->rechecked_deleted += l0_writer_delete(r->l0, &key);
		return;
	}
	if (v->masked ? memcmp(&mask, &v->mask, sizeof(mask)) == 0
		      : !(mask.lists[0] | mask.lists[1] | mask.lists[2] | mask.lists[3]))
		return;
	int rc = l0_writer_set_mask(r->l0, &key, &mask);
	count->rechecked_changed += rc == 0;
	count->rechecked_deleted += rc < 0;
}

// True: all is done.
static bool slice(struct recheck *w)
{
	return store_walk(w->resolver, &w->cursor, record_check, NULL);
}

static void walk_end(struct recheck *w)
{
	struct answer_policy_count *count = &w->resolver->count.answer_policy;

	w->running = false;
	count->walks++;
	count->walk_ms = clock_mono_ms() - w->start_ms;
	if (w->then)
		w->then(w->arg);
}

static void on_step(evutil_socket_t, short, void *arg)
{
	struct recheck *w = arg;

	if (slice(w))
		walk_end(w);
	else
		event_add(w->step, &(struct timeval){0});
}

int resolver_check_open(struct resolver *r)
{
	struct recheck *w = heap_calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	r->recheck = w;
	w->resolver = r;
	w->step = event_new(loop_base(r->loop), -1, 0, on_step, w);
	return w->step ? 0 : -ENOMEM;
}

void resolver_check_close(struct resolver *r)
{
	if (r->recheck && r->recheck->step)
		event_free(r->recheck->step);
	FREE_AND_NULL(r->recheck);
}

void resolver_set_answer_policy(void *resolver, const struct answer_policy *answer_policy,
	void (*then)(void *arg), void *arg)
{
	struct resolver *r = resolver;
	struct recheck *w = r->recheck;

	assert(!w->running || !w->then);
	r->answer_policy = answer_policy;
	w->running = true;
	w->cursor = 0;
	w->start_ms = clock_mono_ms();
	w->then = then;
	w->arg = arg;
	event_add(w->step, &(struct timeval){0});
}

bool resolver_recheck_slice(struct resolver *r)
{
	struct recheck *w = r->recheck;

	if (w->running && slice(w)) {
		(void)event_del(w->step);
		walk_end(w); // may begin another walk
	}
	return !w->running;
}

void resolver_check_tables(const struct resolver *r, struct table_registry *tables)
{
	static const struct answer_policy_counts none;
	const struct answer_policy_counts *c =
		r->answer_policy ? answer_policy_counts(r->answer_policy) : &none;

	table_register(
		tables, &(struct table_info){.name = "answer_patterns",
				.owner = "rules helper thread",
				.eviction = "refuse patterns over number, size or time",
				.lifetime = "until the next image",
				.kind = TABLE_FIXED,
				.cap = ANSWER_PATTERNS_MAX,
				.used = c->patterns.compiled,
				.bytes = c->patterns.held_bytes,
				.refused = c->patterns.refused_count + c->patterns.refused_size
					   + c->patterns.refused_time,
				.has = TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "answer_prefixes",
				       .owner = "rules helper thread",
				       .eviction = "refuse entries over the number",
				       .lifetime = "until the next image",
				       .kind = TABLE_FIXED,
				       .cap = ANSWER_PREFIXES_MAX,
				       .used = c->prefixes.taken,
				       .bytes = c->prefixes.bytes,
				       .refused = c->prefixes.refused_count,
				       .has = TABLE_REFUSES});
}
