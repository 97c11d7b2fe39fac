// SPDX-License-Identifier: BSD-3-Clause

// What has a name of its own in weir's configuration: lists, groups, clients.

#include "import_add.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config.h>
#include <weir/dns_name.h>
#include <weir/url.h>

enum { LIST_NAME_MAX = 60, LIST_PATH_MAX = 255, CLIENT_NAME_MAX = 60 };

// Printable ASCII without colons and quotes, at most `max` bytes; "list" where nothing is left.
static void name_fit(const char *from, size_t max, const char *fallback, char *out)
{
	size_t n = 0;
	while (*from == ' ')
		from++;
	for (; *from && n < max; from++) {
		const unsigned char c = (unsigned char)*from;
		if (c == ':' || c == '\'' || c == '"' || c == '\\' || c < 0x20 || c == 0x7f)
			out[n++] = '-';
		else if (c < 0x7f)
			out[n++] = (char)c;
	}
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	if (n == 0)
		snprintf(out, max + 1, "%s", fallback);
}

// A number behind the name, until nobody has it. `out` holds max + 1 bytes.
static void name_next(const char *base, unsigned number, size_t max, char *out)
{
	char end[16];
	int len = snprintf(end, sizeof(end), "-%u", number);
	snprintf(out, max + 1, "%.*s%s", (int)(max - (size_t)len), base, end);
}

static bool list_name_is_taken(const struct import_model *m, const char *name)
{
	// Titles of weir's own lists in the rule image begin so.
	static const char *const reserved[] = {"group ", "service ", "schedule ", "safe search ",
		"allow entries", "deny entries", "rebinding", "local data", "special-use names"};
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (strncmp(name, reserved[i], strlen(reserved[i])) == 0)
			return true;
	for (unsigned i = 0; i < m->list_count; i++)
		if (strcmp(m->list[i].name, name) == 0)
			return true;
	return false;
}

// The host and the last part of a place: "host/last".
static void list_name_find(const char *place, char out[LIST_NAME_MAX + 1])
{
	struct url url;
	const char *last = strrchr(place, '/');
	last = last && last[1] ? last + 1 : place;
	char raw[200];
	if (url_parse(place, &url) == 0)
		snprintf(raw, sizeof(raw), "%.*s %.*s",
			(int)(url.host_len > 30 ? 30 : url.host_len), url.host,
			(int)strcspn(last, "?#"), last);
	else
		snprintf(raw, sizeof(raw), "%s", last);
	name_fit(raw, LIST_NAME_MAX, "list", out);
}

// axfr://SERVER[:PORT]/ZONE, of a zone that is not the root.
static bool is_transfer(const struct url *u)
{
	struct dns_name zone;
	return !u->userinfo_len && !u->has_query && u->path[u->path_len] == '\0' && u->path_len > 1
	       && (!u->port_len || strtoul(u->port, NULL, 10) - 1 < UINT16_MAX)
	       && !memchr(u->path + 1, '/', u->path_len - 1)
	       && dns_name_from_text(u->path + 1, u->path_len - 1, &zone) == 0 && zone.labels;
}

// NULL: good; else a sentence.
static const char *place_refused(const char *place)
{
	struct url url;
	for (const char *p = place; *p; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p > 0x7e)
			return "its address has a blank or a character that is not ASCII";
	if (strncmp(place, "file://", 7) == 0)
		return place[7] != '/' || strpbrk(place + 7, "%?#")
			       ? "weir wants file:///path, with nothing encoded in it"
		       : strlen(place + 7) > LIST_PATH_MAX ? "its path is too long"
							   : NULL;
	if (place[0] == '/')
		return strlen(place) > LIST_PATH_MAX ? "its path is too long" : NULL;
	if (url_parse_list(place, &url) < 0)
		return "weir takes http, https, file and axfr URLs, and absolute paths";
	if (url.axfr && !is_transfer(&url))
		return "it is not axfr://SERVER[:PORT]/ZONE";
	return strlen(place) > CONFIG_URL_MAX ? "its URL is too long" : NULL;
}

