// SPDX-License-Identifier: BSD-3-Clause
// A question's life: how long its clients wait, the name and servers that weir asks for it, answers
// that lead on to another name, L1, the upstreams' reply, validation, and its end.
//
// The client's question stays what it is in L0 and for the client; upstreams and L1 see the name at
// the end of local CNAMEs and safe search. L1 is looked up before the upstreams are asked, and gets
// their answer; after any error of Redis the question goes to the upstreams. With DNS64
// (upstream/aaaa.h) weir asks for the A records of a name without AAAA. Where dnssec.validate is
// on, weir validates all answers (validator/validator.h) but those to questions with CD, whose
// client validates itself.

#include "question.h"

#include "answer_policy/answer_records.h"
#include "policy/house.h"
#include "policy/safe_search.h"
#include "resolver_check.h"
#include "resolver_internal.h"
#include "resolver_miss.h"
#include "resolver_store.h"
#include "upstream/aaaa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

// An answer that was read, and the message that it is of.
struct question_reply {
	const uint8_t *msg; // NULL: nothing is for L1
	size_t len;
	const struct upstream_ask *by; // ask whose server answered; NULL: not known
	uint64_t at_ms;
	bool is_brief; // not to be kept: a lease may come, change or end
};

enum { LOOK_MS = 500 }; // longest time between two checks of the waiters

static bool question_follow(struct question *q, const uint8_t *msg, size_t len, uint32_t age_s,
	struct dns_answer *answer);

static void timer_arm(struct question *q, uint64_t at_ms, uint64_t now_ms)
{
	const struct resolver *r = q->owner;
	wheel_start(loop_wheel(r->loop), &q->timer, at_ms > now_ms ? at_ms - now_ms : 0, now_ms);
}

// How long clients wait. At 1.8 s all get the stale answer if there is one (RFC 8767 5). Else each
// client waits until its own deadline, limits.answer_deadline_ms after it asked, or until the
// question ends: a client that joins late gets an answer that still comes. While more than half of
// all questions are in flight, the deadline is 1.9 s after the question's birth for all, and the
// question ends with it: new questions need its place.

// Sends the stale record to all waiters, and lets workers serve it for STALE_HOLD_MS if it `holds`.
// False: there is no stale record.
static bool question_stale_serve(struct question *q, bool holds)
{
	struct resolver *r = q->owner;
	const struct l0_key key = inflight_key(q);
	struct answer_match finding;
	struct subnet_key at;
	struct l0_view v;
	uint64_t now_ms = clock_mono_ms();

	if (!store_find_for(r, &key, &q->subnet, &at, &v) || !store_usable(&v, now_ms)) {
		question_note(q, TRACE_stale_none, 0);
		return false;
	}
	question_note(q, TRACE_stale_served, (uint32_t)((now_ms - v.created_ms) / 1000));
	resolver_check_record(r, &v, &finding);
	struct resolver_answer a = resolver_answer_stale_record(r, &v, &finding);
	resolver_answer_all(r, q, &a);
	if (holds)
		store_restamp(r, &at.key);
	return true;
}

// Arms the timer for the oldest waiter's deadline, or for `most_ms` if that is sooner.
static void look_later(struct question *q, uint64_t most_ms, uint64_t now_ms)
{
	const struct resolver *r = q->owner;
	uint64_t due_ms = UINT64_MAX;

	if (q->waiters > 0)
		due_ms = inflight_oldest(r->inflight, q) + r->set.answer_deadline_ms;
	timer_arm(q, due_ms < most_ms ? due_ms : most_ms, now_ms);
}

// Sends SERVFAIL to waiters whose deadline is over; to all while there is little room.
static void time_out(struct question *q, uint64_t now_ms)
{
	struct resolver *r = q->owner;
	struct resolver_answer a = resolver_answer_servfail(DNS_EDE_NO_REACHABLE_AUTHORITY);
	uint64_t arrived_ms =
		now_ms > r->set.answer_deadline_ms ? now_ms - r->set.answer_deadline_ms : 0;

	if (inflight_is_crowded(r->inflight))
		arrived_ms = UINT64_MAX;
	if (q->waiters == 0 || inflight_oldest(r->inflight, q) > arrived_ms)
		return;
	question_note(q, TRACE_servfail_timer, 0);
	resolver_answer_until(r, q, &a, arrived_ms);
}

// Remembers a failure, for the question's subnet alone.
static void question_failure_add(const struct question *q, uint64_t now_ms)
{
	const struct resolver *r = q->owner;
	failures_add(r->failures, inflight_hash(r->inflight, q->hash, &q->subnet), now_ms);
}

static void on_timer(void *arg)
{
	struct question *q = arg;
	struct resolver *r = q->owner;
	uint64_t now_ms = clock_mono_ms();

	if (q->stage == STAGE_FIRST) {
		question_note(q, TRACE_stale_timer, 0);
		if (!question_stale_serve(q, true)) {
			q->stage = STAGE_WAITING;
			look_later(q, q->born_ms + SERVFAIL_AFTER_MS, now_ms);
			return;
		}
	}
	if (q->stage == STAGE_WAITING)
		time_out(q, now_ms);
	if (q->waiters > 0) {
		look_later(q, now_ms + LOOK_MS, now_ms);
		return;
	}
	q->stage = STAGE_BACKGROUND;
	question_note(q, TRACE_left_waiting, 0);
	// A late reply would fill the cache, but waiting clients need the question's place.
	if (inflight_is_crowded(r->inflight)) {
		question_failure_add(q, now_ms);
		r->count.cut_short++;
		question_finish(q, REFRESH_FAILED);
	}
}

static void question_wait_begin(struct question *q, uint64_t now_ms)
{
	const struct resolver *r = q->owner;
	const uint64_t first_ms = r->set.answer_deadline_ms < STALE_AFTER_MS
					  ? r->set.answer_deadline_ms
					  : STALE_AFTER_MS;

	q->timer.fn = on_timer;
	q->timer.arg = q;
	timer_arm(q, q->born_ms + first_ms, now_ms);
}

void question_wait_again(struct question *q, uint64_t now_ms)
{
	if (q->stage != STAGE_BACKGROUND)
		return;
	q->stage = STAGE_WAITING;
	look_later(q, now_ms + LOOK_MS, now_ms);
}

enum { SAFE_CNAME_TTL_S = 300 };

static bool is_aaaa(const struct question *q)
{
	return q->query.qtype == DNS_TYPE_AAAA && q->query.qclass == DNS_CLASS_IN;
}

// Copies `w` without its unused CNAMEs, and with the bytes of `before`. Most rewrites have one
// CNAME, and there may be many rewrites.
static struct rewrite *rewrite_keep(
	struct resolver *r, const struct rewrite *w, const struct dns_name *asked)
{
	const size_t aliases = offsetof(struct rewrite, alias) + w->count * sizeof(w->alias[0]);
	const size_t size = aliases + w->before_len;
	struct rewrite *kept = r->rewrites < RESOLVER_REWRITES_MAX ? heap_malloc(size) : NULL;
	if (!kept) {
		r->count.refused_rewrites++;
		return NULL;
	}
	memcpy(kept, w, aliases);
	kept->asked = *asked;
	kept->bytes = size;
	if (w->before)
		kept->before = memcpy((uint8_t *)kept + aliases, w->before, w->before_len);
	age_add(&r->rewrite_ages, &kept->age);
	r->rewrite_bytes += size;
	if (++r->rewrites > r->rewrites_most)
		r->rewrites_most = r->rewrites;
	return kept;
}

