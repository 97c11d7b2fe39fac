// SPDX-License-Identifier: BSD-3-Clause
#include "api_listener.h"

#include "api_server.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/log.h>

enum { INSTRUCTIONS_MAX = API_LISTENER_ALLOW_MAX * 13 + 1 };

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

// Accepts the packet if its source has the prefix, else goes on after these instructions.
static void put_prefix(struct program *p, const struct ip_address *a)
{
	const unsigned words = (a->prefix_len + 31u) / 32;
	const uint32_t source = (uint32_t)SKF_NET_OFF + (a->version == 4 ? 12 : 8);
	for (unsigned i = 0; i < words; i++) {
		const uint32_t mask = mask_of(a->prefix_len, i);
		put(p, BPF_LD | BPF_W | BPF_ABS, source + 4 * i, 0);
		put(p, BPF_ALU | BPF_AND | BPF_K, mask, 0);
		// If not equal: skips three instructions for each word that is left, and the
		// return.
		put(p, BPF_JMP | BPF_JEQ | BPF_K, get_u32(a->bytes + 4 * (size_t)i) & mask,
			(uint8_t)(3 * (words - 1 - i) + 1));
	}
	put(p, BPF_RET | BPF_K, UINT32_MAX, 0);
}

// Lets the kernel drop packets of clients outside `allow`, so that these hold no descriptor. A
// kernel that wants CAP_NET_ADMIN for a filter refuses it: then the owner checks the peer.
static int filter_set(int fd, const struct api_listener_set *s)
{
	struct program p = {.count = 0};
	for (unsigned i = 0; i < s->allow_count; i++)
		if (s->allow[i].version == s->address.ip.version)
			put_prefix(&p, &s->allow[i]);
	put(&p, BPF_RET | BPF_K, 0, 0);
	const struct sock_fprog prog = {.len = (unsigned short)p.count, .filter = p.at};
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	log_info("%s: the kernel allows no socket filter; weir itself refuses other clients",
		s->key);
	return 0;
}

// Sets options of the socket: its address may come to this machine later.
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

