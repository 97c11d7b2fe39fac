// SPDX-License-Identifier: BSD-3-Clause

#include "config_lists.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_PATH_MAX = 255 };

// "blocking.lists[3].name"
const char *config_item_key(char key[CONFIG_PATH_MAX], const char *list, unsigned i, const char *of)
{
	snprintf(key, CONFIG_PATH_MAX, "%s[%u]%s%s", list, i, of ? "." : "", of ? of : "");
	return key;
}

// A copy of a required text of at most `max` octets of printable ASCII.
int config_text_take(
	const struct config_doc *doc, const char *key, const char *text, size_t max, char **out)
{
	if (!text || !*text)
		return config_refuse(doc, key, "has no value");
	if (strlen(text) > max)
		return config_refuse(doc, key, "is longer than %zu octets", max);
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			return config_refuse(doc, key, "must be printable ASCII");
	}
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

// The path, absolute: a relative one starts at the folder of the configuration file.
static int list_path_apply(
	const struct config_doc *doc, const char *key, const char *path, struct config_list *list)
{
	char *text = NULL;
	int ret = config_text_take(doc, key, path, LIST_PATH_MAX, &text);
	if (ret < 0)
		return ret;
	if (text[0] == '/') {
		list->path = text;
		return 0;
	}
	const char *slash = strrchr(doc->absolute, '/');
	int folder = slash ? (int)(slash - doc->absolute) : 0;
	if (asprintf(&list->path, "%.*s/%s", folder, doc->absolute, text) < 0)
		list->path = NULL;
	free(text);
	if (!list->path)
		return -ENOMEM;
	if (strlen(list->path) > LIST_PATH_MAX)
		return config_refuse(doc, key, "with the file's folder in front it is too long");
	return 0;
}

static int list_apply(const struct config_doc *doc, const struct config_raw_list *raw, unsigned i,
	struct config_blocking *b)
{
	char key[CONFIG_PATH_MAX];
	struct config_list *list = &b->lists[i];
	b->list_count = i + 1;
	config_item_key(key, "blocking.lists", i, "path");
	int ret = list_path_apply(doc, key, raw->path, list);
	if (ret < 0)
		return ret;

	if (raw->allow && strcmp(raw->allow, "true") != 0 && strcmp(raw->allow, "false") != 0)
		return config_refuse(doc, config_item_key(key, "blocking.lists", i, "allow"),
			"must be true or false");
	list->allow = raw->allow && strcmp(raw->allow, "true") == 0;

	config_item_key(key, "blocking.lists", i, "name");
	ret = config_text_take(doc, key, raw->name ? raw->name : strrchr(list->path, '/') + 1,
		CONFIG_TITLE_MAX, &list->name);
	if (ret < 0)
		return ret;
	for (unsigned j = 0; j < i; j++) {
		if (strcmp(b->lists[j].name, list->name) == 0)
			return config_refuse(
				doc, key, "the name \"%s\" is given twice", list->name);
	}
	return 0;
}

static int lists_apply(
	const struct config_doc *doc, const struct config_raw_blocking *raw, struct config *out)
{
	if (raw->lists_count == 0)
		return 0;
	out->blocking.lists = calloc(raw->lists_count, sizeof *out->blocking.lists);
	if (!out->blocking.lists)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->lists_count; i++) {
		int ret = list_apply(doc, &raw->lists[i], i, &out->blocking);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int entries_apply(const struct config_doc *doc, const char *list, char *const *text,
	unsigned count, struct dns_name **out, unsigned *out_count)
{
	if (count == 0)
		return 0;
	struct dns_name *names = calloc(count, sizeof *names);
	if (!names)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		char key[CONFIG_PATH_MAX];
		config_item_key(key, list, i, NULL);
		int ret = 0;
		if (strncmp(text[i], "*.", 2) == 0)
			ret = config_refuse(
				doc, key, "an entry covers all names below it: leave out \"*.\"");
		else if (dns_name_from_text(text[i], strlen(text[i]), &names[i]) < 0)
			ret = config_refuse(doc, key, "is not a domain name");
		else if (names[i].labels == 0)
			ret = config_refuse(doc, key, "is the root: it would cover every name");
		if (ret < 0) {
			free(names);
			return ret;
		}
	}
	*out = names;
	*out_count = count;
	return 0;
}

int config_lists_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out)
{
	const struct config_raw_blocking *b = raw->blocking;
	int ret = lists_apply(doc, b, out);
	if (ret == 0)
		ret = entries_apply(doc, "blocking.allow", b->allow, b->allow_count,
			&out->blocking.allow, &out->blocking.allow_count);
	if (ret == 0)
		ret = entries_apply(doc, "blocking.deny", b->deny, b->deny_count,
			&out->blocking.deny, &out->blocking.deny_count);
	return ret;
}

void config_lists_free(struct config *c)
{
	for (unsigned i = 0; i < c->blocking.list_count; i++) {
		free(c->blocking.lists[i].name);
		free(c->blocking.lists[i].path);
	}
	free(c->blocking.lists);
	free(c->blocking.allow);
	free(c->blocking.deny);
}
