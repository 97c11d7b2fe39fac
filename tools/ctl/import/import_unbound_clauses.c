// SPDX-License-Identifier: BSD-3-Clause

#include "import_unbound_clauses.h"

#include "import_add.h"
#include "import_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config.h>

enum { CACHE_USUAL_MB = 64 }; // a smaller cache there is no reason for a smaller one here

static bool is_yes(const struct unbound_words *w)
{
	return strcmp(unbound_word(w, 0), "yes") == 0;
}

// "9.9.9.9@853#dns.quad9.net".
static bool is_address(const char *text)
{
	char address[64];
	struct ip_address a;
	snprintf(address, sizeof(address), "%.*s", (int)strcspn(text, "@#"), text);
	return ip_address_parse(address, &a) == 0;
}

static void text_keep(struct import_model *m, char **to, const char *text)
{
	free(*to);
	*to = import_model_text(m, "%s", text);
}

static void zone_attribute(struct unbound *u, const char *key, const struct unbound_words *w)
{
	const char *value = unbound_word(w, 0);
	static const char *const needless[] = {"forward-no-cache", "stub-no-cache", "stub-prime",
		"forward-tcp-upstream", "stub-tcp-upstream", "stub-ssl-upstream"};
	if (strcmp(key, "name") == 0)
		text_keep(u->m, &u->name, value);
	else if (strcmp(key + strcspn(key, "-"), "-host") == 0
		 || (strcmp(key + strcspn(key, "-"), "-addr") == 0 && is_address(value)))
		import_items_add(u->m, &u->servers, value, NULL);
	else if (strcmp(key, "forward-tls-upstream") == 0
		 || strcmp(key, "forward-ssl-upstream") == 0
		 || strcmp(key, "stub-tls-upstream") == 0)
		u->over_tls = is_yes(w);
	else if (strcmp(key, "forward-first") == 0 || strcmp(key, "stub-first") == 0)
		u->is_first = is_yes(w);
	else {
		for (size_t i = 0; i < ARRAY_LEN(needless); i++)
			if (strcmp(key, needless[i]) == 0)
				return;
		import_miss(u->m, key, "`%.100s` has no counterpart", value);
	}
}

static void rpz_attribute(struct unbound *u, const char *key, const struct unbound_words *w)
{
	const char *value = unbound_word(w, 0);
	if (strcmp(key, "name") == 0) {
		text_keep(u->m, &u->name, value);
	} else if (strcmp(key, "url") == 0 || (strcmp(key, "zonefile") == 0 && !u->place)) {
		text_keep(u->m, &u->place, value);
	} else if ((strcmp(key, "primary") == 0 || strcmp(key, "master") == 0) && u->name) {
		free(u->place);
		u->place = import_model_text(u->m, "axfr://%s/%s", value, u->name);
	} else if (strncmp(key, "rpz-log", 7) != 0 && strcmp(key, "allow-notify") != 0
		   && strcmp(key, "rpz-signal-nxdomain-ra") != 0) {
		import_miss(u->m, key,
			"`%.100s` has no counterpart: the list blocks for everyone, as "
			"its records say",
			value);
	}
}

void import_unbound_attribute(struct unbound *u, const char *key, const struct unbound_words *w)
{
	if (strcmp(u->clause, "server") == 0)
		import_unbound_server(u, key, w);
	else if (strcmp(u->clause, "forward-zone") == 0 || strcmp(u->clause, "stub-zone") == 0)
		zone_attribute(u, key, w);
	else if (strcmp(u->clause, "rpz") == 0)
		rpz_attribute(u, key, w);
	else if ((strcmp(u->clause, "auth-zone") == 0 || strcmp(u->clause, "view") == 0)
		 && strcmp(key, "name") == 0)
		import_miss(u->m, u->clause,
			strcmp(u->clause, "view") == 0 ? "%s: the view is left out: weir has "
							 "groups for clients with rules "
							 "of their own"
						       : "%s: the zone is left out: weir serves no "
							 "zone files; local.records "
							 "or a forward zone may do",
			unbound_word(w, 0));
}

