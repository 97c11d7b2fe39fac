// SPDX-License-Identifier: BSD-3-Clause
#include "local_ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#define RESERVED_PORTS "/proc/sys/net/ipv4/ip_local_reserved_ports"
enum {
	TEXT_MAX = 4096,
	PORT_FIRST = 1024,
	PORT_TRIES = 16,
	PORT_DRAWS = 1024, // draws before weir gives up
};

// Reads a port's number at *at. False: there is no number.
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

void local_ports_parse(struct local_ports *out, const char *text, size_t len)
{
	*out = (struct local_ports){0};
	for (size_t at = 0; out->count < LOCAL_PORT_RANGES_MAX; at++) {
		struct local_port_range *r = &out->range[out->count];
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

void local_ports_load(struct local_ports *out)
{
	char text[TEXT_MAX];
	int fd = open(RESERVED_PORTS, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));

	local_ports_parse(out, text, n > 0 ? (size_t)n : 0);
	if (fd >= 0)
		close(fd);
}

bool local_ports_reserved(const struct local_ports *p, uint16_t port)
{
	if (p->every > 1 && port % p->every != p->resolver)
		return true;
	for (unsigned i = 0; i < p->count; i++)
		if (port >= p->range[i].first && port <= p->range[i].last)
			return true;
	return false;
}

static uint16_t port_draw(struct rng *rng, const struct local_ports *reserved)
{
	for (unsigned i = 0; i < PORT_DRAWS; i++) {
		uint16_t port = rng_u16(rng);
		// Draws again, so that no port is likelier than another.
		if (port >= PORT_FIRST && !local_ports_reserved(reserved, port))
			return port;
	}
	return 0;
}

int local_address_to(const struct sockaddr *peer, socklen_t len, union local_address *out)
{
	int fd = socket(peer->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*out);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, peer, len) < 0 || getsockname(fd, &out->any, &size) < 0)
		rc = -errno;
	close(fd);
	// connect(2) has drawn a port.
	if (peer->sa_family == AF_INET)
		out->v4.sin_port = 0;
	else
		out->v6.sin6_port = 0;
	return rc;
}

// weir draws the port, because the kernel draws from a smaller range, by a known method.
int local_port_bind(struct rng *rng, const struct local_ports *reserved, int fd,
	const union local_address *from, uint16_t *port)
{
	union local_address at = *from;
	int rc = -EADDRINUSE;

	for (unsigned i = 0; i < PORT_TRIES && rc == -EADDRINUSE; i++) {
		*port = port_draw(rng, reserved);
		if (!*port)
			break;
		if (at.any.sa_family == AF_INET)
			at.v4.sin_port = htons(*port);
		else
			at.v6.sin6_port = htons(*port);
		rc = bind(fd, &at.any, at.any.sa_family == AF_INET ? sizeof(at.v4) : sizeof(at.v6))
				     < 0
			     ? -errno
			     : 0;
	}
	return rc;
}
