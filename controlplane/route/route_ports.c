// SPDX-License-Identifier: BSD-3-Clause
#include "route_ports.h"

// A port's number at *at, behind blanks. False: no number.
static bool port_read(const char *text, size_t len, size_t *at, unsigned *out)
{
	while (*at < len && (text[*at] == ' ' || text[*at] == '\t'))
		++*at;
	const size_t begin = *at;
	for (*out = 0; *at < len && text[*at] >= '0' && text[*at] <= '9'; ++*at) {
		*out = *out * 10 + (unsigned)(text[*at] - '0');
		if (*out > UINT16_MAX)
			return false;
	}
	return *at > begin;
}

static void range_add(struct route_ports *p, unsigned first, unsigned last)
{
	if (first > last)
		return;
	p->range[p->range_count++] =
		(struct hops_range){.first = (uint16_t)first, .last = (uint16_t)last};
	p->count += last - first + 1;
}

void route_ports_parse(struct route_ports *out, const char *text, size_t len)
{
	unsigned first, last;
	size_t at = 0;

	*out = (struct route_ports){0};
	if (!port_read(text, len, &at, &first) || !port_read(text, len, &at, &last) || first > last)
		return;
	if (first > HOPS_PORT_LEAST)
		range_add(out, HOPS_PORT_LEAST, first - 1);
	range_add(out, last + 1 > HOPS_PORT_LEAST ? last + 1 : HOPS_PORT_LEAST, UINT16_MAX);
}

void route_ports_reserve(struct route_ports *p, const struct local_ports *reserved)
{
	for (unsigned k = 0; k < reserved->count; k++) {
		const unsigned first = reserved->range[k].first, last = reserved->range[k].last;
		for (unsigned i = 0; i < p->range_count; i++) {
			const unsigned from = first > p->range[i].first ? first : p->range[i].first;
			const unsigned to = last < p->range[i].last ? last : p->range[i].last;
			const unsigned both = from <= to ? to - from + 1 : 0;
			p->count -= both < p->count ? both : p->count;
		}
	}
}
