// SPDX-License-Identifier: BSD-3-Clause
// PUT /entries, /lists, /local and /groups: all items of the managed part at once.

#include "verb_put.h"

#include "base/url_fields.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

struct put {
	struct verb *verb;
	const struct put_kind *kind;
	struct put_items old;    // what is in force, by keys
	struct put_items news;   // items of the body that are not in force so
	struct put_asked *asked; // the one that is being read
	struct config_put_counts counts;
	bool is_check;
};

struct put_item *put_items_add(
	struct put_items *items, const char *const text[PUT_FIELDS_MAX], bool is_managed)
{
	size_t len = 0;
	for (unsigned i = 0; i < PUT_FIELDS_MAX; i++)
		len += text[i] ? strlen(text[i]) + 1 : 1;
	if (items->count == items->room) {
		const unsigned room = items->room ? 2 * items->room : 64;
		struct put_item **grown =
			heap_realloc(items->item, room * sizeof(struct put_item *));
		items->is_short |= !grown;
		items->item = grown ? grown : items->item;
		items->room = grown ? room : items->room;
	}
	struct put_item *one = items->count < items->room ? heap_malloc(sizeof(*one) + len) : NULL;
	items->is_short |= !one;
	if (!one)
		return NULL;
	char *at = (char *)(one + 1);
	*one = (struct put_item){.is_managed = is_managed};
	for (unsigned i = 0; i < PUT_FIELDS_MAX; i++) {
		one->text[i] = at;
		at = stpcpy(at, text[i] ? text[i] : "") + 1;
	}
	items->item[items->count++] = one;
	return one;
}

static void items_free(struct put_items *items)
{
	for (unsigned i = 0; i < items->count; i++)
		FREE_AND_NULL(items->item[i]);
	FREE_AND_NULL(items->item);
}

bool put_asked_set(struct put_asked *asked, unsigned field, const char *text)
{
	const size_t len = strlen(text) + 1;
	if (len > sizeof(asked->room) - asked->used)
		return false;
	asked->text[field] = memcpy(asked->room + asked->used, text, len);
	asked->used += len;
	return true;
}

static int texts_compare(const char *const *a, const char *const *b, unsigned count)
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < count; i++)
		rc = strcmp(a[i], b[i]);
	return rc;
}

static int by_place(const void *a, const void *b)
{
	const struct put_item *x = *(struct put_item *const *)a, *y = *(struct put_item *const *)b;
	return (x->at > y->at) - (x->at < y->at);
}

static int by_keys(const void *a, const void *b, void *arg)
{
	const struct put_item *x = *(struct put_item *const *)a, *y = *(struct put_item *const *)b;
	const struct put_kind *kind = arg;
	const int rc = texts_compare(x->text, y->text, kind->keys);
	return rc ? rc : (int)y->is_managed - (int)x->is_managed;
}

static void items_sort(const struct put *p, struct put_items *items)
{
	if (items->count)
		qsort_r(items->item, items->count, sizeof(struct put_item *), by_keys,
			(void *)(uintptr_t)p->kind);
}

