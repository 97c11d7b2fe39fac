// SPDX-License-Identifier: BSD-3-Clause
#include "dns_records.h"

#include <string.h>

enum { CELLS = 4096, PROBES = 16 };

static_assert(CELLS >= 2 * DNS_ANSWER_RECORDS_MAX);

static uint32_t hash_of(const struct dns_records *t, unsigned i)
{
	const struct dns_record *rec = &t->rec[i];
	uint32_t h = rec->owner_hash ^ rec->type * 0x9e3779b1u;

	for (unsigned k = 0; k < rec->rdata_len; k++)
		h = (h ^ t->msg[rec->rdata_off + k]) * 0x01000193u;
	return h ^ h >> 15;
}

// Records kept for one step with the same type and data have one owner. A DNAME can be kept for
// several steps: only then are names read, a bounded number of times, because two long ones for
// each record would take milliseconds.
static bool have_same_owner(
	struct dns_records *t, const struct dns_record *a, const struct dns_record *b)
{
	struct dns_name one, other;

	if (a->owner_hash != b->owner_hash)
		return false;
	if (a->keep == b->keep)
		return true;
	if (t->strangers == DNS_STRANGERS_MAX)
		return false;
	t->strangers++;
	dns_record_owner(t, a, &one);
	dns_record_owner(t, b, &other);
	return dns_name_equal(&one, &other);
}

static bool are_twins(struct dns_records *t, const struct dns_record *a, const struct dns_record *b)
{
	if (a->type != b->type || a->class != b->class || a->rdata_len != b->rdata_len
		|| memcmp(t->msg + a->rdata_off, t->msg + b->rdata_off, a->rdata_len) != 0)
		return false;
	return have_same_owner(t, a, b);
}

void dns_twins_drop(struct dns_records *t)
{
	uint16_t cell[CELLS]; // a record's number and one

	if (t->answers < 2)
		return;
	memset(cell, 0, sizeof(cell));
	for (unsigned i = 0; i < t->answers; i++) {
		if (!t->rec[i].keep)
			continue;
		uint32_t h = hash_of(t, i);
		for (unsigned probe = 0; probe < PROBES; probe++) {
			uint16_t *c = &cell[(h + probe) % CELLS];
			if (*c && !are_twins(t, &t->rec[*c - 1u], &t->rec[i]))
				continue;
			if (*c)
				t->rec[i].keep = 0;
			else
				*c = (uint16_t)(i + 1);
			break;
		}
	}
}
