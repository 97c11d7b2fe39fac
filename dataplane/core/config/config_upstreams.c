// SPDX-License-Identifier: BSD-3-Clause

// The section `upstreams`, and the servers of every list: by address or host name, over TLS and
// HTTPS; recursion is one of them.

#include "config_entries.h"
#include "config_file.h"
#include "config_keys.h"
#include "config_sections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/base64.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

enum { DNS_PORT = 53 };

bool config_address_is_own(const struct config *c, const struct socket_address *a)
{
	if (a->port != DNS_PORT && !(c->dot.enabled && a->port == c->dot.port)
		&& !(c->doh.enabled && a->port == c->doh.port))
		return false;
	for (unsigned i = 0; i < c->dataplane.address_count; i++)
		if (config_address_equal(&c->dataplane.addresses[i], &a->ip))
			return true;
	return false;
}

static bool same_address(const struct socket_address *a, const struct socket_address *b)
{
	return a->port == b->port && config_address_equal(&a->ip, &b->ip);
}

// Refuses an address of a server that is no host's, or a service address, or one of `servers`.
// -EINVAL.
static int server_check(const struct config_doc *doc, const char *key, const struct config *out,
	const struct config_upstream *servers, unsigned count, const struct socket_address *a)
{
	if (!config_address_is_host(&a->ip))
		return config_refuse(doc, key, "no host can have this address");
	if (config_address_is_own(out, a))
		return config_refuse(doc, key, "is an address of this service: queries would loop");
	for (unsigned i = 0; i < count; i++) {
		const struct socket_address *other = &servers[i].address;
		if (config_address_equal(&other->ip, &a->ip) && other->port == a->port)
			return config_refuse(doc, key, "given twice");
	}
	return 0;
}

static int bootstrap_add(const struct config_doc *doc, const char *key, const char *text,
	const struct config *out, struct socket_address *servers, unsigned count)
{
	struct socket_address *a = &servers[count];
	if (!text || socket_address_parse(text, DNS_PORT, a) < 0)
		return config_refuse(doc, key,
			"is not an IP address, with or without port (\"9.9.9.9\", "
			"\"[2620:fe::fe]:53\")");
	for (unsigned i = 0; i < count; i++)
		if (same_address(&servers[i], a))
			return config_refuse(doc, key, "given twice");
	return server_check(doc, key, out, NULL, 0, a);
}

// Counts a refused address, too: otherwise host names would be refused as well, without a bootstrap
// server.
int config_bootstrap_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, const struct config *out, struct socket_address *servers,
	unsigned *count)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_list_count(items); i++, (*count)++)
		rc = config_worse(rc, bootstrap_add(doc, config_item_key(key, list, i, NULL),
					      items->child[i]->text, out, servers, *count));
	return rc;
}

// Has the last label only digits? No top level domain has, so this is a mistyped address.
static bool ends_in_number(const char *name)
{
	const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;
	return strspn(last, "0123456789") == strlen(last);
}

// Reads "dns.quad9.net", "dns.quad9.net:853". False: it is no host name.
static bool host_take(const char *text, uint16_t port, struct config_upstream *s)
{
	const char *colon = strchr(text, ':');
	const size_t len = colon ? (size_t)(colon - text) : strlen(text);
	char *end = NULL;

	if (!config_tls_name_take(text, len, s->host) || ends_in_number(s->host)) {
		s->host[0] = '\0';
		return false;
	}
	s->address = (struct socket_address){.port = port};
	if (!colon)
		return true;
	unsigned long number =
		colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 0;
	if (number == 0 || number > UINT16_MAX || *end) {
		s->host[0] = '\0';
		return false;
	}
	s->address.port = (uint16_t)number;
	return true;
}

static bool same_host(const struct config_upstream *a, const struct config_upstream *b)
{
	return a->host[0] && a->address.port == b->address.port && strcmp(a->host, b->host) == 0;
}

// Refuses a host name that weir cannot resolve, or that one of `servers` has. -EINVAL.
static int host_check(const struct config_doc *doc, const char *key, const struct config *out,
	const struct config_upstream *servers, unsigned count, const struct config_upstream *s)
{
	if (out->upstreams.bootstrap_count == 0)
		return config_refuse(doc, key,
			"is a host name, and no server is known that resolves it: add "
			"`upstreams.bootstrap: [9.9.9.9]`, or give its address (\"9.9.9.9\", "
			"\"tls://%.60s@9.9.9.9\")",
			s->host);
	for (unsigned i = 0; i < count; i++)
		if (same_host(&servers[i], s))
			return config_refuse(doc, key, "given twice");
	return 0;
}

