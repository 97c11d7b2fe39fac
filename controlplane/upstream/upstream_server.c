// SPDX-License-Identifier: BSD-3-Clause
// What is known of one server: its state that all sets share, its round trips, the queries that it
// takes on a TCP connection, and when it is down or fails what others of its set answer.

#include "base/table_registry.h"
#include "lists/zone_suffix.h"
#include "upstream_internal.h"

#include <pthread.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/dns_query.h>
#include <weir/log.h>

static struct {
	pthread_mutex_t lock;
	unsigned touched, used; // records used so far, and used at present
	uint64_t refused;
	struct upstream_health record[UPSTREAM_HEALTH_MAX];
} healths = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct upstream_health *record_find(const union upstream_peer *address)
{
	struct upstream_health *free = NULL;

	for (unsigned i = 0; i < healths.touched; i++) {
		struct upstream_health *h = &healths.record[i];
		if (h->users > 0 && upstream_same_address(&h->address, address))
			return h;
		if (h->users == 0 && !free)
			free = h;
	}
	if (!free && healths.touched < UPSTREAM_HEALTH_MAX)
		free = &healths.record[healths.touched++];
	if (free) {
		memset(free, 0, sizeof(*free));
		free->address = *address;
	}
	return free;
}

struct upstream_health *upstream_health_acquire(const union upstream_peer *address)
{
	pthread_mutex_lock(&healths.lock);
	struct upstream_health *h = record_find(address);
	if (h)
		healths.used += h->users++ == 0;
	else
		healths.refused++;
	pthread_mutex_unlock(&healths.lock);
	return h;
}

void upstream_health_release(struct upstream_health *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&healths.lock);
	healths.used -= --h->users == 0;
	pthread_mutex_unlock(&healths.lock);
}

void upstream_health_tables(struct table_registry *tables)
{
	pthread_mutex_lock(&healths.lock);
	unsigned used = healths.used;
	uint64_t refused = healths.refused;
	pthread_mutex_unlock(&healths.lock);
	table_register(tables, &(struct table_info){.name = "upstream_health",
				       .owner = "all resolver loops",
				       .eviction = "refuse: known to one set alone",
				       .lifetime = "life of the server in the configuration",
				       .kind = TABLE_FIXED,
				       .cap = UPSTREAM_HEALTH_MAX,
				       .used = used,
				       .refused = refused,
				       .has = TABLE_REFUSES});
}

static bool is_known(const struct upstream_limit *l)
{
	return l->strikes >= UPSTREAM_LIMIT_STRIKES;
}

unsigned upstream_limit_now(const struct upstream_limit *l, uint64_t now_ms)
{
	if (!l->queries || now_ms >= l->until_ms)
		return 0;
	return is_known(l) && now_ms >= l->probe_ms ? l->queries * 2 : l->queries;
}

unsigned upstream_limit_known(const struct upstream_limit *l, uint64_t now_ms)
{
	return is_known(l) && now_ms < l->until_ms ? l->queries : 0;
}

bool upstream_limit_opened(struct upstream_limit *l, unsigned uses, uint64_t now_ms)
{
	bool probe = is_known(l) && now_ms < l->until_ms && uses > l->queries;

	if (!probe)
		return false;
	if (l->probe_wait_ms < UPSTREAM_LIMIT_KEEP_MS / 2)
		l->probe_wait_ms *= 2;
	l->probe_ms = now_ms + l->probe_wait_ms;
	return true;
}

bool upstream_limit_ended(struct upstream_limit *l, unsigned answered, uint64_t now_ms)
{
	if (answered == 0)
		return false;
	l->ends++;
	if (now_ms >= l->until_ms || answered > l->queries)
		l->strikes = 0;
	if (l->strikes == 0)
		l->probe_wait_ms = UPSTREAM_LIMIT_PROBE_MS;
	l->queries = answered;
	l->until_ms = now_ms + UPSTREAM_LIMIT_KEEP_MS;
	if (++l->strikes != UPSTREAM_LIMIT_STRIKES)
		return false;
	l->probe_ms = now_ms + l->probe_wait_ms;
	return true;
}

