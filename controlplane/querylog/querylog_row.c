// SPDX-License-Identifier: BSD-3-Clause
#include "querylog_row.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <weir/bytes.h>
#include <weir/dns_name.h>
#include <weir/heap_site.h>
#include <weir/log_msg.h>
#include <weir/policy.h>
#include <weir/shm_stats.h>
#include <weir/siphash.h>
#include <weir/text.h>

static struct querylog_text text_of(const char *s)
{
	return (struct querylog_text){.at = s, .len = (uint16_t)strlen(s)};
}

enum { NAME_MAX_BYTES = 4 * 63 + 1 }; // each byte as \xNN

struct client_prefix {
	struct ip_address prefix;
	const char *name;
};

struct client_mac {
	uint8_t bytes[6];
	const char *name;
};

struct querylog_names {
	_Atomic unsigned references;
	enum log_clients anonymize;
	unsigned client_count, mac_count, domain_count, exclude_count;
	char group[LOG_IMAGES][POLICY_GROUPS_MAX]
		  [NAME_MAX_BYTES]; // first index: generation % LOG_IMAGES
	char list[RULE_LISTS_MAX][RULE_TITLE_MAX];
	char (*client_name)[NAME_MAX_BYTES];
	struct client_prefix *client; // longest prefixes first
	struct client_mac *mac;       // sorted by address
	struct dns_name *domain;
	struct ip_address *exclude;
	const struct upstream_book *book;
};

static bool covers(const struct ip_address *prefix, unsigned version, const uint8_t bytes[16])
{
	return prefix->version == version && bits_same(prefix->bytes, bytes, prefix->prefix_len);
}

static int by_length(const void *a, const void *b)
{
	const struct client_prefix *x = a, *y = b;
	return (int)y->prefix.prefix_len - (int)x->prefix.prefix_len;
}

static int by_bytes(const void *a, const void *b)
{
	const struct client_mac *x = a, *y = b;
	return memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

static void client_take(struct querylog_names *n, const struct config_client *c, const char *name)
{
	for (unsigned i = 0; i < c->address_count; i++)
		n->client[n->client_count++] =
			(struct client_prefix){.prefix = c->addresses[i], .name = name};
	for (unsigned i = 0; i < c->mac_count; i++) {
		struct client_mac *m = &n->mac[n->mac_count++];
		memcpy(m->bytes, c->macs[i].bytes, sizeof(m->bytes));
		m->name = name;
	}
}

static bool clients_take(struct querylog_names *n, const struct config *c)
{
	unsigned prefixes = 0, macs = 0;
	for (unsigned i = 0; i < c->client_count; i++) {
		prefixes += c->clients[i].address_count;
		macs += c->clients[i].mac_count;
	}
	n->client_name = heap_calloc(c->client_count + 1, sizeof(*n->client_name));
	n->client = heap_calloc(prefixes + 1, sizeof(*n->client));
	n->mac = heap_calloc(macs + 1, sizeof(*n->mac));
	if (!n->client_name || !n->client || !n->mac)
		return false;
	for (unsigned i = 0; i < c->client_count; i++) {
		text_name(c->clients[i].name, n->client_name[i], sizeof(n->client_name[i]));
		client_take(n, &c->clients[i], n->client_name[i]);
	}
	qsort(n->client, n->client_count, sizeof(*n->client), by_length);
	qsort(n->mac, n->mac_count, sizeof(*n->mac), by_bytes);
	return true;
}

static void lists_take(
	struct querylog_names *n, const struct rule_list_info *lists, unsigned list_count)
{
	for (unsigned i = 0; i < list_count && i < RULE_LISTS_MAX; i++) {
		memcpy(n->list[i], lists[i].title, RULE_TITLE_MAX);
		n->list[i][RULE_TITLE_MAX - 1] = '\0';
	}
}

static bool excludes_take(struct querylog_names *n, const struct config_query_log *c)
{
	n->domain = heap_calloc(c->exclude_domain_count + 1, sizeof(*n->domain));
	n->exclude = heap_calloc(c->exclude_client_count + 1, sizeof(*n->exclude));
	if (!n->domain || !n->exclude)
		return false;
	for (; n->domain_count < c->exclude_domain_count; n->domain_count++)
		n->domain[n->domain_count] = c->exclude_domains[n->domain_count];
	for (; n->exclude_count < c->exclude_client_count; n->exclude_count++)
		n->exclude[n->exclude_count] = c->exclude_clients[n->exclude_count];
	return true;
}

struct querylog_names *querylog_names_new(const struct config *c,
	const struct rule_list_info *lists, unsigned list_count, const struct upstream_book *book)
{
	struct querylog_names *n = heap_calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->references = 1;
	n->anonymize = c->query_log.anonymize;
	n->book = book;
	for (unsigned i = 0; i < c->group_count && i + 1 < POLICY_GROUPS_MAX; i++)
		for (unsigned image = 0; image < LOG_IMAGES; image++)
			text_name(c->groups[i].name, n->group[image][i + 1], NAME_MAX_BYTES);
	lists_take(n, lists, list_count);
	if (clients_take(n, c) && excludes_take(n, &c->query_log))
		return n;
	querylog_names_release(n);
	return NULL;
}

void querylog_names_follow(
	struct querylog_names *n, const struct querylog_names *before, uint64_t policy_generation)
{
	for (unsigned image = 0; image < LOG_IMAGES; image++)
		if (image != policy_generation % LOG_IMAGES)
			memcpy(n->group[image], before->group[image], sizeof(n->group[image]));
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++)
		if (!*n->list[i])
			memcpy(n->list[i], before->list[i], sizeof(n->list[i]));
}