static void rewrite_drop(struct resolver *r, struct rewrite *kept)
{
	if (!kept)
		return;
	age_remove(&r->rewrite_ages, &kept->age);
	r->rewrites--;
	r->rewrite_bytes -= kept->bytes;
	heap_free(kept);
}

static const struct dns_name *last_of(const struct dns_query *query, const struct rewrite *w)
{
	return w->count ? &w->alias[w->count - 1].target : &query->name;
}

// Adds a CNAME to a search engine's safe host, if the view has safe search and the name has one.
static int safe_follow(const struct view *view, const struct dns_query *query, struct rewrite *w)
{
	struct dns_name target;
	const char *text = NULL;

	if (view->is_safe && safe_search_has_type(query->qtype))
		text = safe_search_target(last_of(query, w), &view->safe);
	if (!text)
		return 0;
	if (dns_name_from_text(text, strlen(text), &target) < 0)
		return -EINVAL;
	return rewrite_add(w, target.wire, target.len, SAFE_CNAME_TTL_S);
}

// Adds a CNAME from the reverse name of an address in the DNS64 prefix to the IPv4 address's.
static int reverse_follow(const struct view *view, const struct dns_query *query, struct rewrite *w)
{
	struct dns_name target;

	if (query->qtype != DNS_TYPE_PTR || !view->ipv6.dns64.version
		|| !aaaa_reverse(&view->ipv6.dns64, last_of(query, w), &target))
		return 0;
	return rewrite_add(w, target.wire, target.len, AAAA_TTL_MAX_S);
}

// Does `local.single_labels: complete` lead the name on?
static bool completes(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype, struct dns_name *out)
{
	return name->labels == 1
	       && house_completes(
		       r->set.config, name, qtype, resolver_forward_labels(r, view, name), out);
}

// Adds a CNAME from a single label to the name with the domain of the house.
static int single_follow(const struct resolver *r, const struct view *view,
	const struct dns_query *query, struct rewrite *w)
{
	struct dns_name target;

	if (!completes(r, view, last_of(query, w), query->qtype, &target))
		return 0;
	return rewrite_add(w, target.wire, target.len, HOUSE_TTL_S);
}

// Adds the local CNAMEs of the last name.
static int locals_follow(const struct resolver *r, const struct view *view,
	const struct dns_query *query, struct rewrite *w)
{
	struct rewrite more;
	int rc = views_rewrite(r->views, view, last_of(query, w), &more);
	for (unsigned i = 0; i < more.count && rc == 0; i++)
		rc = rewrite_add(
			w, more.alias[i].spelling, more.alias[i].target.len, more.alias[i].ttl_s);
	return rc;
}

// Finds the names that weir asks for in place of the question's. A target of safe search or DNS64
// may have a local CNAME, too.
static int follow(const struct resolver *r, const struct view *view, const struct dns_query *query,
	struct rewrite *w)
{
	unsigned known;

	w->count = 0;
	do {
		if (locals_follow(r, view, query, w) < 0)
			return -EINVAL;
		known = w->count;
		if (safe_follow(view, query, w) < 0 || reverse_follow(view, query, w) < 0
			|| single_follow(r, view, query, w) < 0)
			return -EINVAL;
	} while (w->count > known);
	return 0;
}

bool question_renames(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype)
{
	const struct dns_query query = {.name = *name, .qtype = qtype, .qclass = DNS_CLASS_IN};
	struct rewrite w;

	return follow(r, view, &query, &w) < 0 || w.count > 0;
}

// The forward zone of a name; NULL: there is none, or it is exempt. The DS of a zone is in the zone
// above (RFC 4035 3.1.4.1).
static const struct forward_zone *question_zone(const struct resolver *r, const struct view *view,
	const struct dns_name *asked, uint16_t qtype)
{
	const struct forward_zone *zone = views_zone(r->views, view, asked);
	bool is_above = zone && qtype == DNS_TYPE_DS && zone->ds_is_above
			&& dns_name_equal(&zone->name, asked);
	if (is_above)
		zone = views_zone(r->views, view, &zone->above);
	return zone && zone->set ? zone : NULL;
}

static const struct upstreams *servers_of(
	const struct resolver *r, const struct view *view, const struct dns_query *query)
{
	struct rewrite w;

	if (follow(r, view, query, &w) < 0)
		return view->upstreams;
	const struct forward_zone *zone = question_zone(r, view, last_of(query, &w), query->qtype);
	return zone ? zone->set->upstreams : view->upstreams;
}

struct ip_address question_subnet(const struct resolver *r, const struct view *view,
	const struct dns_query *query, unsigned version, const uint8_t *address)
{
	return upstreams_subnet(servers_of(r, view, query), version, address);
}

bool question_sends_subnet(
	const struct resolver *r, const struct view *view, const struct dns_query *query)
{
	return r->set.sends_subnet && question_subnet(r, view, query, 4, NULL).version;
}

// The name that weir asks for.
static const struct dns_name *question_asked(const struct question *q)
{
	return q->rewrite ? &q->rewrite->asked : &q->query.name;
}

// question_l1_hash with the forward zone of the name; NULL: no zone. A view's hash has the settings
// of validation and what answers lose (`blocking.https_strip`); a zone's has not.
static uint64_t question_l1_hash_of(const struct resolver *r, const struct view *view,
	const struct forward_zone *zone, uint16_t qtype)
{
	const uint8_t strip = r->set.ttl.limits.svc_strip;
	uint64_t hash = view_l1_hash(view, zone, qtype);

	if (zone)
		hash ^= r->set.dnssec ^ (strip ? contenthash(&strip, sizeof(strip)) : 0);
	return hash;
}

// Chooses the servers that weir asks for the name.
static void servers_choose(struct question *q)
{
	struct resolver *r = q->owner;
	const struct forward_zone *zone =
		question_zone(r, q->def, question_asked(q), q->query.qtype);

	q->l1_hash = question_l1_hash_of(r, q->def, zone, q->query.qtype);
	if (!zone)
		return;
	q->forward = zone->set;
	q->forward->questions++;
	r->count.forwarded++;
	question_note(q, TRACE_forwarded, 0);
}

static void servers_leave(struct question *q)
{
	if (q->forward)
		q->forward->questions--;
	q->forward = NULL;
}

enum direction question_direct(struct question *q)
{
	struct resolver *r = q->owner;
	struct rewrite w;

	w.before = NULL;
	w.before_len = 0;
	if (follow(r, q->def, &q->query, &w) < 0)
		return DIRECT_REFUSE;
	if (w.count > 0) {
		q->rewrite = rewrite_keep(r, &w, &w.alias[w.count - 1].target);
		if (!q->rewrite)
			return DIRECT_REFUSE;
		r->count.rewritten++;
		question_note(q, TRACE_renamed, 0);
		if (q->query.qtype == DNS_TYPE_CNAME || q->query.qtype == DNS_TYPE_ANY)
			return DIRECT_ALIAS;
	}
	if (is_aaaa(q) && q->def->ipv6.filter_aaaa)
		return DIRECT_NO_AAAA;
	q->turn = views_turn(r->views);
	servers_choose(q);
	return DIRECT_ASK;
}