const char *import_add_list(
	struct import_model *m, const char *name, const char *place, bool allow, const char *note)
{
	char base[LIST_NAME_MAX + 1], unique[LIST_NAME_MAX + 1];
	for (unsigned i = 0; i < m->list_count; i++)
		if (strcmp(m->list[i].place, place) == 0)
			return m->list[i].name;
	const char *why = place_refused(place);
	if (why) {
		import_miss(m, place, "the list is left out: %s", why);
		return NULL;
	}
	if (name && *name)
		name_fit(name, LIST_NAME_MAX, "list", base);
	else
		list_name_find(place, base);
	snprintf(unique, sizeof(unique), "%s", base);
	for (unsigned i = 2; list_name_is_taken(m, unique); i++)
		name_next(base, i, LIST_NAME_MAX, unique);
	struct import_list *l = IMPORT_GROW(m, list, CONFIG_LISTS_MAX);
	if (!l)
		return NULL;
	l->name = import_model_text(m, "%s", unique);
	l->place = import_model_text(m, "%s", place);
	l->note = note && *note ? import_model_text(m, "%s", note) : NULL;
	l->allow = allow;
	l->exact = m->list_exact;
	if (l->name && l->place)
		return l->name;
	free(l->name);
	free(l->place);
	free(l->note);
	m->list_count--;
	return NULL;
}

void import_add_hosts_file(struct import_model *m, const char *path)
{
	struct stat st;
	const char *why = NULL;
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			why = "its path is no printable ASCII";
	if (path[0] != '/' || strlen(path) > LIST_PATH_MAX)
		why = "weir takes absolute paths of hosts files";
	else if (m->hosts_files.count == CONFIG_HOSTS_FILES_MAX)
		why = "weir takes 16 of them";
	else if (!why && (stat(path, &st) || !S_ISREG(st.st_mode) || access(path, R_OK)))
		why = "it cannot be read on this machine; copy it, and add it to local.hosts_files";
	if (why)
		import_miss(m, path, "the hosts file is left out: %s", why);
	else if (!import_items_have(&m->hosts_files, path))
		import_items_add(m, &m->hosts_files, path, NULL);
}

static bool group_name_is_taken(const struct import_model *m, const char *name)
{
	for (unsigned i = 0; i < m->group_count; i++)
		if (strcmp(m->group[i].name, name) == 0)
			return true;
	return strcmp(name, CONFIG_EVERYONE) == 0;
}

struct import_group *import_add_group(struct import_model *m, const char *name, const char *note)
{
	char base[IMPORT_GROUP_NAME_MAX + 1], unique[IMPORT_GROUP_NAME_MAX + 1];
	name_fit(name, IMPORT_GROUP_NAME_MAX, "group", base);
	snprintf(unique, sizeof(unique), "%s", base);
	for (unsigned i = 2; group_name_is_taken(m, unique); i++)
		name_next(base, i, IMPORT_GROUP_NAME_MAX, unique);
	struct import_group *g = IMPORT_GROW(m, group, CONFIG_GROUPS_MAX);
	if (!g) {
		import_miss(
			m, name, "the group is left out: weir takes %d groups", CONFIG_GROUPS_MAX);
		return NULL;
	}
	g->name = import_model_text(m, "%s", unique);
	g->note = note && *note ? import_model_text(m, "%s", note) : NULL;
	if (g->name)
		return g;
	m->group_count--;
	return NULL;
}

static bool client_name_is_taken(const struct import_model *m, const char *name)
{
	struct ip_address a;
	struct config_mac mac;
	for (unsigned i = 0; i < m->client_count; i++)
		if (strcmp(m->client[i].name, name) == 0)
			return true;
	return ip_address_parse(name, &a) == 0 || config_mac_parse(name, &mac) == 0;
}

struct import_client *import_add_client(struct import_model *m, const char *name)
{
	char base[CLIENT_NAME_MAX + 1], unique[CLIENT_NAME_MAX + 1];
	name_fit(name, CLIENT_NAME_MAX, "client", base);
	snprintf(unique, sizeof(unique), "%s", base);
	for (unsigned i = 2; client_name_is_taken(m, unique); i++)
		name_next(base, i, CLIENT_NAME_MAX, unique);
	struct import_client *c = IMPORT_GROW(m, client, CONFIG_CLIENTS_MAX);
	if (!c)
		return NULL;
	c->name = import_model_text(m, "%s", unique);
	if (c->name)
		return c;
	m->client_count--;
	return NULL;
}
