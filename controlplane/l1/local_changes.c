// SPDX-License-Identifier: BSD-3-Clause
#include "local_changes.h"

#include "policy/house.h"
#include "upstream/views.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/hosts_file.h>
#include <weir/keyhash.h>

// One statement about a name: a record, a local zone or a forwarding zone.
struct said {
	const struct dns_name *name;
	bool below;
	uint64_t hash;
};

struct saying {
	unsigned count;
	struct said *one;
};

static int by_said(const void *x, const void *y)
{
	const struct said *a = x, *b = y;
	if (a->below != b->below)
		return a->below ? 1 : -1;
	if (a->name->len != b->name->len)
		return a->name->len < b->name->len ? -1 : 1;
	int order = memcmp(a->name->wire, b->name->wire, a->name->len);
	return order ? order : (a->hash > b->hash) - (a->hash < b->hash);
}

static uint64_t record_hash(const struct config_record *r)
{
	uint64_t part[3] = {r->type, r->ttl_s, contenthash(r->rdata, r->rdata_len)};
	return contenthash(part, sizeof(part));
}

static int saying_make(const struct config *c, struct saying *out)
{
	const struct config_local *l = &c->local;
	struct saying s = {0};
	s.one = heap_calloc(
		l->record_count + l->zone_count + c->forward_count + (size_t)1, sizeof(s.one[0]));
	if (!s.one)
		return -ENOMEM;
	for (unsigned i = 0; i < l->record_count; i++)
		s.one[s.count++] = (struct said){
			&l->records[i].name, l->records[i].wildcard, record_hash(&l->records[i])};
	for (unsigned i = 0; i < l->zone_count; i++)
		s.one[s.count++] = (struct said){&l->zones[i].name, true, 1u + l->zones[i].forward};
	for (unsigned i = 0; i < c->forward_count; i++)
		s.one[s.count++] =
			(struct said){&c->forwards[i].name, true, views_zone_hash(&c->forwards[i])};
	qsort(s.one, s.count, sizeof(s.one[0]), by_said);
	*out = s;
	return 0;
}

// The longest name that `a` and `b` are equal to or under.
static struct dns_name common_of(const struct dns_name *a, const struct dns_name *b)
{
	struct dns_name up = *a;
	while (up.labels > 0 && !dns_name_is_under(b, &up)) {
		size_t skip = up.wire[0] + (size_t)1;
		up.len = (uint8_t)(up.len - skip);
		up.labels--;
		memmove(up.wire, up.wire + skip, up.len);
	}
	return up;
}

static void differs(struct local_changes *c, const struct dns_name *name, bool below)
{
	for (unsigned i = 0; i < c->count; i++)
		if (flush_fits(&c->one[i], name) && (!below || c->one[i].kind != FLUSH_NAME))
			return;
	c->names++;
	if (c->names <= LOCAL_CHANGES_MAX) {
		c->one[c->count++] = (struct flush){below ? FLUSH_BELOW : FLUSH_NAME, *name};
		return;
	}
	struct dns_name common = *name;
	for (unsigned i = 0; i < c->count; i++)
		common = common_of(&common, &c->one[i].name);
	c->count = 1;
	c->one[0] = (struct flush){common.labels ? FLUSH_BELOW : FLUSH_ALL, common};
}

static void compare(
	const struct saying *before, const struct saying *after, struct local_changes *out)
{
	unsigned i = 0, k = 0;
	while (i < before->count || k < after->count) {
		int order = i == before->count  ? 1
			    : k == after->count ? -1
						: by_said(&before->one[i], &after->one[k]);
		const struct said *s = order < 0 ? &before->one[i] : &after->one[k];
		if (order != 0)
			differs(out, s->name, s->below);
		i += order <= 0;
		k += order >= 0;
	}
}

static bool flushed(const struct local_changes *c, const struct dns_name *name)
{
	for (unsigned i = 0; i < c->count; i++)
		if (flush_fits(&c->one[i], name))
			return true;
	return false;
}

// Adds unchanged CNAMEs whose target is flushed. True: at least one was added.
static bool lead_there(
	const struct config_record *records, unsigned count, struct local_changes *out)
{
	unsigned before = out->names;
	for (unsigned i = 0; i < count; i++) {
		const struct config_record *r = &records[i];
		struct dns_name target;
		struct rd rd = rd_init(r->rdata, r->rdata_len);
		if (r->type == DNS_TYPE_CNAME && dns_name_read(&rd, &target) == 0
			&& flushed(out, &target))
			differs(out, &r->name, r->wildcard);
	}
	return out->names != before;
}