// Like question_direct, for the name that an answer leads to; `before` has the `cnames` CNAMEs from
// the question's name to that name. False: no room, or too many CNAMEs; nothing has changed.
static bool question_direct_on(struct question *q, const struct dns_name *name, unsigned cnames,
	const uint8_t *before, size_t before_len)
{
	struct resolver *r = q->owner;
	struct dns_query query = q->query;
	struct rewrite w;

	w.before = before;
	w.before_len = before_len;
	query.name = *name;
	if (follow(r, q->def, &query, &w) < 0 || cnames + w.count > DNS_ANSWER_CNAME_MAX)
		return false;
	struct rewrite *kept = rewrite_keep(r, &w, w.count ? &w.alias[w.count - 1].target : name);
	if (!kept)
		return false;
	rewrite_drop(r, q->rewrite);
	q->rewrite = kept;
	servers_leave(q);
	servers_choose(q);
	return true;
}

static void question_direct_end(struct question *q)
{
	servers_leave(q);
	rewrite_drop(q->owner, q->rewrite);
	q->rewrite = NULL;
}

// The type that weir asks for: with DNS64 A in place of AAAA.
static uint16_t question_asked_type(const struct question *q)
{
	return q->dns64_ttl_s ? DNS_TYPE_A : q->query.qtype;
}

// A reply to the question: where weir asked for A, the reply rewritten as one to AAAA, in `made`;
// else `msg` itself. *len 0: the reply does not parse.
static const uint8_t *question_dns64_made(
	const struct question *q, const uint8_t *msg, size_t *len, uint8_t made[DNS_MESSAGE_MAX])
{
	if (!q->dns64_ttl_s)
		return msg;
	*len = aaaa_made(&q->dns64, msg, *len, q->dns64_ttl_s, made, DNS_MESSAGE_MAX);
	return made;
}

// Whether to ask for A. DNS64 is for clients that do not validate (RFC 6147 5.5), and for names
// that have no AAAA but may have an A.
static bool wants_a(const struct question *q, const uint8_t *msg, size_t len)
{
	const uint8_t validates = L0_KEY_DO | L0_KEY_CD;
	return is_aaaa(q) && q->def->ipv6.dns64.version && !q->dns64_ttl_s
	       && (q->key_flags & validates) != validates && aaaa_is_empty(msg, len);
}

// Whether the record in L0 is at least as new as the value that another box put into L1.
static bool is_known(struct resolver *r, const struct l0_key *key, uint64_t created_ms)
{
	struct l0_view v;
	return store_find(r, key, &v) && v.created_ms + 1000 >= created_ms;
}

// True: the answer has no AAAA, and weir asks for A; the question may have ended within.
static bool question_dns64(
	struct question *q, const uint8_t *msg, size_t len, const struct dns_answer *no_aaaa)
{
	struct resolver *r = q->owner;
	bool is_known = no_aaaa->kind == DNS_ANSWER_NODATA && no_aaaa->auth_ttl_s;

	if (!wants_a(q, msg, len))
		return false;
	q->dns64_ttl_s = is_known ? no_aaaa->auth_ttl_s : AAAA_TTL_MAX_S;
	q->dns64 = q->def->ipv6.dns64;
	r->count.dns64++;
	question_note(q, TRACE_dns64, 0);
	upstream_ask_stop(&q->ask);
	question_ask(q);
	return true;
}

void question_tables(const struct resolver *r, struct table_registry *tables)
{
	table_register(tables,
		&(struct table_info){.name = "rewrites",
			.owner = "resolver loop",
			.eviction = "refuse: SERVFAIL",
			.lifetime = "life of the question",
			TABLE_WORK_FOR(5000),
			.cap = RESOLVER_REWRITES_MAX,
			.used = r->rewrites,
			.bytes = r->rewrite_bytes,
			.high = r->rewrites_most,
			.refused = r->count.refused_rewrites,
			.oldest_ms = table_age(age_since(&r->rewrite_ages), clock_mono_ms()),
			.has = TABLE_AGES | TABLE_REFUSES});
}

enum { BEFORE_MAX = 8192 }; // bytes of the CNAMEs read, with their signatures

struct turn {
	struct dns_name name; // the name to go on with
	unsigned hops;        // CNAMEs of the reply up to `name`; 0: all
	unsigned cnames;      // CNAMEs from the question up to `name`
};

// Chains that lead on. A server may answer with CNAMEs alone: one that does not recurse, for a name
// out of its zones (RFC 1034 4.3.2). Then weir asks for the name that they lead to (RFC 1034 5.3.3,
// 4c), as it would if its client asked for it: by local records and zones, local CNAMEs, safe
// search, forward zones. Where a chain goes through a name that is local, or in a forward zone of
// other servers, it counts as far as there, whatever the server says about that name. All CNAMEs
// that were read come out in front of what is found in the end (struct dns_chain); one chain has at
// most DNS_ANSWER_CNAME_MAX of them, local ones included, and all has to be done in the question's
// time.

// Would weir not have asked these servers for that name?
static bool goes_elsewhere(const struct question *q, const struct dns_name *name)
{
	const struct resolver *r = q->owner;
	const struct forward_zone *zone = question_zone(r, q->def, name, q->query.qtype);

	return (zone && zone->set != q->forward) || resolver_local_alias(r, q->def, name)
	       || resolver_is_house(r, q->def, name)
	       || resolver_is_local(r, q->def, name, question_asked_type(q));
}

// The next name that a CNAME of the answer leads to.
static bool target_next(struct answer_records *records, struct dns_name *out)
{
	struct answer_record record;

	while (answer_records_next(records, &record))
		if (record.type == DNS_TYPE_CNAME)
			return answer_record_target(records, &record, out);
	return false;
}

// Finds the name that weir goes on with. False: the answer is complete.
static bool turn_find(const struct question *q, const struct dns_answer *answer, struct turn *out)
{
	const struct dns_answer_view view = dns_answer_view_of(answer);
	const unsigned known = answer->cname_count - answer->reply_cnames;
	struct answer_records records = answer_records_of(&q->query.name, &view);

	for (out->cnames = 1; out->cnames <= answer->cname_count; out->cnames++) {
		if (!target_next(&records, &out->name))
			return false;
		out->hops = out->cnames > known ? out->cnames - known : 0;
		if (out->hops && goes_elsewhere(q, &out->name))
			return true;
	}
	out->cnames = answer->cname_count;
	out->hops = 0;
	return answer->is_open;
}

// Does weir itself ask for, or answer, a name that this answer leads to?
static bool question_leads_on(const struct question *q, const struct dns_answer *answer)
{
	struct turn turn;
	return answer->reply_cnames > 0 && turn_find(q, answer, &turn);
}

// Would weir ask other servers for that name, for any of the views with these servers?
static bool may_go_elsewhere(const struct resolver *r, const struct view *asked,
	const struct forward_set *set, const struct dns_name *name, uint16_t qtype)
{
	const struct forward_zone *zone = question_zone(r, asked, name, qtype);
	const bool in_house = house_has(r->set.config, name);

	if ((zone && zone->set != set)
		|| (r->answer_policy && answer_policy_knows_local(r->answer_policy, name, qtype)))
		return true;
	for (unsigned i = 0; i < VIEWS_MAX; i++) {
		const struct view *view = views_at(r->views, i);
		if (view && view_asks_as(view) == asked->number
			&& (question_renames(r, view, name, qtype)
				|| (in_house && resolver_is_house(r, view, name))))
			return true;
	}
	return false;
}