bool querylog_names_hide_alike(const struct querylog_names *a, const struct querylog_names *b)
{
	bool alike = a->anonymize == b->anonymize && a->domain_count == b->domain_count
		     && a->exclude_count == b->exclude_count;
	for (unsigned i = 0; alike && i < a->domain_count; i++)
		alike = dns_name_equal(&a->domain[i], &b->domain[i]);
	for (unsigned i = 0; alike && i < a->exclude_count; i++)
		alike = a->exclude[i].prefix_len == b->exclude[i].prefix_len
			&& covers(&a->exclude[i], b->exclude[i].version, b->exclude[i].bytes);
	return alike;
}

void querylog_names_hold(struct querylog_names *n)
{
	atomic_fetch_add_explicit(&n->references, 1, memory_order_relaxed);
}

void querylog_names_release(void *names)
{
	struct querylog_names *n = names;
	if (!n || atomic_fetch_sub_explicit(&n->references, 1, memory_order_acq_rel) != 1)
		return;
	FREE_AND_NULL(n->client_name);
	FREE_AND_NULL(n->client);
	FREE_AND_NULL(n->mac);
	FREE_AND_NULL(n->domain);
	FREE_AND_NULL(n->exclude);
	heap_free(n);
}

// `logged`: the group and its image, group_in_image.
static struct querylog_text names_group(const struct querylog_names *n, uint8_t logged)
{
	static_assert(POLICY_GROUPS_MAX == 1 << LOG_GROUP_BITS);
	static_assert(LOG_IMAGES << LOG_GROUP_BITS == UINT8_MAX + 1);
	return text_of(n->group[logged >> LOG_GROUP_BITS][logged % POLICY_GROUPS_MAX]);
}

static struct querylog_text names_list(const struct querylog_names *n, unsigned number)
{
	return text_of(number < RULE_LISTS_MAX ? n->list[number] : "");
}

static struct querylog_text names_upstream(const struct querylog_names *n, unsigned number)
{
	return text_of(upstream_book_name(n->book, number));
}

// Whether the configuration names any client by MAC address.
static bool names_has_macs(const struct querylog_names *n)
{
	return n->mac_count > 0;
}

// The name of the client with the MAC address; "" if no client has it.
static struct querylog_text names_mac(const struct querylog_names *n, const uint8_t mac[6])
{
	struct client_mac key;
	memcpy(key.bytes, mac, sizeof(key.bytes));
	const struct client_mac *found =
		bsearch(&key, n->mac, n->mac_count, sizeof(*n->mac), by_bytes);
	return text_of(found ? found->name : "");
}

// The name of the client with the longest prefix that covers the address; "" if no prefix does.
// Linear in the number of prefixes.
static struct querylog_text names_client(
	const struct querylog_names *n, unsigned version, const uint8_t bytes[16])
{
	for (unsigned i = 0; i < n->client_count; i++)
		if (covers(&n->client[i].prefix, version, bytes))
			return text_of(n->client[i].name);
	return text_of("");
}

static bool names_excludes_client(
	const struct querylog_names *n, unsigned version, const uint8_t bytes[16])
{
	for (unsigned i = 0; i < n->exclude_count; i++)
		if (covers(&n->exclude[i], version, bytes))
			return true;
	return false;
}

static bool names_excludes_name(const struct querylog_names *n, const struct dns_name *name)
{
	for (unsigned i = 0; i < n->domain_count; i++)
		if (dns_name_is_under(name, &n->domain[i]))
			return true;
	return false;
}

