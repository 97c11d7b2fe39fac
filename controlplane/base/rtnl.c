// SPDX-License-Identifier: BSD-3-Clause
#include "rtnl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LATE_MAX = 4 };

int rtnl_open(struct rtnl *n, uint32_t groups)
{
	const struct sockaddr_nl self = {.nl_family = AF_NETLINK, .nl_groups = groups};

	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (n->fd < 0)
		return -errno;
	if (bind(n->fd, (const struct sockaddr *)&self, sizeof(self)) == 0)
		return 0;
	int rc = -errno;
	rtnl_close(n);
	return rc;
}

void rtnl_close(struct rtnl *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

void rtnl_begin(struct rtnl_request *q, uint16_t type, const void *body, size_t len)
{
	*q = (struct rtnl_request){.head = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST}};
	memcpy(q->rest, body, len);
	q->head.nlmsg_len = (uint32_t)NLMSG_SPACE(len);
}

void rtnl_put(struct rtnl_request *q, uint16_t attribute, const void *data, size_t len)
{
	const struct rtattr a = {.rta_type = attribute, .rta_len = (uint16_t)RTA_LENGTH(len)};
	uint8_t *at = (uint8_t *)q + q->head.nlmsg_len;

	memcpy(at, &a, sizeof(a));
	memcpy(at + RTA_LENGTH(0), data, len);
	q->head.nlmsg_len += (uint32_t)RTA_SPACE(len);
}

bool rtnl_next(const struct rtnl_reply *r, size_t len, size_t *at, struct rtnl_message *out)
{
	struct nlmsghdr h;

	if (*at > len || len - *at < sizeof(h))
		return false;
	memcpy(&h, r->bytes + *at, sizeof(h));
	if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len - *at)
		return false;
	*out = (struct rtnl_message){
		.type = h.nlmsg_type,
		.body = r->bytes + *at + NLMSG_HDRLEN,
		.attributes = r->bytes + *at + NLMSG_HDRLEN,
		.attributes_len = h.nlmsg_len - NLMSG_HDRLEN,
	};
	*at += NLMSG_ALIGN(h.nlmsg_len);
	return true;
}

bool rtnl_body(struct rtnl_message *m, size_t len)
{
	if (m->attributes_len < len)
		return false;
	size_t skip = NLMSG_ALIGN(len) < m->attributes_len ? NLMSG_ALIGN(len) : m->attributes_len;
	m->attributes += skip;
	m->attributes_len -= skip;
	return true;
}

// Reads the reply to request n->sequence. Skips late replies to earlier requests.
static int receive(struct rtnl *n, struct rtnl_reply *out)
{
	struct nlmsghdr h;

	for (unsigned i = 0; i < LATE_MAX; i++) {
		ssize_t got = recv(n->fd, out->bytes, sizeof(out->bytes), MSG_DONTWAIT);
		size_t at = 0;
		if (got < 0)
			return -errno;
		if (!rtnl_next(out, (size_t)got, &at, &out->message))
			return -EPROTO;
		memcpy(&h, out->bytes, sizeof(h));
		if (h.nlmsg_seq == n->sequence)
			return 0;
	}
	return -EPROTO;
}

int rtnl_ask(struct rtnl *n, struct rtnl_request *q, size_t body_len, struct rtnl_reply *out)
{
	struct nlmsgerr e;

	q->head.nlmsg_seq = ++n->sequence;
	if (send(n->fd, q, q->head.nlmsg_len, MSG_DONTWAIT) < 0)
		return -errno;
	int rc = receive(n, out);
	if (rc < 0)
		return rc;
	if (out->message.type != NLMSG_ERROR)
		return rtnl_body(&out->message, body_len) ? 0 : -EPROTO;
	if (out->message.attributes_len < sizeof(e))
		return -EPROTO;
	memcpy(&e, out->message.body, sizeof(e));
	return e.error < 0 ? e.error : -EPROTO;
}

ssize_t rtnl_read(struct rtnl *n, struct rtnl_reply *out)
{
	ssize_t got = recv(n->fd, out->bytes, sizeof(out->bytes), MSG_DONTWAIT);

	if (got >= 0)
		return got;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

const void *rtnl_attribute_any(const struct rtnl_message *m, uint16_t attribute, size_t *len)
{
	for (size_t at = 0; m->attributes_len - at >= sizeof(struct rtattr);) {
		struct rtattr a;
		memcpy(&a, m->attributes + at, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > m->attributes_len - at)
			return NULL;
		if ((a.rta_type & NLA_TYPE_MASK) == attribute) {
			*len = a.rta_len - RTA_LENGTH(0);
			return m->attributes + at + RTA_LENGTH(0);
		}
		if (RTA_ALIGN(a.rta_len) > m->attributes_len - at)
			return NULL;
		at += RTA_ALIGN(a.rta_len);
	}
	return NULL;
}

const void *rtnl_attribute(const struct rtnl_message *m, uint16_t attribute, size_t len)
{
	size_t has;
	const void *data = rtnl_attribute_any(m, attribute, &has);

	return data && has >= len ? data : NULL;
}

struct rtnl_message rtnl_nested(const struct rtnl_message *m, uint16_t attribute)
{
	struct rtnl_message in = {.type = m->type};
	const void *data = rtnl_attribute_any(m, attribute, &in.attributes_len);

	in.attributes = data;
	if (!data)
		in.attributes_len = 0;
	return in;
}
