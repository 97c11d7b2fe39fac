// SPDX-License-Identifier: BSD-3-Clause

// The section `local` and `groups[].local_records`: the operator's own records and zones.

#include "config_entries.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/dns_proto.h>
#include <weir/heap_site.h>
#include <weir/rdata_parse.h>

// A list of records, and an order by their names.
struct ordered {
	const char *list; // key of the list
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

// Equal records are ordered by place, so that the error names the second.
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
	bool alias = false; // this name has a CNAME
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

// The first record of exactly this name; NULL: no record has it.
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

// The record that answers for a name: its own, else that of the nearest wildcard above.
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

// Refuses chains of CNAMEs that are circular or too long. A group's own records go before
// everyone's.
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

static int records_check(const struct config_doc *doc, struct config *c)
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

enum { HOSTS_PATH_MAX = 255, RECORD_TTL_MAX = 604800 };

static int name_take(
	const struct config_doc *doc, const char *key, const char *text, struct dns_name *out)
{
	if (!text || !*text)
		return config_refuse(doc, key, "has no value");
	int err = dns_name_from_text(text, strlen(text), out);
	if (err < 0)
		return config_refuse(doc, key, "%s", dns_name_text_why(err));
	if (out->labels == 0)
		return config_refuse(doc, key, "is the root");
	return 0;
}

static int ttl_take(const struct config_doc *doc, const char *key, const char *text, uint32_t *out)
{
	int64_t value;
	if (!text)
		return 0;
	if (!config_seconds_read(text, RECORD_TTL_MAX, &value))
		return config_refuse(doc, key, "must be 0 to %d", RECORD_TTL_MAX);
	*out = (uint32_t)value;
	return 0;
}

static int data_take(
	const struct config_doc *doc, const char *key, const char *text, struct config_record *out)
{
	uint8_t rdata[RDATA_PARSE_MAX];
	const char *why;
	if (!text)
		return config_refuse(doc, key, "has no value");
	if (rdata_parse(out->type, text, strlen(text), rdata, &out->rdata_len, &why) < 0)
		return config_refuse(doc, key, "%s", why);
	out->rdata = heap_malloc(out->rdata_len + (size_t)1);
	if (!out->rdata)
		return -ENOMEM;
	memcpy(out->rdata, rdata, out->rdata_len);
	return 0;
}

static int record_apply(const struct config_doc *doc, const char *list, unsigned i,
	const struct config_node *node, struct config_record *out)
{
	char key[CONFIG_PATH_MAX];
	const char *name = config_node_text(node, "name");
	out->wildcard = name && strncmp(name, "*.", 2) == 0;
	int rc = name_take(doc, config_item_key(key, list, i, "name"),
		out->wildcard ? name + 2 : name, &out->name);
	rc = config_worse(rc, ttl_take(doc, config_item_key(key, list, i, "ttl"),
				      config_node_text(node, "ttl"), &out->ttl_s));
	config_item_key(key, list, i, "type");
	if (!config_node_text(node, "type"))
		return config_refuse(doc, key, "has no value");
	if (!rdata_parse_type(config_node_text(node, "type"), &out->type))
		return config_refuse(doc, key, "must be one of: " RDATA_PARSE_TYPES);
	config_item_key(key, list, i, "value");
	return config_worse(rc, data_take(doc, key, config_node_text(node, "value"), out));
}

static int records_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, uint32_t ttl_s, struct config_record **out,
	unsigned *count)
{
	const unsigned item_count = config_list_count(items);
	if (item_count == 0)
		return 0;
	*out = heap_calloc(item_count, sizeof **out);
	if (!*out)
		return -ENOMEM;
	*count = item_count;
	int rc = 0;
	for (unsigned i = 0; i < item_count; i++) {
		(*out)[i].ttl_s = ttl_s;
		rc = config_worse(rc, record_apply(doc, list, i, items->child[i], &(*out)[i]));
	}
	return rc;
}

// Makes the path absolute: a relative one starts at the folder of the configuration file.
static int hosts_file_add(
	const struct config_doc *doc, const char *key, const char *path, struct config_local *l)
{
	char **to = &l->hosts_files[l->hosts_file_count], *text = NULL;
	int rc = config_text_take(doc, key, path, HOSTS_PATH_MAX, &text);
	if (rc < 0)
		return rc;
	const char *slash = strrchr(doc->absolute, '/');
	int folder = slash ? (int)(slash - doc->absolute) : 0;
	rc = text[0] == '/' ? asprintf(to, "%s", text)
			    : asprintf(to, "%.*s/%s", folder, doc->absolute, text);
	heap_free(text);
	if (rc < 0) {
		*to = NULL;
		return -ENOMEM;
	}
	l->hosts_file_count++;
	for (char **before = l->hosts_files; before < to; before++)
		if (strcmp(*before, *to) == 0)
			return config_refuse(doc, key, "given twice");
	return 0;
}

