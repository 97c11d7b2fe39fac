// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_ports.h"

#include <fcntl.h>
#include <unistd.h>

#define RESERVED_PORTS "/proc/sys/net/ipv4/ip_local_reserved_ports"
enum { TEXT_MAX = 4096 };

// A port's number at *at; false: there is none.
static bool port_read(const char *text, size_t len, size_t *at, uint16_t *out)
{
	uint32_t n = 0;
	size_t begin = *at;

	for (; *at < len && text[*at] >= '0' && text[*at] <= '9'; ++*at) {
		n = n * 10 + (uint32_t)(text[*at] - '0');
		if (n > UINT16_MAX)
			return false;
	}
	*out = (uint16_t)n;
	return *at > begin;
}

void upstream_ports_parse(struct upstream_ports *out, const char *text, size_t len)
{
	out->count = 0;
	for (size_t at = 0; out->count < UPSTREAM_PORT_RANGES_MAX; at++) {
		struct upstream_port_range *r = &out->range[out->count];
		if (!port_read(text, len, &at, &r->first))
			return;
		r->last = r->first;
		if (at < len && text[at] == '-') {
			at++;
			if (!port_read(text, len, &at, &r->last))
				return;
		}
		out->count++;
		if (at >= len || text[at] != ',')
			return;
	}
}

void upstream_ports_load(struct upstream_ports *out)
{
	char text[TEXT_MAX];
	int fd = open(RESERVED_PORTS, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));

	upstream_ports_parse(out, text, n > 0 ? (size_t)n : 0);
	if (fd >= 0)
		close(fd);
}

bool upstream_ports_reserved(const struct upstream_ports *p, uint16_t port)
{
	for (unsigned i = 0; i < p->count; i++)
		if (port >= p->range[i].first && port <= p->range[i].last)
			return true;
	return false;
}
