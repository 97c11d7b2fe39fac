// SPDX-License-Identifier: BSD-3-Clause

// Technitium DNS Server: the settings as its API gives them (/api/settings/get, JSON), zone files
// as its console exports them, and the exported lists of allowed and blocked zones. Its own file
// dns.config is binary, and nobody documents it.

#include "import_add.h"
#include "import_file.h"
#include "import_server.h"
#include "import_zone.h"
#include "lib/json_doc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void forwarders_take(struct import_model *m, const struct json_node *s)
{
	const struct json_node *list = json_get(s, "forwarders");
	const char *protocol = json_text(s, "forwarderProtocol");
	char text[600];
	m->is_recursive = json_length(list) == 0;
	for (size_t i = 0; i < json_length(list); i++) {
		char server[400], *name, *end;
		snprintf(server, sizeof(server), "%s", json_item_text(list, i));
		// "dns.quad9.net:853 (9.9.9.9:853)": the name, and how to reach it.
		name = server;
		end = strstr(server, " (");
		if (end)
			*end = '\0';
		if (protocol && strcasecmp(protocol, "Tls") == 0)
			snprintf(text, sizeof(text), "tls://%s", name);
		else
			snprintf(text, sizeof(text), "%s", name);
		import_server_add(m, &m->upstreams, text, NULL);
	}
	if (json_flag(s, "concurrentForwarding"))
		import_add_value(m, "upstreams", "race", "concurrentForwarding", "2");
}

static void blocking_take(struct import_model *m, const struct json_node *s)
{
	static const struct {
		const char *word, *mode;
	} modes[] = {
		{"NxDomain", "nxdomain"}, {"AnyAddress", "'null'"}, {"CustomAddress", "'null'"}};
	const struct json_node *lists = json_get(s, "blockListUrls");
	const char *type = json_text(s, "blockingType");
	for (size_t i = 0; i < json_length(lists); i++) {
		const char *url = json_item_text(lists, i);
		import_add_list(m, NULL, url + (*url == '!'), *url == '!', NULL);
	}
	for (size_t i = 0; type && i < ARRAY_LEN(modes); i++)
		if (strcmp(type, modes[i].word) == 0)
			import_add_value(m, "blocking", "mode", type, "%s", modes[i].mode);
	if (type && strcmp(type, "CustomAddress") == 0)
		import_miss(m, "blockingType",
			"CustomAddress: set blocking.mode to `address`, with "
			"blocking.ipv4 and ipv6");
	if (json_get(s, "enableBlocking") && !json_flag(s, "enableBlocking"))
		import_add_value(m, "blocking", "enabled", "enableBlocking", "false");
	if (json_signed(s, "blockingAnswerTtl") > 0)
		import_add_number(m, "blocking", "ttl", "blockingAnswerTtl",
			json_signed(s, "blockingAnswerTtl"), 1, 86400);
	if (json_signed(s, "blockListUpdateIntervalHours") > 0)
		import_add_number(m, "blocking.update", "interval", "blockListUpdateIntervalHours",
			json_signed(s, "blockListUpdateIntervalHours") * 3600, 60, 604800);
}

static void cache_take(struct import_model *m, const struct json_node *s)
{
	static const struct {
		const char *key, *to;
		long least, most;
	} numbers[] = {{"cacheMinimumRecordTtl", "min_ttl", 0, 86400},
		{"cacheMaximumRecordTtl", "max_ttl", 1, 604800},
		{"cacheNegativeRecordTtl", "negative_ttl", 1, 86400},
		{"serveStaleTtl", "stale_window", 0, 604800},
		{"serveStaleAnswerTtl", "stale_ttl", 1, 3600}};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (json_get(s, numbers[i].key)
			&& json_signed(s, numbers[i].key) >= numbers[i].least)
			import_add_number(m, "cache", numbers[i].to, numbers[i].key,
				json_signed(s, numbers[i].key), numbers[i].least, numbers[i].most);
	if (json_flag(s, "dnssecValidation"))
		import_add_value(m, "dnssec", "validate", "dnssecValidation", "true");
	if (json_flag(s, "randomizeName"))
		return; // weir does
}

static int settings_read(
	struct import_model *m, const char *path, const char *text, char why[IMPORT_WHY_MAX])
{
	struct json_doc *doc = json_doc_parse(text, strlen(text));
	const struct json_node *root = doc ? json_doc_root(doc) : NULL;
	const struct json_node *s = json_get(root, "response") ? json_get(root, "response") : root;
	int rc = 0;
	if (!s || (!json_get(s, "forwarders") && !json_get(s, "blockListUrls"))) {
		snprintf(why, IMPORT_WHY_MAX, "%.250s: has no settings of Technitium's API", path);
		rc = -EINVAL;
	} else {
		forwarders_take(m, s);
		blocking_take(m, s);
		cache_take(m, s);
	}
	json_doc_free(doc);
	return rc;
}

static bool has_word(const char *path, const char *word)
{
	const char *slash = strrchr(path, '/');
	return strcasestr(slash ? slash + 1 : path, word) != NULL;
}

static void names_read(struct import_model *m, struct import_items *items, char *text)
{
	char *rest = text, *line;
	while ((line = import_file_line(&rest)))
		if (*line && *line != '#' && *line != ';')
			import_add_name(m, items, line, NULL);
}

// "example.com.zone", "example.com.txt", "db.example.com" may be the zone's name.
static void zone_name_find(const char *path, char *out, size_t cap)
{
	static const char *const endings[] = {".zone", ".txt", ".dns", ".db"};
	const char *slash = strrchr(path, '/');
	snprintf(out, cap, "%s.", slash ? slash + 1 : path);
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		const size_t len = strlen(out), n = strlen(endings[i]) + 1;
		if (len > n && strncasecmp(out + len - n, endings[i], n - 1) == 0)
			snprintf(out + len - n, cap - (len - n), ".");
	}
}

int import_technitium(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX])
{
	char *text, zone[300];
	size_t len;
	int rc = import_file_read(path, &text, &len, why);
	if (rc < 0)
		return rc;
	if (memchr(text, '\0', len)) {
		snprintf(why, IMPORT_WHY_MAX,
			"%.100s: is Technitium's binary format, which nobody documents. Save the "
			"settings as JSON (curl "
			"\"http://HOST:5380/api/settings/get?token=TOKEN\"), and "
			"export the zones, and the lists of allowed and blocked zones, from its "
			"console",
			path);
		rc = -EINVAL;
	} else if (text[strspn(text, " \t\r\n")] == '{') {
		rc = settings_read(m, path, text, why);
	} else if (has_word(path, "allow")) {
		names_read(m, &m->allow, text);
	} else if (has_word(path, "block") || has_word(path, "deny")) {
		names_read(m, &m->deny, text);
	} else {
		zone_name_find(path, zone, sizeof(zone));
		if (import_zone_text(m, text, zone) == 0) {
			snprintf(why, IMPORT_WHY_MAX,
				"%.200s: has no record of a zone. Lists of names have `allowed` or "
				"`blocked` in their file's name",
				path);
			rc = -EINVAL;
		}
	}
	free(text);
	return rc;
}