void upstream_limit_answered(struct upstream_limit *l, unsigned answered, unsigned uses)
{
	if (!l->queries)
		return;
	if (is_known(l) && answered > l->queries) {
		l->strikes = 0;
		l->queries = answered;
	}
	if (!is_known(l) && answered == uses && uses >= l->queries)
		l->queries = uses < UPSTREAM_LIMIT_USES / 2 ? uses * 2 : 0;
	if (!l->queries)
		l->strikes = 0;
}

enum { WAIT_MIN_MS = 50, WAIT_SHIFT_MAX = 5, SHARE_SHIFT = 8, SHARE_WHOLE = 1 << 24 };

// Times that this set has not measured for TIMES_OLD_US are read from the server's record. A
// refusal counts as REFUSED_US: it comes at once, and shows nothing of how long a reply takes.
enum { TIMES_OLD_US = 1000000, REFUSED_US = 1000000 };

static void times_refresh(struct upstream *s, uint64_t now_us)
{
	if (now_us < s->times_us + TIMES_OLD_US)
		return;
	s->times_us = now_us;
	s->srtt_us = upstream_health_get(s->health, srtt_us);
	s->latency_us = upstream_health_get(s->health, latency_us);
}

static void times_share(struct upstream *s, uint64_t now_us)
{
	s->times_us = now_us;
	if (now_us < s->shared_us + UPSTREAM_SHARE_US)
		return;
	s->shared_us = now_us;
	upstream_health_set(s->health, srtt_us, s->srtt_us);
	upstream_health_set(s->health, latency_us, s->latency_us);
}

static void time_add(uint32_t *mean, uint64_t us)
{
	uint32_t sample = us > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)us;
	*mean = *mean ? (*mean * 7 + sample) / 8 : sample;
}

static void server_rtt(struct upstream *s, uint64_t rtt_us, uint64_t now_us)
{
	times_refresh(s, now_us);
	time_add(&s->srtt_us, rtt_us);
	time_add(&s->latency_us, rtt_us);
	s->wait_shift = 0;
	times_share(s, now_us);
}

enum route_way upstream_server_way(struct upstream *s)
{
	const uint64_t turn = route_board_turn();

	if (s->way_turn != turn) {
		s->way = route_board_way(&s->config.address);
		s->way_turn = turn;
	}
	return s->way;
}

void upstream_server_sent(struct upstreams *u, struct upstream *s)
{
	u->totals.sent++;
	if (!s)
		return;
	s->sent++;
	for (unsigned i = 0; i < u->count; i++)
		u->server[i].share -= u->server[i].share >> SHARE_SHIFT;
	s->share += SHARE_WHOLE >> SHARE_SHIFT;
}

void upstream_server_count(struct upstream *s, uint64_t rtt_us, bool failure)
{
	s->answered++;
	s->failures += failure;
	if (rtt_us)
		took_add(&s->took, (rtt_us > UINT32_MAX ? UINT32_MAX : rtt_us) * 1000);
}

static void server_heard(struct upstream *s, uint64_t now_us)
{
	struct upstream_health *h = s->health;

	s->answered_us = now_us;
	if (now_us >= upstream_health_get(h, answered_us) + UPSTREAM_SHARE_US)
		upstream_health_set(h, answered_us, now_us);
	if (upstream_health_get(h, silent) > 0)
		upstream_health_set(h, silent, 0);
}

static void server_up(struct upstream *s)
{
	struct upstream_health *h = s->health;

	if (upstream_health_get(h, down_until_ms) == 0)
		return;
	upstream_health_set(h, down_until_ms, 0);
	if (atomic_exchange_explicit(&h->is_logged, false, memory_order_relaxed))
		log_info("upstream %s answers again", s->name);
}