// The first item in force that has these keys, one of the managed part before others; the count of
// items: there is no such item.
static unsigned old_find(const struct put *p, const char *const *text)
{
	unsigned from = 0, to = p->old.count;
	while (from < to) {
		const unsigned mid = from + (to - from) / 2;
		if (texts_compare(p->old.item[mid]->text, text, p->kind->keys) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	const bool is = from < p->old.count
			&& texts_compare(p->old.item[from]->text, text, p->kind->keys) == 0;
	return is ? from : p->old.count;
}

// The item in force that has these texts, one that is not yet wanted before others; NULL: there is
// no such item. A file and the managed part may have the same.
static struct put_item *same_find(const struct put *p, const char *const *text)
{
	struct put_item *same = NULL;
	for (unsigned i = old_find(p, text); i < p->old.count; i++) {
		struct put_item *one = p->old.item[i];
		if (texts_compare(one->text, text, p->kind->keys) != 0)
			break;
		if (texts_compare(one->text, text, PUT_FIELDS_MAX) == 0)
			same = one;
		if (same && !same->is_wanted)
			break;
	}
	return same;
}

static bool refuse(const struct put *p, unsigned at, const char *why)
{
	verb_refuse(p->verb, 400, "%s[%u]%s%s", p->kind->name, at, *why == ':' ? "" : ".", why);
	return false;
}

static const char *field_wrong(const struct put_field *f, enum json_in_kind has)
{
	static const enum json_in_kind kinds[] = {JSON_IN_TEXT, JSON_IN_FLAG, JSON_IN_NUMBER};
	static const char *const wrong[] = {
		"must be a text", "must be true or false", "must be a whole number"};
	if (has == JSON_IN_NONE)
		return f->is_needed ? "is missing" : NULL;
	return has == kinds[f->form] ? NULL : wrong[f->form];
}

// Reads a field of an object of the body. False: `wrong`.
static bool field_read(const struct put_field *f, const struct json_in *object, unsigned i,
	struct put_asked *out, const char **wrong)
{
	const struct json_in *v = json_in_get(object, f->name);
	char digits[24];
	*wrong = field_wrong(f, json_in_kind(v));
	if (*wrong)
		return false;
	*wrong = "is too long";
	out->text[i] = f->usual ? f->usual : "";
	if (json_in_kind(v) == JSON_IN_NONE)
		return true;
	snprintf(digits, sizeof(digits), "%lld", (long long)json_in_number(v));
	if (f->form == PUT_FLAG)
		out->text[i] = json_in_flag(v) ? "1" : "";
	else if (f->form == PUT_TEXT)
		out->text[i] = json_in_text(v);
	return f->form != PUT_NUMBER || put_asked_set(out, i, digits);
}

// Reads an object of the body. False: `why`.
static bool fields_read(const struct put_kind *kind, const struct json_in *object,
	struct put_asked *out, char why[API_WHY_MAX])
{
	const char *wrong;
	out->used = 0;
	for (unsigned i = 0; i < PUT_FIELDS_MAX; i++)
		out->text[i] = "";
	for (unsigned i = 0; i < PUT_FIELDS_MAX && kind->field[i].name; i++)
		if (!field_read(&kind->field[i], object, i, out, &wrong)) {
			snprintf(why, API_WHY_MAX, "%s: %s", kind->field[i].name, wrong);
			return false;
		}
	return true;
}

static bool knows_field(const void *arg, const char *key)
{
	const struct put_kind *kind = arg;
	for (unsigned i = 0; i < PUT_FIELDS_MAX && kind->field[i].name; i++)
		if (strcmp(kind->field[i].name, key) == 0)
			return true;
	return url_field_is_of(kind->reported, "", key);
}

static bool knows_beside(const void *arg, const char *key)
{
	const struct put_kind *kind = arg;
	return strcmp(key, kind->name) == 0 || url_field_is_of(kind->beside, "", key);
}

// Takes an item in force as one that stays as it is.
static bool keep(struct put *p, struct put_item *one, unsigned at)
{
	if (one->is_wanted)
		return refuse(p, at, ": is there twice");
	one->is_wanted = true;
	p->counts.unchanged++;
	return true;
}

// Takes an item that is new, or replaces one in force.
static bool news_add(struct put *p, const struct put_asked *asked, unsigned at)
{
	const unsigned i = old_find(p, asked->text);
	struct put_item *before = i < p->old.count ? p->old.item[i] : NULL;
	if (before && !before->is_managed && p->kind->beats_files)
		before = NULL;
	if (before && before->is_wanted)
		return refuse(p, at, ": is there twice");
	struct put_item *one = put_items_add(&p->news, asked->text, true);
	if (!one) {
		verb_fail(p->verb, -ENOMEM);
		return false;
	}
	one->at = at;
	one->before = before;
	if (before)
		before->is_wanted = true;
	return true;
}

// Refuses two new items that have the same keys. False: replied with an error.
static bool news_differ(struct put *p)
{
	struct put_items *news = &p->news;
	items_sort(p, news);
	for (unsigned i = 1; i < news->count; i++) {
		const struct put_item *a = news->item[i - 1], *b = news->item[i];
		if (texts_compare(a->text, b->text, p->kind->keys) == 0)
			return refuse(p, a->at > b->at ? a->at : b->at, ": is there twice");
	}
	if (news->count)
		qsort(news->item, news->count, sizeof(struct put_item *), by_place);
	return true;
}

// Takes an object of the body. False: replied with an error.
static bool object_take(struct put *p, const struct json_in *object, unsigned at)
{
	const struct put_kind *kind = p->kind;
	struct put_asked *asked = p->asked;
	char why[API_WHY_MAX] = ": is too long";
	if (json_in_kind(object) != JSON_IN_OBJECT)
		return refuse(p, at, ": must be an object");
	const char *other = json_in_other(object, knows_field, kind);
	if (other) {
		snprintf(why, sizeof(why), "%.64s: no such key", other);
		return refuse(p, at, why);
	}
	if (!fields_read(kind, object, asked, why))
		return refuse(p, at, why);
	if (kind->skips && kind->skips(asked))
		return true;
	struct put_item *same = same_find(p, asked->text);
	if (same)
		return keep(p, same, at);
	if (!kind->check(p->verb, asked, why))
		return refuse(p, at, why);
	same = same_find(p, asked->text);
	return same ? keep(p, same, at) : news_add(p, asked, at);
}

// Takes the body. False: replied with an error.
static bool body_take(struct put *p, const struct json_in *body)
{
	const struct json_in *list = json_in_get(body, p->kind->name);
	const char *other = json_in_other(body, knows_beside, p->kind);
	if (json_in_kind(list) != JSON_IN_LIST) {
		verb_refuse(p->verb, 400, "%s: must be a list in the object that is the body",
			p->kind->name);
		return false;
	}
	if (other) {
		verb_refuse(p->verb, 400, "%.64s: no such key", other);
		return false;
	}
	// A reply of GET that does not show all.
	if (json_in_number(json_in_get(body, "left_out")) > 0) {
		verb_refuse(p->verb, 400, "left_out: some are missing, which this would remove");
		return false;
	}
	for (size_t i = 0; i < json_in_count(list); i++)
		if (!object_take(p, json_in_at(list, i), (unsigned)i))
			return false;
	return news_differ(p);
}

// Reads what is in force, and then the body. False: replied with an error.
static bool all_read(struct put *p)
{
	struct config_managed *copy = verb_managed(p->verb->api);
	size_t len;
	char *text = http_body_take(p->verb->exchange, &len);
	if (copy)
		p->kind->in_force(p->verb, copy, &p->old);
	config_managed_free(copy);
	p->asked = heap_malloc(sizeof(*p->asked));
	if (!copy || !text || !p->asked || p->old.is_short) {
		heap_free(text);
		verb_fail(p->verb, -ENOMEM);
		return false;
	}
	items_sort(p, &p->old);
	char why[JSON_IN_WHY_MAX];
	struct json_in *body = json_in_read(text, len, why);
	heap_free(text);
	if (!body)
		verb_refuse(p->verb, 400, "the body is no JSON: %s", why);
	const bool is_taken = body && body_take(p, body);
	json_in_free(body);
	return is_taken;
}

// Edits the managed part. False: replied with an error.
static bool all_edit(struct put *p)
{
	struct config_managed *m = p->verb->managed;
	char why[CONFIG_WHY_MAX] = "";
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < p->old.count; i++) {
		const struct put_item *one = p->old.item[i];
		if (one->is_wanted)
			continue;
		if (one->is_managed && (rc = p->kind->remove(m, one)) == -ENOENT)
			rc = 0; // an entry that has ended
		p->counts.removed += one->is_managed;
		p->counts.in_file += !one->is_managed;
	}
	for (unsigned i = 0; rc == 0 && i < p->news.count; i++) {
		const struct put_item *one = p->news.item[i];
		rc = p->kind->set(p->verb, one, why);
		if (rc == -EINVAL)
			verb_refuse(p->verb, 400, "%s[%u]: %s", p->kind->name, one->at, why);
		else if (rc == -EEXIST)
			verb_refuse(p->verb, 409,
				"%s[%u]: stands in a file, or is set by config override, and "
				"otherwise: change it there",
				p->kind->name, one->at);
		if (rc == -EINVAL || rc == -EEXIST)
			return false;
		p->counts.added += !one->before;
		p->counts.changed += one->before != NULL;
	}
	if (rc < 0)
		verb_fail(p->verb, rc);
	return rc >= 0;
}

void put_finish(struct verb *v, const char *name, const struct config_put_counts *n, bool is_check)
{
	struct json_node *root = verb_root(v);
	const bool is_change = (n->added || n->changed || n->removed) && !verb_is_so(v);
	json_out_bool(v->reply, root, "changed", is_change);
	json_out_bool(v->reply, root, "check", is_check);
	struct json_node *counts = json_out_object(v->reply, root, "counts");
	JSON_COUNTS(v->reply, counts, n, added, changed, removed, unchanged, in_file);
	if (!is_change)
		verb_done(v);
	else if (is_check)
		verb_try(v);
	else
		verb_apply(v, "put %s: %u added, %u changed, %u removed", name, n->added,
			n->changed, n->removed);
}

static void serve(struct api *a, struct http_exchange *x, const struct put_kind *kind)
{
	struct put p = {.kind = kind};
	if (!api_param_flag(x, "check", &p.is_check) || !(p.verb = verb_begin(a, x)))
		return;
	if (all_read(&p) && all_edit(&p))
		put_finish(p.verb, kind->name, &p.counts, p.is_check);
	heap_free(p.asked);
	items_free(&p.old);
	items_free(&p.news);
}

// Makes the entries of the managed part those of the body.
static void serve_entries(struct api *a, struct http_exchange *x)
{
	serve(a, x, &put_entries);
}

// Makes the lists of the managed part those of the body.
static void serve_lists(struct api *a, struct http_exchange *x)
{
	serve(a, x, &put_lists);
}

// Makes the local records of the managed part those of the body.
static void serve_local(struct api *a, struct http_exchange *x)
{
	serve(a, x, &put_local);
}

const struct api_part api_put_part = {
	.endpoint = {{"/entries", serve_entries, API_PUT, CONTROL_ADMIN, "check why if_version"},
		{"/lists", serve_lists, API_PUT, CONTROL_ADMIN, "check why if_version"},
		{"/local", serve_local, API_PUT, CONTROL_ADMIN, "check why if_version"}},
};
