// SPDX-License-Identifier: BSD-3-Clause
#include "counts.h"

#include "age_list.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 64 };

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low bytes of a value come first");

uint64_t count_value(const struct count *c, const void *from)
{
	uint64_t value = 0;
	memcpy(&value, (const char *)from + c->offset, c->width);
	return value;
}

static uint64_t merged(enum count_merge how, uint64_t a, uint64_t b)
{
	switch (how) {
	case COUNT_SUM:
		return a + b;
	case COUNT_MOST:
		return a > b ? a : b;
	case COUNT_LEAST:
		return a < b ? a : b;
	case COUNT_EARLIEST:
		return age_earlier(a, b);
	case COUNT_FIRST:
		break;
	}
	return a;
}

void counts_merge(const struct counts *c, void *sum, const void *one)
{
	for (const struct count *row = c->row; row < c->row + c->rows; row++) {
		const uint64_t value =
			merged(row->merge, count_value(row, sum), count_value(row, one));
		memcpy((char *)sum + row->offset, &value, row->width);
	}
}

void counts_json(struct json_out *o, struct json_node *parent, const char *as,
	const struct counts *c, const void *from)
{
	char key[KEY_MAX];

	for (const struct count *row = c->row; row < c->row + c->rows; row++) {
		const uint64_t value = count_value(row, from);
		if (row->key[0] == '\0')
			continue;
		snprintf(key, sizeof(key), "%s%s", as, row->key);
		if (row->width == sizeof(bool))
			json_out_bool(o, parent, key, value != 0);
		else
			json_out_count(o, parent, key, value);
	}
}
