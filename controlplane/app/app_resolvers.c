// SPDX-License-Identifier: BSD-3-Clause
// The resolvers of this process: their loops, their views, their threads, and the routes to
// upstream servers (route/routes.h), whose image workers use.

#include "app.h"
#include "recursor/recursor.h"
#include "resolver/resolver_client.h"
#include "resolver/resolvers.h"
#include "upstream/views.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/thread.h>

// Opens the views of a resolver. Groups that the previous run knew keep their view numbers, so that
// the cache stays valid; all resolvers use equal numbers.
static int views_open(struct app *a, struct app_resolver *r, char why[APP_WHY_MAX])
{
	const struct config *c = a->current;
	struct policy_group known[POLICY_GROUPS_MAX];
	unsigned count = POLICY_GROUPS_MAX;

	int rc = upstream_port_new(
		&r->port, (unsigned)(r - a->resolver), publisher_resolvers(a->publisher));
	if (rc == 0)
		rc = recursor_new(&r->recursor, r->loop,
			RECURSOR_QUESTIONS_MAX / publisher_resolvers(a->publisher));
	if (rc == 0)
		rc = resolver_recursion_configure(r->recursor, c);
	if (rc < 0) {
		snprintf(why, APP_WHY_MAX, "recursion: %s",
			rc == -EINVAL ? "libunbound does not take upstreams.root_hints"
				      : strerror(-rc));
		return rc;
	}
	const struct upstream_shared shared = {.loop = r->loop,
		.book = a->book,
		.port = r->port,
		.recursion = recursor_address(r->recursor)};
	if (r == &a->resolver[0])
		rc = upstream_lookups_new(&r->lookups, &shared);
	if (rc == 0 && r->lookups)
		upstream_lookups_configure(r->lookups, c);
	if (rc < 0) {
		snprintf(why, APP_WHY_MAX, "host names of upstreams: %s", strerror(-rc));
		return rc;
	}
	rc = views_new(
		&r->views, &shared, &c->upstreams, &publisher_directory(a->publisher)->next_view);
	if (rc == 0) {
		upstreams_one_of(views_everyone(r->views)->upstreams, a->resolvers.count);
		if (r == &a->resolver[0])
			count = publisher_policy_last(a->publisher, known);
		else
			resolvers_groups(&a->resolvers, c, known);
		views_recover(r->views, known, count);
		rc = views_configure(r->views, c, clock_mono_ms());
	}
	if (rc < 0)
		snprintf(why, APP_WHY_MAX, "groups: %s",
			rc == -EOVERFLOW ? "no view number is left" : strerror(-rc));
	return rc;
}

void app_recursion_warn(const struct config *c)
{
	if (c->upstreams.mode == UPSTREAM_FORWARD_FIRST && !c->dnssec.validate)
		log_warning("upstreams.mode: `forward-first` without `dnssec.validate`: weir may "
			    "answer from recursion what the servers refuse as bogus");
}

static int one_open(struct app *a, unsigned i, char why[APP_WHY_MAX])
{
	struct app_resolver *r = &a->resolver[i];

	int rc = views_open(a, r, why);
	if (rc < 0)
		return rc;
	const struct resolver_given given = {.all = &a->resolvers,
		.index = i,
		.loop = r->loop,
		.publisher = a->publisher,
		.link = a->link,
		.views = r->views,
		.frontends = a->mesh,
		.port = r->port,
		.recursor = r->recursor,
		.notify = a->notify,
		.lookups = r->lookups};
	return resolver_open(&a->resolvers.one[i], &given, a->current, why);
}

int app_resolvers_open(struct app *a, char why[APP_WHY_MAX])
{
	const unsigned count = a->resolvers.count = publisher_resolvers(a->publisher);
	struct loop *loops[RESOLVERS_MAX] = {NULL};
	int rc = upstream_book_open(&a->book);

	if (rc == 0)
		rc = resolver_client_mesh(&a->mesh, publisher_frontends(a->publisher), count);
	for (unsigned i = 0; i < count && rc == 0; i++) {
		a->resolver[i].app = a;
		rc = loop_new("resolver", &a->resolver[i].loop);
		loops[i] = a->resolver[i].loop;
	}
	a->loop = loops[0];
	if (a->started->controlplane.resolvers == CONFIG_THREADS_AUTO)
		log_info("controlplane.resolvers: auto: %u, by the CPUs that are not workers'",
			count);
	snprintf(why, APP_WHY_MAX, "event loops: %s", strerror(-rc));
	if (rc == 0)
		rc = link_open(&a->link, loops, a->publisher, why);
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = one_open(a, i, why);
	return rc;
}

