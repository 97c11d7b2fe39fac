// SPDX-License-Identifier: BSD-3-Clause
#include "bootstrap.h"

#include "base/rng.h"
#include "recursor/recursor.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/dns_answer.h>
#include <weir/heap_site.h>

enum { SLICE_MS = 100, QUESTION_MAX = DNS_NAME_MAX + 4, QUERY_MAX = 512 };

// Large things, so that no stack has to hold them.
struct work {
	struct rng rng;
	struct dns_query query;
	uint16_t id, question_len;
	uint8_t question[QUESTION_MAX];
	uint8_t msg[DNS_MESSAGE_MAX];
	struct dns_answer answer;
	struct ip_address *out;
	unsigned count;
};

static bool stopped(const struct bootstrap *b)
{
	return b->stop && atomic_load_explicit(b->stop, memory_order_relaxed);
}

// The question, and what its reply is compared with.
static void question_make(
	struct work *w, const struct dns_name *name, uint16_t type, bool mixed_case)
{
	uint8_t coin[DNS_NAME_MAX] = {0};
	if (mixed_case)
		rng_bytes(&w->rng, coin, name->len);
	w->id = rng_u16(&w->rng);
	w->query = (struct dns_query){.qtype = type, .qclass = DNS_CLASS_IN, .name = *name};
	for (unsigned i = 0; i < name->len; i++) {
		uint8_t c = name->wire[i]; // length bytes are below 'a'
		w->question[i] = c >= 'a' && c <= 'z' && coin[i] & 1 ? c - 32 : c;
	}
	put_u16(w->question + name->len, type);
	put_u16(w->question + name->len + 2, DNS_CLASS_IN);
	w->question_len = w->query.question_len = name->len + 4;
}

// Lets the kernel choose the port: workers take replies from these servers to all others for a
// resolver's (weir/hops.h).
static int socket_open(const struct socket_address *server)
{
	struct sockaddr_storage to;
	socklen_t to_len;
	if (!socket_address_to_sockaddr(server, &to, &to_len))
		return -EINVAL;
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, to_len) < 0) {
		int err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

// Waits for the reply. Datagrams that are none are passed over until `until_ms`.
static int reply_wait(const struct bootstrap *b, struct work *w, int fd, uint64_t until_ms)
{
	static const struct dns_answer_rules limits = {.max_s = 1, .negative_s = 1};
	for (uint64_t now; !stopped(b) && (now = clock_mono_ms()) < until_ms;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		uint64_t left = until_ms - now;
		if (poll(&p, 1, left < SLICE_MS ? (int)left : SLICE_MS) <= 0)
			continue;
		ssize_t n = recv(fd, w->msg, sizeof(w->msg), 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0) // an ICMP error: no server there
			return -errno;
		if (!dns_answer_matches(
			    w->msg, (size_t)n, w->id, w->question, w->question_len, true))
			continue;
		if (dns_answer_read(w->msg, (size_t)n, &w->query, &limits, &w->answer))
			continue;
		return w->answer.kind == DNS_ANSWER_FAILURE ? -EAGAIN : 0;
	}
	return stopped(b) ? -ECANCELED : -ETIMEDOUT;
}

static int server_ask(const struct bootstrap *b, struct work *w,
	const struct socket_address *server, const struct dns_name *name, uint16_t type,
	bool mixed_case)
{
	uint8_t query[QUERY_MAX];
	uint64_t until_ms = clock_mono_ms() + BOOTSTRAP_WAIT_MS;
	question_make(w, name, type, mixed_case);
	uint16_t len = dns_query_write(
		query, sizeof(query), w->id, w->question, w->question_len, false, false);
	if (len == 0)
		return -EMSGSIZE;
	int fd = socket_open(server);
	if (fd < 0)
		return fd;
	int err = send(fd, query, len, 0) == len ? 0 : -errno;
	if (!err)
		err = reply_wait(b, w, fd, until_ms < b->deadline_ms ? until_ms : b->deadline_ms);
	close(fd);
	return err;
}

// 0: some server answered, with or without addresses.
static int type_ask(
	const struct bootstrap *b, struct work *w, const struct dns_name *name, uint16_t type)
{
	int err = -ETIMEDOUT;
	for (unsigned i = 0; i < BOOTSTRAP_ROUNDS * b->server_count; i++) {
		if (stopped(b))
			return -ECANCELED;
		if (clock_mono_ms() >= b->deadline_ms)
			return -ETIMEDOUT;
		// Some servers do not keep the letter case: the second round asks without.
		err = server_ask(
			b, w, &b->server[i % b->server_count], name, type, i < b->server_count);
		if (err == -ECANCELED || err == 0)
			break;
	}
	if (err == 0)
		w->count += dns_answer_addresses(
			&w->answer, type, w->out + w->count, BOOTSTRAP_ADDRESSES_MAX - w->count);
	return err;
}

static int resolve(const struct bootstrap *b, struct work *w, const struct dns_name *name)
{
	int a = type_ask(b, w, name, DNS_TYPE_A);
	if (a == -ECANCELED)
		return a;
	// A server that was silent to the first question is not worth a second wait.
	int aaaa = a == 0 ? type_ask(b, w, name, DNS_TYPE_AAAA) : a;
	if (aaaa == -ECANCELED)
		return aaaa;
	if (w->count)
		return 0;
	return a == 0 && aaaa == 0 ? -ENOENT : -ETIMEDOUT;
}

unsigned bootstrap_servers(const struct config *c, struct socket_address out[CONFIG_UPSTREAMS_MAX])
{
	const struct config_update *u = &c->blocking.update;
	unsigned n = 0;

	for (unsigned i = 0; i < u->bootstrap_count; i++)
		out[n++] = u->bootstrap[i];
	for (unsigned i = 0; u->bootstrap_count == 0 && i < c->upstreams.count; i++) {
		const struct config_upstream *s = &c->upstreams.server[i];
		if (s->is_recursion)
			n += recursor_address_any(&out[n]);
		else if (!s->tls.is_on && !s->host[0])
			out[n++] = s->address;
	}
	for (unsigned i = 0; n == 0 && i < c->upstreams.bootstrap_count; i++)
		out[i] = c->upstreams.bootstrap[i];
	n = n ? n : c->upstreams.bootstrap_count;
	return n;
}

int bootstrap_resolve(const struct bootstrap *b, const char *host,
	struct ip_address out[BOOTSTRAP_ADDRESSES_MAX], unsigned *count,
	char why[BOOTSTRAP_WHY_MAX])
{
	struct dns_name name;
	if (dns_name_from_text(host, strlen(host), &name) || name.labels == 0) {
		snprintf(why, BOOTSTRAP_WHY_MAX, "no host name");
		return -EINVAL;
	}
	if (b->server_count == 0) {
		snprintf(why, BOOTSTRAP_WHY_MAX,
			"%.60s: no server for its name: set blocking.update.bootstrap", host);
		return -ETIMEDOUT;
	}
	struct work *w = heap_calloc(1, sizeof(*w));
	if (!w) {
		snprintf(why, BOOTSTRAP_WHY_MAX, "no memory");
		return -ENOMEM;
	}
	w->out = out;
	int err = resolve(b, w, &name);
	*count = w->count;
	heap_free(w);
	if (err)
		snprintf(why, BOOTSTRAP_WHY_MAX, "%.80s: %s", host,
			err == -ENOENT      ? "has no address"
			: err == -ECANCELED ? "stopped"
					    : "no name server answered");
	return err;
}
