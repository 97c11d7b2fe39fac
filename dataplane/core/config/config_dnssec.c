// SPDX-License-Identifier: BSD-3-Clause

// The section `dnssec`: trust anchors, and names below which nothing is validated.

#include "config_entries.h"
#include "config_file.h"
#include "config_sections.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

// Files of trust anchors that another program keeps by RFC 5011: unbound-anchor, or unbound with
// `auto-trust-anchor-file`. Such a file has all keys that the program has seen, and after each a
// comment with its state. Only keys in the states valid and missing are trust anchors (RFC 5011
// 4.2). A key in its hold-down time and a revoked key stand there as plain records, too.

static const char blanks[] = " \t\r";
static const char state_is[] = ";;state=";

enum { STATE_VALID = '2', STATE_MISSING = '3' };

struct word {
	const char *at;
	size_t len;
};

static struct word word_next(const char **at, const char *end)
{
	while (*at < end && strchr(blanks, **at))
		(*at)++;
	struct word w = {.at = *at};
	while (*at < end && !strchr(blanks, **at))
		(*at)++;
	w.len = (size_t)(*at - w.at);
	return w;
}

static bool word_is(const struct word *w, const char *text)
{
	return w->len == strlen(text) && memcmp(w->at, text, w->len) == 0;
}

static bool word_is_number(const struct word *w)
{
	return w->len > 0 && strspn(w->at, "0123456789") >= w->len;
}

// The state in the comment after the record that ends at `record_end`; 0: the comment has no state.
static char state_of(const char *record_end, const char *line_end)
{
	const char *s = strstr(record_end, state_is);
	return s && s + sizeof(state_is) - 1 < line_end ? s[sizeof(state_is) - 1] : 0;
}

// Writes a record without its TTL, which is from the zone's latest answer. False: it is no key.
static bool key_write(const char *at, const char *end, char **out)
{
	struct word owner = word_next(&at, end), w = word_next(&at, end);
	if (word_is_number(&w))
		w = word_next(&at, end);
	if (owner.len == 0 || !word_is(&w, "IN"))
		return false;
	w = word_next(&at, end);
	if (!word_is(&w, "DNSKEY"))
		return false;
	memcpy(*out, owner.at, owner.len);
	*out += owner.len;
	memcpy(*out, " IN DNSKEY", 10);
	*out += 10;
	unsigned words = 0;
	for (w = word_next(&at, end); w.len > 0; w = word_next(&at, end), words++) {
		*(*out)++ = ' ';
		memcpy(*out, w.at, w.len);
		*out += w.len;
	}
	*(*out)++ = '\n';
	return words >= 4; // flags, protocol, algorithm, key
}

// 1: the line is a trust anchor, which `out` gets; 0: it is not one; -EBADMSG: no keeper writes it.
static int line_read(const char *line, const char *line_end, char **out)
{
	const char *record_end = memchr(line, ';', (size_t)(line_end - line));
	const char *at = line;
	char *const begin = *out;
	if (!record_end)
		record_end = line_end;
	if (word_next(&at, record_end).len == 0)
		return 0; // a comment
	const char state = state_of(record_end, line_end);
	if (!state || !key_write(line, record_end, out))
		return -EBADMSG;
	if (state == STATE_VALID || state == STATE_MISSING)
		return 1;
	*out = begin;
	return 0;
}

static bool anchors_are_kept(const char *text)
{
	return strstr(text, state_is) != NULL;
}

// Writes the trust anchors of a kept file, as "OWNER IN DNSKEY ..." and a newline each, to `out`,
// which has room for strlen(text) + 1 bytes. Returns their number; -EBADMSG: a line that no keeper
// writes.
static int anchors_valid(const char *text, char *out)
{
	int count = 0;
	while (*text) {
		const char *end = text + strcspn(text, "\n");
		int rc = line_read(text, end, &out);
		if (rc < 0)
			return rc;
		count += rc;
		text = *end ? end + 1 : end;
	}
	*out = '\0';
	return count;
}