// Does a reply to `q` from the servers of view `asked` (view_asks_as), or from `set`, lead to a
// name that weir itself asks for, or answers, for any of the views that ask these servers?
static bool question_reply_leads_on(const struct resolver *r, const struct view *asked,
	const struct forward_set *set, const struct dns_query *q, const uint8_t *msg, size_t len)
{
	struct dns_answer answer;
	struct dns_name target;

	if (dns_answer_read(msg, len, q, &r->set.ttl.limits, &answer) < 0 || !answer.cname_count)
		return false;
	const struct dns_answer_view view = dns_answer_view_of(&answer);
	struct answer_records records = answer_records_of(&q->name, &view);
	while (target_next(&records, &target))
		if (may_go_elsewhere(r, asked, set, &target, q->qtype))
			return true;
	return false;
}

// Does the chain come to a name twice? A reply's own CNAMEs do not (dns_answer.h), but two replies,
// or one and local CNAMEs, may be a circle, or give a name two targets.
static bool is_circle(
	const struct question *q, const struct dns_answer *answer, const struct turn *turn)
{
	const struct dns_answer_view view = dns_answer_view_of(answer);
	struct answer_records records = answer_records_of(&q->query.name, &view);
	struct dns_name seen[DNS_ANSWER_CNAME_MAX + 1] = {q->query.name};

	for (unsigned i = 1; i <= turn->cnames; i++) {
		if (i == ARRAY_LEN(seen) || !target_next(&records, &seen[i]))
			return true;
		for (unsigned k = 0; k < i; k++)
			if (dns_name_equal(&seen[k], &seen[i]))
				return true;
	}
	return false;
}

// Sends SERVFAIL to every waiter; the question ends.
static void question_refuse(struct question *q, int ede)
{
	struct resolver_answer a = resolver_answer_servfail(ede);
	resolver_answer_all(q->owner, q, &a);
	question_finish(q, REFRESH_FAILED);
}

// Has the question's name been flushed since? Then the answer may be sent, but not stored
// (counted).
static bool question_is_flushed(const struct question *q, uint64_t since_ms, uint64_t now_ms)
{
	struct resolver *r = q->owner;
	return resolver_flush_covers(r, &q->query.name, since_ms, now_ms)
	       || (q->rewrite && resolver_flush_covers(r, question_asked(q), since_ms, now_ms));
}

// Is the question's own name local data or a lease's, so that lists and rebinding protection say
// nothing of its answer? Not a name of others that leads to one.
static bool question_is_own(const struct question *q)
{
	return q->is_own && (!q->rewrite || (q->is_completed && !q->rewrite->before));
}

// Checks an answer, caches it if it may, and sends it to every waiter. `by`: NULL: no server gave
// it.
static void answer_keep(struct question *q, const struct dns_answer *answer, bool keep,
	const struct upstream_ask *by, uint64_t now_ms)
{
	struct resolver *r = q->owner;
	const struct dns_answer_view view = dns_answer_view_of(answer);
	struct answer_match finding = {.count = 0};

	if (!question_is_own(q))
		resolver_check_reply(r, q->def, &q->query, answer, &finding);
	if (keep)
		store_answer(r, q, answer, &finding, now_ms, now_ms);
	struct resolver_answer a = resolver_answer_fresh(r, &view, 0);
	a.finding = &finding;
	a.by = by;
	resolver_answer_all(r, q, &a);
}

static void key_text(const struct question *q, struct l1_key *out)
{
	const struct resolver *r = q->owner;
	const struct dns_name *asked = question_asked(q);
	struct l0_key key = inflight_key(q);
	key.name = asked->wire;
	key.name_len = asked->len;
	l1_key_write(l1_space(r->l1), &key, q->l1_hash, out);
}

// Stores the answer in L1, under the name that weir asked for. A TTL of 0 deletes the value there.
static void value_store(
	const struct question *q, const struct dns_query *asked, const struct dns_answer *a)
{
	struct resolver *r = q->owner;
	uint8_t message[L1_MESSAGE_MAX];
	struct l1_key text;
	const struct l0_key key = inflight_key(q);
	const struct refresh_policy *policy = refresh_policy(r->refresh);
	const struct dns_answer_view view = dns_answer_view_of(a);

	key_text(q, &text);
	if (a->ttl_s == 0) {
		l1_delete(r->l1, &text);
		return;
	}
	const struct l1_put put = {
		.msg = message,
		.len = resolver_answer_message(message, sizeof(message), asked, &view, 0),
		.stored_ttl_s = a->ttl_s,
		.auth_ttl_s = a->auth_ttl_s,
		.hits = refresh_rate(policy, l0_writer_heat(r->l0, &key)),
	};
	if (get_u16(put.msg + 2) & DNS_FLAG_TC)
		r->count.l1_too_large++;
	else if (l1_put(r->l1, &text, &put))
		question_note(q, TRACE_l1_stored, 0);
}

// Stores an upstream's reply in L1; `a` is what question_read made of it.
static void question_l1_store(
	const struct question *q, const struct dns_answer *a, const uint8_t *msg, size_t len)
{
	const struct resolver *r = q->owner;
	struct dns_query asked = q->query;
	struct dns_answer target;

	if (!l1_usable(r->l1))
		return;
	if (!q->rewrite && !a->is_stripped) {
		value_store(q, &asked, a);
		return;
	}
	// L1 gets the answer without the CNAMEs, and NXDOMAIN as NXDOMAIN: local records are this
	// box's own.
	asked.name = *question_asked(q);
	if (dns_answer_read(msg, len, &asked, &r->set.ttl.limits, &target) < 0)
		return;
	target.authenticated = q->is_secure && !target.is_stripped;
	value_store(q, &asked, &target);
}

// Keeps the answer and sends it to every waiter; the question ends.
static void question_take(
	struct question *q, const struct dns_answer *answer, const struct question_reply *reply)
{
	struct resolver *r = q->owner;
	bool keep = !q->def->no_cache && !q->is_completed && !reply->is_brief
		    && views_same_servers(r->views, q->def, q->turn)
		    && !question_is_flushed(q, q->born_ms, reply->at_ms);

	failures_clear(r->failures, inflight_hash(r->inflight, q->hash, &q->subnet));
	bogus_names_clear(&r->bogus_names, q->hash);
	answer_keep(q, answer, keep, reply->by, reply->at_ms);
	if (keep && reply->msg && !q->is_scoped) // boxes that share L1 have other clients
		question_l1_store(
			q, answer, reply->msg, reply->len); // all waiters have been served
	question_finish(q, REFRESH_DONE);
}

// Reads the answer of the first `hops` CNAMEs alone; 0: all of it.
static int question_read_hops(const struct question *q, const uint8_t *msg, size_t len,
	unsigned hops, const struct dns_answer_rules *rules, struct dns_answer *out)
{
	const struct rewrite *w = q->rewrite;
	struct dns_chain chain = {.asked = question_asked(q)};

	if (w) {
		chain.before = w->before;
		chain.before_len = w->before_len;
		chain.alias = w->alias;
		chain.count = w->count;
	}
	return dns_answer_read_chain(msg, len, &chain, &q->query, hops, rules, out);
}