// Adds CNAMEs that lead to flushed names, until none is left. A group's CNAME may lead to a name
// that is defined for all clients, so groups are searched too.
static void follow_back(const struct config *after, struct local_changes *out)
{
	const struct config_local *l = &after->local;
	bool more = true;
	while (more) {
		more = lead_there(l->records, l->record_count, out);
		for (unsigned i = 0; i < after->group_count; i++)
			more |= lead_there(
				after->groups[i].records, after->groups[i].record_count, out);
	}
}

static void all_differs(struct local_changes *out)
{
	out->count = out->names = 1;
	out->one[0] = (struct flush){.kind = FLUSH_ALL, .name = {.len = 1}};
}

// Do names with a single label get other answers?
static bool singles_differ(const struct config_local *a, const struct config_local *b)
{
	return a->single_labels != b->single_labels
	       || (a->single_labels == SINGLE_LABELS_COMPLETE
		       && !dns_name_equal(&a->house, &b->house));
}

int local_changes_find(
	const struct config *before, const struct config *after, struct local_changes *out)
{
	struct saying old = {0}, new = {0};
	out->count = out->names = 0;
	if (singles_differ(&before->local, &after->local)) {
		all_differs(out);
		return 0;
	}
	int rc = saying_make(before, &old);
	if (rc == 0)
		rc = saying_make(after, &new);
	if (rc == 0) {
		compare(&old, &new, out);
		follow_back(after, out);
	}
	heap_free(old.one);
	heap_free(new.one);
	if (rc < 0)
		all_differs(out);
	return rc;
}

static bool covers(const struct dns_name *zone, const struct dns_name *name, bool below)
{
	return dns_name_is_under(name, zone) || (below && dns_name_is_under(zone, name));
}

static bool forwards(const struct config_forward_zone *zones, unsigned count,
	const struct dns_name *name, bool below)
{
	for (unsigned i = 0; i < count; i++)
		if (covers(&zones[i].name, name, below))
			return true;
	return false;
}

// May servers be asked for the name, or for one below it, while no lease has it?
static bool is_asked(const struct config *c, const struct dns_name *name, bool below)
{
	struct dns_name zone;
	bool is = !house_keeps(c, name, -1, &zone)
		  || forwards(c->forwards, c->forward_count, name, below);
	for (unsigned i = 0; i < c->group_count && !is; i++)
		is = forwards(c->groups[i].forwards, c->groups[i].forward_count, name, below);
	for (unsigned i = 0; i < c->local.zone_count && !is; i++)
		is = c->local.zones[i].forward && covers(&c->local.zones[i].name, name, below);
	return is;
}

static void begins(
	const struct config *c, const struct dns_name *name, bool below, struct local_changes *out)
{
	if (is_asked(c, name, below))
		differs(out, name, below);
}

// False: they are too many to name.
static bool leases_begin(const struct config *c, const struct lease_names *before,
	const struct lease_names *after, int64_t now_s, struct local_changes *out)
{
	const struct lease_name *l;
	for (unsigned i = 0; (l = lease_names_nth(after, i)) != NULL; i++) {
		struct dns_name host, single, reverse;
		if (!house_host(c, l, &host, &single))
			continue;
		hosts_reverse_name(&l->address, &reverse);
		if (!lease_names_find(before, l->label, 4, now_s)
			&& !lease_names_find(before, l->label, 6, now_s))
			begins(c, &host, false, out);
		if (!lease_names_at(before, &l->address, now_s))
			begins(c, &reverse, false, out);
		if (out->names > LOCAL_CHANGES_MAX)
			return false;
	}
	return true;
}

void local_changes_leases(const struct config *c, const struct lease_names *before,
	const struct lease_names *after, int64_t now_s, struct local_changes *out)
{
	struct dns_name zone;
	out->count = out->names = 0;
	if (!lease_names_are_of(before, &c->local.house))
		before = NULL;
	if (!leases_begin(c, before, after, now_s, out)) {
		out->count = out->names = 0;
		begins(c, &c->local.house, true, out);
		for (unsigned i = 0; house_reverse_at(i, &zone); i++)
			begins(c, &zone, true, out);
	}
	follow_back(c, out);
}