void upstream_server_answered(struct upstream *s, uint64_t rtt_us, uint64_t now_us)
{
	if (rtt_us)
		server_rtt(s, rtt_us, now_us);
	server_heard(s, now_us);
	if (upstream_health_get(s->health, is_outdone))
		upstream_health_set(s->health, is_outdone, false);
	s->silences = (struct upstream_zones){0};
	server_up(s);
}

void upstream_server_checked(struct upstream *s, uint64_t rtt_us, uint64_t now_us)
{
	times_refresh(s, now_us);
	if (rtt_us && !s->srtt_us)
		server_rtt(s, rtt_us, now_us);
	server_heard(s, now_us);
	if (!upstream_health_get(s->health, is_outdone))
		server_up(s);
}

void upstream_server_lack(
	struct upstream *s, struct upstream_lack *l, bool with, bool without, uint64_t now_ms)
{
	if (with)
		l->strikes = 0;
	if (!without || ++l->strikes < UPSTREAM_STRIKES)
		return;
	if (l->strikes == UPSTREAM_STRIKES)
		log_info("upstream %s does not %s", s->name,
			l == &s->no_edns     ? "know EDNS"
			: l == &s->no_case   ? "keep the letter case of names"
			: l == &s->no_subnet ? "take a client's subnet"
					     : "take edns-tcp-keepalive");
	l->until_ms = now_ms + UPSTREAM_PLAIN_MS;
}

static void server_down(const struct upstreams *u, struct upstream *s, uint64_t now_us)
{
	struct upstream_health *h = s->health;

	upstream_health_set(h, down_until_ms, now_us / 1000 + u->backoff_s * 1000ull);
	if (atomic_exchange_explicit(&h->is_logged, true, memory_order_relaxed))
		return;
	if (u->check == UPSTREAM_CHECK_OFF)
		log_warning("upstream %s does not answer; used only as a last resort for %u s",
			s->name, u->backoff_s);
	else if (upstream_health_get(h, silent) < UPSTREAM_DOWN_AFTER)
		log_warning("upstream %s answers checks, but no questions; used only as a last "
			    "resort for %u s",
			s->name, u->backoff_s);
	else
		log_warning("upstream %s does not answer; used only as a last resort until it "
			    "answers a check",
			s->name);
}

// Counts one more query that the server left; returns how many in a row.
static unsigned server_silent(const struct upstreams *u, struct upstream *s, uint64_t now_us)
{
	const unsigned silent =
		atomic_fetch_add_explicit(&s->health->silent, 1, memory_order_relaxed) + 1;

	if (silent >= UPSTREAM_DOWN_AFTER)
		server_down(u, s, now_us);
	return silent;
}

// Adds a zone. Returns how many of the zones are no older than UPSTREAM_STRIKE_MS, this one
// included; 0: it was among them already.
static unsigned zones_add(struct upstream_zones *z, uint32_t zone, uint64_t now_ms)
{
	unsigned oldest = 0, valid = 0;

	for (unsigned i = 0; i < UPSTREAM_STRIKES; i++) {
		const bool counts = z->at_ms[i] && now_ms < z->at_ms[i] + UPSTREAM_STRIKE_MS;
		if (counts && z->zone[i] == zone)
			return 0;
		valid += counts;
		if (z->at_ms[i] < z->at_ms[oldest])
			oldest = i;
	}
	z->zone[oldest] = zone;
	z->at_ms[oldest] = now_ms;
	return valid + 1;
}

// Another server of the set has answered a question that server `s` left: the name was not the
// reason. If `s` answers checks the name may be the reason still: the servers of a zone may answer
// only one of weir's servers.
static void server_left(
	const struct upstreams *u, struct upstream *s, uint32_t zone, uint64_t now_us)
{
	struct upstream_health *h = s->health;

	if (u->check == UPSTREAM_CHECK_OFF) {
		server_silent(u, s, now_us);
	} else if (upstream_health_get(h, is_outdone)
		   || zones_add(&s->silences, zone, now_us / 1000) >= UPSTREAM_STRIKES) {
		upstream_health_set(h, is_outdone, true);
		server_down(u, s, now_us);
	}
}

