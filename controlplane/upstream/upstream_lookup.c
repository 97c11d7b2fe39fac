// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_lookup.h"

#include "route/host_board.h"
#include "upstream_hosts.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_answer.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum { AGAIN_FIRST_MS = 1000, QUERIES_MAX = 16, BACKOFF_S = 30, FAMILIES = 2 };

// The bootstrap set shares the files with as many sets as a group's servers do (views.c).
enum { SETS_BESIDE = 1 + 2 * CONFIG_GROUPS_MAX };

struct lookup;

// `ask` comes first: an ask of a lookup is one of these.
struct family {
	struct upstream_ask ask;
	struct lookup *lookup;
	uint16_t type;
	bool is_running, is_answered;
	enum upstream_end end; // unless answered
	struct upstream_found found;
};

struct lookup {
	struct upstream_lookups *owner;
	struct host_state state;
	struct dns_name name;
	unsigned again_ms; // after the next failure
	bool is_running;
	struct family family[FAMILIES]; // A, AAAA
};

struct upstream_lookups {
	struct upstream_shared shared;
	const struct config *config;
	struct upstreams *bootstrap; // NULL: there are no names
	struct event *timer;
	unsigned count;
	struct lookup *one;
	struct dns_answer answer; // the reply being read
};

static struct dns_query query_of(const struct family *f)
{
	return (struct dns_query){.qtype = f->type,
		.qclass = DNS_CLASS_IN,
		.name = f->lookup->name,
		.question_len = f->lookup->name.len + 4};
}

static void timer_arm(struct upstream_lookups *l)
{
	uint64_t next_ms = UINT64_MAX, now_ms = clock_mono_ms();

	for (unsigned i = 0; i < l->count; i++)
		if (!l->one[i].is_running && l->one[i].state.next_ms < next_ms)
			next_ms = l->one[i].state.next_ms;
	(void)event_del(l->timer);
	if (next_ms == UINT64_MAX)
		return;
	const uint64_t wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
	(void)event_add(l->timer, &(struct timeval){.tv_sec = (time_t)(wait_ms / 1000),
					  .tv_usec = (suseconds_t)(wait_ms % 1000) * 1000});
}

static void addresses_log(const struct host_state *h)
{
	char text[HOST_ADDRESSES_MAX * SOCKET_ADDRESS_TEXT_MAX] = "", one[SOCKET_ADDRESS_TEXT_MAX];
	size_t len = 0;

	for (unsigned i = 0; i < h->count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? ", " : "",
			ip_address_text(&h->address[i], false, one));
	log_info("upstream host name %s: addresses %s", h->host, text);
}

// Nothing was found, or not all: the present addresses stay.
static void lookup_fail(struct lookup *k, const char *why, uint64_t now_ms)
{
	struct host_state *h = &k->state;

	if (!h->why[0])
		log_warning("upstream host name %s is not resolved: %s; weir %s and tries again",
			h->host, why,
			h->count ? "keeps the addresses that it has" : "does not ask that server");
	h->failures++;
	snprintf(h->why, sizeof(h->why), "%s", why);
	k->again_ms = k->again_ms ? 2 * k->again_ms : AGAIN_FIRST_MS;
	if (k->again_ms > UPSTREAM_LOOKUP_AGAIN_MS)
		k->again_ms = UPSTREAM_LOOKUP_AGAIN_MS;
	h->next_ms = now_ms + k->again_ms;
}

static void lookup_succeed(struct lookup *k, uint32_t ttl_s, uint64_t now_ms)
{
	struct host_state *h = &k->state;

	if (h->why[0])
		log_info("upstream host name %s is resolved again", h->host);
	h->why[0] = '\0';
	k->again_ms = 0;
	h->next_ms = now_ms + ttl_s * UINT64_C(875);
}

static const char *end_text(const struct family *f)
{
	return f->end == UPSTREAM_END_TIMEOUT   ? "no bootstrap server answers"
	       : f->end == UPSTREAM_END_FAILURE ? "the bootstrap servers answer with failures"
						: "no bootstrap server can be reached";
}

