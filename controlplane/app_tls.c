// SPDX-License-Identifier: BSD-3-Clause
// Certificates for TLS, and the authorities of clients' ones: read at the start, with each
// configuration that is read, and when their files change, which is looked at every LOOK_MS. Bad
// files leave those in force as they are.

#include "app_reload.h"
#include "frontend/frontend_tcp_shared.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/log.h>

enum { LOOK_MS = 5000 };

// `files`: room for the paths of the settings.
static struct tls_server_settings settings_of(
	const struct config_tls *t, struct tls_certificate_files files[CONFIG_CERTIFICATES_MAX])
{
	for (unsigned i = 0; i < t->count; i++)
		files[i] = (struct tls_certificate_files){
			t->certificate[i].cert, t->certificate[i].key};
	return (struct tls_server_settings){.count = t->count,
		.certificate = files,
		.secret_count = t->secret_count,
		.secret = t->secret,
		.only_1_3 = t->only_1_3,
		.client_ca = t->client_ca[0] ? t->client_ca : NULL,
		.client_required = t->client_required};
}

// Reads the files; nobody to serve with them is fine.
static bool is_usable(const struct tls_server_settings *set, char why[TLS_WHY_MAX])
{
	struct tls_server *s = NULL;
	if (set->count == 0)
		return true;
	const int rc = tls_server_new(&s, set, NULL, why);
	if (rc == 0)
		tls_server_free(s);
	return rc == 0;
}

static void section_prove(const char *section, const struct tls_server_settings *next,
	const struct tls_server_settings *now, struct config_errors *e)
{
	char why[TLS_WHY_MAX], before[TLS_WHY_MAX];
	if (is_usable(next, why) || (!is_usable(now, before) && strcmp(why, before) == 0))
		return;
	config_errors_add(e, "config: %s: %s", section, why);
}

void app_certificates_prove(const struct app *a, const struct config *c, struct config_errors *e)
{
	struct tls_certificate_files files[CONFIG_CERTIFICATES_MAX], now[CONFIG_CERTIFICATES_MAX];
	const struct tls_server_settings tls = settings_of(&c->tls, files),
					 tls_now = settings_of(&a->read->tls, now);
	section_prove("tls", &tls, &tls_now, e);
	if (!c->control.count && (!c->control.listen_count || e->count))
		return;
	const struct tls_server_settings control = api_control_tls(c, files),
					 control_now = api_control_tls(a->read, now);
	section_prove("control", &control, &control_now, e);
}

void app_certificates_read(struct app *a, const struct config *c, struct app_certificates *out)
{
	struct tls_certificate_files files[CONFIG_CERTIFICATES_MAX];
	struct tls_server *before = tcp_shared_tls(a->frontends.tcp_shared);
	const struct tls_server_settings set = settings_of(&c->tls, files);
	char last_why[TLS_WHY_MAX];

	frontend_tcp_shared_tls_why(a->frontends.tcp_shared, last_why);
	*out = (struct app_certificates){0};
	// A file that is not there is looked for each time, and reported once.
	if (set.count > 0 && tls_watch_read(&out->watch, &set, before, &out->server, out->why) < 0
		&& strcmp(out->why, last_why) != 0)
		log_error("TLS: certificates: %s; %s", out->why,
			before ? "those in force stay" : "DNS over TLS is not served");
	tls_server_free(before);
}

void app_certificates_use(struct app *a, struct app_certificates *c)
{
	frontend_tcp_shared_certify(a->frontends.tcp_shared, c->server, c->why);
	c->server = NULL;
}

void app_certificates_look(struct app *a)
{
	struct app_certificates *c = &a->certificates;
	struct tls_certificate_files files[CONFIG_CERTIFICATES_MAX];
	const struct tls_server_settings set = settings_of(&a->current->tls, files);

	if (set.count == 0 || tls_watch_same(&c->watch, &set))
		return;
	app_certificates_read(a, a->current, c);
	if (c->server)
		log_info("TLS: %u certificates read", a->current->tls.count);
	app_certificates_use(a, c);
}

void app_certificates_tell(struct reload *r)
{
	const struct app_certificates *c = &r->app->certificates;

	if (!c->why[0])
		return;
	app_reload_wrong(r, -EINVAL, "; ", "certificates NOT replaced: %s", c->why);
}

// While a change is on its way to the resolvers and frontends, newer certificates than those of the
// configuration in force may be used already.
static void on_look(evutil_socket_t, short, void *arg)
{
	struct app *a = arg;

	if (!a->at_resolver)
		app_certificates_look(a);
}

int app_certificates_open(struct app *a)
{
	app_certificates_read(a, a->started, &a->certificates);
	app_certificates_use(a, &a->certificates);
	a->certificates_look = event_new(loop_base(a->service), -1, EV_PERSIST, on_look, a);
	if (!a->certificates_look
		|| event_add(a->certificates_look, &(struct timeval){.tv_sec = LOOK_MS / 1000}) < 0)
		return -ENOMEM;
	return 0;
}

void app_certificates_close(struct app *a)
{
	if (a->certificates_look)
		event_free(a->certificates_look);
	a->certificates_look = NULL;
}
