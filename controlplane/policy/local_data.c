// SPDX-License-Identifier: BSD-3-Clause
#include "local_data.h"

#include "house.h"
#include "lists/list_rule.h"
#include "special_names.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/hosts_file.h>
#include <weir/log.h>

// Items of local data on their way to rules: the sources are merged, so that one is left at each
// name.
//
// Sources ("voices") by precedence: a group's own records, records, hosts files, names of leases,
// local zones, forwarding zones, names between a local zone and its records, special-use names. An
// item of a higher one for a name itself, or for the names below it, removes the others' items for
// the same. Of different names the nearest decides, as in the image. Bytes are kept once each; some
// 32 and the name's for each item. One thread, no I/O.

enum local_voice {
	LOCAL_OWN_RECORD,
	LOCAL_RECORD,
	LOCAL_HOSTS,
	LOCAL_HOUSE,
	LOCAL_ZONE,
	LOCAL_FORWARD,
	LOCAL_BETWEEN,
	LOCAL_SPECIAL,
};

enum { LOCAL_ITEMS_MAX = 1000000 };

struct local_item {
	const struct dns_name *name;
	uint8_t voice, covers, reply;
	uint16_t but_type; // the rule is not for this type; 0: for all
	bool but_hosts;    // the rule is not for the types of a lease's name
	uint16_t rtype, rdata_len;
	const uint8_t *rdata;
	uint32_t ttl_s;
};

struct item {
	uint32_t order;       // the order in which items came
	uint32_t name, rdata; // offsets of bytes
	uint32_t ttl_s;
	uint16_t rtype, rdata_len, but_type;
	uint8_t name_len, labels, voice, covers, reply;
	bool but_hosts;
};

struct local_items {
	bool has_house; // the domain of the house is a zone: no forward zone of the group has it
	struct item *item;
	size_t count, room;
	uint8_t *bytes;
	size_t used, bytes_room;
};

// What the configuration and hosts files say of names, as items. A seed is what the sources of one
// configuration have in common. Files are read on a helper thread.
struct local_seed {
	struct special_settings special;
	struct designated designated;
	struct ip_address addresses[CONFIG_ADDRESSES_MAX]; // service addresses
	unsigned address_count;
	bool hosts_ptr, forwards_missing;
	uint32_t ttl_s;
	unsigned hosts_count, zone_count;
	char *hosts[CONFIG_HOSTS_FILES_MAX];
	struct dns_name *zones; // zones whose unknown names do not exist, in order
	struct dns_name house;  // `local.domain`; no labels: no domain
	bool house_is_zone; // the domain is one of `zones` for a group without a forward zone of it
};