struct hosts {
	const struct config_upstream **out;
	unsigned count;
};

static void hosts_add(struct hosts *h, const struct config_upstream *server, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned k = 0;
		while (k < h->count && k < CONFIG_HOSTS_MAX && !same_host(&server[i], h->out[k]))
			k++;
		if (!server[i].host[0] || (k < h->count && k < CONFIG_HOSTS_MAX))
			continue;
		if (h->count < CONFIG_HOSTS_MAX)
			h->out[h->count] = &server[i];
		h->count++;
	}
}

static void zones_add(struct hosts *h, const struct config_forward_zone *zone, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		hosts_add(h, zone[i].servers, zone[i].server_count);
}

unsigned config_hosts(const struct config *c, const struct config_upstream *out[CONFIG_HOSTS_MAX])
{
	struct hosts h = {.out = out};

	hosts_add(&h, c->upstreams.server, c->upstreams.count);
	zones_add(&h, c->forwards, c->forward_count);
	for (unsigned i = 0; i < c->group_count; i++) {
		hosts_add(&h, c->groups[i].upstreams, c->groups[i].upstream_count);
		zones_add(&h, c->groups[i].forwards, c->groups[i].forward_count);
	}
	return h.count;
}

int config_hosts_check(const struct config_doc *doc, const struct config *c)
{
	const struct config_upstream *hosts[CONFIG_HOSTS_MAX];

	if (config_hosts(c, hosts) <= CONFIG_HOSTS_MAX)
		return 0;
	return config_refuse(doc, "upstreams.bootstrap",
		"more than %d servers are given by a host name, those of groups and forward zones "
		"included",
		CONFIG_HOSTS_MAX);
}

char *config_server_text(const struct config_upstream *s, char out[CONFIG_HOST_TEXT_MAX])
{
	if (!s->host[0])
		return socket_address_text(&s->address, out);
	snprintf(out, CONFIG_HOST_TEXT_MAX, "%s:%u", s->host, s->address.port);
	return out;
}

enum { TLS_PORT = 853, HTTPS_PORT = 443, RACE_MAX = 2 };

static const char tls_scheme[] = "tls://", https_scheme[] = "https://";

bool config_tls_name_take(const char *text, size_t len, char out[CONFIG_TLS_NAME_MAX + 1])
{
	struct dns_name name;
	if (len == 0 || len > CONFIG_TLS_NAME_MAX
		|| strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
			   < len)
		return false;
	if (dns_name_from_text(text, len, &name) < 0 || name.labels == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 'a' - 'A') : text[i];
	out[len - (out[len - 1] == '.')] = '\0';
	return true;
}

// Copies the path of a URL (RFC 3986 3.3).
static bool path_take(const char *text, char out[CONFIG_HTTPS_PATH_MAX + 1])
{
	size_t len = strlen(text);
	if (len < 2 || len > CONFIG_HTTPS_PATH_MAX
		|| strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				"-._~/!$&'()*+,;=:@%")
			   < len)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

static bool begins(const char *text, const char *scheme)
{
	return strncasecmp(text, scheme, strlen(scheme)) == 0;
}

// Reads "dns.quad9.net@9.9.9.9:853", "dns.quad9.net:853", "9.9.9.9".
static int secure_host(const struct config_doc *doc, const char *key, const char *host,
	uint16_t port, struct config_upstream *s)
{
	struct config_upstream_tls *tls = &s->tls;
	const char *at = strchr(host, '@');
	if (at && !config_tls_name_take(host, (size_t)(at - host), tls->name))
		return config_refuse(doc, key,
			"the name before \"@\" is not that of a host: "
			"\"tls://dns.quad9.net@9.9.9.9\"");
	if (socket_address_parse(at ? at + 1 : host, port, &s->address) == 0)
		return 0;
	if (!at && host_take(host, port, s)) {
		memcpy(tls->name, s->host, sizeof(tls->name));
		return 0;
	}
	return config_refuse(doc, key,
		"needs an IP address or a host name, with or without port: "
		"\"tls://dns.quad9.net@9.9.9.9\", \"tls://[2620:fe::fe]:853\", "
		"\"https://dns.quad9.net/dns-query\"");
}