// Answers from local data, if the name that weir asks for is local; then the question ends. False:
// the name is not local.
static bool question_answer_local(struct question *q)
{
	const struct resolver *r = q->owner;
	uint8_t msg[DNS_MESSAGE_MAX], made[DNS_MESSAGE_MAX];
	struct dns_query query = q->query;
	struct policy_group group;
	struct dns_answer answer;

	if (!resolver_is_local(r, q->def, question_asked(q), question_asked_type(q)))
		return false;
	question_note(q, TRACE_local, 0);
	if (!publisher_group_in_view(r->publisher, q->def->number, &group)) {
		question_refuse(q, DNS_EDE_OTHER);
		return true;
	}
	query.name = *question_asked(q);
	query.qtype = question_asked_type(q);
	resolver_answer_question(msg, &query);
	size_t len = answer_policy_local(r->answer_policy, &query, &group, msg, sizeof(msg));
	const uint8_t *reply = question_dns64_made(q, msg, &len, made);
	q->is_own = true;
	if (question_read(q, reply, len, &answer) < 0 || answer.truncated
		|| answer.kind == DNS_ANSWER_FAILURE)
		question_refuse(q, DNS_EDE_OTHER);
	else
		question_take(q, &answer, &(struct question_reply){.at_ms = clock_mono_ms()});
	return true;
}

// Answers from the names of the house, if they have the name that weir asks for; then the question
// ends. Nothing is kept of it, and no cache.min_ttl makes it longer.
static bool question_answer_house(struct question *q)
{
	struct resolver *r = q->owner;
	uint8_t msg[DNS_HEADER_LEN + 4 * DNS_NAME_MAX + 256], made[DNS_MESSAGE_MAX];
	struct dns_query query = q->query;
	struct dns_answer_rules rules = r->set.ttl.limits;
	struct dns_answer answer;

	query.name = *question_asked(q);
	query.qtype = question_asked_type(q);
	rules.min_s = 0;
	resolver_answer_question(msg, &query);
	size_t len = resolver_house_answer(r, q->def, &query, msg, sizeof(msg));
	if (!len)
		return false;
	question_note(q, TRACE_local, 0);
	q->is_own = true;
	const uint8_t *reply = question_dns64_made(q, msg, &len, made);
	if (question_read_hops(q, reply, len, 0, &rules, &answer) < 0)
		question_refuse(q, DNS_EDE_OTHER);
	else
		question_take(q, &answer,
			&(struct question_reply){.at_ms = clock_mono_ms(), .is_brief = true});
	return true;
}

// Is the first CNAME that the question follows the one to its name with `local.domain` behind it
// (`local.single_labels: complete`), with no server's CNAME before it?
static bool is_completed(const struct question *q)
{
	const struct rewrite *w = q->rewrite;
	struct dns_name target;

	return w && w->count && !w->before
	       && completes(q->owner, q->def, &q->query.name, q->query.qtype, &target)
	       && dns_name_equal(&w->alias[0].target, &target);
}

// Answers without a server, if weir itself has the name that it asks for.
static bool question_answer_own(struct question *q)
{
	q->is_completed |= is_completed(q);
	return (q->rewrite && question_answer_local(q)) || question_answer_house(q);
}

// Writes the answer's CNAMEs as a message. Returns its length; 0: too long.
static size_t before_write(const struct question *q, const struct dns_answer *answer,
	uint32_t age_s, uint8_t before[BEFORE_MAX])
{
	const struct dns_answer_view view = dns_answer_view_of(answer);
	const size_t len = resolver_answer_message(before, BEFORE_MAX, &q->query, &view, age_s);
	return get_u16(before + 2) & DNS_FLAG_TC ? 0 : len;
}

static bool leads_on(void *arg, const struct validator_servers *servers, const struct dns_query *q,
	const uint8_t *msg, size_t len)
{
	return question_reply_leads_on(arg, servers->view, servers->set, q, msg, len);
}

// Ends the lock that this box may have on the name that weir asks for.
static void question_l1_unlock(struct question *q)
{
	struct resolver *r = q->owner;
	struct l1_key text;

	// After that time the lock may be another box's.
	if (clock_mono_ms() < q->locked_until_ms) {
		key_text(q, &text);
		l1_unlock(r->l1, &text);
	}
	q->locked_until_ms = 0;
}

// No server had an answer: sends the stale record, or SERVFAIL. The question ends.
static void question_unanswered(struct question *q, int ede)
{
	question_failure_add(q, clock_mono_ms());
	question_note(q, TRACE_upstreams_failed, 0);
	if (question_stale_serve(q, true))
		question_finish(q, REFRESH_FAILED);
	else
		question_refuse(q, ede);
}

// Whether the upstreams' answer must validate to be kept and sent.
static bool question_validates(const struct question *q)
{
	const struct resolver *r = q->owner;
	return r->set.validates && !(q->key_flags & L0_KEY_CD);
}

// Whether answers to the question may have AD: weir validates them, or trusts a server's AD.
static bool question_may_have_ad(const struct question *q)
{
	const struct resolver *r = q->owner;
	return r->set.validates
		       ? question_validates(q)
		       : upstreams_trust_ad(q->forward ? q->forward->upstreams : q->def->upstreams);
}

// Boxes that validate alike share L1, so a value without AD is proven to be insecure, unless it may
// come from DNS64, or is stripped.
static bool value_is_insecure(const struct question *q, const struct l1_value *v)
{
	const struct resolver *r = q->owner;
	const bool is_dns64 = q->query.qtype == DNS_TYPE_AAAA && q->def->ipv6.dns64.version;
	const bool is_service = q->query.qtype == DNS_TYPE_HTTPS || q->query.qtype == DNS_TYPE_SVCB;
	const bool is_stripped = is_service && r->set.ttl.limits.svc_strip;

	return question_validates(q) && !is_dns64 && !is_stripped && !q->rewrite
	       && !(get_u16(v->msg + 2) & DNS_FLAG_AD);
}

enum {
	LOCK_SPARE_MS = 1000, // end of a lock's life that its owner does not count on
	CLOCK_STEP_MS = 1000,
};
// An answer lives no longer than its TTL and the stale window, and both have this limit.
static_assert(2 * UINT64_C(1000) * TTL_MAX_S < CLOCK_AHEAD_MS);

// Values in L1 have times of whole seconds.
static bool value_is_flushed(const struct question *q, uint64_t created_ms, uint64_t now_ms)
{
	return question_is_flushed(
		q, created_ms > CLOCK_STEP_MS ? created_ms - CLOCK_STEP_MS : 0, now_ms);
}

// Sends the answer to every waiter; the question ends.
static void question_answered(struct question *q, const struct resolver_answer *answer)
{
	resolver_answer_all(q->owner, q, answer);
	question_finish(q, REFRESH_DONE);
}

