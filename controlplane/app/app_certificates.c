// SPDX-License-Identifier: BSD-3-Clause
// Certificates for TLS, and the authorities of client certificates. weir reads them at the start,
// with each new configuration, and when their files change, which it checks every LOOK_MS. Bad
// files leave the certificates in force as they are.

#include "app.h"
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

// Whether the files of certificate `i` and of the authorities in `ca` can be used; NULL: no
// authorities.
static bool is_usable(
	const struct tls_server_settings *set, unsigned i, const char *ca, char why[TLS_WHY_MAX])
{
	struct tls_server *s = NULL;
	const struct tls_server_settings one = {
		.count = 1, .certificate = &set->certificate[i], .client_ca = ca};
	const int rc = tls_server_new(&s, &one, NULL, why);
	if (rc == 0)
		tls_server_free(s);
	return rc == 0;
}

// Whether a certificate in use, or its authorities, has the fault `why` too.
static bool is_known(const struct tls_server_settings *now, bool has_ca, const char *why)
{
	char known[TLS_WHY_MAX];
	for (unsigned i = 0; i < now->count; i++)
		if (!is_usable(now, i, has_ca ? now->client_ca : NULL, known)
			&& strcmp(known, why) == 0)
			return true;
	return false;
}

static void certificates_prove(const struct tls_server_settings *next,
	const struct tls_server_settings *now, const char *section, const struct config_proof *p)
{
	char why[TLS_WHY_MAX], key[64];
	for (unsigned i = 0; i < next->count; i++) {
		snprintf(key, sizeof(key), "%s.certificates[%u]", section, i);
		if (!is_usable(next, i, NULL, why) && !is_known(now, false, why))
			config_proof_refuse(p, key, "%s", why);
	}
}

// Checks the authorities, with the first certificate that can be used.
static void authorities_prove(const struct tls_server_settings *next,
	const struct tls_server_settings *now, const char *section, const struct config_proof *p)
{
	char why[TLS_WHY_MAX], key[64];
	unsigned i = 0;
	while (i < next->count && !is_usable(next, i, NULL, why))
		i++;
	snprintf(key, sizeof(key), "%s.client_ca", section);
	if (i < next->count && !is_usable(next, i, next->client_ca, why)
		&& !is_known(now, true, why))
		config_proof_refuse(p, key, "%s", why);
}

void app_certificates_prove(const struct app *a, const struct config *c,
	const struct config_bundle *b, struct config_errors *e)
{
	struct tls_certificate_files files[CONFIG_CERTIFICATES_MAX], now[CONFIG_CERTIFICATES_MAX];
	const struct config_proof proof = {.texts = b, .errors = e};
	const struct tls_server_settings tls = settings_of(&c->tls, files),
					 tls_now = settings_of(&a->read->tls, now);
	certificates_prove(&tls, &tls_now, "tls", &proof);
	authorities_prove(&tls, &tls_now, "tls", &proof);
	if (!c->control.count && !c->control.listen_count)
		return;
	const struct tls_server_settings control = api_control_tls(c, files),
					 control_now = api_control_tls(a->read, now);
	if (c->control.count) // otherwise they are the certificates of `tls`
		certificates_prove(&control, &control_now, "control", &proof);
	authorities_prove(&control, &control_now, "control", &proof);
}

void app_certificates_read(struct app *a, const struct config *c, struct app_certificates *out)
{
	struct tls_certificate_files files[CONFIG_CERTIFICATES_MAX];
	struct tls_server *before = tcp_shared_tls(a->frontends.tcp_shared);
	const struct tls_server_settings set = settings_of(&c->tls, files);
	char last_why[TLS_WHY_MAX];

	frontend_tcp_shared_tls_why(a->frontends.tcp_shared, last_why);
	*out = (struct app_certificates){0};
	// A missing file is looked for each time, but reported once.
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

// Does nothing while a change is on its way to the resolvers and frontends: certificates newer than
// those of the configuration in force may be in use already.
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