// Reads "https://dns.quad9.net@9.9.9.9:443/dns-query".
static int https_address(
	const struct config_doc *doc, const char *key, const char *text, struct config_upstream *s)
{
	char host[CONFIG_TLS_NAME_MAX + SOCKET_ADDRESS_TEXT_MAX];
	size_t len = strcspn(text, "/");
	if (!path_take(text + len, s->tls.path))
		return config_refuse(doc, key,
			"needs the path of the server, without a query: "
			"\"https://dns.quad9.net@9.9.9.9/dns-query\"");
	if (len >= sizeof(host))
		return config_refuse(doc, key, "the name before \"@\" is not that of a host");
	memcpy(host, text, len);
	host[len] = '\0';
	return secure_host(doc, key, host, HTTPS_PORT, s);
}

// Reads "9.9.9.9", "tls://9.9.9.9", "tls://dns.quad9.net@9.9.9.9:853", a URL of HTTPS, or a host
// name in place of an address.
static int server_address(
	const struct config_doc *doc, const char *key, const char *text, struct config_upstream *s)
{
	s->tls.is_on = begins(text, tls_scheme) || begins(text, https_scheme);
	if (begins(text, tls_scheme))
		return secure_host(doc, key, text + strlen(tls_scheme), TLS_PORT, s);
	if (s->tls.is_on)
		return https_address(doc, key, text + strlen(https_scheme), s);
	if (strstr(text, "://"))
		return config_refuse(doc, key,
			"no such protocol: \"tls://NAME@ADDRESS\", "
			"\"https://NAME@ADDRESS/PATH\", or an address alone for UDP and TCP");
	if (socket_address_parse(text, DNS_PORT, &s->address) == 0 || host_take(text, DNS_PORT, s))
		return 0;
	return config_refuse(doc, key,
		"is not an IP address, with or without port (\"9.9.9.9\", \"9.9.9.9:53\", "
		"\"[2620:fe::fe]:53\"), a host name, \"tls://NAME@ADDRESS\" or "
		"\"https://NAME@ADDRESS/PATH\"");
}

static bool pin_parse(const char *text, uint8_t out[CONFIG_PIN_LEN])
{
	return base64_read(text, strlen(text), out, CONFIG_PIN_LEN) == CONFIG_PIN_LEN;
}

int config_pins_take(const struct config_doc *doc, const char *key, const struct config_node *items,
	uint8_t (*out)[CONFIG_PIN_LEN])
{
	for (unsigned i = 0; i < config_list_count(items); i++)
		if (!pin_parse(items->child[i]->text, out[i]))
			return config_refuse(doc, key,
				"is not the SHA-256 of a public key in base64: 44 characters, the "
				"last one \"=\"");
	return 0;
}

static int pins_apply(const struct config_doc *doc, const struct config_node *node,
	const char *list, unsigned place, struct config_upstream_tls *tls)
{
	char key[CONFIG_PATH_MAX];
	config_item_key(key, list, place, "pin");
	if (config_node_count(node, "pin") > 0 && !tls->is_on)
		return config_refuse(doc, key,
			"is for servers over TLS: \"tls://NAME@ADDRESS\", "
			"\"https://NAME@ADDRESS/PATH\"");
	tls->pin_count = config_node_count(node, "pin");
	return config_pins_take(doc, key, config_node_list(node, "pin"), tls->pin);
}

static int name_apply(const struct config_doc *doc, const char *key, const char *text,
	const struct config_upstream *servers, unsigned count, char **out)
{
	int rc = config_text_take(doc, key, text, CONFIG_TITLE_MAX, out);
	for (unsigned j = 0; rc == 0 && j < count; j++) {
		if (!servers[j].name || strcmp(servers[j].name, *out) != 0)
			continue;
		FREE_AND_NULL(*out);
		return config_refuse(doc, key, "given twice");
	}
	return rc;
}

