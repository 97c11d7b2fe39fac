// SPDX-License-Identifier: BSD-3-Clause

// The clause `server:` of unbound.conf.

#include "import_add.h"
#include "import_unbound_clauses.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config.h>

static void zone_take(struct unbound *u, const char *name, const char *type)
{
	static const char *const blocks[] = {"always_nxdomain", "always_nodata", "always_null",
		"always_refuse", "always_deny", "refuse", "deny", "inform_deny"};
	static const char *const opens[] = {"transparent", "typetransparent", "inform", "nodefault",
		"always_transparent", "block_a"};
	struct import_model *m = u->m;
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		if (strcmp(type, blocks[i]) == 0) {
			import_add_name(m, &m->deny, name, type);
			return;
		}
	for (size_t i = 0; i < ARRAY_LEN(opens); i++)
		if (strcmp(type, opens[i]) == 0) {
			import_add_name(m, &m->open_zones, name, type);
			return;
		}
	if (strcmp(type, "redirect") == 0)
		import_add_name(m, &u->redirects, name, NULL);
	else if (strcmp(type, "static") == 0 || strcmp(type, "inform_redirect") == 0)
		import_add_name(m, &m->closed_zones, name, NULL);
	else
		import_miss(m, name, "the type %.40s of a local zone has no counterpart", type);
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

// "name [ttl] [class] type data".
static void data_take(struct unbound *u, const struct unbound_words *w)
{
	char text[2000], *rest = text, *word[4];
	long ttl = -1;
	snprintf(text, sizeof(text), "%s", unbound_word(w, 0));
	char *name = strsep(&rest, " \t");
	for (unsigned i = 0; i < 3; i++) {
		rest = rest ? rest + strspn(rest, " \t") : NULL;
		word[i] = rest && *rest ? strsep(&rest, " \t") : NULL;
		if (!word[i])
			break;
		if (is_number(word[i]))
			ttl = strtol(word[i], NULL, 10);
		else if (strcasecmp(word[i], "IN") != 0) {
			rest = rest ? rest + strspn(rest, " \t") : NULL;
			import_add_record(u->m, name, word[i], rest ? rest : "", ttl);
			return;
		}
	}
	import_miss(u->m, "local-data", "`%.200s` is no record", unbound_word(w, 0));
}

// "192.0.2.3 [ttl] name".
static void pointer_take(struct unbound *u, const struct unbound_words *w)
{
	char text[600], *rest = text;
	snprintf(text, sizeof(text), "%s", unbound_word(w, 0));
	char *address = strsep(&rest, " \t"), *name = rest ? strsep(&rest, " \t") : NULL;
	long ttl = -1;
	if (name && is_number(name) && rest) {
		ttl = strtol(name, NULL, 10);
		name = rest + strspn(rest, " \t");
	}
	if (name)
		import_add_reverse(u->m, address, name, ttl);
	else
		import_miss(u->m, "local-data-ptr", "`%.200s` is no address and name", text);
}

static void access_take(struct unbound *u, const char *prefix, const char *action)
{
	struct import_items unused = {0};
	struct config_mac mac;
	if (config_mac_parse(prefix, &mac) == 0
		|| !import_add_member(u->m, &unused, prefix, NULL)) {
		import_miss(u->m, "access-control", "`%.60s` is no prefix", prefix);
	} else if (strncmp(action, "allow", 5) == 0) {
		import_items_add(u->m, &u->allow, prefix, NULL);
	} else {
		import_items_add(u->m, &u->refuse, prefix, NULL);
		if (strstr(action, "non_local"))
			import_miss(u->m, prefix,
				"%.30s: such clients get nothing, local data "
				"neither",
				action);
		if (strncmp(action, "refuse", 6) == 0)
			import_add_value(u->m, "access", "denied", "access-control", "refuse");
	}
	import_items_free(&unused);
}

static long size_read(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);
	const int unit = tolower((unsigned char)*end);
	if (n < 0 || n > 1000000)
		return n < 0 ? 0 : n;
	return unit == 'k' ? n << 10 : unit == 'm' ? n << 20 : unit == 'g' ? n << 30 : n;
}

// With one number, or yes.
static bool value_take(struct unbound *u, const char *key, const char *value)
{
	static const struct {
		const char *key, *section, *to;
		long least, most;
	} numbers[] = {{"cache-min-ttl", "cache", "min_ttl", 0, 86400},
		{"cache-max-ttl", "cache", "max_ttl", 1, 604800},
		{"cache-max-negative-ttl", "cache", "negative_ttl", 1, 86400},
		{"serve-expired-ttl", "cache", "stale_window", 0, 604800},
		{"serve-expired-reply-ttl", "cache", "stale_ttl", 1, 3600},
		{"ip-ratelimit", "access", "rate", 0, 1000000}};
	static const struct {
		const char *key, *section, *to, *text;
		const char *when;
	} words[] = {{"serve-expired", "cache", "stale", "immediate", "yes"},
		{"rrset-roundrobin", "cache", "rrset_order", "rotate", "yes"},
		{"do-ip6", "upstreams", "recursion_ip", "ipv4", "no"},
		{"do-ip4", "upstreams", "recursion_ip", "ipv6", "no"}};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(key, numbers[i].key) == 0) {
			import_add_number(u->m, numbers[i].section, numbers[i].to, numbers[i].key,
				strtol(value, NULL, 10), numbers[i].least, numbers[i].most);
			return true;
		}
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(key, words[i].key) == 0) {
			if (strcmp(value, words[i].when) == 0)
				import_add_value(u->m, words[i].section, words[i].to, words[i].key,
					"%s", words[i].text);
			return true;
		}
	return false;
}