static int items_new(struct local_items **out)
{
	*out = heap_calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void items_free(struct local_items *b)
{
	if (!b)
		return;
	FREE_AND_NULL(b->item);
	FREE_AND_NULL(b->bytes);
	heap_free(b);
}

static int items_copy(const struct local_items *from, struct local_items **out)
{
	struct local_items *b;
	int rc = items_new(&b);
	if (rc < 0)
		return rc;
	b->item = heap_malloc((from->count + 1) * sizeof(b->item[0]));
	b->bytes = heap_malloc(from->used + 1);
	if (!b->item || !b->bytes) {
		items_free(b);
		return -ENOMEM;
	}
	if (from->count)
		memcpy(b->item, from->item, from->count * sizeof(b->item[0]));
	if (from->used)
		memcpy(b->bytes, from->bytes, from->used);
	b->has_house = from->has_house;
	b->count = b->room = from->count;
	b->used = b->bytes_room = from->used;
	*out = b;
	return 0;
}

static int make_room(struct local_items *b, size_t bytes)
{
	if (b->count == LOCAL_ITEMS_MAX)
		return -E2BIG;
	if (b->count == b->room) {
		size_t room = b->room * 2 + 64;
		struct item *grown = heap_realloc(b->item, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		b->item = grown;
		b->room = room;
	}
	if (b->used + bytes > UINT32_MAX)
		return -E2BIG;
	if (b->used + bytes > b->bytes_room) {
		size_t room = b->bytes_room * 2 + bytes + 4096;
		uint8_t *grown = heap_realloc(b->bytes, room);
		if (!grown)
			return -ENOMEM;
		b->bytes = grown;
		b->bytes_room = room;
	}
	return 0;
}

static uint32_t bytes_add(struct local_items *b, const uint8_t *bytes, size_t len)
{
	uint32_t at = (uint32_t)b->used;
	if (len)
		memcpy(b->bytes + at, bytes, len);
	b->used += len;
	return at;
}

// A CNAME is given as RULE_REPLY_DATA: whether it is one is found out by items_merge.
// -ENOMEM; -E2BIG: over LOCAL_ITEMS_MAX.
static int items_add(struct local_items *b, const struct local_item *i)
{
	int rc = make_room(b, i->name->len + (size_t)i->rdata_len);
	if (rc < 0)
		return rc;
	b->item[b->count] = (struct item){
		.order = (uint32_t)b->count,
		.name = bytes_add(b, i->name->wire, i->name->len),
		.rdata = bytes_add(b, i->rdata, i->rdata_len),
		.ttl_s = i->ttl_s,
		.rtype = i->rtype,
		.rdata_len = i->rdata_len,
		.but_type = i->but_type,
		.but_hosts = i->but_hosts,
		.name_len = i->name->len,
		.labels = i->name->labels,
		.voice = i->voice,
		.covers = i->covers,
		.reply = i->reply,
	};
	b->count++;
	return 0;
}

static int name_order(
	const struct local_items *b, const struct item *i, const uint8_t *wire, size_t len)
{
	return dns_name_order(b->bytes + i->name, i->name_len, wire, len);
}

static int by_name(const void *x, const void *y, void *book)
{
	const struct local_items *b = book;
	const struct item *i = x, *k = y;
	int order = name_order(b, i, b->bytes + k->name, k->name_len);
	if (order == 0 && i->voice != k->voice)
		order = i->voice < k->voice ? -1 : 1;
	return order ? order : (i->order > k->order) - (i->order < k->order);
}

// The items of one name are [from, to).
static size_t name_end(const struct local_items *b, size_t from)
{
	size_t to = from + 1;
	while (to < b->count
		&& name_order(
			   b, &b->item[to], b->bytes + b->item[from].name, b->item[from].name_len)
			   == 0)
		to++;
	return to;
}

static bool same_item(const struct local_items *b, const struct item *i, const struct item *k)
{
	return i->covers == k->covers && i->reply == k->reply && i->rtype == k->rtype
	       && i->rdata_len == k->rdata_len
	       && memcmp(b->bytes + i->rdata, b->bytes + k->rdata, i->rdata_len) == 0;
}

// An address has one host's name: that of the first line with it.
static bool is_needless(
	const struct local_items *b, const struct item *i, const struct item *before)
{
	return same_item(b, i, before)
	       || (i->voice == LOCAL_HOSTS && before->voice == LOCAL_HOSTS
		       && i->rtype == DNS_TYPE_PTR && before->rtype == DNS_TYPE_PTR);
}

// Defined below: is the nearest zone above one that is left to servers?
static bool is_left_to_servers(
	const struct local_seed *d, const struct local_items *b, const struct item *i);

// Needs a name between a zone and its records no item of its own? Special-use data says that it
// exists too, and of a zone that is left to servers these say that. All names above it are merged.
// Items of the same name follow until `end`.
static bool is_said_elsewhere(const struct local_seed *d, const struct local_items *merged,
	const struct item *between, const struct item *end)
{
	for (const struct item *i = between + 1; i < end; i++)
		if (i->voice == LOCAL_SPECIAL && (i->covers & RULE_COVERS_SELF)
			&& i->reply != RULE_REPLY_NXDOMAIN)
			return true;
	return is_left_to_servers(d, merged, between);
}

// The names above have been merged: in the order of items they come first.
static void name_merge(
	const struct local_seed *d, struct local_items *b, size_t from, size_t to, size_t *kept)
{
	struct local_items merged = *b;
	size_t first = *kept;
	unsigned taken = 0, speaking = 0;
	merged.count = *kept;
	for (size_t i = from; i < to; i++) {
		struct item one = b->item[i];
		bool needless = false;
		if (i > from && b->item[i - 1].voice != one.voice) {
			taken |= speaking;
			speaking = 0;
		}
		if (one.voice == LOCAL_BETWEEN
			&& is_said_elsewhere(d, &merged, &b->item[i], &b->item[to]))
			continue;
		one.covers &= (uint8_t)~taken;
		for (size_t k = first; k < *kept; k++)
			needless = needless || is_needless(b, &one, &b->item[k]);
		speaking |= one.covers;
		if (one.covers && !needless)
			b->item[(*kept)++] = one;
	}
}

// The first item of the name; NULL if it has none.
static const struct item *item_find(const struct local_items *b, const uint8_t *wire, size_t len)
{
	size_t low = 0, high = b->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (name_order(b, &b->item[mid], wire, len) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < b->count && name_order(b, &b->item[low], wire, len) == 0 ? &b->item[low]
									      : NULL;
}

// What a name is: the items at it that cover it, else those of the nearest name above that does.
struct covering {
	const struct item *first; // may be NULL
	unsigned wanted;          // how many items from `first` on have its name
};

static const struct item *next_of(
	const struct local_items *b, const struct covering *c, const struct item *i)
{
	const struct item *name = i;
	while (++i < b->item + b->count
		&& name_order(b, i, b->bytes + name->name, name->name_len) == 0)
		if (i->covers & c->wanted)
			return i;
	return NULL;
}

// Finds the items of this very name.
static struct covering covering_at(
	const struct local_items *b, const uint8_t *wire, size_t len, unsigned wanted)
{
	struct covering c = {.first = item_find(b, wire, len), .wanted = wanted};
	if (c.first && !(c.first->covers & wanted))
		c.first = next_of(b, &c, c.first);
	return c;
}

static struct covering covering_of(const struct local_items *b, const struct dns_name *name)
{
	const uint8_t *wire = name->wire;
	size_t len = name->len;
	struct covering c = covering_at(b, wire, len, RULE_COVERS_SELF);
	while (!c.first && wire[0] != 0) {
		len -= wire[0] + (size_t)1;
		wire += wire[0] + 1;
		c = covering_at(b, wire, len, RULE_COVERS_BELOW);
	}
	return c;
}

// Is it of a zone that is left to servers?
static bool opens(const struct item *i)
{
	return i->reply == RULE_REPLY_RESOLVE && i->rtype != DNS_TYPE_CNAME
	       && i->voice != LOCAL_HOUSE;
}

static bool is_opened_at(const struct local_items *b, const struct dns_name *name, unsigned wanted)
{
	const struct covering c = covering_at(b, name->wire, name->len, wanted);
	for (const struct item *i = c.first; i; i = next_of(b, &c, i))
		if (opens(i))
			return true;
	return false;
}

// Defined below, for `missing_types: forward`: is what the items of `own` lack resolved?
static bool lacks_are_resolved(
	const struct local_seed *d, const struct local_items *b, const struct covering *own);

// Follows an alias to what its last target is. -ELOOP: to no end.
static int trail_follow(const struct local_items *b, const struct item *alias,
	struct list_chain *chain, struct covering *end)
{
	chain->count = 0;
	*end = (struct covering){.first = alias};
	while (end->first && end->first->rtype == DNS_TYPE_CNAME) {
		const struct item *i = end->first;
		struct rd rd = rd_init(b->bytes + i->rdata, i->rdata_len);
		struct dns_name target;
		if (chain->count == CONFIG_ALIASES_MAX || dns_name_read(&rd, &target) < 0)
			return -ELOOP;
		chain->alias[chain->count].target = b->bytes + i->rdata;
		chain->alias[chain->count].len = (uint8_t)i->rdata_len;
		chain->alias[chain->count++].ttl_s = i->ttl_s;
		*end = covering_of(b, &target);
	}
	return 0;
}

// A circle is the control plane's to refuse.
static bool leads_to_others(
	const struct local_seed *d, const struct local_items *b, const struct item *alias)
{
	struct list_chain chain;
	struct covering end;
	return trail_follow(b, alias, &chain, &end) < 0 || !end.first
	       || end.first->reply == RULE_REPLY_RESOLVE
	       || (d->forwards_missing && lacks_are_resolved(d, b, &end));
}

// When all is in: sorts, lets the loudest speak, and finds out which CNAMEs lead to local data
// (RULE_REPLY_DATA, the image follows them) and which to names of others (RULE_REPLY_RESOLVE).
static void items_merge(const struct local_seed *d, struct local_items *b)
{
	size_t kept = 0;
	if (b->count)
		qsort_r(b->item, b->count, sizeof(b->item[0]), by_name, b);
	for (size_t from = 0, to; from < b->count; from = to) {
		to = name_end(b, from);
		name_merge(d, b, from, to, &kept);
	}
	b->count = kept;
	for (size_t i = 0; i < b->count; i++)
		if (b->item[i].rtype == DNS_TYPE_CNAME && leads_to_others(d, b, &b->item[i]))
			b->item[i].reply = RULE_REPLY_RESOLVE;
}

static struct list_rule rule_of(
	const struct local_seed *d, const struct local_items *b, const struct item *i)
{
	static const struct rule_types but_hosts = {
		.count = 3, .except = 1, .type = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_ANY}};
	bool data = i->reply == RULE_REPLY_DATA;
	uint16_t only = 0; // not 0: the rule is for this type alone
	if (d->forwards_missing) {
		const struct covering same =
			covering_at(b, b->bytes + i->name, i->name_len, i->covers);
		only = lacks_are_resolved(d, b, &same) ? i->rtype : 0;
	}
	return (struct list_rule){
		.what = LIST_RULE_NAME,
		.kind =
			{
				.rule_class = RULE_CLASS_LOCAL,
				// A zone's rule is known by that (rule_kind_opens); a louder one at
				// its name decides first.
				.covers = opens(i) ? RULE_COVERS_ALL : i->covers,
				.reply = i->reply,
				.types =
					i->but_hosts
						? but_hosts
						: (struct rule_types){.count = i->but_type || only,
							.except = i->but_type != 0,
							.type = {i->but_type ? i->but_type : only}},
			},
		.rtype = data ? i->rtype : 0,
		.rdata_len = data ? i->rdata_len : 0,
		.rdata = data ? b->bytes + i->rdata : NULL,
		.ttl_s = data ? i->ttl_s : 0,
	};
}

// What lies behind an alias, as rules for its own name: the records of its last target, and the
// answer for all types that it lacks.
static int alias_rules(const struct local_items *b, const struct item *alias, struct list_rule rule,
	list_rule_take take, void *arg)
{
	struct list_chain chain;
	struct covering end;
	int rc = trail_follow(b, alias, &chain, &end);
	assert(rc == 0 && end.first); // else the merge made it RULE_REPLY_RESOLVE
	rule.chain = &chain;
	for (const struct item *i = end.first; i && rc == 0; i = next_of(b, &end, i)) {
		if (i->reply != RULE_REPLY_DATA || !i->rtype)
			continue;
		rule.rtype = i->rtype;
		rule.ttl_s = i->ttl_s;
		rule.rdata = b->bytes + i->rdata;
		rule.rdata_len = i->rdata_len;
		rc = take(arg, &rule);
	}
	rule.rtype = rule.rdata_len = 0;
	rule.ttl_s = chain.alias[chain.count - 1].ttl_s;
	rule.chain_is_dead = end.first->reply == RULE_REPLY_NXDOMAIN;
	return rc ? rc : take(arg, &rule);
}

// Passes on the remaining items, in the order of names. A result other than 0 stops, and is
// returned.
static int items_rules(const struct local_seed *d, const struct local_items *b,
	unsigned first_voice, unsigned last_voice, list_rule_take take, void *arg)
{
	int rc = 0;
	for (size_t k = 0; k < b->count && rc == 0; k++) {
		const struct item *i = &b->item[k];
		struct dns_name name = {.len = i->name_len, .labels = i->labels};
		if (i->voice < first_voice || i->voice > last_voice)
			continue;
		struct list_rule rule = rule_of(d, b, i);
		memcpy(name.wire, b->bytes + i->name, i->name_len);
		rule.name = &name;
		rc = take(arg, &rule);
		if (rc == 0 && i->rtype == DNS_TYPE_CNAME && i->reply == RULE_REPLY_DATA)
			rc = alias_rules(b, i, rule, take, arg);
	}
	return rc;
}

enum { EMPTY_ZONE_TTL_S = 10800 }; // RFC 6303 3

static int by_wire(const void *x, const void *y)
{
	const struct dns_name *a = x, *b = y;
	return dns_name_order(a->wire, a->len, b->wire, b->len);
}

static struct dns_name parent_of(const struct dns_name *name)
{
	size_t skip = name->wire[0] + (size_t)1;
	struct dns_name up = {
		.len = (uint8_t)(name->len - skip), .labels = (uint8_t)(name->labels - 1)};
	memcpy(up.wire, name->wire + skip, up.len);
	return up;
}

static bool is_zone(
	const struct local_seed *d, const struct local_items *b, const struct dns_name *name)
{
	return (b->has_house && dns_name_equal(name, &d->house))
	       || (d->zone_count
		       && bsearch(name, d->zones, d->zone_count, sizeof(d->zones[0]), by_wire));
}

static bool is_left_to_servers(
	const struct local_seed *d, const struct local_items *b, const struct item *i)
{
	struct dns_name up = {.len = i->name_len, .labels = i->labels};
	memcpy(up.wire, b->bytes + i->name, up.len);
	while (up.labels > 0 && !is_zone(d, b, &up)) {
		up = parent_of(&up);
		if (is_opened_at(b, &up, RULE_COVERS_BELOW))
			return true;
	}
	return false;
}

static bool has_type(const struct local_items *b, const struct covering *c, uint16_t type)
{
	for (const struct item *i = c->first; i; i = next_of(b, c, i))
		if (i->rtype == type)
			return true;
	return false;
}

static bool are_records(const struct local_items *b, const struct covering *c)
{
	for (const struct item *i = c->first; i; i = next_of(b, c, i))
		if (i->voice > LOCAL_HOSTS || i->reply != RULE_REPLY_DATA || !i->rtype
			|| i->rtype == DNS_TYPE_CNAME)
			return false;
	return true;
}

// A zone whose unknown names do not exist, or a special-use name itself.
static bool is_closed(
	const struct local_seed *d, const struct local_items *b, const struct dns_name *name)
{
	struct special_name special;
	return is_zone(d, b, name)
	       || (special_name_of(&d->special, name, &special)
		       && special.name.labels == name->labels);
}

// The items are records alone, and nothing local above their name speaks of what they lack: no
// closed name, and no wildcard with a type that they have not.
static bool lacks_are_resolved(
	const struct local_seed *d, const struct local_items *b, const struct covering *own)
{
	struct dns_name up = {.len = own->first->name_len, .labels = own->first->labels};
	if (!are_records(b, own))
		return false;
	memcpy(up.wire, b->bytes + own->first->name, up.len);
	if (is_opened_at(b, &up, RULE_COVERS_ALL))
		return true;
	while (!is_closed(d, b, &up)) {
		if (up.labels == 0)
			return true;
		up = parent_of(&up);
		const struct covering above = covering_at(b, up.wire, up.len, RULE_COVERS_BELOW);
		for (const struct item *i = above.first; i; i = next_of(b, &above, i)) {
			if (i->voice == LOCAL_HOUSE) // only where a closed name is above
				return false;
			if (opens(i))
				return true;
			if (!has_type(b, own, i->rtype))
				return false;
		}
	}
	return false;
}

static int say(struct local_items *b, unsigned voice, const struct dns_name *name, unsigned covers,
	unsigned reply, uint16_t but_type)
{
	const struct local_item item = {.name = name,
		.voice = (uint8_t)voice,
		.covers = (uint8_t)covers,
		.reply = (uint8_t)reply,
		.but_type = but_type};
	return items_add(b, &item);
}

// That a name exists, and has nothing. A lease may have it: the types of that are left open.
static int say_empty(struct local_items *b, const struct local_seed *d, const struct dns_name *name)
{
	const struct local_item item = {.name = name,
		.voice = LOCAL_BETWEEN,
		.covers = RULE_COVERS_SELF,
		.reply = RULE_REPLY_NODATA,
		.but_hosts = d->house.labels && name->labels == d->house.labels + 1
			     && dns_name_is_under(name, &d->house)};
	return items_add(b, &item);
}

// The names between this one and the zone above it exist, as it does; so does a wildcard's.
static int say_between(const struct local_seed *d, struct local_items *b,
	const struct dns_name *name, bool wildcard)
{
	struct dns_name up = wildcard ? *name : parent_of(name);
	unsigned between = 0;
	int rc = 0;
	for (; up.labels > 0 && !is_zone(d, b, &up); up = parent_of(&up))
		between++;
	if (up.labels == 0)
		return 0;
	up = wildcard ? *name : parent_of(name);
	for (; between > 0 && rc == 0; between--, up = parent_of(&up))
		rc = say_empty(b, d, &up);
	return rc;
}

static int say_data(
	const struct local_seed *d, struct local_items *b, const struct local_item *item)
{
	int rc = items_add(b, item);
	return rc < 0 ? rc : say_between(d, b, item->name, item->covers == RULE_COVERS_BELOW);
}

static int records_say(const struct local_seed *d, struct local_items *b, unsigned voice,
	const struct config_record *records, unsigned count)
{
	int rc = 0;
	for (unsigned i = 0; i < count && rc == 0; i++) {
		const struct config_record *r = &records[i];
		const struct local_item item = {.name = &r->name,
			.voice = (uint8_t)voice,
			.covers = r->wildcard ? RULE_COVERS_BELOW : RULE_COVERS_SELF,
			.reply = RULE_REPLY_DATA,
			.rtype = r->type,
			.rdata = r->rdata,
			.rdata_len = r->rdata_len,
			.ttl_s = r->ttl_s};
		rc = say_data(d, b, &item);
	}
	return rc;
}

static int zone_say(struct local_items *b, const struct dns_name *zone)
{
	int rc = say(b, LOCAL_ZONE, zone, RULE_COVERS_SELF, RULE_REPLY_NODATA, 0);
	return rc < 0 ? rc : say(b, LOCAL_ZONE, zone, RULE_COVERS_BELOW, RULE_REPLY_NXDOMAIN, 0);
}

static int zones_say(struct local_items *b, const struct local_seed *d)
{
	int rc = b->has_house ? zone_say(b, &d->house) : 0;
	for (unsigned i = 0; i < d->zone_count && rc == 0; i++)
		rc = zone_say(b, &d->zones[i]);
	return rc;
}

// The labels of the nearest wildcard that covers names below this one; -1: no wildcard.
static int wildcard_labels(
	const struct config_record *records, unsigned count, const struct dns_name *name)
{
	int labels = -1;
	for (unsigned i = 0; i < count; i++)
		if (records[i].wildcard && records[i].name.labels > labels
			&& dns_name_is_under(name, &records[i].name))
			labels = records[i].name.labels;
	return labels;
}

static bool has_wildcard_above(
	const struct config_record *records, unsigned count, const struct dns_name *name)
{
	struct dns_name up = {.len = 1};
	if (name->labels)
		up = parent_of(name);
	return wildcard_labels(records, count, &up) >= 0 && name->labels;
}

// Gives the names of everyone, and those of a group, if not NULL.
struct sayer {
	const struct local_seed *data;
	const struct config *config;
	const struct config_group *group;
};

// Only where it would not be resolved otherwise: elsewhere it has nothing to take away.
static int resolve_say(
	const struct sayer *s, struct local_items *b, unsigned voice, const struct dns_name *name)
{
	const struct config_local *l = &s->config->local;
	const struct config_group *g = s->group;
	struct special_name special;
	bool needed = special_name_of(&s->data->special, name, &special)
		      || has_wildcard_above(l->records, l->record_count, name)
		      || (g && has_wildcard_above(g->records, g->record_count, name));
	struct dns_name up = *name;
	for (; up.labels > 0 && !needed; up = parent_of(&up))
		needed = is_zone(s->data, b, &up);
	return needed ? say(b, voice, name, RULE_COVERS_ALL, RULE_REPLY_RESOLVE, 0) : 0;
}

static int forwards_say(const struct sayer *s, struct local_items *b,
	const struct config_forward_zone *zones, unsigned count)
{
	int rc = 0;
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = resolve_say(s, b, LOCAL_FORWARD, &zones[i].name);
	return rc;
}

static int forward_labels(
	const struct config_forward_zone *zones, unsigned count, const struct dns_name *name)
{
	int labels = -1;
	for (unsigned i = 0; i < count; i++)
		if (zones[i].name.labels > labels && dns_name_is_under(name, &zones[i].name))
			labels = zones[i].name.labels;
	return labels;
}

static int max_of(int a, int b)
{
	return a > b ? a : b;
}

// Leaves the names below this one to the resolver (house.h), but only where a closed zone or a
// special-use name decides them: elsewhere they come to it anyway, and block lists count.
static int leases_say(const struct sayer *s, struct local_items *b, const struct dns_name *name)
{
	const struct config *c = s->config;
	const struct config_group *g = s->group;
	struct dns_name zone;
	const int forward = max_of(forward_labels(c->forwards, c->forward_count, name),
		g ? forward_labels(g->forwards, g->forward_count, name) : -1);
	const int wildcard = max_of(wildcard_labels(c->local.records, c->local.record_count, name),
		g ? wildcard_labels(g->records, g->record_count, name) : -1);
	if (!house_keeps(c, name, forward, &zone) || wildcard >= zone.labels)
		return 0;
	return say(b, LOCAL_HOUSE, name, RULE_COVERS_BELOW, RULE_REPLY_RESOLVE, 0);
}

// Names that leases may have: below the domain, and reverse names of private addresses, in local
// zones too.
static int house_say(const struct sayer *s, struct local_items *b)
{
	const struct local_seed *d = s->data;
	struct dns_name name;
	if (!d->house.labels)
		return 0;
	int rc = leases_say(s, b, &d->house);
	for (unsigned i = 0; rc == 0 && house_reverse_at(i, &name); i++)
		rc = leases_say(s, b, &name);
	for (unsigned i = 0; i < d->zone_count && rc == 0; i++)
		if (house_is_reverse(&d->zones[i]))
			rc = leases_say(s, b, &d->zones[i]);
	return rc;
}

static int loopback_say(
	struct local_items *b, const struct local_seed *d, const struct dns_name *name)
{
	static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
	struct local_item item = {.name = name,
		.voice = LOCAL_SPECIAL,
		.covers = RULE_COVERS_ALL,
		.reply = RULE_REPLY_DATA,
		.rtype = DNS_TYPE_A,
		.rdata = v4,
		.rdata_len = sizeof(v4),
		.ttl_s = d->ttl_s};
	int rc = items_add(b, &item);
	item.rtype = DNS_TYPE_AAAA;
	item.rdata = v6;
	item.rdata_len = sizeof(v6);
	return rc < 0 ? rc : items_add(b, &item);
}

static int designated_say(
	struct local_items *b, const struct local_seed *d, const struct dns_name *name)
{
	struct local_item item = {.name = name,
		.voice = LOCAL_SPECIAL,
		.covers = RULE_COVERS_SELF,
		.reply = RULE_REPLY_DATA,
		.rtype = DNS_TYPE_SVCB,
		.ttl_s = DESIGNATED_TTL_S};
	int rc = 0;
	for (unsigned i = 0; i < d->designated.count && rc == 0; i++) {
		item.rdata = d->designated.record[i].rdata;
		item.rdata_len = d->designated.record[i].rdata_len;
		rc = items_add(b, &item);
	}
	return rc;
}

static int own_say(struct local_items *b, const struct local_seed *d, const struct dns_name *name)
{
	int rc = 0;
	for (unsigned i = 0; i < d->address_count && rc == 0; i++) {
		const bool is_v4 = d->addresses[i].version == 4;
		const struct local_item item = {.name = name,
			.voice = LOCAL_SPECIAL,
			.covers = RULE_COVERS_SELF,
			.reply = RULE_REPLY_DATA,
			.rtype = is_v4 ? DNS_TYPE_A : DNS_TYPE_AAAA,
			.rdata = d->addresses[i].bytes,
			.rdata_len = is_v4 ? 4 : 16,
			.ttl_s = DESIGNATED_TTL_S};
		rc = say_data(d, b, &item);
	}
	return rc;
}

// The records of an empty zone: SOA and NS as in RFC 6303 (3).
static int empty_zone_say(struct local_items *b, const struct dns_name *zone)
{
	static const uint8_t rest[] = "\6nobody\7invalid\0"
				      "\0\0\0\1\0\0\x0e\x10\0\0\4\xb0\0\x09\x3a\x80\0\0\x2a\x30";
	uint8_t soa[DNS_NAME_MAX + sizeof(rest)];
	struct local_item item = {.name = zone,
		.voice = LOCAL_SPECIAL,
		.covers = RULE_COVERS_SELF,
		.reply = RULE_REPLY_DATA,
		.rtype = DNS_TYPE_NS,
		.rdata = zone->wire,
		.rdata_len = zone->len,
		.ttl_s = EMPTY_ZONE_TTL_S};
	int rc = items_add(b, &item);
	memcpy(soa, zone->wire, zone->len);
	memcpy(soa + zone->len, rest, sizeof(rest) - 1);
	item.rtype = DNS_TYPE_SOA;
	item.rdata = soa;
	item.rdata_len = (uint16_t)(zone->len + sizeof(rest) - 1);
	return rc < 0 ? rc : items_add(b, &item);
}

static int special_say(
	struct local_items *b, const struct local_seed *d, const struct special_name *s)
{
	static const uint8_t localhost[] = "\11localhost";
	const struct local_item ptr = {.name = &s->name,
		.voice = LOCAL_SPECIAL,
		.covers = RULE_COVERS_SELF,
		.reply = RULE_REPLY_DATA,
		.rtype = DNS_TYPE_PTR,
		.rdata = localhost,
		.rdata_len = sizeof(localhost),
		.ttl_s = d->ttl_s};
	int rc;
	switch (s->way) {
	case SPECIAL_NXDOMAIN:
		return say(b, LOCAL_SPECIAL, &s->name, RULE_COVERS_ALL, RULE_REPLY_NXDOMAIN, 0);
	case SPECIAL_NODATA:
		return say(b, LOCAL_SPECIAL, &s->name, RULE_COVERS_ALL, RULE_REPLY_NODATA, 0);
	case SPECIAL_EMPTY:
		rc = s->but_type ? say(b, LOCAL_SPECIAL, &s->name, RULE_COVERS_SELF,
			     RULE_REPLY_NODATA, s->but_type)
				 : empty_zone_say(b, &s->name);
		return rc < 0 ? rc
			      : say(b, LOCAL_SPECIAL, &s->name, RULE_COVERS_BELOW,
				      RULE_REPLY_NXDOMAIN, 0);
	case SPECIAL_LOOPBACK:
		return loopback_say(b, d, &s->name);
	case SPECIAL_SVCB:
		return designated_say(b, d, &s->name);
	case SPECIAL_OWN:
		return own_say(b, d, &s->name);
	default:
		return items_add(b, &ptr);
	}
}

static int specials_say(struct local_items *b, const struct local_seed *d)
{
	struct special_name s;
	int rc = 0;
	for (unsigned i = 0; rc == 0 && special_name_at(&d->special, i, &s); i++)
		rc = special_say(b, d, &s);
	return rc;
}

static bool forwards_house(const struct local_seed *d, const struct config_group *g)
{
	for (unsigned i = 0; i < g->forward_count; i++)
		if (dns_name_equal(&g->forwards[i].name, &d->house))
			return true;
	return false;
}

// All that is said for a group (NULL: for everyone else), without hosts files. -ENOMEM, -E2BIG.
static int seed_make(const struct local_seed *d, const struct config *c,
	const struct config_group *g, struct local_items **out)
{
	const struct sayer s = {d, c, g};
	struct local_items *b;
	int rc = items_new(&b);
	if (rc < 0)
		return rc;
	b->has_house = d->house_is_zone && !(g && forwards_house(d, g));
	if (g)
		rc = records_say(d, b, LOCAL_OWN_RECORD, g->records, g->record_count);
	if (rc == 0 && g)
		rc = forwards_say(&s, b, g->forwards, g->forward_count);
	if (rc == 0)
		rc = records_say(d, b, LOCAL_RECORD, c->local.records, c->local.record_count);
	if (rc == 0)
		rc = house_say(&s, b);
	if (rc == 0)
		rc = zones_say(b, d);
	for (unsigned i = 0; i < c->local.zone_count && rc == 0; i++)
		if (c->local.zones[i].forward)
			rc = resolve_say(&s, b, LOCAL_ZONE, &c->local.zones[i].name);
	if (rc == 0)
		rc = forwards_say(&s, b, c->forwards, c->forward_count);
	if (rc == 0)
		rc = specials_say(b, d);
	if (rc < 0) {
		items_free(b);
		return rc;
	}
	*out = b;
	return 0;
}

static int seed_init(struct local_seed *s, const struct config *c)
{
	const struct config_local *l = &c->local;
	s->special = special_settings_of(c);
	special_designated(c, &s->designated);
	for (unsigned i = 0; i < c->dataplane.address_count; i++)
		if (config_address_is_public(&c->dataplane, i))
			s->addresses[s->address_count++] = c->dataplane.addresses[i];
	s->hosts_ptr = l->hosts_ptr;
	s->forwards_missing = l->missing_forward;
	s->ttl_s = l->ttl_s;
	for (; s->hosts_count < l->hosts_file_count; s->hosts_count++) {
		s->hosts[s->hosts_count] = heap_strdup(l->hosts_files[s->hosts_count]);
		if (!s->hosts[s->hosts_count])
			return -ENOMEM;
	}
	s->zones = heap_calloc(l->zone_count + 1, sizeof(s->zones[0]));
	if (!s->zones)
		return -ENOMEM;
	s->house = l->house;
	for (unsigned i = 0; i < l->zone_count; i++)
		if (l->zones[i].is_house)
			s->house_is_zone = true;
		else if (!l->zones[i].forward)
			s->zones[s->zone_count++] = l->zones[i].name;
	qsort(s->zones, s->zone_count, sizeof(s->zones[0]), by_wire);
	return 0;
}

static void seed_end(struct local_seed *s)
{
	for (unsigned i = 0; i < s->hosts_count; i++)
		FREE_AND_NULL(s->hosts[i]);
	FREE_AND_NULL(s->zones);
}

struct hosts_import {
	const struct local_seed *data;
	struct local_items *book;
	unsigned names;
};

// Addresses, beside loopback ones, whose reverse name belongs to no host.
static bool has_no_ptr(const struct ip_address *a)
{
	static const uint8_t zero[16];
	if (a->version == 4)
		return a->bytes[0] == 0 || a->bytes[0] >= 224;
	return a->bytes[0] == 0xff || memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

static int host_take(
	void *arg, const struct ip_address *a, const struct dns_name *name, bool own, uint32_t line)
{
	struct hosts_import *h = arg;
	const struct local_seed *d = h->data;
	struct dns_name reverse;
	(void)line;
	if (h->names == LOCAL_HOSTS_NAMES_MAX)
		return -E2BIG;
	h->names++;
	if (special_skips_hosts(&d->special, name, a))
		return 0;
	struct local_item item = {.name = name,
		.voice = LOCAL_HOSTS,
		.covers = RULE_COVERS_SELF,
		.reply = RULE_REPLY_DATA,
		.rtype = a->version == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA,
		.rdata = a->bytes,
		.rdata_len = a->version == 4 ? 4 : 16,
		.ttl_s = d->ttl_s};
	if (hosts_is_localhost(a)) { // it has no address for others
		item.rtype = item.rdata_len = 0;
		return say_data(d, h->book, &item);
	}
	int rc = say_data(d, h->book, &item);
	if (rc < 0 || !own || !d->hosts_ptr || has_no_ptr(a))
		return rc;
	hosts_reverse_name(a, &reverse);
	item.name = &reverse;
	item.rtype = DNS_TYPE_PTR;
	item.rdata = name->wire;
	item.rdata_len = name->len;
	return say_data(d, h->book, &item);
}

// What all hosts files say. One that cannot be read is logged. -ENOMEM.
static int seed_hosts(const struct local_seed *d, struct local_items *b, bool *unread)
{
	struct hosts_import h = {.data = d, .book = b};
	for (unsigned i = 0; i < d->hosts_count; i++) {
		struct hosts_counts counts = {0};
		int rc = hosts_file_read(d->hosts[i], host_take, &h, &counts);
		if (rc == -ENOMEM)
			return rc;
		*unread |= rc < 0 && rc != -E2BIG && rc != -EFBIG;
		if (rc < 0)
			log_warning("hosts file %s: %s", d->hosts[i],
				rc == -E2BIG ? "too many names; the rest is ignored"
					     : strerror(-rc));
		if (counts.rejected)
			log_info("hosts file %s: %llu invalid names or addresses ignored",
				d->hosts[i], (unsigned long long)counts.rejected);
		if (counts.not_ascii)
			log_warning("hosts file %s: %llu names outside ASCII ignored: write them "
				    "with xn--",
				d->hosts[i], (unsigned long long)counts.not_ascii);
	}
	return 0;
}

struct local_source {
	const struct local_data *data;
	struct local_items *seed; // items without hosts files
	char title[RULE_TITLE_MAX];
	uint8_t first_voice, last_voice;
	bool hosts;
	bool unread; // a hosts file, at some reading: of the thread that reads rules
};

struct local_data {
	struct local_seed seed;
	unsigned count;
	struct local_source source[2 + CONFIG_GROUPS_MAX];
};

static bool has_own(const struct config_group *g)
{
	return g && (g->record_count > 0 || g->forward_count > 0);
}

// Does it speak of a special-use name itself?
static bool touches_special(const struct config *c, const struct config_group *g)
{
	const struct special_settings settings = special_settings_of(c);
	struct special_name s;
	bool touches = false;
	for (unsigned k = 0; special_name_at(&settings, k, &s) && !touches; k++) {
		for (unsigned i = 0; i < g->record_count && !touches; i++)
			touches = dns_name_equal(&g->records[i].name, &s.name);
		for (unsigned i = 0; i < g->forward_count && !touches; i++)
			touches = dns_name_equal(&g->forwards[i].name, &s.name);
	}
	return touches;
}

static int source_add(struct local_data *d, const struct config *c, const struct config_group *g,
	const char *title, unsigned first_voice, unsigned last_voice)
{
	struct local_source *s = &d->source[d->count];
	int rc = seed_make(&d->seed, c, g, &s->seed);
	if (rc < 0)
		return rc;
	d->count++;
	s->data = d;
	s->first_voice = (uint8_t)first_voice;
	s->last_voice = (uint8_t)last_voice;
	s->hosts = first_voice <= LOCAL_HOSTS;
	snprintf(s->title, sizeof(s->title), "%s%s%.40s", title, g ? " of " : "", g ? g->name : "");
	return 0;
}

// A source without rules is none, so that status does not show it.
static bool has_data(const struct config *c)
{
	const struct config_local *l = &c->local;
	return l->record_count || l->hosts_file_count || l->zone_count || c->forward_count;
}

static int data_fill(struct local_data *d, const struct config *c)
{
	struct special_name special;
	int rc = seed_init(&d->seed, c);
	if (rc == 0 && has_data(c))
		rc = source_add(d, c, NULL, LOCAL_TITLE_DATA, LOCAL_OWN_RECORD, LOCAL_BETWEEN);
	for (unsigned i = 0; i < c->group_count && rc == 0; i++) {
		const struct config_group *g = &c->groups[i];
		if (has_own(g))
			rc = source_add(d, c, g, LOCAL_TITLE_DATA, LOCAL_OWN_RECORD,
				touches_special(c, g) ? LOCAL_SPECIAL : LOCAL_BETWEEN);
	}
	// Last: at one name a source before it decides, which has the hosts files.
	if (rc == 0 && special_name_at(&d->seed.special, 0, &special))
		rc = source_add(d, c, NULL, LOCAL_TITLE_SPECIAL, LOCAL_SPECIAL, LOCAL_SPECIAL);
	return rc;
}

int local_data_new(const struct config *c, struct local_data **out)
{
	struct local_data *d = heap_calloc(1, sizeof(*d));
	int rc = d ? data_fill(d, c) : -ENOMEM;
	if (rc < 0) {
		local_data_free(d);
		return rc;
	}
	*out = d;
	return 0;
}

void local_data_free(struct local_data *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < d->count; i++)
		items_free(d->source[i].seed);
	seed_end(&d->seed);
	heap_free(d);
}

const char *local_data_hosts(const struct local_data *d, unsigned i)
{
	return i < d->seed.hosts_count ? d->seed.hosts[i] : NULL;
}

unsigned local_data_sources(const struct local_data *d)
{
	return d->count;
}

const char *local_data_title(const struct local_data *d, unsigned i)
{
	return d->source[i].title;
}

void *local_data_arg(const struct local_data *d, unsigned i)
{
	return (void *)(uintptr_t)&d->source[i];
}

bool local_data_applies(const struct config *c, const struct config_group *g, const char *title)
{
	static const char of[] = LOCAL_TITLE_DATA " of ";
	if (strcmp(title, LOCAL_TITLE_SPECIAL) == 0)
		return !has_own(g) || !touches_special(c, g);
	if (strcmp(title, LOCAL_TITLE_DATA) == 0)
		return !has_own(g);
	if (strncmp(title, of, strlen(of)) == 0)
		return has_own(g) && strcmp(title + strlen(of), g->name) == 0;
	return true;
}

bool local_data_unread(const struct local_data *d)
{
	bool unread = false;
	for (unsigned i = 0; d && i < d->count; i++)
		unread |= d->source[i].unread;
	return unread;
}

int local_data_rules(void *arg, list_rule_take take, void *take_arg)
{
	struct local_source *s = arg;
	struct local_items *b;
	int rc = items_copy(s->seed, &b);
	if (rc < 0)
		return rc;
	if (s->hosts)
		rc = seed_hosts(&s->data->seed, b, &s->unread);
	if (rc == 0) {
		items_merge(&s->data->seed, b);
		rc = items_rules(&s->data->seed, b, s->first_voice, s->last_voice, take, take_arg);
	}
	items_free(b);
	return rc;
}
