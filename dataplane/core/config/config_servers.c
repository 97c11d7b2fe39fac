// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_file.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <weir/base64.h>
#include <weir/heap_site.h>

enum { DNS_PORT = 53, TLS_PORT = 853, HTTPS_PORT = 443, RACE_MAX = 2 };

static const char tls_scheme[] = "tls://", https_scheme[] = "https://";

int config_server_check(const struct config_doc *doc, const char *key, const struct config *out,
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

// Takes the path of a URL (RFC 3986 3.3).
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

// "dns.quad9.net@9.9.9.9:853", "dns.quad9.net:853", "9.9.9.9".
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
	if (!at && config_host_take(host, port, s)) {
		memcpy(tls->name, s->host, sizeof(tls->name));
		return 0;
	}
	return config_refuse(doc, key,
		"needs an IP address or a host name, with or without port: "
		"\"tls://dns.quad9.net@9.9.9.9\", \"tls://[2620:fe::fe]:853\", "
		"\"https://dns.quad9.net/dns-query\"");
}

// "https://dns.quad9.net@9.9.9.9:443/dns-query".
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

// "9.9.9.9", "tls://9.9.9.9", "tls://dns.quad9.net@9.9.9.9:853", an URL of HTTPS; a host name in
// place of an address.
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
	if (socket_address_parse(text, DNS_PORT, &s->address) == 0
		|| config_host_take(text, DNS_PORT, s))
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
	// Forward zones have a list of addresses.
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
		address = s->host[0] ? config_host_check(doc, key, out, servers, i, s)
				     : config_server_check(doc, key, out, servers, i, &s->address);
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

// One that is refused keeps its number: others are named by theirs.
int config_server_apply(const struct config_doc *doc, const struct config_node *node,
	const char *list, const struct config *out, struct config_upstream *servers,
	unsigned *count)
{
	const unsigned i = (*count)++;
	servers[i] = (struct config_upstream){0};
	return server_fill(doc, node, list, out, servers, i, &servers[i]);
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
