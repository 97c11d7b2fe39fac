// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/dns_name.h>
#include <weir/heap_site.h>
#include <weir/rdata_parse.h>

const char *config_item_key(char key[CONFIG_PATH_MAX], const char *list, unsigned i, const char *of)
{
	snprintf(key, CONFIG_PATH_MAX, "%s[%u]%s%s", list, i, of ? "." : "", of ? of : "");
	return key;
}

int config_text_take(
	const struct config_doc *doc, const char *key, const char *text, size_t max, char **out)
{
	if (!text || !*text)
		return config_refuse(doc, key, "has no value");
	if (strlen(text) > max)
		return config_refuse(doc, key, "is longer than %zu bytes", max);
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			return config_refuse(doc, key, "must be printable ASCII");
	}
	*out = heap_strdup(text);
	return *out ? 0 : -ENOMEM;
}

const char *config_sub_key(char key[CONFIG_PATH_MAX], const char *owner, const char *of)
{
	snprintf(key, CONFIG_PATH_MAX, "%s.%s", owner, of);
	return key;
}

int config_entry_name(
	const struct config_doc *doc, const char *key, const char *text, struct dns_name *out)
{
	if (strncmp(text, "*.", 2) == 0)
		return config_refuse(
			doc, key, "an entry covers all names below it: leave out \"*.\"");
	const char *why;
	int pasted = name_paste(text, out, &why);
	if (pasted < 0)
		return config_refuse(doc, key, "%s", why);
	if (pasted > 0) {
		char name[DNS_NAME_TEXT_MAX];
		return config_refuse_near(
			doc, key, dns_name_to_text(out, name), "is more than the name itself");
	}
	if (out->labels == 0)
		return config_refuse(doc, key, "is the root: it would cover every name");
	return 0;
}

int config_entry_pattern(
	const struct config_doc *doc, const char *key, const char *text, char **out)
{
	size_t len = strlen(text);
	if (len < 3 || text[len - 1] != '/')
		return config_refuse(doc, key, "a pattern begins and ends with a slash");
	char *copy = NULL;
	int rc = config_text_take(doc, key, text, CONFIG_PATTERN_MAX + 2, &copy);
	if (rc < 0)
		return rc;
	memmove(copy, copy + 1, len - 2);
	copy[len - 2] = '\0';
	*out = copy;
	return 0;
}

int config_names_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, struct dns_name **out, unsigned *count)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	if (config_list_count(items) == 0)
		return 0;
	*out = heap_calloc(items->count, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	*count = items->count;
	for (unsigned i = 0; i < *count; i++)
		rc = config_worse(rc, config_entry_name(doc, config_item_key(key, list, i, NULL),
					      items->child[i]->text, &(*out)[i]));
	return rc;
}

static bool is_mapped(const struct ip_address *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return a->version == 6 && a->prefix_len >= 8 * sizeof(mapped)
	       && memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

int config_prefix_check(const struct config_doc *doc, const char *key, const struct ip_address *a)
{
	struct ip_address network = *a;
	if (ip_address_mask(&network)) // weir does not guess the intended prefix
		return config_refuse(
			doc, key, "has bits set behind its prefix of %u", a->prefix_len);
	if (is_mapped(a))
		return config_refuse(
			doc, key, "is an IPv4 address written as IPv6; write it as IPv4");
	return 0;
}

static int prefix_apply(
	const struct config_doc *doc, const char *key, const char *text, struct ip_address *out)
{
	return ip_address_parse(text, out) == 0
		       ? config_prefix_check(doc, key, out)
		       : config_refuse(doc, key, "is not an IP address, with or without /prefix");
}

int config_prefixes_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, struct ip_address **out, unsigned *count)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	if (config_list_count(items) == 0)
		return 0;
	*out = heap_calloc(items->count, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	*count = items->count;
	for (unsigned i = 0; i < *count; i++)
		rc = config_worse(rc, prefix_apply(doc, config_item_key(key, list, i, NULL),
					      items->child[i]->text, &(*out)[i]));
	return rc;
}

// Types get the order of their numbers, each once: equal sets are equal bytes.
static void types_order(struct rule_types *t)
{
	unsigned n = 0;
	for (unsigned i = 0; i < t->count; i++) {
		const uint16_t type = t->type[i];
		unsigned k = n;
		while (k > 0 && t->type[k - 1] > type)
			k--;
		if (k > 0 && t->type[k - 1] == type)
			continue;
		memmove(&t->type[k + 1], &t->type[k], (n - k) * sizeof(t->type[0]));
		t->type[k] = type;
		n++;
	}
	memset(&t->type[n], 0, (t->count - n) * sizeof(t->type[0]));
	t->count = (uint8_t)n;
}

int config_types_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, bool may_except, struct rule_types *out)
{
	static_assert((int)CONFIG_BLOCKED_TYPES_MAX == (int)RULE_TYPES_MAX);
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	out->count = (uint8_t)config_list_count(items);
	out->except = may_except && out->count && items->child[0]->text[0] == '~';
	for (unsigned i = 0; i < out->count; i++) {
		const char *text = items->child[i]->text;
		if (may_except && (text[0] == '~') != out->except)
			rc = config_worse(rc,
				config_refuse(doc, config_item_key(key, list, i, NULL),
					"is with ~, for all but these types, and others are not"));
		else if (!rdata_parse_type(text + out->except, &out->type[i]))
			rc = config_worse(
				rc, config_refuse(doc, config_item_key(key, list, i, NULL),
					    "must be one of: " RDATA_PARSE_TYPES));
	}
	if (rc == 0)
		types_order(out);
	return rc;
}

int config_entries_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, struct config_entries *out)
{
	const unsigned count = config_list_count(items);
	int rc = 0;
	if (count == 0)
		return 0;
	out->names = heap_calloc(count, sizeof(*out->names));
	out->patterns = heap_calloc(count, sizeof(*out->patterns));
	if (!out->names || !out->patterns)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		char key[CONFIG_PATH_MAX];
		const char *text = items->child[i]->text;
		int one;
		config_item_key(key, list, i, NULL);
		if (text[0] == '/') {
			one = config_entry_pattern(
				doc, key, text, &out->patterns[out->pattern_count]);
			out->pattern_count += one == 0;
		} else {
			one = config_entry_name(doc, key, text, &out->names[out->count]);
			out->count += one == 0;
		}
		rc = config_worse(rc, one);
		if (rc == -ENOMEM)
			break;
	}
	return rc;
}

void config_entries_free(struct config_entries *e)
{
	for (unsigned i = 0; i < e->pattern_count; i++)
		FREE_AND_NULL(e->patterns[i]);
	FREE_AND_NULL(e->patterns);
	FREE_AND_NULL(e->names);
}