// Answers with a value of L1. False: weir asks the upstreams; a stale value is in L0 then, in case
// they fail.
static bool value_take(struct question *q, const struct l1_value *v)
{
	struct resolver *r = q->owner;
	struct dns_answer a;
	struct answer_match finding;
	const struct l0_key key = inflight_key(q);
	const uint64_t now_ms = clock_mono_ms(), created_ms = now_ms - (uint64_t)v->age_s * 1000;

	const int rc = question_read(q, v->msg, v->len, &a);
	if (rc == -EPROTO)
		return false;
	if (rc != 0 || a.truncated || a.kind == DNS_ANSWER_FAILURE) {
		struct l1_key text;
		key_text(q, &text);
		l1_bad(r->l1, &text);
		return false;
	}
	if (a.ttl_s > v->stored_ttl_s)
		a.ttl_s = v->stored_ttl_s;
	a.auth_ttl_s = v->auth_ttl_s;
	a.authenticated = question_may_have_ad(q) && !q->rewrite && !a.is_stripped
			  && get_u16(v->msg + 2) & DNS_FLAG_AD;
	a.insecure = value_is_insecure(q, v);
	if (is_known(r, &key, created_ms) || value_is_flushed(q, created_ms, now_ms)
		|| !views_same_servers(r->views, q->def, q->turn))
		return false;
	if (a.ttl_s > v->age_s && question_follow(q, v->msg, v->len, v->age_s, &a))
		return true;
	if (question_leads_on(q, &a)) // a stale chain, which weir would continue itself
		return false;
	resolver_check_reply(r, q->def, &q->query, &a, &finding);
	store_answer(r, q, &a, &finding, created_ms, now_ms);
	if (a.ttl_s <= v->age_s)
		return false;
	const struct dns_answer_view view = dns_answer_view_of(&a);
	struct resolver_answer answer = resolver_answer_fresh(r, &view, v->age_s);
	answer.kind = ANSWER_CACHED;
	answer.finding = &finding;
	answer.from_l1 = true;
	r->count.l1_answers++;
	question_answered(q, &answer);
	return true;
}

static void on_lock(void *arg, bool got)
{
	struct question *q = arg;
	struct resolver *r = q->owner;

	q->look = NULL;
	if (got)
		question_note(q, TRACE_l1_locked, 0);
	if (got)
		q->locked_until_ms = clock_mono_ms() + REFRESH_LOCK_S * 1000 - LOCK_SPARE_MS;
	// Clients that came meanwhile wait for no other box.
	if (got || q->waiters > 0) {
		question_ask(q);
		return;
	}
	r->count.refreshed_elsewhere++;
	question_finish(q, REFRESH_ELSEWHERE);
}

static void on_found(void *arg, enum l1_found found, const struct l1_value *v)
{
	static const enum trace_step steps[] = {
		[L1_HIT] = TRACE_l1_hit,
		[L1_MISS] = TRACE_l1_miss,
		[L1_BAD] = TRACE_l1_bad,
		[L1_AWAY] = TRACE_l1_away,
		[L1_LATE] = TRACE_l1_late,
	};
	struct question *q = arg;
	struct resolver *r = q->owner;

	q->look = NULL;
	question_note(q, steps[found], found == L1_HIT ? v->age_s : 0);
	if (found == L1_HIT && value_take(q, v))
		return;
	if (found == L1_HIT)
		question_note(q, TRACE_l1_unused, 0);
	if (q->waiters == 0 && found != L1_AWAY && found != L1_LATE) {
		struct l1_key text;
		key_text(q, &text);
		q->look = l1_lock(r->l1, &text, REFRESH_LOCK_S, on_lock, q);
	}
	if (!q->look)
		question_ask(q);
}

// Looks the question up in L1. False: L1 is not available.
static bool question_l1_look(struct question *q)
{
	struct resolver *r = q->owner;
	struct l1_key text;

	if (!l1_usable(r->l1))
		return false;
	key_text(q, &text);
	q->look = l1_get(r->l1, &text, on_found, q);
	question_note(q, q->look ? TRACE_l1_sent : TRACE_l1_away, 0);
	return q->look != NULL;
}

// True: the answer, which was read from `msg` and is `age_s` old, leads to a name that weir itself
// asks for, or answers; the question may have ended within. False: the answer is complete.
static bool question_follow(struct question *q, const uint8_t *msg, size_t len, uint32_t age_s,
	struct dns_answer *answer)
{
	struct resolver *r = q->owner;
	uint8_t before[BEFORE_MAX];
	struct turn turn;

	if (answer->cname_count == 0)
		return false;
	const bool leads_on = turn_find(q, answer, &turn);
	const bool is_joined = leads_on || answer->cname_count > answer->reply_cnames;
	const bool is_no_chain = is_joined && is_circle(q, answer, &turn);
	if (!leads_on && !is_no_chain)
		return false;
	upstream_ask_stop(&q->ask);
	question_l1_unlock(q);
	size_t before_len = 0;
	if (!is_no_chain
		&& (turn.hops == 0
			|| question_read_hops(q, msg, len, turn.hops, &r->set.ttl.limits, answer)
				   == 0))
		before_len = before_write(q, answer, age_s, before);
	if (before_len == 0
		|| !question_direct_on(q, &turn.name, turn.cnames, before, before_len)) {
		r->count.unfollowed++;
		question_unanswered(q, DNS_EDE_OTHER);
		return true;
	}
	r->count.followed++;
	question_note(q, TRACE_followed, turn.cnames);
	if (!question_answer_own(q) && (q->def->no_cache || !question_l1_look(q)))
		question_ask(q);
	return true;
}

uint64_t question_l1_hash(const struct resolver *r, const struct view *view,
	const struct dns_name *asked, uint16_t qtype)
{
	return question_l1_hash_of(r, view, question_zone(r, view, asked, qtype), qtype);
}

// Deletes a record, unless it is hot or warm. False: it stays.
static bool record_drop(struct resolver *r, struct l0_key *key)
{
	struct l0_view v;

	l0_key_hash(l0_writer_reader(r->l0), key);
	if (store_find(r, key, &v) && store_usable(&v, clock_mono_ms())) {
		const struct refresh_record record = {.soft_ms = v.soft_ms,
			.auth_ttl_s = v.auth_ttl_s,
			.heat = l0_writer_heat(r->l0, key)};
		if (refresh_heat_of(refresh_policy(r->refresh), &record) != REFRESH_COLD)
			return false;
	}
	(void)l0_writer_delete(r->l0, key);
	return true;
}

// Deletes the key's copies in L0, or the next refresh would store the key again. If clients ask
// again, it comes back with its hits. A zone's answers are in all views that have the zone; answers
// of other views have no reader here. Copies in another resolver's part of L0 stay until they
// expire.
bool question_l1_drop(void *resolver, const struct l1_key_parts *parts)
{
	struct resolver *r = resolver;
	bool cold = true;
	struct l0_key key = {
		.name = parts->name.wire,
		.name_len = parts->name.len,
		.flags = parts->flags,
		.qtype = parts->qtype,
		.qclass = parts->qclass,
	};

	for (unsigned i = 0; i < VIEWS_MAX && cold; i++) {
		const struct view *view = views_at(r->views, i);
		if (!view || view->left_ms || view->no_cache
			|| question_l1_hash(r, view, &parts->name, parts->qtype)
				   != parts->view_hash)
			continue;
		key.view = view->number;
		cold = record_drop(r, &key);
	}
	return cold;
}

// Finds the servers for one query of the validator.
static bool servers_find(void *arg, uint16_t number, const struct dns_name *name, uint16_t qtype,
	struct validator_servers *out)
{
	struct resolver *r = arg;
	struct view *view = views_find(r->views, number);
	if (!view)
		return false;
	const struct forward_zone *zone = question_zone(r, view, name, qtype);

	view->users++;
	if (zone)
		zone->set->questions++;
	*out = (struct validator_servers){
		.upstreams = zone ? zone->set->upstreams : view->upstreams,
		.view = view,
		.set = zone ? zone->set : NULL,
	};
	return true;
}

static void servers_release(void *, const struct validator_servers *servers)
{
	struct view *view = servers->view;
	struct forward_set *set = servers->set;

	view->users--;
	if (set)
		set->questions--;
}

