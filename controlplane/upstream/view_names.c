// SPDX-License-Identifier: BSD-3-Clause
#include "view_names.h"

#include <string.h>
#include <weir/keyhash.h>

static int names_make(struct forwards *f, const struct config_forward_zone *zones,
	unsigned zone_count, const struct config_record *records, unsigned record_count,
	struct view_names *out)
{
	struct view_names made = {0};
	int rc = forward_table_new(f, zones, zone_count, &made.zones);
	if (rc == 0)
		rc = rewrite_table_new(records, record_count, &made.rewrites);
	if (rc < 0) {
		view_names_end(&made);
		return rc;
	}
	*out = made;
	return 0;
}

int view_names_make(struct forwards *f, const struct config_group *group, struct view_names *out)
{
	return names_make(
		f, group->forwards, group->forward_count, group->records, group->record_count, out);
}

int view_names_make_everyone(struct forwards *f, const struct config *c, struct view_names *out)
{
	return names_make(
		f, c->forwards, c->forward_count, c->local.records, c->local.record_count, out);
}

void view_names_end(struct view_names *n)
{
	forward_table_free(n->zones);
	rewrite_table_free(n->rewrites);
	*n = (struct view_names){0};
}

// Only what changes how a name is resolved: other records are answered from the image.
static uint64_t record_hash(const struct config_record *r)
{
	uint8_t text[2 * DNS_NAME_MAX + 8];
	struct wr w = wr_init(text, sizeof(text));
	wr_u8(&w, r->wildcard);
	wr_u32(&w, r->ttl_s);
	wr_bytes(&w, r->name.wire, r->name.len);
	wr_bytes(&w, r->rdata, r->rdata_len);
	return wr_ok(&w) ? contenthash(text, w.pos) : 0;
}

// Sums, so that the order does not count.
static uint64_t names_hash(const struct config_forward_zone *zones, unsigned zone_count,
	const struct config_record *records, unsigned record_count)
{
	uint64_t sum[2] = {0, 0}, any = 0;
	for (unsigned i = 0; i < zone_count; i++, any = 1)
		sum[0] += forward_zone_hash(&zones[i]);
	for (unsigned i = 0; i < record_count; i++)
		if (records[i].type == DNS_TYPE_CNAME) {
			sum[1] += record_hash(&records[i]);
			any = 1;
		}
	uint64_t hash = contenthash(sum, sizeof(sum));
	return any ? hash | 1 : 0;
}

uint64_t view_names_hash(const struct config_group *g)
{
	return names_hash(g->forwards, g->forward_count, g->records, g->record_count);
}

uint64_t view_names_everyone_hash(const struct config *c)
{
	return names_hash(c->forwards, c->forward_count, c->local.records, c->local.record_count);
}