int api_listener_socket(const struct api_listener_set *s)
{
	struct sockaddr_storage name;
	socklen_t len;
	if (!socket_address_to_sockaddr(&s->address, &name, &len))
		return -EINVAL;
	int fd = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int rc = options_set(fd, name.ss_family);
	if (rc == 0)
		rc = filter_set(fd, s);
	if (rc == 0
		&& (bind(fd, (struct sockaddr *)&name, len) < 0 || listen(fd, (int)s->backlog) < 0))
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

bool api_listener_admits(const struct api_listener_set *s, const struct sockaddr_storage *peer)
{
	const bool is_v4 = peer->ss_family == AF_INET;
	uint8_t bytes[16] = {0};
	if (is_v4)
		memcpy(bytes, &((const struct sockaddr_in *)peer)->sin_addr, 4);
	else if (peer->ss_family == AF_INET6)
		memcpy(bytes, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
	else
		return false;
	for (unsigned i = 0; i < s->allow_count; i++)
		if (s->allow[i].version == (is_v4 ? 4 : 6) && has_prefix(&s->allow[i], bytes))
			return true;
	return false;
}

static int listen_now(struct api_listener *l)
{
	int fd = api_listener_socket(&l->set);
	return fd < 0 ? fd : http_server_open(&l->server, fd, &l->settings);
}

static void listen_try(struct api_listener *l)
{
	char address[SOCKET_ADDRESS_TEXT_MAX];
	socket_address_text(&l->set.address, address);
	int was = l->error;
	l->error = listen_now(l);
	if (l->error == 0) {
		if (was)
			log_info("%s: %s: listening", l->set.key, address);
		return;
	}
	l->failures++;
	l->wait_s = l->wait_s == 0                             ? 1
		    : l->wait_s < API_LISTENER_AGAIN_MAX_S / 2 ? 2 * l->wait_s
							       : API_LISTENER_AGAIN_MAX_S;
	if (l->error != was)
		log_error("%s: %s: %s; next tries up to %u s apart", l->set.key, address,
			strerror(-l->error), (unsigned)API_LISTENER_AGAIN_MAX_S);
	event_add(l->again, &(struct timeval){.tv_sec = l->wait_s});
}

static void on_again(evutil_socket_t, short, void *arg)
{
	listen_try(arg);
}

int api_listener_open(struct api_listener *l, const struct api_listener_set *set,
	const struct http_settings *settings)
{
	*l = (struct api_listener){.set = *set, .settings = *settings};
	l->again = event_new(settings->base, -1, 0, on_again, l);
	if (!l->again)
		return -ENOMEM;
	listen_try(l);
	return 0;
}

void api_listener_close(struct api_listener *l)
{
	if (l->again)
		event_free(l->again);
	http_server_close(l->server);
	*l = (struct api_listener){0};
}

static bool on_admit(void *arg, const struct ucred *, int fd)
{
	const struct api *a = arg;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	return getpeername(fd, (struct sockaddr *)&peer, &len) == 0
	       && api_listener_admits(&a->listener.set, &peer);
}

static void host_refuse(struct api *a, struct http_exchange *x)
{
	const char *host = http_header(x, "Host");
	if (a->hosts_refused++ == 0)
		log_warning("metrics.listen: %s asks by the name %s, which is not in "
			    "metrics.hosts: refused, as all by such names",
			http_from(x), host);
	api_refuse(x, 421, "not by this name: use an address, or see metrics.hosts");
}

static void on_request(void *arg, struct http_exchange *x)
{
	struct api *a = arg;
	const struct config *c = a->deps.config_current(a->deps.reload_arg);
	if (!api_listen_host_is_known(&c->metrics, http_header(x, "Host")))
		host_refuse(a, x);
	else if (http_is_change(x))
		api_refuse(x, 405, "use GET");
	else
		api_serve(a, x, API_NETWORK, CONTROL_READ);
}

bool api_listen_is_on(const struct api *a)
{
	return a->deps.metrics && *a->deps.metrics->listen;
}

int api_listen_open(struct api *a)
{
	enum { BACKLOG = 8, RATE_MAX = 20, RATE_BURST = 100 };
	const struct config_metrics *m = a->deps.metrics;
	const struct http_settings settings = {.base = loop_base(a->deps.service),
		.exchanges_max = API_LISTEN_REQUESTS_MAX,
		.connections_max = API_LISTEN_CONNECTIONS_MAX,
		.connection_ms = API_LISTEN_LIFE_MS,
		.admit = on_admit,
		.handle = on_request,
		.rate = &a->listener_rate,
		.arg = a};
	if (!api_listen_is_on(a))
		return 0;
	a->listener_rate = (struct http_rate){.each_s = RATE_MAX, .burst = RATE_BURST};
	const struct api_listener_set set = {.key = "metrics.listen",
		.address = m->address,
		.backlog = BACKLOG,
		.allow = m->allow,
		.allow_count = m->allow_count};
	return api_listener_open(&a->listener, &set, &settings);
}

void api_listen_close(struct api *a)
{
	api_listener_close(&a->listener);
}

enum { NAME_MAX_LEN = 255 };

static bool is_address(const char *name)
{
	struct in6_addr a;
	return inet_pton(AF_INET, name, &a) == 1;
}

// Whether `host` is an IPv6 address in brackets, with or without a port after it.
static bool is_bracketed(const char *host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr a;
	const size_t len = strcspn(host + 1, "]");
	const char *behind = host + 1 + len;
	if (len >= sizeof(text) || behind[0] != ']' || (behind[1] && behind[1] != ':'))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)len, host + 1);
	return inet_pton(AF_INET6, text, &a) == 1;
}

static bool is_own(const char *name)
{
	char own[HOST_NAME_MAX + 1] = "";
	return gethostname(own, sizeof(own) - 1) == 0 && strcasecmp(own, name) == 0;
}

bool api_listen_host_is_known(const struct config_metrics *m, const char *host)
{
	char name[NAME_MAX_LEN + 1];
	if (!host || !*host)
		return true;
	if (host[0] == '[')
		return is_bracketed(host);
	size_t len = strcspn(host, ":");
	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len > NAME_MAX_LEN)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)len, host);
	for (unsigned i = 0; i < m->host_count; i++)
		if (strcasecmp(m->host[i], name) == 0)
			return true;
	return is_address(name) || strcasecmp(name, "localhost") == 0 || is_own(name);
}
