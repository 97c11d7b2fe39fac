// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/dns_proto.h>
#include <weir/heap_site.h>

// One list of records, in the order of their names.
struct ordered {
	const char *list; // its key
	const struct config_record *record;
	unsigned count;
	const struct config_record **by_name;
};

static int name_order(const struct config_record *a, const struct config_record *b)
{
	if (a->wildcard != b->wildcard)
		return a->wildcard ? 1 : -1;
	return dns_name_order(a->name.wire, a->name.len, b->name.wire, b->name.len);
}

static int record_order(const struct config_record *a, const struct config_record *b)
{
	int order = name_order(a, b);
	if (order == 0 && a->type != b->type)
		order = a->type < b->type ? -1 : 1;
	if (order == 0 && a->rdata_len != b->rdata_len)
		order = a->rdata_len < b->rdata_len ? -1 : 1;
	return order ? order : memcmp(a->rdata, b->rdata, a->rdata_len);
}

// At last by place, so that a message names the second of two.
static int by_record(const void *x, const void *y)
{
	const struct config_record *a = *(const struct config_record *const *)x,
				   *b = *(const struct config_record *const *)y;
	int order = record_order(a, b);
	return order ? order : (a > b) - (a < b);
}

static int ordered_make(struct ordered *o)
{
	o->by_name = heap_calloc(o->count + (size_t)1, sizeof(*o->by_name));
	if (!o->by_name)
		return -ENOMEM;
	for (unsigned i = 0; i < o->count; i++)
		o->by_name[i] = &o->record[i];
	qsort(o->by_name, o->count, sizeof(*o->by_name), by_record);
	return 0;
}

static int pairs_check(const struct config_doc *doc, const struct ordered *o)
{
	bool alias = false; // among the records of this name
	int rc = 0;
	for (unsigned i = 0; i < o->count; i++) {
		const struct config_record *r = o->by_name[i];
		char key[CONFIG_PATH_MAX];
		bool same = i > 0 && name_order(o->by_name[i - 1], r) == 0;
		config_item_key(key, o->list, (unsigned)(r - o->record), NULL);
		alias = (same && alias) || r->type == DNS_TYPE_CNAME;
		if (same && record_order(o->by_name[i - 1], r) == 0) {
			rc = config_refuse(doc, key, "given twice");
		} else if (same && alias) {
			rc = config_refuse(
				doc, key, "a name with a CNAME can have no other record");
			alias = false; // one error for a name
		}
	}
	return rc;
}

// The first record of exactly this name; NULL: none.
static const struct config_record *ordered_find(
	const struct ordered *o, const struct dns_name *name, bool wildcard)
{
	const struct config_record key = {.name = *name, .wildcard = wildcard};
	unsigned low = 0, high = o->count;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		if (name_order(o->by_name[mid], &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < o->count && name_order(o->by_name[low], &key) == 0 ? o->by_name[low] : NULL;
}

// The record that a name has in the end: its own, else that of the nearest wildcard above.
static const struct config_record *ordered_covering(
	const struct ordered *o, const struct dns_name *name)
{
	const struct config_record *found = ordered_find(o, name, false);
	struct dns_name above = *name;
	while (!found && above.labels > 1) {
		uint8_t skip = (uint8_t)(above.wire[0] + 1);
		above.len = (uint8_t)(above.len - skip);
		above.labels--;
		memmove(above.wire, above.wire + skip, above.len);
		found = ordered_find(o, &above, true);
	}
	return found;
}

// The group's own records come before everyone's.
static int aliases_check(
	const struct config_doc *doc, const struct ordered *own, const struct ordered *everyone)
{
	for (unsigned i = 0; i < own->count; i++) {
		const struct config_record *r = &own->record[i];
		unsigned hops = 0;
		while (r && r->type == DNS_TYPE_CNAME && hops++ <= CONFIG_ALIASES_MAX) {
			struct rd rdata = rd_init(r->rdata, r->rdata_len);
			struct dns_name target;
			bool reads = dns_name_read(&rdata, &target) == 0; // rdata_parse made it
			assert(reads);
			(void)reads;
			r = ordered_covering(own, &target);
			if (!r)
				r = ordered_covering(everyone, &target);
		}
		char key[CONFIG_PATH_MAX];
		if (hops > CONFIG_ALIASES_MAX)
			return config_refuse(doc, config_item_key(key, own->list, i, NULL),
				"leads in a circle, or over more than %d CNAMEs",
				CONFIG_ALIASES_MAX);
	}
	return 0;
}

static int group_check(const struct config_doc *doc, const struct config *c, unsigned i,
	const struct ordered *everyone)
{
	char list[CONFIG_PATH_MAX];
	config_item_key(list, "groups", i, "local_records");
	struct ordered own = {
		.list = list, .record = c->groups[i].records, .count = c->groups[i].record_count};
	if (own.count == 0)
		return 0;
	int rc = ordered_make(&own);
	if (rc == 0)
		rc = pairs_check(doc, &own);
	if (rc != -ENOMEM)
		rc = config_worse(rc, aliases_check(doc, &own, everyone));
	heap_free(own.by_name);
	return rc;
}

int config_records_check(const struct config_doc *doc, struct config *c)
{
	struct ordered everyone = {.list = "local.records",
		.record = c->local.records,
		.count = c->local.record_count};
	unsigned count = everyone.count;
	for (unsigned i = 0; i < c->group_count; i++)
		count += c->groups[i].record_count;
	if (count > CONFIG_RECORDS_MAX)
		return config_refuse(doc, "local.records",
			"more than %d records, those of groups included", CONFIG_RECORDS_MAX);
	int rc = ordered_make(&everyone);
	if (rc == 0) {
		rc = pairs_check(doc, &everyone);
		rc = config_worse(rc, aliases_check(doc, &everyone, &everyone));
		for (unsigned i = 0; i < c->group_count; i++)
			rc = config_worse(rc, group_check(doc, c, i, &everyone));
	}
	heap_free(everyone.by_name);
	return rc;
}