// The section `dnssec`.

enum { ANCHORS_MAX = 65536 };

// weir writes names and the path into settings of the validator, between quotes.
static bool is_quotable(const char *text)
{
	return !strpbrk(text, "\"\\\n\r");
}

// A hash over negative anchors and keys, which their order does not change.
static uint64_t hash_of(const struct config_dnssec *d, const char *anchors, size_t len)
{
	uint64_t part[2] = {d->keys ? 0 : contenthash(anchors, len), 0};
	for (const char *key = d->keys; key && *key;
		key += strcspn(key, "\n") + 1) // a newline ends each key
		part[0] += contenthash(key, strcspn(key, "\n"));
	for (unsigned i = 0; i < d->negative_count; i++)
		part[1] += contenthash(d->negative[i].wire, d->negative[i].len);
	uint64_t hash = contenthash(part, sizeof(part));
	return hash ? hash : 1;
}

// Reads the valid keys of a kept file. weir writes them into settings of the validator, between
// quotes.
static int keys_apply(const struct config_doc *doc, struct config_dnssec *d, const char *text)
{
	static const char key[] = "dnssec.anchors";
	d->keys = heap_malloc(strlen(text) + 1);
	if (!d->keys)
		return -ENOMEM;
	int count = anchors_valid(text, d->keys);
	if (count < 0 || strpbrk(d->keys, "\"\\\r"))
		return config_refuse(doc, key, "has a line that no keeper of trust anchors writes");
	return count ? 0 : config_refuse(doc, key, "has no valid key, only revoked or new ones");
}

static int anchors_apply(const struct config_doc *doc, struct config_dnssec *d)
{
	static const char key[] = "dnssec.anchors";
	char text[ANCHORS_MAX + 1];
	if (d->anchors[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (!is_quotable(d->anchors))
		return config_refuse(doc, key, "must have no quote and no backslash");
	if (!d->validate)
		return 0;
	int len = config_file_read(d->anchors, text, ANCHORS_MAX);
	if (len < 0)
		return config_refuse(doc, key,
			"cannot be read: %s; the package dns-root-data has one", strerror(-len));
	if (!strstr(text, "DNSKEY") && !strstr(text, "DS"))
		return config_refuse(doc, key, "has no DNSKEY and no DS record");
	int rc = anchors_are_kept(text) ? keys_apply(doc, d, text) : 0;
	if (rc < 0)
		return rc;
	d->hash = hash_of(d, text, (size_t)len);
	return 0;
}

static int dnssec_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *r = config_section(doc, "dnssec");
	struct config_dnssec *d = &out->dnssec;
	int rc = 0;

	if (config_node_count(r, "negative_anchors")) {
		d->negative =
			heap_calloc(config_node_count(r, "negative_anchors"), sizeof(*d->negative));
		if (!d->negative)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < config_node_count(r, "negative_anchors"); i++) {
		char key[CONFIG_PATH_MAX];
		const char *text = config_node_item_text(r, "negative_anchors", i)
					   ? config_node_item_text(r, "negative_anchors", i)
					   : "";
		config_item_key(key, "dnssec.negative_anchors", i, NULL);
		rc = config_worse(rc,
			is_quotable(text)
				? config_entry_name(doc, key, text, &d->negative[i])
				: config_refuse(doc, key, "must have no quote and no backslash"));
	}
	d->negative_count = config_node_count(r, "negative_anchors");
	return d->anchors ? config_worse(rc, anchors_apply(doc, d)) : rc;
}

static void dnssec_free(struct config *c)
{
	FREE_AND_NULL(c->dnssec.negative);
	FREE_AND_NULL(c->dnssec.keys);
}

// The section `dnssec`.
const struct config_step config_dnssec_step = {.apply = dnssec_apply, .free = dnssec_free};
