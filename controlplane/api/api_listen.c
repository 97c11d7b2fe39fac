// SPDX-License-Identifier: BSD-3-Clause
#include "api_listen.h"

#include "api_listen_host.h"
#include "api_server.h"

#include <weir/log.h>

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
	else if (http_is_post(x))
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