static int server_fill(const struct config_doc *doc, const struct config_node *node,
	const char *list, const struct config *out, const struct config_upstream *servers,
	unsigned i, struct config_upstream *s)
{
	char owner[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX], text[CONFIG_HOST_TEXT_MAX];
	// The items of a forward zone's list are texts.
	const char *given = node->kind == CONFIG_NODE_TEXT ? node->text
							   : config_node_text(node, "address"),
		   *name = config_node_text(node, "name");
	int64_t weight = 1;
	config_item_key(owner, list, i, NULL);
	int rc = config_number_of(doc, owner, node, "weight", 1, CONFIG_WEIGHT_MAX, &weight);
	s->weight = (unsigned)weight;
	rc = config_worse(rc, config_bool_of(doc, owner, node, "trust_ad", &s->trust_ad));
	config_item_key(key, list, i, "address");
	int address = given ? server_address(doc, key, given, s)
			    : config_refuse(doc, key, "has no value");
	if (address == 0)
		address = s->host[0] ? host_check(doc, key, out, servers, i, s)
				     : server_check(doc, key, out, servers, i, &s->address);
	rc = config_worse(rc, address);
	if (address == 0)
		rc = config_worse(rc, pins_apply(doc, node, list, i, &s->tls));
	if (address < 0 && !name)
		return rc;
	config_server_text(s, text);
	text[CONFIG_TITLE_MAX] = '\0';
	config_item_key(key, list, i, "name");
	return config_worse(rc, name_apply(doc, key, name ? name : text, servers, i, &s->name));
}

// A refused server keeps its number, so that errors name the others by the right numbers.
int config_server_apply(const struct config_doc *doc, const struct config_node *node,
	const char *list, const struct config *out, struct config_upstream *servers,
	unsigned *count)
{
	const unsigned i = (*count)++;
	servers[i] = (struct config_upstream){0};
	return server_fill(doc, node, list, out, servers, i, &servers[i]);
}

// ::ffff:0:0/96 (RFC 4291 2.5.5.2): the kernel would send to the IPv4 address in it.
static bool is_mapped(const struct ip_address *a)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
	return a->version == 6 && memcmp(a->bytes, prefix, sizeof(prefix)) == 0;
}

static int candidate_check(const struct config_doc *doc, const char *key, const struct config *c,
	const struct config_upstream *s)
{
	if (c->upstreams.strict && !s->tls.is_on)
		return config_refuse(
			doc, key, "would be asked in clear text, but `upstreams.strict` is true");
	if (s->host[0])
		return config_refuse(doc, key,
			"is a host name alone: a test needs its address, \"tls://%.60s@ADDRESS\"",
			s->host);
	if (is_mapped(&s->address.ip))
		return config_refuse(doc, key, "is an IPv4 address in IPv6: write it as IPv4");
	return server_check(doc, key, c, NULL, 0, &s->address);
}

int config_server_parse(const struct config *c, const char *text, struct config_upstream *out,
	char why[CONFIG_WHY_MAX])
{
	static const char key[] = "server", head[] = "config: server: ", tail[] = " (server:1:1)";
	struct config_errors errors = {0};
	const struct config_doc doc = {.path = key, .errors = &errors};
	*out = (struct config_upstream){.weight = 1};
	int rc = server_address(&doc, key, text, out);
	if (rc == 0)
		rc = candidate_check(&doc, key, c, out);
	if (rc == 0)
		return 0;
	const char *reason = errors.text[0] + strlen(head);
	snprintf(why, CONFIG_WHY_MAX, "%.*s", (int)(strlen(reason) - strlen(tail)), reason);
	return rc;
}

int config_servers_strict(const struct config_doc *doc, const char *list, const struct config *c,
	const struct config_upstream *servers, unsigned count)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; c->upstreams.strict && i < count; i++)
		if (!servers[i].tls.is_on)
			rc = config_refuse(doc, config_item_key(key, list, i, "address"),
				"would be asked in clear text, but `upstreams.strict` is true: "
				"\"tls://NAME@ADDRESS\" or \"https://NAME@ADDRESS/PATH\"");
	return rc;
}

static int subnet_apply(const struct config_doc *doc, const char *owner, const char *prefix,
	const struct config_node *node, struct config_subnet *out)
{
	char of[32];
	int64_t ipv4 = out->ipv4, ipv6 = out->ipv6;
	snprintf(of, sizeof(of), "%sclient_subnet_ipv4", prefix);
	int rc = config_number_of(doc, owner, node, of, 0, 32, &ipv4);
	snprintf(of, sizeof(of), "%sclient_subnet_ipv6", prefix);
	rc = config_worse(rc, config_number_of(doc, owner, node, of, 0, 128, &ipv6));
	*out = (struct config_subnet){.ipv4 = (uint8_t)ipv4, .ipv6 = (uint8_t)ipv6};
	return rc;
}

