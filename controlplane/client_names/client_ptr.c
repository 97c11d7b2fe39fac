// SPDX-License-Identifier: BSD-3-Clause
#include "client_ptr.h"

#include "base/rng.h"
#include "ptr_message.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/dns_answer.h>
#include <weir/dns_proto.h>

enum { SLICE_MS = 100, QUERY_MAX = 512, REPLY_MAX = 4096 };

static int reply_wait(int fd, uint16_t id, const uint8_t *question, uint16_t question_len,
	const _Atomic bool *stop, char name[CLIENT_NAME_MAX], uint32_t *ttl_s)
{
	uint8_t msg[REPLY_MAX];
	const uint64_t until_ms = clock_mono_ms() + CLIENT_PTR_WAIT_MS;
	while (!*stop && clock_mono_ms() < until_ms) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, SLICE_MS) <= 0)
			continue;
		ssize_t n = recv(fd, msg, sizeof(msg), 0);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno; // an ICMP error: no server there
		if (n > 0 && dns_answer_matches(msg, (size_t)n, id, question, question_len, false))
			return ptr_message_read(msg, (size_t)n, name, ttl_s);
	}
	return *stop ? -ECANCELED : -ETIMEDOUT;
}

static int server_connect(const struct socket_address *server)
{
	struct sockaddr_storage to;
	socklen_t to_len;
	if (!socket_address_to_sockaddr(server, &to, &to_len))
		return -EINVAL;
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, to_len) == 0)
		return fd;
	int err = -errno;
	close(fd);
	return err;
}

int client_ptr_ask(const struct socket_address *server, const struct client_ip *a,
	const _Atomic bool *stop, char name[CLIENT_NAME_MAX], uint32_t *ttl_s)
{
	uint8_t question[DNS_NAME_MAX + 4], query[QUERY_MAX];
	struct rng rng = {0};
	struct dns_name asked;
	const uint16_t id = rng_u16(&rng);
	*ttl_s = 0;
	ptr_message_name(a, &asked);
	memcpy(question, asked.wire, asked.len);
	put_u16(question + asked.len, DNS_TYPE_PTR);
	put_u16(question + asked.len + 2, DNS_CLASS_IN);
	const uint16_t question_len = (uint16_t)(asked.len + 4);
	const uint16_t len =
		dns_query_write(query, sizeof(query), id, question, question_len, false, false);
	int fd = len ? server_connect(server) : -EMSGSIZE;
	if (fd < 0)
		return fd;
	int rc = send(fd, query, len, 0) == len ? 0 : -errno;
	if (rc == 0)
		rc = reply_wait(fd, id, question, question_len, stop, name, ttl_s);
	close(fd);
	return rc;
}
