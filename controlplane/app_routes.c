// SPDX-License-Identifier: BSD-3-Clause
// The routes to upstream servers (route/routes.h), and the image of them that workers have.

#include "app_reload.h"

#include <stdio.h>
#include <string.h>
#include <weir/log.h>

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