int config_pick_apply(const struct config_doc *doc, const char *owner, const char *prefix,
	const struct config_node *node, const struct config_upstreams *upstreams,
	struct config_pick *out)
{
	char of[32];
	int64_t policy = 0, race = 0;
	snprintf(of, sizeof(of), "%spolicy", prefix);
	int rc = config_choice_of(doc, owner, node, of, "upstream_policy", &policy);
	out->policy = (enum upstream_policy)policy;
	out->has_policy = config_node_text(node, of) != NULL;
	snprintf(of, sizeof(of), "%srace", prefix);
	rc = config_worse(rc, config_number_of(doc, owner, node, of, 1, RACE_MAX, &race));
	out->race = (unsigned)race;
	out->subnet = upstreams->subnet;
	return config_worse(rc, subnet_apply(doc, owner, prefix, node, &out->subnet));
}

// `upstreams.mode`: recursion as a server of the list, after those of `upstreams.servers`.

enum { HINTS_MAX = 65536 };

static const char name[] = "recursion";

struct hints {
	unsigned root, addresses; // numbers of NS records of the root, and of addresses
	const char *bad;          // first text that is no address; or NULL
};

static bool is_class(const char *word)
{
	return strcasecmp(word, "IN") == 0 || (*word >= '0' && *word <= '9'); // or a TTL
}

// Reads a line of a zone file without its comment. Skips records of other types, as libunbound
// reads the file.
static void hints_line(struct hints *h, char *line)
{
	const bool has_owner = *line != ' ' && *line != '\t';
	uint8_t address[16];
	char *at = NULL, *word = strtok_r(line, " \t\r", &at);
	const bool is_root = has_owner && word && (!strcmp(word, ".") || !strcmp(word, "@"));

	if (has_owner && word)
		word = strtok_r(NULL, " \t\r", &at);
	while (word && is_class(word))
		word = strtok_r(NULL, " \t\r", &at);
	const char *data = word ? strtok_r(NULL, " \t\r", &at) : NULL;
	if (!data)
		return;
	const bool is_v4 = strcasecmp(word, "A") == 0, is_v6 = strcasecmp(word, "AAAA") == 0;
	h->root += is_root && strcasecmp(word, "NS") == 0;
	h->addresses += is_v4 || is_v6;
	if ((is_v4 || is_v6) && inet_pton(is_v4 ? AF_INET : AF_INET6, data, address) != 1)
		h->bad = h->bad ? h->bad : data;
}

static struct hints hints_read(char *text)
{
	struct hints h = {0};

	for (char *next, *line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line[strcspn(line, ";")] = '\0';
		hints_line(&h, line);
	}
	return h;
}