// Both questions have ended.
static void lookup_end(struct lookup *k)
{
	struct upstream_lookups *l = k->owner;
	struct host_state *h = &k->state, before = k->state;
	const struct family *failed = NULL;
	uint64_t now_ms = clock_mono_ms();
	uint32_t ttl_s = UPSTREAM_LOOKUP_TTL_MAX_S;

	k->is_running = false;
	h->lookups++;
	for (unsigned i = 0; i < FAMILIES; i++) {
		const struct family *f = &k->family[i];
		failed = failed || f->is_answered ? failed : f;
		if (f->is_answered && f->found.count > 0 && f->found.ttl_s < ttl_s)
			ttl_s = f->found.ttl_s;
	}
	const unsigned found = upstream_found_apply(h, l->config, &k->family[0].found,
		&k->family[1].found, k->family[0].is_answered, k->family[1].is_answered);
	if (found > 0)
		h->resolved_ms = now_ms;
	if (failed)
		lookup_fail(k, end_text(failed), now_ms);
	else if (found == 0)
		lookup_fail(k,
			h->refused > before.refused ? "its addresses are weir's own, or no host's"
						    : "it has no address",
			now_ms);
	else
		lookup_succeed(k, ttl_s, now_ms);
	if (!host_state_same(h, &before)) {
		h->changes += before.count > 0;
		addresses_log(h);
	}
	host_board_put(h);
	timer_arm(l);
}

static void family_end(struct family *f)
{
	struct lookup *k = f->lookup;

	f->is_running = false;
	if (!k->family[0].is_running && !k->family[1].is_running)
		lookup_end(k);
}

static enum upstream_take on_reply(struct upstream_ask *a, const uint8_t *msg, size_t len)
{
	static const struct dns_answer_rules limits = {
		.min_s = UPSTREAM_LOOKUP_TTL_MIN_S,
		.max_s = UPSTREAM_LOOKUP_TTL_MAX_S,
		.negative_s = UPSTREAM_LOOKUP_TTL_MIN_S,
	};
	struct family *f = (struct family *)a;
	struct dns_answer *answer = &f->lookup->owner->answer;
	const struct dns_query q = query_of(f);

	int rc = dns_answer_read(msg, len, &q, &limits, answer);
	if (rc == -EBADMSG)
		return UPSTREAM_IGNORED;
	if (rc == 0 && answer->truncated)
		return UPSTREAM_TRUNCATED;
	if (rc < 0 || answer->kind == DNS_ANSWER_FAILURE)
		return UPSTREAM_FAILED;
	f->is_answered = true;
	upstream_found_read(&f->found, f->type, answer);
	upstream_ask_stop(a);
	family_end(f);
	return UPSTREAM_TAKEN;
}

static void on_ended(struct upstream_ask *a, enum upstream_end why)
{
	struct family *f = (struct family *)a;

	f->end = why;
	family_end(f);
}

static void family_start(struct family *f, uint64_t now_ms)
{
	static const struct upstream_callbacks callbacks = {.reply = on_reply, .ended = on_ended};
	const struct dns_name *name = &f->lookup->name;
	uint8_t question[UPSTREAM_QUESTION_MAX];

	memcpy(question, name->wire, name->len);
	put_u16(question + name->len, f->type);
	put_u16(question + name->len + 2, DNS_CLASS_IN);
	const struct upstream_request request = {.callbacks = &callbacks,
		.question = question,
		.question_len = name->len + 4,
		.deadline_ms = now_ms + UPSTREAM_LOOKUP_MS};
	upstream_ask_start(f->lookup->owner->bootstrap, &f->ask, &request);
}

static void lookup_begin(struct lookup *k, uint64_t now_ms)
{
	k->is_running = true;
	for (unsigned i = 0; i < FAMILIES; i++) {
		struct family *f = &k->family[i];
		f->is_running = true;
		f->is_answered = false;
		f->found = (struct upstream_found){0};
	}
	for (unsigned i = 0; i < FAMILIES; i++)
		family_start(&k->family[i], now_ms);
}

