// SPDX-License-Identifier: BSD-3-Clause
#include "querylog_names.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/log_msg.h>
#include <weir/policy.h>
#include <weir/text.h>

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

static struct querylog_text text_of(const char *s)
{
	return (struct querylog_text){.at = s, .len = (uint16_t)strlen(s)};
}

struct querylog_text querylog_names_group(const struct querylog_names *n, uint8_t logged)
{
	static_assert(POLICY_GROUPS_MAX == 1 << LOG_GROUP_BITS);
	static_assert(LOG_IMAGES << LOG_GROUP_BITS == UINT8_MAX + 1);
	return text_of(n->group[logged >> LOG_GROUP_BITS][logged % POLICY_GROUPS_MAX]);
}

struct querylog_text querylog_names_list(const struct querylog_names *n, unsigned number)
{
	return text_of(number < RULE_LISTS_MAX ? n->list[number] : "");
}

struct querylog_text querylog_names_upstream(const struct querylog_names *n, unsigned number)
{
	return text_of(upstream_book_name(n->book, number));
}

bool querylog_names_has_macs(const struct querylog_names *n)
{
	return n->mac_count > 0;
}

struct querylog_text querylog_names_mac(const struct querylog_names *n, const uint8_t mac[6])
{
	struct client_mac key;
	memcpy(key.bytes, mac, sizeof(key.bytes));
	const struct client_mac *found =
		bsearch(&key, n->mac, n->mac_count, sizeof(*n->mac), by_bytes);
	return text_of(found ? found->name : "");
}

struct querylog_text querylog_names_client(
	const struct querylog_names *n, unsigned version, const uint8_t bytes[16])
{
	for (unsigned i = 0; i < n->client_count; i++)
		if (covers(&n->client[i].prefix, version, bytes))
			return text_of(n->client[i].name);
	return text_of("");
}

bool querylog_names_excludes_client(
	const struct querylog_names *n, unsigned version, const uint8_t bytes[16])
{
	for (unsigned i = 0; i < n->exclude_count; i++)
		if (covers(&n->exclude[i], version, bytes))
			return true;
	return false;
}

bool querylog_names_excludes_name(const struct querylog_names *n, const struct dns_name *name)
{
	for (unsigned i = 0; i < n->domain_count; i++)
		if (dns_name_is_under(name, &n->domain[i]))
			return true;
	return false;
}

enum log_clients querylog_names_anonymize(const struct querylog_names *n)
{
	return n->anonymize;
}
