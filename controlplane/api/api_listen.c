// SPDX-License-Identifier: BSD-3-Clause
#include "api_listen.h"

#include "api_server.h"

#include <event2/event.h>

#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/log.h>

enum { BACKLOG = 8, INSTRUCTIONS_MAX = CONFIG_METRICS_ALLOW_MAX * 13 + 1 };

struct program {
	struct sock_filter at[INSTRUCTIONS_MAX];
	unsigned count;
};

static void put(struct program *p, uint16_t code, uint32_t k, uint8_t if_not)
{
	p->at[p->count++] = (struct sock_filter){.code = code, .jf = if_not, .k = k};
}

static uint32_t mask_of(unsigned prefix_len, unsigned word)
{
	unsigned bits = prefix_len > word * 32 ? prefix_len - word * 32 : 0;
	return bits >= 32 ? UINT32_MAX : bits == 0 ? 0 : UINT32_MAX << (32 - bits);
}

// Takes the packet if its source has the prefix, else goes on behind.
static void put_prefix(struct program *p, const struct ip_address *a)
{
	const unsigned words = (a->prefix_len + 31u) / 32;
	const uint32_t source = (uint32_t)SKF_NET_OFF + (a->version == 4 ? 12 : 8);
	for (unsigned i = 0; i < words; i++) {
		const uint32_t mask = mask_of(a->prefix_len, i);
		put(p, BPF_LD | BPF_W | BPF_ABS, source + 4 * i, 0);
		put(p, BPF_ALU | BPF_AND | BPF_K, mask, 0);
		// Behind this one come three for each word that is left, and the return.
		put(p, BPF_JMP | BPF_JEQ | BPF_K, get_u32(a->bytes + 4 * (size_t)i) & mask,
			(uint8_t)(3 * (words - 1 - i) + 1));
	}
	put(p, BPF_RET | BPF_K, UINT32_MAX, 0);
}

// The kernel itself drops connections from elsewhere, so no stranger can hold a descriptor. A
// kernel that wants CAP_NET_ADMIN for a filter refuses: on_admit() then has each request answered
// by 403.
static int filter_set(int fd, const struct config_metrics *c)
{
	struct program p = {.count = 0};
	for (unsigned i = 0; i < c->allow_count; i++)
		if (c->allow[i].version == c->address.ip.version)
			put_prefix(&p, &c->allow[i]);
	put(&p, BPF_RET | BPF_K, 0, 0);
	const struct sock_fprog prog = {.len = (unsigned short)p.count, .filter = p.at};
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	log_info("metrics.listen: the kernel allows no socket filter; other clients get 403");
	return 0;
}

// The address need not be there yet.
static int options_set(int fd, int family)
{
	static const int one = 1;
	int rc = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (rc == 0 && family == AF_INET6)
		rc = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (rc == 0)
		rc = setsockopt(fd, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
			family == AF_INET6 ? IPV6_FREEBIND : IP_FREEBIND, &one, sizeof(one));
	return rc < 0 ? -errno : 0;
}

int api_listen_socket(const struct config_metrics *c)
{
	struct sockaddr_storage name;
	socklen_t len;
	if (!socket_address_to_sockaddr(&c->address, &name, &len))
		return -EINVAL;
	int fd = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int rc = options_set(fd, name.ss_family);
	if (rc == 0)
		rc = filter_set(fd, c);
	if (rc == 0 && (bind(fd, (struct sockaddr *)&name, len) < 0 || listen(fd, BACKLOG) < 0))
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static bool has_prefix(const struct ip_address *a, const uint8_t *bytes)
{
	for (unsigned i = 0; i < 4 && i * 32 < a->prefix_len; i++)
		if ((get_u32(a->bytes + 4 * (size_t)i) ^ get_u32(bytes + 4 * (size_t)i))
			& mask_of(a->prefix_len, i))
			return false;
	return true;
}

bool api_listen_admits(const struct config_metrics *c, const struct sockaddr_storage *peer)
{
	const bool is_v4 = peer->ss_family == AF_INET;
	uint8_t bytes[16] = {0};
	if (is_v4)
		memcpy(bytes, &((const struct sockaddr_in *)peer)->sin_addr, 4);
	else if (peer->ss_family == AF_INET6)
		memcpy(bytes, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
	else
		return false;
	for (unsigned i = 0; i < c->allow_count; i++)
		if (c->allow[i].version == (is_v4 ? 4 : 6) && has_prefix(&c->allow[i], bytes))
			return true;
	return false;
}

static bool on_admit(void *arg, const struct ucred *, int fd)
{
	const struct api *a = arg;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	return getpeername(fd, (struct sockaddr *)&peer, &len) == 0
	       && api_listen_admits(a->deps.metrics, &peer);
}

static void on_request(void *arg, struct http_exchange *x)
{
	if (http_is_post(x))
		api_refuse(x, 405, "use GET");
	else
		api_serve(arg, x, API_NETWORK);
}

static int listen_now(struct api *a)
{
	const struct http_settings settings = {.base = loop_base(a->deps.service),
		.exchanges_max = API_LISTEN_REQUESTS_MAX,
		.connections_max = API_LISTEN_CONNECTIONS_MAX,
		.connection_ms = API_LISTEN_LIFE_MS,
		.admit = on_admit,
		.handle = on_request,
		.arg = a};
	int fd = api_listen_socket(a->deps.metrics);
	return fd < 0 ? fd : http_server_open(&a->listener.server, fd, &settings);
}

static void listen_try(struct api *a)
{
	struct api_listener *l = &a->listener;
	const char *address = a->deps.metrics->listen;
	int was = l->error;
	l->error = listen_now(a);
	if (l->error == 0) {
		if (was)
			log_info("metrics.listen: %s: listening", address);
		return;
	}
	l->failures++;
	l->wait_s = l->wait_s == 0                           ? 1
		    : l->wait_s < API_LISTEN_AGAIN_MAX_S / 2 ? 2 * l->wait_s
							     : API_LISTEN_AGAIN_MAX_S;
	if (l->error != was)
		log_error("metrics.listen: %s: %s; next tries up to %u s apart", address,
			strerror(-l->error), (unsigned)API_LISTEN_AGAIN_MAX_S);
	event_add(l->again, &(struct timeval){.tv_sec = l->wait_s});
}

static void on_again(evutil_socket_t, short, void *arg)
{
	listen_try(arg);
}

bool api_listen_is_on(const struct api *a)
{
	return a->deps.metrics && *a->deps.metrics->listen;
}

int api_listen_open(struct api *a)
{
	if (!api_listen_is_on(a))
		return 0;
	a->listener.again = event_new(loop_base(a->deps.service), -1, 0, on_again, a);
	if (!a->listener.again)
		return -ENOMEM;
	listen_try(a);
	return 0;
}

void api_listen_close(struct api *a)
{
	if (a->listener.again)
		event_free(a->listener.again);
	http_server_close(a->listener.server);
}