// The hash of the zone of the ask's question.
static uint32_t ask_zone(const struct upstream_ask *a)
{
	struct rd r = rd_init(a->question, a->question_len);
	struct dns_name name;

	return dns_name_read(&r, &name) == 0 ? zone_key(&name, &a->owner->secret) : 0;
}

// May the name be the reason for the silence? Then it does not count now. Servers of one zone may
// be silent, so without checks each zone counts once, except for what another server of the set
// answers in the end.
static bool may_be_the_names_fault(
	const struct upstreams *u, struct upstream *s, struct upstream_leg *leg, uint64_t now_us)
{
	struct upstream_ask *a = leg->ask;
	const bool is_question =
		!a->is_check && !leg->refused && (!leg->is_tls || upstream_tcp_is_asked(leg));

	if (is_question && u->check == UPSTREAM_CHECK_OFF
		&& zones_add(&s->silences, ask_zone(a), now_us / 1000))
		return false;
	if (is_question && leg->sends == 1)
		a->silent |= 1u << leg->server;
	return is_question && u->check == UPSTREAM_CHECK_OFF;
}

bool upstream_server_timed_out(
	const struct upstreams *u, struct upstream *s, struct upstream_leg *leg)
{
	uint64_t now_us = clock_mono_us();

	// The leg waited for a connection all the time.
	if (leg->tcp && leg->sends == 0)
		return false;
	if (leg->ask->is_check) {
		atomic_fetch_add_explicit(&s->health->checks_failed, 1, memory_order_relaxed);
		upstream_health_set(s->health, is_outdone, false);
	} else {
		s->timeouts += !(leg->is_tls && leg->refused);
	}
	if (!leg->tcp && !leg->refused && leg->sends == 1 && s->wait_shift < WAIT_SHIFT_MAX)
		s->wait_shift++;
	times_refresh(s, now_us);
	time_add(&s->latency_us, leg->refused ? REFUSED_US : now_us - leg->last_sent_us);
	times_share(s, now_us);
	// A cold name takes recursion longer than a server that has it; that says nothing of
	// others.
	if (s->config.is_recursion)
		return false;
	// The server is slow, or drops this question; other queries had their replies meanwhile.
	if (s->answered_us > leg->last_sent_us
		|| upstream_health_get(s->health, answered_us) > leg->last_sent_us)
		return false;
	if (leg->is_tls && !upstream_tcp_is_first_silence(leg))
		return false;
	return !may_be_the_names_fault(u, s, leg, now_us) && server_silent(u, s, now_us) == 1;
}

bool upstream_server_down(const struct upstreams *u, const struct upstream *s, uint64_t now_ms)
{
	if (u->check != UPSTREAM_CHECK_OFF
		&& upstream_health_get(s->health, silent) >= UPSTREAM_DOWN_AFTER)
		return true;
	return upstream_health_get(s->health, down_until_ms) > now_ms;
}

// Where checks can find out whether the server is there, one wait without a reply is enough.
bool upstream_server_avoid(const struct upstreams *u, const struct upstream *s, uint64_t now_ms)
{
	return (u->check != UPSTREAM_CHECK_OFF && upstream_health_get(s->health, silent) > 0)
	       || upstream_server_failing(s, now_ms) || upstream_server_down(u, s, now_ms);
}

bool upstream_takes_subnet(const struct upstream *s, uint64_t now_ms)
{
	return s->no_edns.until_ms <= now_ms && s->no_subnet.until_ms <= now_ms
	       && !s->config.is_recursion;
}

bool upstream_server_mixes_case(const struct upstream *s, uint64_t now_ms)
{
	return s->no_case.until_ms <= now_ms;
}

struct upstream_known upstream_server_known(
	const struct upstreams *u, struct upstream *s, uint64_t now_us)
{
	times_refresh(s, now_us);
	return (struct upstream_known){
		.avoid = upstream_server_avoid(u, s, now_us / 1000),
		.down = upstream_server_down(u, s, now_us / 1000),
		.weight = s->config.weight ? s->config.weight : 1,
		.under_way = s->under_way,
		.latency_us = s->latency_us,
	};
}