int question_validators_open(struct resolver *r)
{
	const struct validator_owner owner = {.arg = r,
		.servers = servers_find,
		.release = servers_release,
		.leads_on = leads_on};
	return validators_new(
		&r->validators, r->loop, resolver_share(r, VALIDATOR_QUESTIONS_MAX), &owner);
}

struct validator_settings question_trusted(const struct config_dnssec *d)
{
	return (struct validator_settings){
		.anchors = d->anchors,
		.keys = d->keys,
		.negative = d->negative,
		.negative_count = d->negative_count,
		.any_date = d->any_date,
		.hash = d->hash,
	};
}

// The validator has no room, which says nothing of the name: that is no failure to remember, and
// any box may renew the name. The question ends.
static void question_crowded_out(struct question *q)
{
	struct resolver_answer a = resolver_answer_servfail(DNS_EDE_OTHER);

	question_note(q, TRACE_validator_full, 0);
	question_l1_unlock(q);
	a.text = "no room in the validator";
	if (!question_stale_serve(q, false))
		resolver_answer_all(q->owner, q, &a);
	question_finish(q, REFRESH_ABANDONED);
}

static void validate(struct question *q, uint16_t qtype, validator_done_fn done)
{
	struct resolver *r = q->owner;
	const struct validator_question question = {
		.name = question_asked(q),
		.qtype = qtype,
		.view = (uint16_t)view_asks_as(q->def),
		.deadline_ms = q->born_ms + QUESTION_LIFE_MS,
		.done = done,
		.arg = q,
	};

	question_note(q, TRACE_validator_asked, 0);
	const int rc = validators_ask(r->validators, &question, &q->validation);
	if (rc == -EAGAIN || rc == -ENOMEM)
		question_crowded_out(q);
	else if (rc < 0)
		question_unanswered(q, DNS_EDE_OTHER);
}

// The hash covers everyone's servers: other servers may have other answers above a name.
void question_validators_configure(struct resolver *r, const struct config *config)
{
	const uint64_t part[2] = {config->dnssec.hash, view_everyone_hash(config)};
	struct validator_settings set = question_trusted(&config->dnssec);

	set.hash = contenthash(part, sizeof(part));

	validators_configure(r->validators, &set);
	r->set.validates = config->dnssec.validate;
	r->set.dnssec = config->dnssec.hash;
}

// Answers SERVFAIL that says why, and no stale record instead, now or while the failure is
// remembered.
static void accept_bogus(struct question *q, const struct validator_verdict *v)
{
	struct resolver *r = q->owner;
	const struct l0_key key = inflight_key(q);
	const uint64_t now_ms = clock_mono_ms();
	struct resolver_answer a = resolver_answer_bogus(v->ede);
	struct l0_view record;

	question_note(q, TRACE_bogus, (uint32_t)v->ede);
	failures_add_bogus(r->failures, q->hash, v->ede, now_ms);
	bogus_names_add(&r->bogus_names,
		&(struct bogus_question){q->hash, &q->query.name, q->query.qtype, q->view}, v->ede,
		v->why, now_ms);
	if (store_find(r, &key, &record) && l0_age_of(&record, now_ms) != L0_FRESH)
		(void)l0_writer_delete(r->l0, &key);
	a.text = v->why;
	resolver_answer_all(r, q, &a);
	question_finish(q, REFRESH_FAILED);
}

static void accept_answer(struct question *q, const struct validator_verdict *v)
{
	struct resolver *r = q->owner;
	struct dns_answer answer;
	uint8_t made[DNS_MESSAGE_MAX];
	size_t len = v->len;
	const uint8_t *msg = question_dns64_made(q, v->msg, &len, made);

	l0_writer_look_ahead(r->l0, q->hash);
	int rc = question_read(q, msg, len, &answer);
	if (rc < 0 || answer.truncated || answer.kind == DNS_ANSWER_FAILURE) {
		question_note(q, TRACE_failed, get_u16(v->msg + 2) & DNS_FLAG_RCODE);
		question_unanswered(q, DNS_EDE_NO_REACHABLE_AUTHORITY);
		return;
	}
	if (question_follow(q, msg, len, 0, &answer) || question_dns64(q, msg, len, &answer))
		return;
	q->is_secure = v->end == VALIDATOR_SECURE && !q->dns64_ttl_s;
	question_note(q, TRACE_validated, q->is_secure);
	answer.authenticated = q->is_secure && !q->rewrite && !answer.is_stripped;
	answer.insecure = v->end == VALIDATOR_INSECURE && !q->dns64_ttl_s && !q->rewrite;
	question_take(q, &answer, &(struct question_reply){msg, len, NULL, clock_mono_ms(), false});
}

// Takes the name's CNAME as a reply to the question, and follows it.
static void accept_alias(struct question *q, const struct validator_verdict *v)
{
	uint8_t msg[DNS_MESSAGE_MAX], made[DNS_MESSAGE_MAX];
	const size_t type_at = DNS_HEADER_LEN + question_asked(q)->len;
	struct dns_answer answer;
	size_t len = v->len;

	if (len >= type_at + 4 && len <= sizeof(msg)) {
		memcpy(msg, v->msg, len);
		put_u16(msg + type_at, question_asked_type(q));
		const uint8_t *reply = question_dns64_made(q, msg, &len, made);
		if (question_read(q, reply, len, &answer) == 0 && answer.reply_cnames > 0
			&& question_follow(q, reply, len, 0, &answer))
			return;
	}
	question_unanswered(q, DNS_EDE_NO_REACHABLE_AUTHORITY);
}

static void on_alias(void *arg, const struct validator_verdict *v)
{
	struct question *q = arg;

	if (v->end == VALIDATOR_BOGUS)
		accept_bogus(q, v);
	else if (v->end == VALIDATOR_SECURE || v->end == VALIDATOR_INSECURE)
		accept_alias(q, v);
	else
		question_unanswered(q, DNS_EDE_NO_REACHABLE_AUTHORITY);
}

static void on_verdict(void *arg, const struct validator_verdict *v)
{
	struct question *q = arg;

	if (v->end == VALIDATOR_BOGUS)
		accept_bogus(q, v);
	else if (v->end == VALIDATOR_FAILED)
		question_unanswered(q, DNS_EDE_NO_REACHABLE_AUTHORITY);
	else if (v->end == VALIDATOR_LED)
		validate(q, DNS_TYPE_CNAME, on_alias);
	else
		accept_answer(q, v);
}

static void question_validate(struct question *q)
{
	validate(q, question_asked_type(q), on_verdict);
}

// Has the name that weir asks for local records, of other types than the one asked?
static bool has_local_records(const struct question *q)
{
	const struct resolver *r = q->owner;
	const struct dns_name *name = question_asked(q);
	return r->set.missing_forward && !resolver_is_local(r, q->def, name, question_asked_type(q))
	       && resolver_has_local(r, q->def, name);
}

int question_read(const struct question *q, const uint8_t *msg, size_t len, struct dns_answer *out)
{
	const struct resolver *r = q->owner;
	int rc = question_read_hops(q, msg, len, 0, &r->set.ttl.limits, out);
	// NXDOMAIN would be for all types (RFC 8020).
	if (rc == 0 && out->kind == DNS_ANSWER_NXDOMAIN && out->reply_cnames == 0
		&& has_local_records(q)) {
		out->kind = DNS_ANSWER_NODATA;
		out->rcode = DNS_RCODE_NOERROR;
		out->is_stripped = true;
	}
	return rc;
}

