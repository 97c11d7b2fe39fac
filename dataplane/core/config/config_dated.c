// SPDX-License-Identifier: BSD-3-Clause

// The key `entries`: entries of the operator that may have query types, a reply, an inverted
// pattern, an end and a reason.

#include "config_entries.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/rdata_parse.h>
#include <weir/rule_image.h>
#include <weir/text.h>

static const char list[] = "entries", time_form[] = "%Y-%m-%dT%H:%M:%SZ";

int config_time_parse(const char *text, int64_t *out)
{
	struct tm tm = {0};
	char again[CONFIG_TIME_TEXT_MAX];
	const char *end = strptime(text, time_form, &tm);
	if (!end || *end)
		return -EINVAL;
	const time_t at = timegm(&tm);
	// Refuses 30 February, and a month of one digit.
	if (at < 0 || strcmp(config_time_text(at, again), text) != 0)
		return -EINVAL;
	*out = at;
	return 0;
}

char *config_time_text(int64_t unix_s, char out[CONFIG_TIME_TEXT_MAX])
{
	const time_t at = unix_s;
	struct tm tm;
	if (!gmtime_r(&at, &tm) || strftime(out, CONFIG_TIME_TEXT_MAX, time_form, &tm) == 0)
		snprintf(out, CONFIG_TIME_TEXT_MAX, "-");
	return out;
}

char *config_types_text(const struct rule_types *t, char out[CONFIG_TYPES_TEXT_MAX])
{
	size_t len = 0;
	out[0] = 0;
	for (unsigned i = 0; i < t->count && len < CONFIG_TYPES_TEXT_MAX; i++)
		len += (size_t)snprintf(out + len, CONFIG_TYPES_TEXT_MAX - len, "%s%s%s",
			i ? "," : "", t->except ? "~" : "", rdata_parse_type_text(t->type[i]));
	return out;
}

const char *config_dated_reply_text(const struct config_dated_entry *e)
{
	return e->reply == RULE_REPLY_GROUP ? "" : rule_reply_name[e->reply % RULE_REPLIES];
}

static int verdict_apply(const struct config_doc *doc, unsigned i, const char *text, bool *allow)
{
	char key[CONFIG_PATH_MAX];
	*allow = text && strcmp(text, "allow") == 0;
	if (*allow || (text && strcmp(text, "deny") == 0))
		return 0;
	return config_refuse(
		doc, config_item_key(key, list, i, "verdict"), "must be one of: allow, deny");
}

// Reads how a deny entry answers.
static int reply_apply(
	const struct config_doc *doc, unsigned i, const char *text, bool allow, uint8_t *out)
{
	static const uint8_t replies[] = {RULE_REPLY_NXDOMAIN, RULE_REPLY_NODATA, RULE_REPLY_NULL,
		RULE_REPLY_REFUSED, RULE_REPLY_SERVFAIL, RULE_REPLY_DROP};
	char key[CONFIG_PATH_MAX];
	if (!text)
		return 0;
	config_item_key(key, list, i, "reply");
	if (allow)
		return config_refuse(doc, key, "an allow entry has no reply");
	for (size_t k = 0; k < ARRAY_LEN(replies); k++)
		if (strcmp(text, rule_reply_name[replies[k]]) == 0) {
			*out = replies[k];
			return 0;
		}
	return config_refuse(
		doc, key, "must be one of: nxdomain, nodata, null, refused, servfail, drop");
}

static int group_apply(const struct config_doc *doc, unsigned i, const char *text, bool allow,
	const struct config *c, unsigned *group)
{
	char key[CONFIG_PATH_MAX];
	int rc = text ? config_group_find(
			 doc, config_item_key(key, list, i, "group"), text, c, group)
		      : 0;
	if (rc == 0 && *group && !allow && !c->groups[*group - 1].blocking)
		rc = config_refuse(doc, config_item_key(key, list, i, "group"),
			"a deny entry does nothing in a group with `blocking: false`");
	return rc;
}

static int until_apply(const struct config_doc *doc, unsigned i, const char *text, int64_t *until)
{
	char key[CONFIG_PATH_MAX];
	if (!text || config_time_parse(text, until) == 0)
		return 0;
	return config_refuse(doc, config_item_key(key, list, i, "until"),
		"must be a time in UTC, such as 2026-11-25T20:00:00Z");
}

static int why_apply(const struct config_doc *doc, unsigned i, const char *text, char **out)
{
	char key[CONFIG_PATH_MAX], shown[CONFIG_DATED_WHY_MAX + 1];
	if (text && strlen(text) > CONFIG_DATED_WHY_MAX)
		return config_refuse(doc, config_item_key(key, list, i, "why"),
			"is longer than %d bytes", CONFIG_DATED_WHY_MAX);
	if (text && strcmp(text_name(text, shown, sizeof(shown)), text) != 0)
		return config_refuse(doc, config_item_key(key, list, i, "why"),
			"must be text without control characters");
	*out = heap_strdup(text ? text : "");
	return *out ? 0 : -ENOMEM;
}