static void *resolver_thread(void *arg)
{
	struct app_resolver *r = arg;
	int rc = loop_run(r->loop);
	if (rc < 0) {
		log_error("resolver loop: %s", strerror(-rc));
		loop_stop(r->app->service);
	}
	return NULL;
}

int app_resolvers_start(struct app *a)
{
	int rc = 0;

	a->resolvers.running = true;
	for (unsigned i = 0; i < a->resolvers.count && rc == 0; i++) {
		struct app_resolver *r = &a->resolver[i];
		char name[16] = "weir-resolver";
		if (i > 0)
			snprintf(name, sizeof(name), "weir-resolver-%u", i % RESOLVERS_MAX);
		rc = thread_start(&r->thread, name, resolver_thread, r);
		r->has_thread = rc == 0;
	}
	return rc;
}

// Lists the loops of the resolvers and the service loop. Returns their number.
static unsigned loops_of(struct app *a, struct loop *loops[RESOLVERS_MAX + 1])
{
	unsigned count = 0;

	for (unsigned i = 0; i < a->resolvers.count; i++)
		if (a->resolver[i].loop)
			loops[count++] = a->resolver[i].loop;
	if (a->service)
		loops[count++] = a->service;
	return count;
}

void app_resolvers_stop(struct app *a)
{
	struct loop *loops[FRONTENDS_MAX + RESOLVERS_MAX + 1];
	unsigned count = app_frontends_halt(a, loops);
	bool ran = false;

	for (unsigned i = 0; i < a->resolvers.count; i++) {
		struct app_resolver *r = &a->resolver[i];
		if (r->has_thread) {
			loop_stop(r->loop);
			pthread_join(r->thread, NULL);
			ran = true;
		}
	}
	a->resolvers.running = false;
	if (!ran) // resolvers start first: without them no call was made
		return;
	count += loops_of(a, loops + count);
	resolvers_try_stop(&a->resolvers);
	loops_settle(loops, count);
}

void app_resolvers_settle(struct app *a)
{
	struct loop *loops[RESOLVERS_MAX + 1];
	loops_settle(loops, loops_of(a, loops));
}

void app_resolvers_close(struct app *a)
{
	for (unsigned i = a->resolvers.count; i-- > 0;)
		resolver_close(a->resolvers.one[i]);
	for (unsigned i = 0; i < RESOLVERS_MAX; i++) {
		upstream_lookups_free(a->resolver[i].lookups);
		views_free(a->resolver[i].views);
		recursor_free(a->resolver[i].recursor);
		upstream_port_free(a->resolver[i].port);
	}
	ring_mesh_free(a->mesh);
	link_close(a->link);
}

void app_resolvers_loops_free(struct app *a)
{
	for (unsigned i = 0; i < RESOLVERS_MAX; i++)
		loop_free(a->resolver[i].loop);
}

static int on_publish(void *app, const struct hops_image *image)
{
	struct app *a = app;
	char why[SHM_WHY_MAX];

	int rc = publish_hops(a->publisher, image, why);
	if (rc < 0)
		log_error("next hops of upstream servers not published: %s; weir tries again", why);
	return rc;
}

static bool on_again(void *app)
{
	struct app *a = app;
	struct publish_status p;

	publish_status(a->publisher, &p);
	if (!again_due(&a->routes_again, p.hops_lag_ms))
		return false;
	log_error("the data plane has not activated the next hops of upstream servers for %llu ms: "
		  "publishing them again",
		(unsigned long long)p.hops_lag_ms);
	return true;
}

int app_routes_open(struct app *a, char why[APP_WHY_MAX])
{
	const struct routes_calls calls = {.publish = on_publish, .again = on_again, .arg = a};
	int rc = routes_open(
		&a->routes, a->service, &a->started->dataplane, a->resolvers.count, &calls);

	snprintf(why, APP_WHY_MAX, "routes: %s", strerror(-rc));
	if (rc == 0)
		app_routes_configure(a);
	return rc;
}

void app_routes_configure(struct app *a)
{
	int rc = routes_configure(a->routes, a->current);

	if (rc < 0)
		log_warning("weir asks upstreams by sockets: rtnetlink: %s; weirctl config reload "
			    "tries again",
			strerror(-rc));
}

void app_routes_close(struct app *a)
{
	routes_close(a->routes);
}