enum { KEY_LIFE_MS = 24 * 3600 * 1000 };

uint64_t querylog_siphash(const uint64_t key[2], const uint8_t bytes[16])
{
	struct sip s = sip_begin((const uint8_t *)key);
	sip_word(&s, sip_load(bytes));
	sip_word(&s, sip_load(bytes + 8));
	sip_word(&s, sip_last(0, 16));
	return sip_end(&s);
}

int querylog_hide_beat(struct querylog_hide *h, uint64_t now_ms)
{
	if (h->has_key && now_ms - h->drawn_ms < KEY_LIFE_MS)
		return 0;
	uint64_t key[2];
	ssize_t got = getrandom(key, sizeof(key), 0);
	if (got != (ssize_t)sizeof(key))
		return got < 0 ? -errno : -EIO;
	memcpy(h->key, key, sizeof(key));
	h->drawn_ms = now_ms;
	h->has_key = true;
	return 0;
}

unsigned querylog_hide_bits(enum log_clients how, unsigned version)
{
	static const uint8_t bits[][2] = {[LOG_CLIENTS_WHOLE] = {32, 128},
		[LOG_CLIENTS_TRUNCATED] = {24, 48},
		[LOG_CLIENTS_HASHED] = {0, 0}};
	return bits[how][version != 4];
}

size_t querylog_hide_client(const struct querylog_hide *h, enum log_clients how, unsigned version,
	uint8_t bytes[16], char out[QUERYLOG_CLIENT_TEXT_MAX])
{
	if (how == LOG_CLIENTS_HASHED) {
		uint64_t hash = h->has_key ? querylog_siphash(h->key, bytes) : 0;
		memset(bytes, 0, 16);
		return (size_t)snprintf(
			out, QUERYLOG_CLIENT_TEXT_MAX, "%016llx", (unsigned long long)hash);
	}
	if (how == LOG_CLIENTS_TRUNCATED) {
		const unsigned kept = querylog_hide_bits(how, version) / 8;
		memset(bytes + kept, 0, 16 - kept);
	}
	if (!inet_ntop(version == 4 ? AF_INET : AF_INET6, bytes, out, QUERYLOG_CLIENT_TEXT_MAX))
		out[0] = '\0';
	return strlen(out);
}

void querylog_macs_open(struct querylog_macs *m)
{
	frontend_neighbours_open(&m->neighbours);
}

void querylog_macs_close(struct querylog_macs *m)
{
	frontend_neighbours_close(&m->neighbours);
}

void querylog_macs_beat(struct querylog_macs *m, uint64_t now_ms)
{
	const struct frontend_neighbours *n = &m->neighbours;
	atomic_store_explicit(&m->used, n->used, memory_order_relaxed);
	atomic_store_explicit(&m->evicted, n->evicted, memory_order_relaxed);
	atomic_store_explicit(&m->refused, n->refused, memory_order_relaxed);
	atomic_store_explicit(
		&m->oldest_ms, frontend_neighbours_age(n, now_ms), memory_order_relaxed);
}

// Finds the MAC address of a client; `address` is as in a record, and unused bytes of `mac` become
// zeros. False: it is not known.
static bool mac_find(struct querylog_macs *m, unsigned version, const uint8_t address[16],
	uint8_t mac[FRONTEND_NEIGHBOUR_MAC])
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	memcpy(&v4.sin_addr, address, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, address, sizeof(v6.sin6_addr));
	const struct sockaddr *sa =
		version == 4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
	return frontend_neighbour_mac(&m->neighbours, sa, m->now_ms, mac);
}

static_assert((int)LOG_TIERS == (int)QUERYLOG_TIERS);
static_assert((int)LOG_VALIDATIONS == (int)QUERYLOG_VALIDATIONS
	      && (int)LOG_VALIDATION_BOGUS == (int)QUERYLOG_BOGUS
	      && (int)LOG_VALIDATION_SECURE == (int)QUERYLOG_SECURE
	      && LOG_VALIDATION_MASK == (int)LOG_VALIDATIONS - 1);
static_assert((int)VERDICT_COUNT < (int)LOG_VERDICT_RESOLVED);

static const char unlogged[] = "unlogged";

static const char *verdict_text(unsigned v)
{
	static const char *const own[] = {"resolved", "servfail", "unanswered", "servfail_inflight",
		"servfail_zone", "servfail_suffix", "servfail_waiters", "servfail_client"};
	if (v < VERDICT_COUNT)
		return verdict_names[v];
	v -= LOG_VERDICT_RESOLVED;
	return v < ARRAY_LEN(own) ? own[v] : NULL;
}

