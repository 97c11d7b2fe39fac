// SPDX-License-Identifier: BSD-3-Clause
#include "local_book.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

struct item {
	uint32_t order;       // as handed
	uint32_t name, rdata; // offsets of bytes
	uint32_t ttl_s;
	uint16_t rtype, rdata_len, but_type;
	uint8_t name_len, labels, voice, covers, reply;
};

struct local_book {
	struct item *item;
	size_t count, room;
	uint8_t *bytes;
	size_t used, bytes_room;
};

int local_book_new(struct local_book **out)
{
	*out = heap_calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

int local_book_copy(const struct local_book *from, struct local_book **out)
{
	struct local_book *b;
	int rc = local_book_new(&b);
	if (rc < 0)
		return rc;
	b->item = heap_malloc((from->count + 1) * sizeof(b->item[0]));
	b->bytes = heap_malloc(from->used + 1);
	if (!b->item || !b->bytes) {
		local_book_free(b);
		return -ENOMEM;
	}
	if (from->count)
		memcpy(b->item, from->item, from->count * sizeof(b->item[0]));
	if (from->used)
		memcpy(b->bytes, from->bytes, from->used);
	b->count = b->room = from->count;
	b->used = b->bytes_room = from->used;
	*out = b;
	return 0;
}

void local_book_free(struct local_book *b)
{
	if (!b)
		return;
	FREE_AND_NULL(b->item);
	FREE_AND_NULL(b->bytes);
	heap_free(b);
}

static int make_room(struct local_book *b, size_t bytes)
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

static uint32_t keep(struct local_book *b, const uint8_t *bytes, size_t len)
{
	uint32_t at = (uint32_t)b->used;
	if (len)
		memcpy(b->bytes + at, bytes, len);
	b->used += len;
	return at;
}

int local_book_add(struct local_book *b, const struct local_item *i)
{
	int rc = make_room(b, i->name->len + (size_t)i->rdata_len);
	if (rc < 0)
		return rc;
	b->item[b->count] = (struct item){
		.order = (uint32_t)b->count,
		.name = keep(b, i->name->wire, i->name->len),
		.rdata = keep(b, i->rdata, i->rdata_len),
		.ttl_s = i->ttl_s,
		.rtype = i->rtype,
		.rdata_len = i->rdata_len,
		.but_type = i->but_type,
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
	const struct local_book *b, const struct item *i, const uint8_t *wire, size_t len)
{
	return dns_name_order(b->bytes + i->name, i->name_len, wire, len);
}

static int by_name(const void *x, const void *y, void *book)
{
	const struct local_book *b = book;
	const struct item *i = x, *k = y;
	int order = name_order(b, i, b->bytes + k->name, k->name_len);
	if (order == 0 && i->voice != k->voice)
		order = i->voice < k->voice ? -1 : 1;
	return order ? order : (i->order > k->order) - (i->order < k->order);
}

// The items of one name are [from, to).
static size_t name_end(const struct local_book *b, size_t from)
{
	size_t to = from + 1;
	while (to < b->count
		&& name_order(
			   b, &b->item[to], b->bytes + b->item[from].name, b->item[from].name_len)
			   == 0)
		to++;
	return to;
}

static bool same_item(const struct local_book *b, const struct item *i, const struct item *k)
{
	return i->covers == k->covers && i->reply == k->reply && i->rtype == k->rtype
	       && i->rdata_len == k->rdata_len
	       && memcmp(b->bytes + i->rdata, b->bytes + k->rdata, i->rdata_len) == 0;
}

// An address has one host's name: that of the first line with it.
static bool is_needless(const struct local_book *b, const struct item *i, const struct item *before)
{
	return same_item(b, i, before)
	       || (i->voice == LOCAL_HOSTS && before->voice == LOCAL_HOSTS
		       && i->rtype == DNS_TYPE_PTR && before->rtype == DNS_TYPE_PTR);
}

static void name_settle(struct local_book *b, size_t from, size_t to, size_t *kept)
{
	size_t first = *kept;
	unsigned taken = 0, speaking = 0;
	for (size_t i = from; i < to; i++) {
		struct item one = b->item[i];
		bool needless = false;
		if (i > from && b->item[i - 1].voice != one.voice) {
			taken |= speaking;
			speaking = 0;
		}
		one.covers &= (uint8_t)~taken;
		for (size_t k = first; k < *kept; k++)
			needless = needless || is_needless(b, &one, &b->item[k]);
		speaking |= one.covers;
		if (one.covers && !needless)
			b->item[(*kept)++] = one;
	}
}

// The first item of the name; NULL: none.
static const struct item *item_find(const struct local_book *b, const uint8_t *wire, size_t len)
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
	const struct item *first; // NULL: none
	unsigned wanted;          // of it and those behind it that have its name
};

static const struct item *next_of(
	const struct local_book *b, const struct covering *c, const struct item *i)
{
	const struct item *name = i;
	while (++i < b->item + b->count
		&& name_order(b, i, b->bytes + name->name, name->name_len) == 0)
		if (i->covers & c->wanted)
			return i;
	return NULL;
}

static struct covering covering_of(const struct local_book *b, const struct dns_name *name)
{
	const uint8_t *wire = name->wire;
	size_t len = name->len;
	struct covering c = {.wanted = RULE_COVERS_SELF};
	for (;;) {
		c.first = item_find(b, wire, len);
		if (c.first && !(c.first->covers & c.wanted))
			c.first = next_of(b, &c, c.first);
		if (c.first || wire[0] == 0)
			return c;
		len -= wire[0] + (size_t)1;
		wire += wire[0] + 1;
		c.wanted = RULE_COVERS_BELOW;
	}
}

// Follows an alias to what its last target is. -ELOOP: to no end.
static int trail_follow(const struct local_book *b, const struct item *alias,
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
static bool leads_to_others(const struct local_book *b, const struct item *alias)
{
	struct list_chain chain;
	struct covering end;
	return trail_follow(b, alias, &chain, &end) < 0 || !end.first
	       || end.first->reply == RULE_REPLY_RESOLVE;
}

void local_book_settle(struct local_book *b)
{
	size_t kept = 0;
	if (b->count)
		qsort_r(b->item, b->count, sizeof(b->item[0]), by_name, b);
	for (size_t from = 0, to; from < b->count; from = to) {
		to = name_end(b, from);
		name_settle(b, from, to, &kept);
	}
	b->count = kept;
	for (size_t i = 0; i < b->count; i++)
		if (b->item[i].rtype == DNS_TYPE_CNAME && leads_to_others(b, &b->item[i]))
			b->item[i].reply = RULE_REPLY_RESOLVE;
}

static struct list_rule rule_of(const struct local_book *b, const struct item *i)
{
	bool data = i->reply == RULE_REPLY_DATA;
	return (struct list_rule){
		.what = LIST_RULE_NAME,
		.kind =
			{
				.rule_class = RULE_CLASS_LOCAL,
				.covers = i->covers,
				.reply = i->reply,
				.types = {.count = i->but_type != 0,
					.except = i->but_type != 0,
					.type = {i->but_type}},
			},
		.rtype = data ? i->rtype : 0,
		.rdata_len = data ? i->rdata_len : 0,
		.rdata = data ? b->bytes + i->rdata : NULL,
		.ttl_s = data ? i->ttl_s : 0,
	};
}

// What lies behind an alias, as rules for its own name: the records of its last target, and the
// answer for all types that it lacks.
static int alias_rules(const struct local_book *b, const struct item *alias, struct list_rule rule,
	list_rule_take take, void *arg)
{
	struct list_chain chain;
	struct covering end;
	int rc = trail_follow(b, alias, &chain, &end);
	assert(rc == 0 && end.first); // else settling made it RULE_REPLY_RESOLVE
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

int local_book_rules(const struct local_book *b, unsigned first_voice, unsigned last_voice,
	list_rule_take take, void *arg)
{
	int rc = 0;
	for (size_t k = 0; k < b->count && rc == 0; k++) {
		const struct item *i = &b->item[k];
		struct list_rule rule = rule_of(b, i);
		struct dns_name name = {.len = i->name_len, .labels = i->labels};
		if (i->voice < first_voice || i->voice > last_voice)
			continue;
		memcpy(name.wire, b->bytes + i->name, i->name_len);
		rule.name = &name;
		rc = take(arg, &rule);
		if (rc == 0 && i->rtype == DNS_TYPE_CNAME && i->reply == RULE_REPLY_DATA)
			rc = alias_rules(b, i, rule, take, arg);
	}
	return rc;
}
