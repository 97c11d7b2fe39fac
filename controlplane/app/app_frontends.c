// SPDX-License-Identifier: BSD-3-Clause
// DNS over kernel sockets: the frontends with their threads, where they listen, and how many files
// they may open.

#include "app.h"
#include "frontend/files_need.h"
#include "frontend/frontend_shared.h"
#include "frontend/frontend_tcp_shared.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <weir/log.h>
#include <weir/thread.h>

// Raises the hard limit too, where weir may: as root outside of containers, not as a service.
static void files_allow(struct rlimit *limit, rlim_t wanted)
{
	const struct rlimit more = {.rlim_cur = wanted, .rlim_max = wanted};

	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		*limit = more;
}

// Raises the limit of open files as far as possible, and returns it in *most.
static bool files_limit(rlim_t wanted, unsigned long long *most)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	if (limit.rlim_max < wanted)
		files_allow(&limit, wanted);
	// The kernel may allow fewer files than the hard limit (fs.nr_open).
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	*most = limit.rlim_cur;
	return true;
}

// Lowers limits.inflight if the open files do not suffice. The default needs many, and if a
// container allows few, fewer questions are better than no name server. A number other than the
// default is the operator's choice and stays.
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

// The usual soft limit of 1,024 is too low. TCP leaves the resolver one socket for each question,
// with no reserve for the case that all questions ask three servers at a time.
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
	if (config_has_streams(c) && tcp < c->tcp.connections)
		log_warning("tcp.connections lowered to %u: open files limited to %llu", tcp, most);
	return 0;
}

static int tcp_open(struct app *a, unsigned i)
{
	const struct config_dataplane *d = &a->started->dataplane;
	struct frontends_one *f = &a->frontends.one[i];
	struct frontend_tcp_settings set;
	const struct frontend_tcp_engine engine = {
		.frontend = f->engine,
		.ask = frontend_ask,
		.begin = frontend_session_begin,
		.end = frontend_session_end,
		.admits = frontend_admits,
		.since_ms = frontend_streams_since,
		.number = i,
		.shared = a->frontends.tcp_shared,
	};

	frontend_tcp_settings_of(a->started, &set);
	return frontend_tcp_open(
		&f->tcp, f->loop, &engine, &set, d->addresses, d->address_count, a->tcp_files);
}

static int one_open(struct app *a, unsigned i)
{
	struct frontends_one *f = &a->frontends.one[i];

	a->frontend[i].app = a;
	a->frontend[i].loop = f->loop;
	const struct frontend_given given = {.number = i,
		.loop = f->loop,
		.resolvers = a->mesh,
		.publisher = a->publisher,
		.shared = a->frontends.shared,
		.notify = a->notify};
	int rc = frontend_open(&f->engine, &given, a->started);
	if (rc == 0)
		rc = frontend_udp_open(
			&f->udp, f->engine, a->publisher, f->loop, a->started, FRONTEND_PORT);
	return rc < 0 ? rc : tcp_open(a, i);
}

int app_frontends_open(struct app *a, char why[APP_WHY_MAX])
{
	struct frontends *f = &a->frontends;
	int rc = frontend_shared_new(&f->shared, publisher_frontends(a->publisher));

	f->publisher = a->publisher;
	f->count = publisher_frontends(a->publisher);
	if (rc == 0)
		rc = frontend_tcp_shared_new(&f->tcp_shared, f->count);
	if (rc == 0)
		rc = app_certificates_open(a);
	for (unsigned i = 0; i < f->count && rc == 0; i++)
		rc = loop_new("frontend", &f->one[i].loop);
	for (unsigned i = 0; i < f->count && rc == 0; i++)
		rc = one_open(a, i);
	if (rc < 0)
		snprintf(why, APP_WHY_MAX, "DNS on sockets: %s", strerror(-rc));
	else if (a->started->controlplane.frontends == CONFIG_THREADS_AUTO)
		log_info("controlplane.frontends: auto: %u, by the CPUs that are not workers'",
			f->count);
	return rc;
}

static void *frontend_thread(void *arg)
{
	struct app_frontend *f = arg;
	int rc = loop_run(f->loop);
	if (rc < 0) {
		log_error("frontend loop: %s", strerror(-rc));
		loop_stop(f->app->service);
	}
	return NULL;
}

int app_frontends_start(struct app *a)
{
	int rc = 0;

	for (unsigned i = 0; i < a->frontends.count && rc == 0; i++) {
		struct app_frontend *f = &a->frontend[i];
		char name[16];
		snprintf(name, sizeof(name), "weir-frontend-%u", i % FRONTENDS_MAX);
		rc = thread_start(&f->thread, name, frontend_thread, f);
		f->has_thread = rc == 0;
	}
	return rc;
}

unsigned app_frontends_halt(struct app *a, struct loop *loops[FRONTENDS_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < a->frontends.count; i++) {
		struct app_frontend *f = &a->frontend[i];
		if (f->has_thread) {
			loop_stop(f->loop);
			pthread_join(f->thread, NULL);
		}
		// Running threads may have called a loop whose own thread could not start.
		if (f->loop)
			loops[count++] = f->loop;
	}
	return count;
}

void app_frontends_stop(struct app *a)
{
	for (unsigned i = 0; i < a->frontends.count; i++) {
		struct frontends_one *f = &a->frontends.one[i];
		frontend_tcp_close(f->tcp);
		frontend_udp_close(f->udp);
		f->tcp = NULL;
		f->udp = NULL;
	}
}

void app_frontends_close(struct app *a)
{
	for (unsigned i = 0; i < a->frontends.count; i++)
		frontend_close(a->frontends.one[i].engine);
	app_certificates_close(a);
	frontend_tcp_shared_free(a->frontends.tcp_shared);
	frontend_shared_free(a->frontends.shared);
}

void app_frontends_loops_free(struct app *a)
{
	for (unsigned i = 0; i < FRONTENDS_MAX; i++)
		loop_free(a->frontends.one[i].loop);
}
