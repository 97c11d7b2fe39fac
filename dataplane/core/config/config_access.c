// SPDX-License-Identifier: BSD-3-Clause

// The sections `access`, `limits` and `proxy_protocol`: which clients may ask, and how often.

#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

static int limits_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *node = config_section(doc, "limits");
	struct config_limits *l = &out->limits;
	int rc = config_prefixes_apply(doc, "limits.unlimited_clients",
		config_node_list(node, "unlimited_clients"), &l->unlimited_clients,
		&l->unlimited_client_count);
	return config_worse(rc, config_names_apply(doc, "limits.unlimited_zones",
					config_node_list(node, "unlimited_zones"),
					&l->unlimited_zones, &l->unlimited_zone_count));
}

static void limits_free(struct config *c)
{
	FREE_AND_NULL(c->limits.unlimited_clients);
	FREE_AND_NULL(c->limits.unlimited_zones);
}

// The section `access`.

// Addresses that are used within networks and never between them: RFC 1918, 6598 (shared by a
// provider's customers), 3927 and 4291 (link-local), 1122 and 4291 (loopback), 4193.
static const char *const private_prefixes[] = {"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
	"169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::1", "fc00::/7", "fe80::/10"};
static const char *const any_prefixes[] = {"0.0.0.0/0", "::/0"};
static const char *const shipped[] = {"private", "local"};

// The most prefixes that one entry stands for.
enum { WORD_PREFIXES_MAX = CONFIG_ADDRESSES_MAX };
static_assert(ARRAY_LEN(private_prefixes) <= WORD_PREFIXES_MAX);

struct prefixes {
	struct ip_address *one;
	unsigned count;
};