// weir writes the path into settings of the library, between quotes.
static int hints_apply(const struct config_doc *doc, struct config_upstreams *u)
{
	static const char key[] = "upstreams.root_hints";
	char text[HINTS_MAX + 1];

	if (!u->root_hints || !u->root_hints[0])
		return 0;
	if (u->root_hints[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (strpbrk(u->root_hints, "\"\\\n\r"))
		return config_refuse(doc, key, "must have no quote and no backslash");
	int len = config_file_read(u->root_hints, text, HINTS_MAX);
	if (len < 0)
		return config_refuse(doc, key, "cannot be read: %s", strerror(-len));
	if (len == HINTS_MAX)
		return config_refuse(doc, key, "has more than %d bytes", HINTS_MAX - 1);
	u->root_hints_hash = contenthash(text, (size_t)len);
	const struct hints h = hints_read(text);
	if (h.bad)
		return config_refuse(doc, key, "\"%.45s\" is no address", h.bad);
	if (!h.root || !h.addresses)
		return config_refuse(
			doc, key, "has no %s", h.root ? "address" : "NS record of the root");
	return 0;
}

static int mode_check(const struct config_doc *doc, const struct config_upstreams *u)
{
	static const char servers[] = "upstreams.servers";

	if (u->mode != UPSTREAM_RECURSIVE && u->count == 0)
		return config_refuse(doc, servers,
			"at least one server is needed, or `upstreams.mode: recursive`");
	if (u->mode == UPSTREAM_FORWARD)
		return 0;
	if (u->strict)
		return config_refuse(doc, "upstreams.mode",
			"asks authoritative servers in clear text, but `upstreams.strict` is true");
	if (u->mode == UPSTREAM_RECURSIVE && u->count > 0)
		return config_refuse(doc, servers,
			"are not asked where `upstreams.mode` is `recursive`: `forward-first`, or "
			"a forward zone");
	if (u->mode == UPSTREAM_FORWARD_FIRST && (u->policy != UPSTREAM_FAILOVER || u->race > 1))
		return config_refuse(doc, "upstreams.mode",
			"`forward-first` needs the policy `failover`, and no `race`");
	if (u->count == CONFIG_UPSTREAMS_MAX)
		return config_refuse(doc, servers, "one fewer, as recursion is one of them");
	for (unsigned i = 0; i < u->count; i++)
		if (strcmp(u->server[i].name, name) == 0)
			return config_refuse(
				doc, servers, "`recursion` is the name of weir's own recursion");
	return 0;
}

// Adds recursion to the list, after all other servers, if the mode has it.
static int recursion_apply(const struct config_doc *doc, struct config_upstreams *u)
{
	int rc = mode_check(doc, u);

	if (rc == 0)
		rc = hints_apply(doc, u);
	if (rc < 0 || u->mode == UPSTREAM_FORWARD)
		return rc;
	char *own = heap_strdup(name);
	if (!own)
		return -ENOMEM;
	u->server[u->count++] = (struct config_upstream){.name = own,
		.address = {.ip = {.version = 4, .prefix_len = 32, .bytes = {127, 0, 0, 1}}},
		.weight = 1,
		.is_recursion = true};
	return 0;
}

static int source_add(
	const struct config_doc *doc, const char *key, const char *text, struct config_upstreams *u)
{
	struct ip_address a;
	if (ip_address_parse(text, &a) < 0 || a.prefix_len != (a.version == 4 ? 32 : 128))
		return config_refuse(doc, key, "is not an IP address");
	if (u->source_count > 0 && a.version == u->source[0].version)
		return config_refuse(doc, key, "one IPv4 and one IPv6 address at most");
	u->source[u->source_count++] = a;
	return 0;
}

static int sources_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_upstreams *u)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(node, "source"); i++)
		rc = config_worse(
			rc, source_add(doc, config_item_key(key, "upstreams.source", i, NULL),
				    config_node_item_text(node, "source", i), u));
	return rc;
}

static int servers_apply(
	const struct config_doc *doc, const struct config_node *node, struct config *out)
{
	static const char list[] = "upstreams.servers";
	struct config_upstreams *u = &out->upstreams;
	int rc = 0, servers = 0;
	int err = dns_name_from_text(u->check_text, strlen(u->check_text), &u->check_name);
	if (err < 0)
		rc = config_refuse(doc, "upstreams.check_name", "%s", dns_name_text_why(err));
	rc = config_worse(rc, config_bootstrap_apply(doc, "upstreams.bootstrap",
				      config_node_list(node, "bootstrap"), out, u->bootstrap,
				      &u->bootstrap_count));
	for (unsigned i = 0; i < config_node_count(node, "servers"); i++)
		servers = config_worse(
			servers, config_server_apply(doc, config_node_item(node, "servers", i),
					 list, out, u->server, &u->count));
	if (servers == 0)
		servers = config_servers_strict(doc, list, out, u->server, u->count);
	if (servers == 0)
		servers = recursion_apply(doc, u);
	rc = config_worse(rc, servers);
	return config_worse(rc, sources_apply(doc, node, u));
}

static int upstreams_apply(const struct config_doc *doc, struct config *out)
{
	return servers_apply(doc, config_section(doc, "upstreams"), out);
}

static void upstreams_free(struct config *c)
{
	for (unsigned i = 0; i < c->upstreams.count; i++)
		FREE_AND_NULL(c->upstreams.server[i].name);
}

// The section `upstreams`.
const struct config_step config_upstreams_step = {.apply = upstreams_apply, .free = upstreams_free};
