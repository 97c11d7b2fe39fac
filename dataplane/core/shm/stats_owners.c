// SPDX-License-Identifier: BSD-3-Clause

#include <stdio.h>
#include <string.h>
#include <weir/stats_read.h>

static_assert((int)MBUF_OWNERS == (int)MBUF_OWNER_VERDICTS + (int)STATS_VERDICTS_MAX);

const char *stats_owner_name(unsigned owner)
{
	static const char *const names[] = {
#define X(name) #name,
		MBUF_OWNER_LIST(X)
#undef X
	};
	if (owner < ARRAY_LEN(names))
		return names[owner];
	owner -= MBUF_OWNER_VERDICTS;
	return owner < VERDICT_COUNT ? verdict_names[owner] : "?";
}

// The owner that misses most of those under `most`, or as many and comes behind `last`.
static unsigned next_owner(const uint32_t missing[MBUF_OWNERS], uint32_t most, unsigned last)
{
	unsigned found = MBUF_OWNERS;
	for (unsigned i = 0; i < MBUF_OWNERS; i++) {
		bool is_left = missing[i] < most || (missing[i] == most && i > last);
		if (is_left && missing[i] && (found == MBUF_OWNERS || missing[i] > missing[found]))
			found = i;
	}
	return found;
}

void stats_owners_text(const uint32_t missing[MBUF_OWNERS], char out[STATS_OWNERS_TEXT])
{
	enum { SHOWN = 3 };
	int len = 0;
	unsigned owner = next_owner(missing, UINT32_MAX, MBUF_OWNERS), n = 0;
	out[0] = '\0';
	for (; owner < MBUF_OWNERS && n < SHOWN; n++) {
		len += snprintf(out + len, STATS_OWNERS_TEXT - (size_t)len, "%s%s %u",
			n ? ", " : "", stats_owner_name(owner), missing[owner]);
		owner = next_owner(missing, missing[owner], owner);
	}
	if (owner < MBUF_OWNERS)
		(void)snprintf(out + len, STATS_OWNERS_TEXT - (size_t)len, ", ...");
}

uint32_t stats_mbufs_missing(const struct stats_copy *s, uint32_t by[MBUF_OWNERS])
{
	uint32_t sum = 0;
	memset(by, 0, MBUF_OWNERS * sizeof(by[0]));
	for (unsigned i = 0; i < s->workers; i++)
		for (unsigned o = 0; o < MBUF_OWNERS; o++) {
			by[o] += s->worker[i].mbuf_missing[o];
			sum += s->worker[i].mbuf_missing[o];
		}
	return sum;
}
