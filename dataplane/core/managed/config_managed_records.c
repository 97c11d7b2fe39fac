// SPDX-License-Identifier: BSD-3-Clause

// Local records of the managed part. A verb may write a value otherwise than the one before it:
// values are the same if their data is.

#include "config_managed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/ascii.h>
#include <weir/dns_proto.h>
#include <weir/rdata_parse.h>

struct data {
	uint16_t len;
	uint8_t bytes[RDATA_PARSE_MAX];
};

// Is `text` the data as `\# LEN HEX`, which GET /local shows of types without a text of their own
// there (RFC 3597)?
static bool is_generic(const struct data *d, const char *text)
{
	char part[16];
	const int head = snprintf(part, sizeof(part), "\\# %u ", d->len);
	if (strncmp(text, part, (size_t)head) != 0 || strlen(text + head) != 2 * (size_t)d->len)
		return false;
	for (unsigned i = 0; i < d->len; i++) {
		(void)snprintf(part, sizeof(part), "%02x", d->bytes[i]);
		if (strncasecmp(text + head + 2 * (size_t)i, part, 2) != 0)
			return false;
	}
	return true;
}

// Where a name begins that is all of the rest, and whose letter case does not count.
static size_t name_at(uint16_t type)
{
	switch (type) {
	case DNS_TYPE_CNAME:
	case DNS_TYPE_PTR:
		return 0;
	case DNS_TYPE_MX:
		return 2;
	case DNS_TYPE_SRV:
		return 6;
	default:
		return RDATA_PARSE_MAX;
	}
}

static bool data_take(uint16_t type, const char *text, struct data *out)
{
	const char *why;
	if (rdata_parse(type, text, strlen(text), out->bytes, &out->len, &why) < 0)
		return false;
	for (size_t i = name_at(type); i < out->len; i++)
		out->bytes[i] = ascii_lower(out->bytes[i]);
	return true;
}

// `has`: that of a record of this type.
static bool same_value(const char *type_text, const char *has, const char *wanted)
{
	uint16_t type;
	struct data x, y;
	if (managed_text_same(has, wanted))
		return true;
	if (!has || !type_text || !rdata_parse_type(type_text, &type) || !data_take(type, has, &x))
		return false;
	if (!data_take(type, wanted, &y))
		return is_generic(&x, wanted);
	return x.len == y.len && memcmp(x.bytes, y.bytes, x.len) == 0;
}

static unsigned record_find(
	const struct config_raw_local *local, const struct managed_record *r, unsigned i)
{
	for (; i < local->records_count; i++) {
		const struct config_raw_record *one = &local->records[i];
		if (managed_text_same(one->name, r->name)
			&& (!r->type || managed_text_same(one->type, r->type))
			&& (!r->value || same_value(one->type, one->value, r->value)))
			break;
	}
	return i;
}

#define RECORD_TEXTS(r)                                        \
	{                                                      \
		&(r)->name, &(r)->type, &(r)->value, &(r)->ttl \
	}
enum { RECORD_TEXTS_COUNT = 4 };

static void record_close(struct config_raw_local *local, unsigned i)
{
	char **const texts[] = RECORD_TEXTS(&local->records[i]);
	managed_texts_free(texts, RECORD_TEXTS_COUNT);
	managed_item_close(local->records, &local->records_count, sizeof(*local->records), i);
}

int config_managed_record_add(struct config_managed *m, const struct managed_record *r)
{
	struct config_raw_local *local = m->raw->local;
	const char *const from[] = {r->name, r->type, r->value, r->ttl};
	if (record_find(local, r, 0) < local->records_count)
		return -EEXIST;
	if (local->records_count == CONFIG_RECORDS_MAX)
		return -E2BIG;
	struct config_raw_record *grown =
		managed_item_new(local->records, local->records_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	local->records = grown;
	char **const to[] = RECORD_TEXTS(&grown[local->records_count]);
	local->records_count++;
	if (managed_texts_take(to, from, RECORD_TEXTS_COUNT))
		return 0;
	record_close(local, local->records_count - 1);
	return -ENOMEM;
}

int config_managed_record_remove(struct config_managed *m, const struct managed_record *r)
{
	struct config_raw_local *local = m->raw->local;
	unsigned i = 0, removed = 0;
	while ((i = record_find(local, r, i)) < local->records_count) {
		record_close(local, i);
		removed++;
	}
	return removed ? (int)removed : -ENOENT;
}