static void on_timer(evutil_socket_t, short, void *arg)
{
	struct upstream_lookups *l = arg;
	uint64_t now_ms = clock_mono_ms();

	for (unsigned i = 0; i < l->count; i++)
		if (!l->one[i].is_running && l->one[i].state.next_ms <= now_ms)
			lookup_begin(&l->one[i], now_ms);
	timer_arm(l);
}

static void lookups_end(struct upstream_lookups *l)
{
	(void)event_del(l->timer);
	for (unsigned i = 0; i < l->count; i++)
		for (unsigned k = 0; k < FAMILIES; k++)
			upstream_ask_stop(&l->one[i].family[k].ask);
	l->count = 0;
	FREE_AND_NULL(l->one);
}

static int bootstrap_configure(struct upstream_lookups *l)
{
	const struct config_upstreams *c = &l->config->upstreams;
	struct config_upstreams b = {.count = c->bootstrap_count,
		.first_timeout_ms = c->first_timeout_ms,
		.max_sends = QUERIES_MAX,
		.policy = UPSTREAM_FAILOVER,
		.race = 1,
		.check = UPSTREAM_CHECK_OFF,
		.check_interval_s = 1,
		.backoff_s = BACKOFF_S};

	for (unsigned i = 0; i < b.count; i++)
		b.server[i] = (struct config_upstream){.address = c->bootstrap[i], .weight = 1};
	if (l->bootstrap) {
		upstreams_configure(l->bootstrap, &b);
		return 0;
	}
	int rc = upstreams_new(&l->bootstrap, &l->shared, &b);
	if (rc == 0)
		upstreams_one_of(l->bootstrap, SETS_BESIDE);
	return rc;
}

static void lookup_init(
	struct upstream_lookups *l, const struct config_upstream *s, uint64_t now_ms)
{
	struct lookup *k = &l->one[l->count];

	if (dns_name_from_text(s->host, strlen(s->host), &k->name) < 0) // the configuration has it
		return;
	l->count++;
	k->owner = l;
	(void)host_board_get(s, &k->state);
	k->state.next_ms = now_ms;
	for (unsigned i = 0; i < FAMILIES; i++) {
		k->family[i].lookup = k;
		k->family[i].type = i ? DNS_TYPE_AAAA : DNS_TYPE_A;
	}
}

void upstream_lookups_configure(struct upstream_lookups *l, const struct config *config)
{
	const struct config_upstream *hosts[CONFIG_HOSTS_MAX];
	unsigned count = config_hosts(config, hosts);
	uint64_t now_ms = clock_mono_ms();
	int rc = 0;

	lookups_end(l);
	host_board_memory(sizeof(*l));
	l->config = config;
	host_board_configure(hosts, count, now_ms);
	if (count == 0) {
		upstreams_free(l->bootstrap);
		l->bootstrap = NULL;
		return;
	}
	rc = bootstrap_configure(l);
	l->one = rc == 0 ? heap_calloc(count, sizeof(*l->one)) : NULL;
	if (!l->one) {
		log_error("host names of upstream servers are not resolved: no memory; reload the "
			  "configuration later");
		return;
	}
	host_board_memory(sizeof(*l) + count * sizeof(*l->one));
	for (unsigned i = 0; i < count; i++)
		lookup_init(l, hosts[i], now_ms);
	timer_arm(l);
}

int upstream_lookups_new(struct upstream_lookups **out, const struct upstream_shared *shared)
{
	struct upstream_lookups *l = heap_calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->shared = *shared;
	l->shared.book = NULL; // no question of a client goes there
	l->timer = event_new(loop_base(shared->loop), -1, 0, on_timer, l);
	if (!l->timer) {
		heap_free(l);
		return -ENOMEM;
	}
	*out = l;
	return 0;
}

void upstream_lookups_free(struct upstream_lookups *l)
{
	if (!l)
		return;
	lookups_end(l);
	host_board_memory(0);
	upstreams_free(l->bootstrap);
	event_free(l->timer);
	heap_free(l);
}
