// SPDX-License-Identifier: BSD-3-Clause
// The DNS service of this process on sockets of the kernel: where it listens, and how many files it
// may open.

#include "app_reload.h"
#include "files_need.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <weir/log.h>

// The hard limit too, where we may: as root outside of containers, not as a service.
static void files_allow(struct rlimit *limit, rlim_t wanted)
{
	const struct rlimit more = {.rlim_cur = wanted, .rlim_max = wanted};

	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		*limit = more;
}

// How many files may be open, once the limit is as high as it can be.
static bool files_limit(rlim_t wanted, unsigned long long *most)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	if (limit.rlim_max < wanted)
		files_allow(&limit, wanted);
	// The kernel may know less by now than the hard limit says (fs.nr_open).
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	*most = limit.rlim_cur;
	return true;
}

// The default needs many open files; where a container allows few, fewer questions are better than
// no name server. Any other number is the operator's choice.
static void questions_fit(struct config *c, struct files_need *need, unsigned long long most)
{
	unsigned was = c->limits.inflight, fit = files_for_questions(c, need, most);

	if (was != FILES_QUESTIONS_DEFAULT || fit == 0 || fit == was) {
		if (most < need->all)
			log_warning("limits.inflight: open files limited to %llu, %llu needed",
				most, (unsigned long long)need->all);
		return;
	}
	files_questions_lower(c, fit);
	log_warning("limits.inflight lowered to %u from %u, zone_inflight: %u, tcp.queries: %u: "
		    "open files limited to %llu, %llu needed (LimitNOFILE, ulimit -n)",
		fit, was, c->limits.zone_inflight, c->tcp.queries, most,
		(unsigned long long)need->all);
	files_need(c, need);
}

// The usual soft limit of 1,024 is too low. TCP leaves the resolver at least one socket for each
// question; that all have tries at three servers at one time is not to be thought of otherwise.
int app_files_raise(struct config *c, unsigned *tcp_files, char why[APP_WHY_MAX])
{
	struct files_need need;
	unsigned long long most;

	files_need(c, &need);
	*tcp_files = FILES_TCP_MIN;
	if (!files_limit(need.all + c->tcp.connections, &most))
		return 0;
	questions_fit(c, &need, most);
	unsigned tcp = files_for_tcp(&need, most);
	if (tcp == 0) {
		snprintf(why, APP_WHY_MAX,
			"limits.inflight: %u questions, and %u servers in %u sets, need %llu files "
			"at least, and only %llu may be open (LimitNOFILE, ulimit -n)",
			c->limits.inflight, need.servers, need.sets,
			(unsigned long long)need.least + FILES_TCP_MIN, most);
		return -EMFILE;
	}
	*tcp_files = tcp;
	if (c->tcp.enabled && tcp < c->tcp.connections)
		log_warning("tcp.connections lowered to %u: open files limited to %llu", tcp, most);
	return 0;
}

static int tcp_open(struct app *a)
{
	const struct config_dataplane *d = &a->started->dataplane;
	struct socket_address address[CONFIG_ADDRESSES_MAX];
	const struct frontend_tcp_engine engine = {
		.frontend = a->frontends.engine,
		.ask = frontend_ask,
		.begin = frontend_session_begin,
		.end = frontend_session_end,
		.admits = frontend_admits,
	};

	for (unsigned i = 0; i < d->address_count; i++)
		address[i] = (struct socket_address){.ip = d->addresses[i], .port = FRONTEND_PORT};
	return frontend_tcp_open(&a->frontends.tcp, a->loop, &engine, &a->started->tcp, address,
		d->address_count, a->tcp_files);
}

int app_frontends_open(struct app *a, char why[APP_WHY_MAX])
{
	struct frontends *f = &a->frontends;

	f->loop = a->loop;
	const struct frontend_given given = {
		.loop = a->loop, .resolvers = a->mesh, .publisher = a->publisher};
	int rc = frontend_open(&f->engine, &given, a->started);
	if (rc == 0)
		rc = frontend_udp_open(
			&f->udp, f->engine, a->publisher, a->loop, a->started, FRONTEND_PORT);
	if (rc == 0)
		rc = tcp_open(a);
	if (rc < 0)
		snprintf(why, APP_WHY_MAX, "DNS on sockets: %s", strerror(-rc));
	else
		resolver_list_tables(a->resolvers.one[0], frontends_tables, f);
	return rc;
}

void app_frontends_stop(struct app *a)
{
	frontend_tcp_close(a->frontends.tcp);
	frontend_udp_close(a->frontends.udp);
	a->frontends.tcp = NULL;
	a->frontends.udp = NULL;
}

void app_frontends_close(struct app *a)
{
	frontend_close(a->frontends.engine);
}