static bool prefix_equal(const struct ip_address *a, const struct ip_address *b)
{
	return a->version == b->version && a->prefix_len == b->prefix_len
	       && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool has_prefix(const struct prefixes *p, const struct ip_address *a)
{
	for (unsigned i = 0; i < p->count; i++)
		if (prefix_equal(&p->one[i], a))
			return true;
	return false;
}

static void add(struct prefixes *p, const struct ip_address *a)
{
	if (!has_prefix(p, a))
		p->one[p->count++] = *a;
}

static void add_texts(struct prefixes *p, const char *const *text, unsigned count)
{
	struct ip_address a;
	for (unsigned i = 0; i < count; i++)
		if (ip_address_parse(text[i], &a) == 0)
			add(p, &a);
}

// Adds the network of an address with a prefix length, which may have host bits set.
static void add_network(struct prefixes *p, const struct ip_address *address)
{
	struct ip_address a = *address;
	unsigned bits = a.version == 4 ? 32 : 128;
	if (a.prefix_len == bits)
		return;
	for (unsigned i = a.prefix_len; i < bits; i++)
		a.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
	add(p, &a);
}

static bool add_word(struct prefixes *p, const char *word, const struct config *c)
{
	if (strcmp(word, "private") == 0) {
		add_texts(p, private_prefixes, ARRAY_LEN(private_prefixes));
	} else if (strcmp(word, "any") == 0) {
		add_texts(p, any_prefixes, ARRAY_LEN(any_prefixes));
	} else if (strcmp(word, "local") == 0) {
		for (unsigned i = 0; i < c->dataplane.address_count; i++)
			add_network(p, &c->dataplane.addresses[i]);
	} else {
		return false;
	}
	return true;
}

static int entry_add(const struct config_doc *doc, const char *key, const char *text,
	const struct config *c, bool words, struct prefixes *p)
{
	struct ip_address a;
	if (words && add_word(p, text, c))
		return 0;
	if (ip_address_parse(text, &a) < 0)
		return config_refuse(doc, key, "is not an IP address, with or without /prefix%s",
			words ? ", nor one of: private, local, any" : "");
	int rc = config_prefix_check(doc, key, &a);
	if (rc == 0)
		add(p, &a);
	return rc;
}

static int list_take(const struct config_doc *doc, const char *list,
	const struct config_node *items, const struct config *c, bool words, struct prefixes *p)
{
	const unsigned count = config_list_count(items);
	p->one = heap_calloc((size_t)(count ? count : 1) * WORD_PREFIXES_MAX, sizeof(*p->one));
	if (!p->one)
		return -ENOMEM;
	int rc = 0;
	for (unsigned i = 0; i < count; i++) {
		char key[CONFIG_PATH_MAX];
		rc = config_worse(rc, entry_add(doc, config_item_key(key, list, i, NULL),
					      items->child[i]->text, c, words, p));
	}
	return rc;
}

// Reads a list of clients, or the default if the key is not given. A list that is given but empty
// stays empty.
static int access_clients_take(const struct config_doc *doc, const char *list,
	const struct config_node *items, const struct config *c, struct prefixes *p)
{
	int rc = list_take(doc, list, items, c, true, p);
	if (rc < 0 || items)
		return rc;
	FREE_AND_NULL(p->one);
	p->one = heap_calloc(ARRAY_LEN(shipped) * WORD_PREFIXES_MAX, sizeof(*p->one));
	if (!p->one)
		return -ENOMEM;
	for (unsigned i = 0; i < ARRAY_LEN(shipped); i++)
		(void)add_word(p, shipped[i], c);
	return 0;
}

// A prefix that `allow` and `deny` both list is a mistake; a denied prefix of a word in `allow` is
// an exception from that word.
static int deny_check(
	const struct config_doc *doc, const struct config_node *r, const struct prefixes *deny)
{
	for (unsigned i = 0; i < config_node_count(r, "allow"); i++) {
		struct ip_address a;
		if (ip_address_parse(config_node_item_text(r, "allow", i), &a) == 0
			&& has_prefix(deny, &a))
			return config_refuse(
				doc, "access.deny", "has a prefix that is in allow too");
	}
	return 0;
}

static int access_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *r = config_section(doc, "access");
	struct config_access *a = &out->access;
	struct prefixes allow = {0}, deny = {0}, unlimited = {0};
	int rc =
		access_clients_take(doc, "access.allow", config_node_list(r, "allow"), out, &allow);
	// `local` has no prefix without service addresses, which is refused elsewhere.
	if (rc == 0 && allow.count == 0 && out->dataplane.address_count > 0)
		rc = config_refuse(doc, "access.allow",
			"has no prefix, so no client is allowed; remove the key to allow private "
			"and local networks");
	rc = config_worse(
		rc, list_take(doc, "access.deny", config_node_list(r, "deny"), out, false, &deny));
	rc = config_worse(rc, access_clients_take(doc, "access.unlimited",
				      config_node_list(r, "unlimited"), out, &unlimited));
	rc = config_worse(rc, deny_check(doc, r, &deny));
	a->allow = allow.one;
	a->allow_count = allow.count;
	a->deny = deny.one;
	a->deny_count = deny.count;
	a->unlimited = unlimited.one;
	a->unlimited_count = unlimited.count;
	return rc;
}

static void access_free(struct config *c)
{
	FREE_AND_NULL(c->access.allow);
	FREE_AND_NULL(c->access.deny);
	FREE_AND_NULL(c->access.unlimited);
}

static int balancer_add(const struct config_doc *doc, const char *key, const char *text,
	struct config_proxy_protocol *out)
{
	struct ip_address a;
	if (!text || ip_address_parse(text, &a) < 0)
		return config_refuse(doc, key, "is not an IP address, with or without /prefix");
	int rc = config_prefix_check(doc, key, &a);
	if (rc == 0)
		out->from[out->from_count++] = a;
	return rc;
}

static int proxy_protocol_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *r = config_section(doc, "proxy_protocol");
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(r, "from"); i++)
		rc = config_worse(
			rc, balancer_add(doc, config_item_key(key, "proxy_protocol.from", i, NULL),
				    config_node_item_text(r, "from", i), &out->proxy_protocol));
	return rc;
}

// The lists of the section `limits`: clients and zones that its bounds do not apply to.
const struct config_step config_limits_step = {.apply = limits_apply, .free = limits_free};

// The section `proxy_protocol`: balancers.
const struct config_step config_proxy_protocol_step = {.apply = proxy_protocol_apply};

// The section `access`: clients that may ask, and clients without limits. `local` means the
// networks of the service addresses.
const struct config_step config_access_step = {.apply = access_apply, .free = access_free};
