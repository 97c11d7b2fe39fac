// SPDX-License-Identifier: BSD-3-Clause
// TCP/53 of this process: where it listens, how many files it may take.

#include "app_reload.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <weir/log.h>

enum {
	DNS_PORT = 53,
	FILES_REST = 256, // rings, lists, the control socket, Redis
	TCP_FILES_MIN = 32,
};

// Sockets of the questions in flight, `each` of them, and some files.
static rlim_t files_needed(const struct config *c, unsigned each)
{
	return (rlim_t)c->limits.inflight * each + UPSTREAM_SOCKETS_AHEAD + UPSTREAM_STREAMS_MAX
	       + FILES_REST;
}

// The hard limit too, where we may: as root outside of containers, not as a service.
static void files_allow(struct rlimit *limit, rlim_t wanted)
{
	const struct rlimit more = {.rlim_cur = wanted, .rlim_max = wanted};

	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		*limit = more;
}

// The usual soft limit of 1,024 is too low. TCP leaves the resolver at least one socket for each
// question; that all have tries at three servers at one time is not to be thought of otherwise.
void app_files_raise(struct app *a, const struct config *c)
{
	struct rlimit limit;
	rlim_t all = files_needed(c, UPSTREAM_LEGS), least = files_needed(c, 1);

	a->tcp_files = TCP_FILES_MIN;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max < all + c->tcp.connections)
		files_allow(&limit, all + c->tcp.connections);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < all)
		log_warning("limits.inflight: only %llu files may be open, %llu are wanted",
			(unsigned long long)limit.rlim_max, (unsigned long long)all);
	if (limit.rlim_max >= least + FRONT_TCP_FILES_ALL)
		a->tcp_files = FRONT_TCP_FILES_ALL;
	else if (limit.rlim_max > least + TCP_FILES_MIN)
		a->tcp_files = (unsigned)(limit.rlim_max - least);
	if (c->tcp.enabled && a->tcp_files < c->tcp.connections)
		log_warning("tcp.connections: %u, as only %llu files may be open", a->tcp_files,
			(unsigned long long)limit.rlim_max);
}

static void on_list_tables(void *tcp, struct table_registry *tables)
{
	struct front_tcp_status s;
	front_tcp_status(tcp, &s, tables);
}

int app_tcp_open(struct app *a, char why[APP_WHY_MAX])
{
	const struct config_dataplane *d = &a->started->dataplane;
	struct socket_address address[CONFIG_ADDRESSES_MAX];
	const struct front_tcp_engine engine = {
		.front = resolver_front(a->resolver),
		.ask = front_ask,
		.begin = front_session_begin,
		.end = front_session_end,
		.admits = front_admits,
	};

	for (unsigned i = 0; i < d->address_count; i++)
		address[i] = (struct socket_address){.ip = d->addresses[i], .port = DNS_PORT};
	int rc = front_tcp_open(&a->tcp, a->loop, &engine, &a->started->tcp, address,
		d->address_count, a->tcp_files);
	if (rc < 0)
		snprintf(why, APP_WHY_MAX, "TCP: %s", strerror(-rc));
	else
		resolver_list_tables(a->resolver, on_list_tables, a->tcp);
	return rc;
}