unsigned upstream_server_wait_ms(
	const struct upstream *s, unsigned first_timeout_ms, unsigned sends)
{
	unsigned wait_ms = first_timeout_ms;

	if (s->srtt_us) {
		uint32_t thrice_ms = s->srtt_us * 3 / 1000;
		unsigned adaptive = (thrice_ms < WAIT_MIN_MS ? WAIT_MIN_MS : thrice_ms)
				    << s->wait_shift;
		if (adaptive < wait_ms)
			wait_ms = adaptive;
	}
	return wait_ms << (sends - 1);
}

uint32_t upstream_ask_subject(const struct upstream_ask *a)
{
	struct rd r = rd_init(a->question, a->question_len);
	struct dns_name name;

	if (!a->owner->is_for_zones || dns_name_read(&r, &name) < 0)
		return ask_zone(a);
	return (uint32_t)keyhash(&a->owner->secret, name.wire, name.len);
}

// Is the EDE about DNSSEC of the name, or a block of it?
static bool is_of_the_name(unsigned ede)
{
	return ede == DNS_EDE_DNSKEY_ALGORITHM || ede == DNS_EDE_DS_DIGEST
	       || (ede >= DNS_EDE_DNSSEC_INDETERMINATE && ede <= DNS_EDE_NSEC_MISSING)
	       || (ede >= DNS_EDE_BLOCKED && ede <= DNS_EDE_FILTERED)
	       || ede == DNS_EDE_SIGNATURE_EXPIRED_BEFORE_VALID || ede == DNS_EDE_NSEC3_ITERATIONS;
}

bool upstream_reply_blames(const uint8_t *msg, size_t len)
{
	const unsigned rcode = get_u16(msg + 2) & DNS_FLAG_RCODE;
	size_t rdata_len = 0;
	const uint8_t *rdata = dns_reply_options(msg, len, &rdata_len);
	struct rd r = rd_init(rdata, rdata ? rdata_len : 0);

	if (rcode == DNS_RCODE_NOERROR || rcode == DNS_RCODE_NXDOMAIN
		|| rcode == DNS_RCODE_YXDOMAIN)
		return false;
	while (rd_left(&r) >= 4) {
		const uint16_t code = rd_u16(&r), size = rd_u16(&r);
		const uint8_t *data = rd_bytes(&r, size);
		if (data && code == DNS_EDNS_OPTION_EDE && size >= 2
			&& is_of_the_name(get_u16(data)))
			return false;
	}
	return true;
}

// Recursion comes last anyway, and fails what no server answers.
static void server_outdone(
	const struct upstreams *u, struct upstream *s, uint32_t zone, uint64_t now_ms)
{
	struct upstream_outdone *o = &s->outdone;
	const bool again = o->until_ms && now_ms < o->until_ms + UPSTREAM_STRIKE_MS;

	if (s->config.is_recursion
		|| (!again && zones_add(&o->zones, zone, now_ms) < UPSTREAM_STRIKES))
		return;
	if (!again)
		log_warning("upstream %s fails questions that others answer; asked after them, and "
			    "tried again each %u s",
			s->name, u->backoff_s);
	o->until_ms = now_ms + u->backoff_s * 1000ull;
}

void upstream_server_outdid(struct upstreams *u, struct upstream *s,
	const struct upstream_outdid *others, uint64_t now_us)
{
	s->outdone = (struct upstream_outdone){0};
	for (uint32_t left = others->blamed; left; left &= left - 1)
		server_outdone(u, &u->server[__builtin_ctz(left)], others->zone, now_us / 1000);
	for (uint32_t left = others->silent; left; left &= left - 1)
		server_left(u, &u->server[__builtin_ctz(left)], others->zone, now_us);
}

bool upstream_server_failing(const struct upstream *s, uint64_t now_ms)
{
	return s->outdone.until_ms > now_ms;
}