// Reads a name, which stands for all names below it, too, or a pattern.
static int name_apply(
	const struct config_doc *doc, unsigned i, const char *text, struct config_dated_entry *e)
{
	char key[CONFIG_PATH_MAX];
	config_item_key(key, list, i, "name");
	if (!text || !*text)
		return config_refuse(doc, key, "has no value");
	return text[0] == '/' ? config_entry_pattern(doc, key, text, &e->pattern)
			      : config_entry_name(doc, key, text, &e->name);
}

static int invert_apply(const struct config_doc *doc, unsigned i, const struct config_node *node,
	struct config_dated_entry *e)
{
	char item[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	const char *name = config_node_text(node, "name");
	int rc = config_bool_of(
		doc, config_item_key(item, list, i, NULL), node, "invert", &e->inverts);
	if (e->inverts && name && name[0] != '/')
		rc = config_worse(rc, config_refuse(doc, config_item_key(key, list, i, "invert"),
					      "is for a /pattern/, and not for a name"));
	return rc;
}

static int entry_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	const struct config *c, struct config_dated_entry *e)
{
	int rc = name_apply(doc, i, config_node_text(node, "name"), e);
	rc = config_worse(rc, verdict_apply(doc, i, config_node_text(node, "verdict"), &e->allow));
	rc = config_worse(rc, invert_apply(doc, i, node, e));
	char key[CONFIG_PATH_MAX];
	rc = config_worse(rc, config_types_apply(doc, config_item_key(key, list, i, "types"),
				      config_node_list(node, "types"), true, &e->types));
	rc = config_worse(
		rc, reply_apply(doc, i, config_node_text(node, "reply"), e->allow, &e->reply));
	rc = config_worse(
		rc, group_apply(doc, i, config_node_text(node, "group"), e->allow, c, &e->group));
	rc = config_worse(rc, until_apply(doc, i, config_node_text(node, "until"), &e->until));
	return config_worse(rc, why_apply(doc, i, config_node_text(node, "why"), &e->why));
}

// Adds a name to a list of entries.
static int names_add(struct dns_name **names, unsigned *count, const struct dns_name *name)
{
	struct dns_name *grown = heap_reallocarray(*names, *count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	grown[(*count)++] = *name;
	*names = grown;
	return 0;
}

static int patterns_add(char ***patterns, unsigned *count, const char *pattern)
{
	char **grown = heap_reallocarray(*patterns, *count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*patterns = grown;
	grown[*count] = heap_strdup(pattern);
	if (!grown[*count])
		return -ENOMEM;
	(*count)++;
	return 0;
}

static int everyone_add(struct config_blocking *b, const struct config_dated_entry *e)
{
	if (e->pattern)
		return e->allow ? patterns_add(
			       &b->allow_patterns, &b->allow_pattern_count, e->pattern)
				: patterns_add(
					&b->deny_patterns, &b->deny_pattern_count, e->pattern);
	return e->allow ? names_add(&b->allow, &b->allow_count, &e->name)
			: names_add(&b->deny, &b->deny_count, &e->name);
}

static int group_add(struct config_group *g, const struct config_dated_entry *e)
{
	struct config_entries *to = e->allow ? &g->allow : &g->deny;
	return e->pattern ? patterns_add(&to->patterns, &to->pattern_count, e->pattern)
			  : names_add(&to->names, &to->count, &e->name);
}

static int dated_apply(const struct config_doc *doc, struct config *out)
{
	struct config_dated *d = &out->dated;
	// The clock by which the control plane ends entries; time() may be a tick behind it.
	const int64_t now = (int64_t)(clock_ms_of(CLOCK_REALTIME) / 1000);
	int rc = 0;
	if (config_node_count(doc->tree.root, "entries") == 0)
		return 0;
	d->entries = heap_calloc(config_node_count(doc->tree.root, "entries"), sizeof(*d->entries));
	if (!d->entries)
		return -ENOMEM;
	for (unsigned i = 0; i < config_node_count(doc->tree.root, "entries") && rc != -ENOMEM;
		i++) {
		struct config_dated_entry *e = &d->entries[d->count++];
		int one =
			entry_apply(doc, config_node_item(doc->tree.root, "entries", i), i, out, e);
		e->ended = e->until && e->until <= now;
		if (one == 0 && !e->ended && !config_dated_is_special(e))
			one = e->group ? group_add(&out->groups[e->group - 1], e)
				       : everyone_add(&out->blocking, e);
		rc = config_worse(rc, one);
	}
	return rc;
}

static void dated_free(struct config *c)
{
	for (unsigned i = 0; i < c->dated.count; i++) {
		FREE_AND_NULL(c->dated.entries[i].pattern);
		FREE_AND_NULL(c->dated.entries[i].why);
	}
	FREE_AND_NULL(c->dated.entries);
}

// The list `entries`: an item that has not ended, and is not special, is also an entry of
// `blocking` or of its group.
const struct config_step config_dated_step = {.apply = dated_apply, .free = dated_free};