void question_finish(struct question *q, enum refresh_end end)
{
	struct resolver *r = q->owner;

	wheel_stop(&q->timer);
	l1_get_stop(q->look);
	upstream_ask_stop(&q->ask);
	validators_stop(&q->validation);
	if (end == REFRESH_DONE) // after a failure the other boxes wait, too
		question_l1_unlock(q);
	if (q->request)
		refresh_ended(r->refresh, q->request, end, clock_mono_ms());
	q->def->users--;
	question_direct_end(q);
	if (unlikely_(q->trace))
		traces_finish(r->traces, q->trace);
	inflight_remove(r->inflight, q);
}

void question_ask(struct question *q)
{
	uint8_t wire[UPSTREAM_QUESTION_MAX];
	const struct resolver *r = q->owner;
	const struct dns_name *name = question_asked(q);
	size_t n = name->len;

	if (question_validates(q)) {
		question_validate(q);
		return;
	}
	memcpy(wire, name->wire, n);
	put_u16(wire + n, question_asked_type(q));
	put_u16(wire + n + 2, q->query.qclass);
	const struct upstream_request request = {
		.callbacks = &r->callbacks,
		.question = wire,
		.question_len = (uint16_t)(n + 4),
		.cd = q->key_flags & L0_KEY_CD,
		.dnssec_ok = q->key_flags & L0_KEY_DO,
		.subnet = q->subnet.version ? &q->subnet : NULL,
		.deadline_ms = q->born_ms + QUESTION_LIFE_MS,
	};
	upstream_ask_start(
		q->forward ? q->forward->upstreams : q->def->upstreams, &q->ask, &request);
}

// Answers without a server: by local CNAMEs alone, or by a message that weir has made.
static void own_answer(struct question *q, const uint8_t *msg, size_t len)
{
	struct dns_answer answer;

	if (question_read(q, msg, len, &answer) < 0) {
		question_refuse(q, DNS_EDE_OTHER);
		return;
	}
	answer_keep(q, &answer, !q->def->no_cache, NULL, clock_mono_ms());
	question_finish(q, REFRESH_DONE);
}

static void no_aaaa_answer(struct question *q)
{
	uint8_t msg[DNS_HEADER_LEN + 2 * (DNS_NAME_MAX + 4) + 64];
	struct resolver *r = q->owner;

	r->count.filtered_aaaa++;
	own_answer(q, msg, aaaa_none(question_asked(q), msg, sizeof(msg)));
}

void question_start(struct question *q, uint64_t now_ms)
{
	q->def->users++;
	question_wait_begin(q, now_ms);
	switch (question_direct(q)) {
	case DIRECT_REFUSE:
		question_refuse(q, DNS_EDE_OTHER);
		break;
	case DIRECT_ALIAS:
		own_answer(q, NULL, 0);
		break;
	case DIRECT_NO_AAAA:
		no_aaaa_answer(q);
		break;
	case DIRECT_ASK:
		if (question_answer_own(q))
			break;
		if (q->def->no_cache || !question_l1_look(q))
			question_ask(q);
	}
}

static struct question *of_ask(struct upstream_ask *a)
{
	return (struct question *)(void *)((char *)a - offsetof(struct question, ask));
}

// Questions of one name for many subnets are many chances for a forged reply (RebirthDay,
// CVE-2025-5994). A reply with a subnet matches a single question, as subnets are compared. A reply
// without one matches all, so while there are others it only moves the question to TCP, where it
// cannot be forged. The question's own subnet counts, even if its servers are sent none by now.

// The scope that L0 keeps: in steps, as a lookup tries all lengths in use (subnet_key.h), and
// rounded up, so that the answer is for fewer clients than the server says.
static unsigned scope_kept(const struct upstream_ask *ask)
{
	enum { STEP = 4 };
	const unsigned up = ((unsigned)ask->scope + STEP - 1) / STEP * STEP;

	return up < ask->subnet.prefix_len ? up : ask->subnet.prefix_len;
}

// Limits the answer to the clients of the reply's scope; an answer of two replies (DNS64) to the
// clients of both. Scope 0 in a reply to a client that hides its address says nothing about other
// clients (RFC 7871 7.3.1).
static void scope_apply(struct question *q, const struct upstream_ask *ask)
{
	struct resolver *r = q->owner;

	if (ask->scope == UPSTREAM_NO_SCOPE || (ask->scope == 0 && ask->subnet.prefix_len > 0))
		return;
	r->count.subnet_answers += !q->is_scoped;
	q->is_scoped = true;
	const unsigned scope = scope_kept(ask);
	if (scope > q->scope)
		q->scope = (uint8_t)scope;
	question_note(q, TRACE_scope, q->scope);
}

enum upstream_take question_replied(struct upstream_ask *ask, const uint8_t *msg, size_t len)
{
	struct question *q = of_ask(ask);
	struct resolver *r = q->owner;
	struct dns_answer answer;
	uint8_t made[DNS_MESSAGE_MAX];

	msg = question_dns64_made(q, msg, &len, made);
	l0_writer_look_ahead(r->l0, q->hash); // a prefetch for the store
	int rc = question_read(q, msg, len, &answer);
	if (rc == -EBADMSG) {
		question_note(q, TRACE_ignored, 0);
		return UPSTREAM_IGNORED;
	}
	if (rc == -EPROTO) {
		upstream_ask_stop(ask);
		r->count.unfollowed++;
		question_unanswered(q, DNS_EDE_OTHER);
		return UPSTREAM_TAKEN;
	}
	if (rc == 0 && answer.truncated) {
		question_note(q, TRACE_truncated, 0);
		return UPSTREAM_TRUNCATED;
	}
	if (rc < 0 || answer.kind == DNS_ANSWER_FAILURE) {
		question_note(q, TRACE_failed, get_u16(msg + 2) & DNS_FLAG_RCODE);
		return UPSTREAM_FAILED;
	}
	if (ask->is_unproven && inflight_has_others(r->inflight, q)) {
		question_note(q, TRACE_subnet_missing, 0);
		return UPSTREAM_TRUNCATED;
	}
	scope_apply(q, ask);
	if (question_follow(q, msg, len, 0, &answer))
		return UPSTREAM_TAKEN;
	if (question_dns64(q, msg, len, &answer))
		return UPSTREAM_TAKEN;
	// Where weir validates, a question that comes here has CD.
	q->is_secure = ask->trusts_ad && !r->set.validates && !q->dns64_ttl_s
		       && get_u16(msg + 2) & DNS_FLAG_AD;
	answer.authenticated = q->is_secure && !q->rewrite && !answer.is_stripped;
	question_take(q, &answer, &(struct question_reply){msg, len, ask, ask->replied_ms, false});
	return UPSTREAM_TAKEN;
}

void question_failed(struct upstream_ask *ask, enum upstream_end why)
{
	question_unanswered(of_ask(ask), why == UPSTREAM_END_NETWORK
						 ? DNS_EDE_NETWORK_ERROR
						 : DNS_EDE_NO_REACHABLE_AUTHORITY);
}

void question_upstream_note(struct upstream_ask *ask, const struct trace_event *e)
{
	const struct question *q = of_ask(ask);
	const struct resolver *r = q->owner;
	if (q->trace)
		traces_note_server(r->traces, q->trace, e);
}