static int hosts_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_local *l)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	if (config_node_count(node, "hosts_files") == 0)
		return 0;
	l->hosts_files =
		heap_calloc(config_node_count(node, "hosts_files"), sizeof(*l->hosts_files));
	if (!l->hosts_files)
		return -ENOMEM;
	for (unsigned i = 0; i < config_node_count(node, "hosts_files"); i++)
		rc = config_worse(
			rc, hosts_file_add(doc, config_item_key(key, "local.hosts_files", i, NULL),
				    config_node_item_text(node, "hosts_files", i), l));
	return rc;
}

static int zone_apply(const struct config_doc *doc, unsigned i, const char *name,
	const char *unknown, struct config_local *l)
{
	char key[CONFIG_PATH_MAX];
	struct config_local_zone *z = &l->zones[i];
	int rc = name_take(doc, config_item_key(key, "local.zones", i, "name"), name, &z->name);
	for (unsigned k = 0; rc == 0 && k < i; k++)
		if (dns_name_equal(&l->zones[k].name, &z->name))
			rc = config_refuse(doc, key, "given twice");
	z->forward = unknown && strcmp(unknown, "forward") == 0;
	if (unknown && !z->forward && strcmp(unknown, "nxdomain") != 0)
		rc = config_refuse(doc, config_item_key(key, "local.zones", i, "unknown"),
			"must be one of: nxdomain, forward");
	return rc;
}

static int zones_apply(
	const struct config_doc *doc, const struct config_node *node, struct config_local *l)
{
	int rc = 0;
	// One more: see house_zone_add.
	l->zones = heap_calloc(config_node_count(node, "zones") + (size_t)1, sizeof(*l->zones));
	if (!l->zones)
		return -ENOMEM;
	l->zone_count = config_node_count(node, "zones");
	for (unsigned i = 0; i < config_node_count(node, "zones"); i++)
		rc = config_worse(
			rc, zone_apply(doc, i,
				    config_node_text(config_node_item(node, "zones", i), "name"),
				    config_node_text(config_node_item(node, "zones", i), "unknown"),
				    l));
	return rc;
}

static int domain_apply(const struct config_doc *doc, struct config_local *l)
{
	if (l->domain && *l->domain)
		return name_take(doc, "local.domain", l->domain, &l->house);
	if (l->single_labels == SINGLE_LABELS_COMPLETE)
		return config_refuse(doc, "local.single_labels", "needs local.domain");
	return 0;
}

static int local_apply(const struct config_doc *doc, struct config *out)
{
	struct config_local *l = &out->local;
	int rc = records_apply(doc, "local.records",
		config_node_list(config_section(doc, "local"), "records"), l->ttl_s, &l->records,
		&l->record_count);
	rc = config_worse(rc, domain_apply(doc, l));
	rc = config_worse(rc, hosts_apply(doc, config_section(doc, "local"), l));
	return config_worse(rc, zones_apply(doc, config_section(doc, "local"), l));
}

int config_group_records_apply(const struct config_doc *doc, const struct config_node *node,
	unsigned group, struct config *out)
{
	char list[CONFIG_PATH_MAX];
	struct config_group *g = &out->groups[group];
	config_item_key(list, "groups", group, "local_records");
	return records_apply(doc, list, config_node_list(node, "local_records"), out->local.ttl_s,
		&g->records, &g->record_count);
}

static void records_free(struct config_record *records, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		FREE_AND_NULL(records[i].rdata);
	heap_free(records);
}

static void local_free(struct config *c)
{
	struct config_local *l = &c->local;
	records_free(l->records, l->record_count);
	for (unsigned i = 0; i < l->hosts_file_count; i++)
		FREE_AND_NULL(l->hosts_files[i]);
	FREE_AND_NULL(l->hosts_files);
	FREE_AND_NULL(l->zones);
	for (unsigned i = 0; i < c->group_count; i++)
		records_free(c->groups[i].records, c->groups[i].record_count);
}

// The domain of the house is a local zone, too, if no zone has its name: a name that weir has no
// data for does not exist. A group's own forward zone of that name goes before it.
static int house_zone_add(const struct config_doc *, struct config *c)
{
	struct config_local *l = &c->local;
	bool has = l->house.labels == 0;
	for (unsigned i = 0; i < l->zone_count && !has; i++)
		has = dns_name_equal(&l->zones[i].name, &l->house);
	for (unsigned i = 0; i < c->forward_count && !has; i++)
		has = dns_name_equal(&c->forwards[i].name, &l->house);
	if (!has)
		l->zones[l->zone_count++] =
			(struct config_local_zone){.name = l->house, .is_house = true};
	return 0;
}

// The section `local`: the operator's own records and zones.
const struct config_step config_local_step = {.apply = local_apply};

// Refuses a duplicate, a CNAME beside another record of its name (RFC 1034 3.6.2), and a circle of
// CNAMEs. Frees the records of groups as well.
const struct config_step config_records_step = {.apply = records_check, .free = local_free};

// Behind the forward zones.
const struct config_step config_house_step = {.apply = house_zone_add};