const char *querylog_row_verdict(unsigned i)
{
	if (i < VERDICT_COUNT)
		return verdict_names[i];
	i -= VERDICT_COUNT;
	return i == 0 ? unlogged : verdict_text(LOG_VERDICT_RESOLVED + i - 1);
}

static bool is_blocked(unsigned v)
{
	return v == VERDICT_blocked || v == VERDICT_blocked_answer || v == VERDICT_drop_rule;
}

static struct querylog_text keep(struct querylog_batch *b, const char *text, size_t len)
{
	char *at = querylog_batch_text(b, len + 1);
	memcpy(at, text, len);
	at[len] = '\0';
	return (struct querylog_text){.at = at, .len = (uint16_t)len};
}

bool querylog_row_rest(struct querylog_batch *b, uint64_t time_us, uint64_t weight)
{
	struct querylog_row *row = querylog_batch_row(b, 0);
	if (!row)
		return false;
	row->time_us = time_us;
	row->weight = weight;
	row->verdict = text_of(unlogged);
	querylog_batch_end_row(b);
	return true;
}

// Reads the name behind the record. False: the name is invalid.
static bool name_read(const struct log_record *r, const uint8_t *wire, struct dns_name *out)
{
	struct rd rd = rd_init(wire, r->name_len);
	return dns_name_read(&rd, out) == 0 && rd_left(&rd) == 0;
}

// Whether the time fits 32 bits of seconds, in which sinks keep it.
static bool time_is_sane(uint64_t time_us, int64_t wall_us)
{
	const uint64_t end_us = (UINT64_C(1) << 32) * 1000000;
	return time_us < end_us && time_us + (uint64_t)wall_us < end_us;
}

static unsigned tier_of(const struct log_record *r)
{
	return r->flags >> LOG_TIER_SHIFT & LOG_TIER_MASK;
}

static bool record_is_sane(const struct log_record *r, size_t len)
{
	return len == sizeof(*r) + r->name_len && r->weight > 0 && tier_of(r) < LOG_TIERS
	       && verdict_text(r->verdict);
}

uint64_t querylog_row_weight(const uint8_t *msg, size_t len)
{
	struct log_record r;
	struct dns_name name;
	if (len < sizeof(r))
		return 0;
	memcpy(&r, msg, sizeof(r));
	if (!record_is_sane(&r, len)
		|| (!(r.flags & LOG_REST) && r.name_len && !name_read(&r, msg + sizeof(r), &name)))
		return 0;
	return r.weight;
}

static void scalars(struct querylog_row *row, const struct log_record *r, int64_t wall_us)
{
	row->time_us = r->time_us + (uint64_t)wall_us;
	row->weight = r->weight;
	row->dataplane_us = r->dataplane_us;
	row->total_us = r->total_us ? r->total_us : r->dataplane_us;
	row->qtype = r->qtype;
	row->qclass = r->qclass;
	row->rcode = r->rcode & LOG_RCODE_MASK;
	row->validation = r->rcode >> LOG_VALIDATION_SHIFT & LOG_VALIDATION_MASK;
	row->ede = r->ede;
	row->query_len = r->query_len;
	row->reply_len = r->reply_len;
	row->transport = r->flags & LOG_TLS   ? r->flags & LOG_TCP ? QUERYLOG_DOT : QUERYLOG_DOH
			 : r->flags & LOG_TCP ? QUERYLOG_TCP
					      : QUERYLOG_UDP;
	row->tier = (uint8_t)tier_of(r);
	row->is_answered = (r->flags & LOG_ANSWERED) != 0;
	row->is_blocked = is_blocked(r->verdict);
}

// The configured name of a client. The name of its MAC address takes precedence over those of its
// prefixes, as for groups.
static struct querylog_text name_given(
	const struct querylog_maker *by, unsigned version, const uint8_t address[16])
{
	uint8_t mac[FRONTEND_NEIGHBOUR_MAC];
	if (names_has_macs(by->names) && mac_find(by->macs, version, address, mac)) {
		struct querylog_text name = names_mac(by->names, mac);
		if (name.len)
			return name;
	}
	return names_client(by->names, version, address);
}

// The configured name of a client, or else the name that client_book found, copied into the row's
// text.
static struct querylog_text client_name(struct querylog_batch *b, const struct querylog_maker *by,
	unsigned version, const uint8_t address[16], int64_t now_s)
{
	struct client_entry found;
	const struct querylog_text given = name_given(by, version, address);
	return given.len || !client_book_find_or_ask(by->clients, version, address, now_s, &found)
		       ? given
		       : keep(b, found.name, strlen(found.name));
}

