// SPDX-License-Identifier: BSD-3-Clause

#include "import_zone.h"

#include "import_add.h"
#include "import_server.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/rdata_parse.h>

enum { NAME_MAX_TEXT = 260, WORDS_MAX = 40 };

struct zone {
	struct import_model *m;
	const char *at;
	char origin[NAME_MAX_TEXT], owner[NAME_MAX_TEXT];
	char line[IMPORT_ZONE_LINE_MAX];
	bool has_owner; // the line begins without a blank
	long ttl;
	unsigned records;
};

// One record's text without comments, its lines in parentheses as one. False: the end. A line that
// is too long is cut, and the rest skipped.
static bool line_read(struct zone *z)
{
	size_t n = 0;
	unsigned open = 0;
	bool quoted = false;
	if (!*z->at)
		return false;
	z->has_owner = *z->at != ' ' && *z->at != '\t';
	for (; *z->at && (*z->at != '\n' || (open && !quoted)); z->at++) {
		char c = *z->at;
		if (c == '"')
			quoted = !quoted;
		if (!quoted && c == ';') {
			z->at += strcspn(z->at, "\n") - 1;
			continue;
		}
		if (!quoted && (c == '(' || c == ')')) {
			open = c == '(' ? open + 1 : open ? open - 1 : 0;
			c = ' ';
		}
		if (c == '\r' || c == '\n' || c == '\t')
			c = ' ';
		if (c == '\\' && z->at[1] && z->at[1] != '\n' && n + 2 < sizeof(z->line)) {
			z->line[n++] = c;
			c = *++z->at;
		}
		if (n + 1 < sizeof(z->line))
			z->line[n++] = c;
	}
	z->at += *z->at == '\n';
	while (n && z->line[n - 1] == ' ')
		n--;
	z->line[n] = '\0';
	return true;
}

// The next word, quotes kept; "" at the end.
static char *word_cut(char **rest)
{
	char *word = *rest + strspn(*rest, " "), *end = word;
	bool quoted = false;
	while (*end && (quoted || *end != ' ')) {
		quoted ^= *end == '"';
		end += *end == '\\' && end[1] ? 2 : 1;
	}
	*rest = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

// "" where it would be longer than `cap` allows: no name is.
static void absolute(const struct zone *z, const char *name, char *out, size_t cap)
{
	const size_t len = strlen(name);
	int written;
	if (strcmp(name, "@") == 0)
		written = snprintf(out, cap, "%s", *z->origin ? z->origin : ".");
	else if (len && name[len - 1] == '.')
		written = snprintf(out, cap, "%s", name);
	else
		written = snprintf(
			out, cap, "%s.%s", name, strcmp(z->origin, ".") == 0 ? "" : z->origin);
	if (written < 0 || (size_t)written >= cap)
		*out = '\0';
}

static void origin_set(struct zone *z, const char *name)
{
	char text[NAME_MAX_TEXT];
	absolute(z, name, text, sizeof(text));
	snprintf(z->origin, sizeof(z->origin), "%s", text);
}

// Data of these types ends with a name, or has one in second place (SVCB, HTTPS).
static void data_give(struct zone *z, const char *owner, const char *type, char *data, long ttl)
{
	static const char *const last[] = {"CNAME", "PTR", "MX", "SRV"};
	char *word[WORDS_MAX], out[IMPORT_ZONE_LINE_MAX], name[2 * NAME_MAX_TEXT];
	unsigned count = 0, at = WORDS_MAX;
	size_t n = 0;
	for (char *w = word_cut(&data); *w && count < WORDS_MAX; w = word_cut(&data))
		word[count++] = w;
	for (size_t i = 0; i < ARRAY_LEN(last); i++)
		if (strcasecmp(type, last[i]) == 0)
			at = count - 1;
	if (strcasecmp(type, "SVCB") == 0 || strcasecmp(type, "HTTPS") == 0)
		at = 1;
	out[0] = '\0';
	for (unsigned i = 0; i < count && n < sizeof(out); i++) {
		absolute(z, word[i], name, sizeof(name));
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s", i ? " " : "",
			i == at && strcmp(word[i], ".") != 0 ? name : word[i]);
	}
	z->records++;
	import_add_record(z->m, owner, type, out, ttl);
}

// "FWD Udp 9.9.9.9 ...": the servers of the owner and all below.
static void forward_take(struct zone *z, const char *owner, char *data)
{
	const char *protocol = word_cut(&data);
	char *server = word_cut(&data), text[400];
	size_t len;
	server += *server == '"';
	len = strlen(server);
	if (len && server[len - 1] == '"')
		server[len - 1] = '\0';
	z->records++;
	if (strcmp(server, "this-server") == 0)
		import_add_name(z->m, &z->m->open_zones, owner, "by the upstreams");
	else if (strcasecmp(protocol, "Tls") == 0) {
		snprintf(text, sizeof(text), "tls://%.380s", server);
		import_server_add_zone(z->m, owner, text);
	} else {
		import_server_add_zone(z->m, owner, server);
	}
}

static void record_take(struct zone *z, const char *type, char *data, long ttl)
{
	static const char *const of_zone[] = {
		"NS", "DNSKEY", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DS", "CDS", "CDNSKEY"};
	char owner[2 * NAME_MAX_TEXT];
	absolute(z, z->owner, owner, sizeof(owner));
	for (size_t i = 0; i < ARRAY_LEN(of_zone); i++)
		if (strcasecmp(type, of_zone[i]) == 0) {
			z->records++;
			return;
		}
	if (strcasecmp(type, "SOA") == 0) {
		z->records++;
		import_add_name(z->m, &z->m->closed_zones, owner, NULL);
	} else if (strcasecmp(type, "FWD") == 0) {
		forward_take(z, owner, data);
	} else {
		data_give(z, owner, type, data, ttl);
	}
}

static void directive_take(struct zone *z, const char *word, char *rest)
{
	if (strcasecmp(word, "$ORIGIN") == 0)
		origin_set(z, word_cut(&rest));
	else if (strcasecmp(word, "$TTL") == 0)
		z->ttl = import_add_seconds(word_cut(&rest));
	else
		import_miss(z->m, word, "the line is left out: `%.100s`", rest);
}

static void line_take(struct zone *z)
{
	char *rest = z->line, *word;
	long ttl = z->ttl;
	if (z->has_owner) {
		word = word_cut(&rest);
		if (!*word)
			return;
		if (*word == '$') {
			directive_take(z, word, rest);
			return;
		}
		snprintf(z->owner, sizeof(z->owner), "%s", word);
	}
	for (unsigned i = 0; i < 3; i++) {
		word = word_cut(&rest);
		if (!*word)
			return;
		if (isdigit((unsigned char)*word)) {
			ttl = import_add_seconds(word);
		} else if (strcasecmp(word, "IN") != 0) {
			record_take(z, word, rest, ttl);
			return;
		}
	}
}

unsigned import_zone_text(struct import_model *m, const char *text, const char *origin)
{
	struct zone *z = calloc(1, sizeof(*z));
	if (!z) {
		m->failed = true;
		return 0;
	}
	z->m = m;
	z->at = text;
	z->ttl = -1;
	snprintf(z->owner, sizeof(z->owner), "@");
	if (*origin)
		origin_set(z, origin);
	while (line_read(z))
		line_take(z);
	const unsigned records = z->records;
	free(z);
	return records;
}