static void forward_give(struct unbound *u)
{
	const bool is_root = u->name && (strcmp(u->name, ".") == 0 || !*u->name);
	struct import_zone *z = NULL;
	if (!u->name || u->servers.count == 0) {
		import_miss(u->m, u->clause,
			"%s: the zone is left out: it has no name or no server",
			u->name ? u->name : "");
		return;
	}
	if (!is_root)
		z = import_server_zone(u->m, u->name);
	for (unsigned i = 0; (z || is_root) && i < u->servers.count; i++)
		import_server_add_unbound(u->m, z ? &z->servers : &u->m->upstreams,
			u->servers.item[i].text, u->over_tls || u->all_over_tls);
	if (is_root && u->is_first)
		import_add_value(u->m, "upstreams", "mode", "forward-first", "forward-first");
	else if (u->is_first)
		import_miss(u->m, u->name, "weir asks no other server when those of a zone fail");
	if (strcmp(u->clause, "stub-zone") == 0)
		import_miss(u->m, u->name,
			"its servers get the questions as the servers of a forward zone; "
			"authoritative "
			"ones "
			"must answer for the names below, too");
}

void import_unbound_clause_end(struct unbound *u)
{
	if (strcmp(u->clause, "forward-zone") == 0 || strcmp(u->clause, "stub-zone") == 0)
		forward_give(u);
	if (strcmp(u->clause, "rpz") == 0 && u->place)
		import_add_list(u->m, u->name, u->place, false, "response policy zone");
	else if (strcmp(u->clause, "rpz") == 0)
		import_miss(u->m, u->clause,
			"the policy zone is left out: it has no file, URL or primary");
	u->clause[0] = '\0';
	free(u->name);
	free(u->place);
	u->name = u->place = NULL;
	u->over_tls = u->is_first = false;
	import_items_free(&u->servers);
}

// Does a prefix lie in another one, which is shorter?
static bool lies_in(const char *inner, const char *outer)
{
	struct ip_address a, b;
	if (ip_address_parse(inner, &a) < 0 || ip_address_parse(outer, &b) < 0
		|| a.version != b.version || a.prefix_len <= b.prefix_len)
		return false;
	for (unsigned i = 0; i < b.prefix_len; i++)
		if ((a.bytes[i / 8] ^ b.bytes[i / 8]) & (0x80u >> i % 8))
			return false;
	return true;
}

// weir denies all that no prefix allows, so only what lies in an allowed one is to be denied.
static void access_give(struct unbound *u)
{
	struct import_model *m = u->m;
	if (u->allow.count == 0)
		return;
	import_add_member(m, &m->access_allow, "127.0.0.0/8", "unbound allows it by default");
	import_add_member(m, &m->access_allow, "::1", NULL);
	for (unsigned i = 0; i < u->allow.count; i++)
		import_add_member(m, &m->access_allow, u->allow.item[i].text, NULL);
	for (unsigned i = 0; i < u->refuse.count; i++)
		for (unsigned k = 0; k < u->allow.count; k++)
			if (lies_in(u->refuse.item[i].text, u->allow.item[k].text))
				import_add_member(m, &m->access_deny, u->refuse.item[i].text, NULL);
}

// The data of a zone of type redirect is for all names below as well.
static void redirects_give(struct unbound *u)
{
	struct import_model *m = u->m;
	const unsigned count = m->record_count;
	for (unsigned i = 0; i < count; i++)
		if (import_items_have(&u->redirects, m->record[i].name)) {
			char *wild = import_model_text(m, "*.%s", m->record[i].name);
			char *value = import_model_text(m, "%s", m->record[i].value);
			char *type = import_model_text(m, "%s", m->record[i].type);
			if (wild && value && type)
				import_add_record(m, wild, type, value, m->record[i].ttl);
			free(wild);
			free(value);
			free(type);
		}
}

void import_unbound_end(struct unbound *u)
{
	access_give(u);
	redirects_give(u);
	if (u->cache_bytes >> 20 > CACHE_USUAL_MB)
		import_add_number(u->m, "cache", "l0_mb", "msg-cache-size and rrset-cache-size",
			u->cache_bytes >> 20, 1, 1048576);
	import_items_free(&u->redirects);
	import_items_free(&u->allow);
	import_items_free(&u->refuse);
}