static void client(struct querylog_batch *b, struct querylog_row *row,
	const struct querylog_maker *by, const struct log_record *r)
{
	char text[QUERYLOG_CLIENT_TEXT_MAX];
	enum log_clients how = by->names->anonymize;
	row->client_version = r->flags & LOG_IPV6 ? 6 : 4;
	memcpy(row->client_bytes, r->client, sizeof(row->client_bytes));
	if (how == LOG_CLIENTS_WHOLE) {
		row->client_port = r->client_port;
		row->client_name = client_name(
			b, by, row->client_version, r->client, (int64_t)(row->time_us / 1000000));
	}
	size_t len =
		querylog_hide_client(by->hide, how, row->client_version, row->client_bytes, text);
	row->client = keep(b, text, len);
}

enum { WHOLE_ALIGN = alignof(struct querylog_whole) };

// Most bytes of a batch that whole_keep takes.
static size_t whole_size(const struct log_record *r, const struct log_whole_view *w)
{
	return !w ? 0
		  : WHOLE_ALIGN + sizeof(struct querylog_whole) + (w->query ? r->query_len : 0u)
			       + (w->reply ? r->reply_len : 0u);
}

static const uint8_t *bytes_keep(struct querylog_batch *b, const uint8_t *from, size_t len)
{
	return from ? memcpy(querylog_batch_text(b, len), from, len) : NULL;
}

static const struct querylog_whole *whole_keep(
	struct querylog_batch *b, const struct log_record *r, const struct log_whole_view *w)
{
	uintptr_t at =
		(uintptr_t)querylog_batch_text(b, WHOLE_ALIGN + sizeof(struct querylog_whole));
	struct querylog_whole *to =
		(void *)((at + WHOLE_ALIGN - 1) & ~(uintptr_t)(WHOLE_ALIGN - 1));
	*to = (struct querylog_whole){.service_port = w->ends.service_port,
		.service_version = w->ends.service_version == 6 ? 6 : 4,
		.query = bytes_keep(b, w->query, r->query_len),
		.reply = bytes_keep(b, w->reply, r->reply_len)};
	memcpy(to->service_bytes, w->ends.service, sizeof(to->service_bytes));
	return to;
}

enum querylog_made querylog_row_make(struct querylog_batch *b, const struct querylog_maker *by,
	const uint8_t *msg, size_t len, const struct log_whole_view *whole, uint64_t *weight)
{
	const struct querylog_names *n = by->names;
	struct log_record r;
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX] = "";

	if (len < sizeof(r))
		return QUERYLOG_BAD;
	memcpy(&r, msg, sizeof(r));
	if (!record_is_sane(&r, len) || !time_is_sane(r.time_us, by->wall_us))
		return QUERYLOG_BAD;
	*weight = r.weight;
	if (r.flags & LOG_REST)
		return querylog_row_rest(b, r.time_us + (uint64_t)by->wall_us, r.weight)
			       ? QUERYLOG_MADE
			       : QUERYLOG_FULL;
	if (r.name_len && !name_read(&r, msg + sizeof(r), &name))
		return QUERYLOG_BAD;
	if (names_excludes_client(n, r.flags & LOG_IPV6 ? 6 : 4, r.client)
		|| (r.name_len && names_excludes_name(n, &name)))
		return QUERYLOG_EXCLUDED;
	if (r.name_len)
		(void)dns_name_to_text(&name, text);
	size_t text_len = strlen(text);
	struct log_whole_view shown;
	if (whole && n->anonymize != LOG_CLIENTS_WHOLE) {
		shown = *whole;
		shown.query = shown.reply = NULL;
		whole = &shown;
	}
	struct querylog_row *row = querylog_batch_row(b,
		text_len + 1 + QUERYLOG_CLIENT_TEXT_MAX + CLIENT_NAME_MAX + whole_size(&r, whole));
	if (!row)
		return QUERYLOG_FULL;
	scalars(row, &r, by->wall_us);
	client(b, row, by, &r);
	row->qname = keep(b, text, text_len);
	row->group = names_group(n, r.group);
	row->verdict = text_of(verdict_text(r.verdict));
	if (r.list != LOG_NO_LIST)
		row->list = names_list(n, r.list);
	row->upstream = names_upstream(n, r.upstream);
	if (whole)
		row->whole = whole_keep(b, &r, whole);
	querylog_batch_end_row(b);
	return QUERYLOG_MADE;
}