// What weir does anyway, does in its own way, or has a page for.
static bool is_needless(const char *key)
{
	static const char *const needless[] = {"verbosity", "num-threads", "interface", "port",
		"do-udp", "do-tcp", "do-daemonize", "username", "directory", "chroot", "pidfile",
		"logfile", "use-syslog", "log-queries", "log-replies", "hide-identity",
		"hide-version", "identity", "version", "harden-glue", "harden-dnssec-stripped",
		"harden-below-nxdomain", "harden-large-queries", "harden-short-bufsize",
		"harden-referral-path", "harden-algo-downgrade", "qname-minimisation",
		"qname-minimisation-strict", "aggressive-nsec", "prefetch", "prefetch-key",
		"use-caps-for-id", "minimal-responses", "so-rcvbuf", "so-sndbuf", "so-reuseport",
		"edns-buffer-size", "msg-cache-slabs", "rrset-cache-slabs", "infra-cache-slabs",
		"key-cache-slabs", "outgoing-range", "num-queries-per-thread", "jostle-timeout",
		"module-config", "root-hints", "tls-cert-bundle", "statistics-interval",
		"extended-statistics", "statistics-cumulative", "unwanted-reply-threshold",
		"do-not-query-localhost", "deny-any", "val-clean-additional", "key-cache-size",
		"neg-cache-size", "infra-cache-numhosts", "incoming-num-tcp", "outgoing-num-tcp",
		"max-udp-size", "outgoing-interface", "trust-anchor-signaling",
		"serve-expired-ttl-reset", "serve-expired-client-timeout", "ede", "val-log-level",
		"log-time-ascii", "log-servfail", "log-local-actions", "log-tag-queryreply",
		"ip-transparent", "ip-freebind", "infra-host-ttl", "delay-close",
		"val-permissive-mode", "prefer-ip6", "prefer-ip4", "tls-system-cert",
		"interface-automatic", "target-fetch-policy", "harden-unverified-glue",
		"harden-unknown-additional", "ratelimit-size"};
	for (size_t i = 0; i < ARRAY_LEN(needless); i++)
		if (strcmp(key, needless[i]) == 0)
			return true;
	return false;
}

void import_unbound_server(struct unbound *u, const char *key, const struct unbound_words *w)
{
	struct import_model *m = u->m;
	const char *value = unbound_word(w, 0);
	if (strcmp(key, "local-zone") == 0)
		zone_take(u, value, unbound_word(w, 1));
	else if (strcmp(key, "local-data") == 0)
		data_take(u, w);
	else if (strcmp(key, "local-data-ptr") == 0)
		pointer_take(u, w);
	else if (strcmp(key, "access-control") == 0)
		access_take(u, value, unbound_word(w, 1));
	else if (strcmp(key, "domain-insecure") == 0)
		import_add_name(m, &m->negative_anchors, value, NULL);
	else if (strcmp(key, "private-domain") == 0)
		import_add_name(m, &m->rebinding_allow, value, NULL);
	else if (strcmp(key, "private-address") == 0)
		import_add_value(m, "blocking.rebinding", "enabled", NULL, "true");
	else if (strcmp(key, "auto-trust-anchor-file") == 0 || strcmp(key, "trust-anchor-file") == 0
		 || strcmp(key, "trust-anchor") == 0 || strcmp(key, "trusted-keys-file") == 0)
		import_add_value(m, "dnssec", "validate", key, "true");
	else if (strcmp(key, "msg-cache-size") == 0 || strcmp(key, "rrset-cache-size") == 0)
		u->cache_bytes += size_read(value);
	else if (strcmp(key, "tls-upstream") == 0 || strcmp(key, "ssl-upstream") == 0)
		u->all_over_tls = strcmp(value, "yes") == 0;
	else if (strcmp(key, "dns64-prefix") == 0
		 && strspn(value, "0123456789abcdefABCDEF:/") == strlen(value))
		import_add_value(m, "ipv6", "dns64", key, "'%s'", value);
	else if (strncmp(key, "tls-service-", 12) == 0)
		import_miss(m, key,
			"`%.100s`: weir has certificates in `tls`, and `dot`, `doh` "
			"(docs/how-to/dot.md)",
			value);
	else if (!value_take(u, key, value) && !is_needless(key))
		import_miss(m, key, "`%.100s` has no counterpart", value);
}
