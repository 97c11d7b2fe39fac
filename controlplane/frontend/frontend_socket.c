// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>
#include <weir/bytes.h>

bool frontend_proxy_is_due(
	const struct config_proxy_protocol *balancers, const union client_address *peer)
{
	unsigned version;
	const uint8_t *bytes = client_bytes(peer, &version);

	for (unsigned i = 0; i < balancers->from_count; i++) {
		const struct ip_address *from = &balancers->from[i];
		if (from->version == version && bits_same(from->bytes, bytes, from->prefix_len))
			return true;
	}
	return false;
}

union client_address frontend_proxy_client(const struct proxy_header *h)
{
	union client_address client = {0};

	if (h->ip_version == 4) {
		client.v4.sin_family = AF_INET;
		client.v4.sin_port = htobe16(h->port);
		memcpy(&client.v4.sin_addr, h->ip, sizeof(client.v4.sin_addr));
	} else {
		client.v6.sin6_family = AF_INET6;
		client.v6.sin6_port = htobe16(h->port);
		memcpy(&client.v6.sin6_addr, h->ip, sizeof(client.v6.sin6_addr));
	}
	return client;
}

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

void frontend_socket_prefer(int fd, int level, int option, int value)
{
	(void)set(fd, level, option, value);
}

void frontend_sockets_init(struct frontend_sockets *s, bool shares)
{
	*s = (struct frontend_sockets){.shares = shares};
	pthread_mutex_init(&s->lock, NULL);
}

void frontend_sockets_end(struct frontend_sockets *s)
{
	pthread_mutex_destroy(&s->lock);
}

// Sets the options that a socket must have.
static int require(int fd, sa_family_t family, int type)
{
	int rc = type == SOCK_STREAM ? set(fd, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
	if (rc == 0)
		rc = set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	if (rc == 0 && family == AF_INET6)
		rc = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	return rc;
}

// Binds the first socket of an address alone, later ones with SO_REUSEPORT (frontend_socket.h).
static int bind_to(
	int fd, const struct sockaddr_storage *sa, socklen_t len, bool shares, bool first)
{
	int rc = shares && !first ? set(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0;
	if (rc == 0 && bind(fd, (const struct sockaddr *)sa, len) < 0)
		rc = -errno;
	if (rc == 0 && shares && first)
		rc = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return rc;
}

int frontend_socket_open(
	struct frontend_sockets *s, unsigned i, const struct socket_address *at, int type)
{
	struct sockaddr_storage sa;
	socklen_t len;

	if (!socket_address_to_sockaddr(at, &sa, &len))
		return -EINVAL;
	int fd = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int rc = require(fd, sa.ss_family, type);
	pthread_mutex_lock(&s->lock);
	const unsigned others = s->place[i].port == at->port ? s->place[i].open : 0;
	if (rc == 0)
		rc = bind_to(fd, &sa, len, s->shares, others == 0);
	if (rc == 0) {
		s->place[i].port = at->port;
		s->place[i].open = others + 1;
	}
	pthread_mutex_unlock(&s->lock);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

void frontend_socket_close(struct frontend_sockets *s, unsigned i, uint16_t port, int fd)
{
	pthread_mutex_lock(&s->lock);
	close(fd);
	s->place[i].open -= s->place[i].port == port;
	pthread_mutex_unlock(&s->lock);
}
