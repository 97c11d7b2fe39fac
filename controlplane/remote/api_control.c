// SPDX-License-Identifier: BSD-3-Clause

// The control API over HTTPS (`control.listen`; off unless it is set): every endpoint as
// /v1/ENDPOINT, for users with a token or a certificate that has a role (access/access.h). On the
// service loop.
//
// A client outside `control.allow`, or locked out, gets no handshake. TLS 1.2 and 1.3, HTTP/1.1.
// The user is checked before the path: without a token no client learns which paths there are.
// Bounds for each address: `control.connections`, of one client address
// `control.source_connections`, RATE_MAX new ones a second of all and SOURCE_RATE_MAX of one client
// address that is allowed and not locked out (one more is closed without a handshake, or another
// makes way: http_conns.h); LIFE_MS for a handshake and a request and for taking its reply;
// REQUESTS_MAX requests at a time (one more is 503). A connection takes 60 KiB at most before its
// first request, so 64 take 4 MiB, however many try. Each client address and each user has
// ASKS_BURST requests at once and ASKS_MAX a second of all addresses together, and requests that
// cost much count as several (http_server.h): one more is 429.
//
// A stream ends after STREAM_MS, or when its token is revoked or expires, or its session ends, as
// all of a user do when the password changes; all streams end when certificates, authorities or
// `control.clients` have changed: their clients ask again, and prove again who they are. A change
// that comes with no request, such as a token's expiry, is seen within LOOK_MS. A connection that
// showed a client's certificate proves nothing once the certificates have changed: its next request
// gets 421, and it is closed.
//
// Certificates and `control.client_ca` are read at the start, and again when a file or the
// configuration has changed, which is checked every LOOK_MS. Bad files leave those in force as they
// are; without any good ones each connection is closed.
#include "api/api_server.h"
#include "base/clock_grace.h"
#include "page/page.h"

#include <event2/event.h>

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum {
	BACKLOG = 32,
	REQUESTS_MAX = 12,
	RATE_MAX = 50,
	SOURCE_RATE_MAX = 20,
	ASKS_MAX = 50,
	ASKS_BURST = 200,
	LIFE_MS = 15000,
	LOOK_MS = 5000,
	STREAM_MS = 3600000,
};

static const struct config *config_of(const struct api *a)
{
	return a->deps.config_current(a->deps.reload_arg);
}

struct tls_server_settings api_control_tls(
	const struct config *c, struct tls_certificate_files *files)
{
	const bool is_own = c->control.count > 0;
	const struct config_certificate *from =
		is_own ? c->control.certificate : c->tls.certificate;
	const unsigned count = is_own ? c->control.count : c->tls.count;
	for (unsigned i = 0; i < count; i++)
		files[i] = (struct tls_certificate_files){from[i].cert, from[i].key};
	return (struct tls_server_settings){.count = count,
		.certificate = files,
		.only_1_3 = c->tls.only_1_3,
		.client_ca = c->control.client_ca[0] ? c->control.client_ca : NULL};
}

static void streams_end(struct api *a, bool (*keeps)(const void *arg, uint64_t right))
{
	for (unsigned i = 0; i < a->control.count; i++)
		http_streams_end(a->control.listener[i].server, keeps, a->access);
}

static bool is_not_by_certificate(const void *, uint64_t right)
{
	return !access_is_by_certificate(right);
}

static bool keeps(const void *arg, uint64_t right)
{
	return access_keeps(arg, right, clock_certain_s());
}

void api_control_streams_look(struct api *a)
{
	streams_end(a, keeps);
}

// Reads certificates that have changed. Logs a failure once.
static void certificates_look(struct api *a)
{
	struct api_control *k = &a->control;
	struct tls_certificate_files files[CONFIG_CERTIFICATES_MAX];
	const struct tls_server_settings set = api_control_tls(config_of(a), files);
	struct tls_server *next;
	char before[TLS_WHY_MAX];
	if (tls_watch_same(&k->watch, &set))
		return;
	memcpy(before, k->why, sizeof(before));
	k->why[0] = '\0';
	if (tls_watch_read(&k->watch, &set, k->tls, &next, k->why) == 0) {
		tls_server_free(k->tls);
		k->tls = next;
		streams_end(a, NULL);
	} else if (strcmp(before, k->why) != 0) {
		log_error("control.listen: certificates: %s; %s", k->why,
			k->tls ? "those in force stay" : "no connection is accepted");
	}
}

static bool clients_same(const struct api_control *k, const struct config_control *c)
{
	if (k->client_count != c->client_count)
		return false;
	for (unsigned i = 0; i < c->client_count; i++)
		if (k->client[i].role != c->client[i].role
			|| strcmp(k->client[i].name, c->client[i].name) != 0)
			return false;
	return true;
}

// Ends streams whose users may have lost the right to them.
static void users_look(struct api *a)
{
	struct api_control *k = &a->control;
	const struct config_control *c = &config_of(a)->control;
	if (access_lapsed(a->access, clock_certain_s()))
		api_control_streams_look(a);
	if (clients_same(k, c))
		return;
	k->client_count = c->client_count;
	memcpy(k->client, c->client, sizeof(k->client));
	streams_end(a, is_not_by_certificate);
}

static void on_look(evutil_socket_t, short, void *arg)
{
	certificates_look(arg);
	users_look(arg);
}

static struct ssl_st *on_lend(void *arg)
{
	static const char alpn[] = "\10http/1.1";
	struct api *a = arg;
	return a->control.tls ? tls_server_lend(a->control.tls, alpn) : NULL;
}

static bool on_refuses(void *arg, const struct sockaddr_storage *source)
{
	struct api *a = arg;
	return !api_listener_admits(&a->control.listener[0].set, source)
	       || access_shuts_out(a->access, source);
}

// The peer was checked before its handshake.
static bool on_admit(void *, const struct ucred *, int)
{
	return true;
}

static bool is_versioned(const struct http_exchange *x)
{
	const char *path = http_path(x);
	return path && strncmp(path, "/v1/", 4) == 0;
}

static struct access_try try_of(const struct api *a, const struct http_exchange *x)
{
	return (struct access_try){.authorization = http_header(x, "Authorization"),
		.client_name = http_client_name(x),
		.cookie = http_header(x, "Cookie"),
		.csrf = http_header(x, "X-Weir-CSRF"),
		.origin = http_header(x, "Origin"),
		.fetch_site = http_header(x, "Sec-Fetch-Site"),
		.host = http_header(x, "Host"),
		.is_change = http_is_change(x),
		.source = http_source(x),
		.from = http_from(x),
		.config = &config_of(a)->control};
}

static void open_serve(struct api *a, struct http_exchange *x)
{
	const struct access_try try = try_of(a, x);
	const enum access_refusal why = access_gate(a->access, &try);
	if (why == ACCESS_GRANTED)
		api_serve(a, x, API_OPEN, CONTROL_READ);
	else
		api_deny(a, x, why);
}

// The file of the page by its path; NULL: the page is off, or there is no such file.
static const struct page_file *page_of(const struct api *a, const struct http_exchange *x)
{
	const char *path = http_path(x);
	return config_of(a)->control.page && path && !http_is_change(x) ? page_find(path) : NULL;
}

// Files of the page have nothing of any user, so replies need no role and browsers may keep them.
static void page_serve(const struct page_file *f, struct http_exchange *x)
{
	char *body = heap_malloc(f->len);
	if (body)
		memcpy(body, f->bytes, f->len);
	http_reply_header(x, "Content-Security-Policy", PAGE_POLICY);
	http_reply_header(x, "Referrer-Policy", "no-referrer");
	http_reply_bytes(x, 200, f->type, body, f->len);
}

static void user_serve(struct api *a, struct http_exchange *x, const struct access_user *user)
{
	a->user = user;
	api_serve(a, x, 0, user->role);
	a->user = NULL;
}

static void on_request(void *arg, struct http_exchange *x)
{
	struct api *a = arg;
	struct access_user user;
	const struct access_try try = try_of(a, x);
	const bool is_old = http_client_name(x) && !http_client_is_current(x, a->control.tls);
	const struct page_file *f = is_old ? NULL : page_of(a, x);
	http_reply_header(x, "Cache-Control", f ? "private, max-age=60" : "no-store");
	http_reply_header(x, "X-Content-Type-Options", "nosniff");
	if (is_old) {
		http_reply_header(x, "Connection", "close");
		api_refuse(x, 421, "the certificates have changed: connect again");
		return;
	}
	if (is_versioned(x) && api_is_open(x)) {
		open_serve(a, x);
		return;
	}
	if (f) {
		page_serve(f, x);
		return;
	}
	const enum access_refusal why = access_check(a->access, &try, &user);
	http_set_who(x, "%s", user.who);
	http_set_right(x, user.right);
	if (why != ACCESS_GRANTED)
		api_deny(a, x, why);
	else if (!http_may_ask(x, http_rate_key('w', user.who, strlen(user.who)),
			 user.role == CONTROL_ADMIN))
		; // the request has its reply
	else if (!is_versioned(x))
		api_refuse(x, 404, "no such endpoint: paths begin with /v1/");
	else
		user_serve(a, x, &user);
}

static int control_open(struct api *a)
{
	static const struct timeval each = {.tv_sec = LOOK_MS / 1000};
	struct api_control *k = &a->control;
	const struct config_control *c = a->deps.control;
	if (!c || c->listen_count == 0)
		return 0;
	const struct http_settings settings = {.base = loop_base(a->deps.service),
		.exchanges_max = REQUESTS_MAX,
		.connections_max = c->connections,
		.connection_ms = LIFE_MS,
		.source_max = c->source_connections,
		.rate_max = RATE_MAX,
		.source_rate_max = SOURCE_RATE_MAX,
		.admit = on_admit,
		.handle = on_request,
		.replied = api_replied,
		.late = api_late,
		.lend = on_lend,
		.refuses = on_refuses,
		.stream_ms = STREAM_MS,
		.rate = &k->rate,
		.arg = a};
	k->rate = (struct http_rate){.each_s = ASKS_MAX, .burst = ASKS_BURST};
	memcpy(k->allow, c->allow, sizeof(k->allow));
	k->look = event_new(loop_base(a->deps.service), -1, EV_PERSIST, on_look, a);
	if (!k->look || event_add(k->look, &each) < 0)
		return -ENOMEM;
	on_look(-1, 0, a);
	for (unsigned i = 0; i < c->listen_count; i++) {
		const struct api_listener_set set = {.key = "control.listen",
			.address = c->listen[i],
			.backlog = BACKLOG,
			.allow = k->allow,
			.allow_count = c->allow_count};
		int rc = api_listener_open(&k->listener[i], &set, &settings);
		if (rc < 0)
			return rc;
		k->count++;
	}
	return 0;
}

static void control_close(struct api *a)
{
	struct api_control *k = &a->control;
	for (unsigned i = 0; i < k->count; i++)
		api_listener_close(&k->listener[i]);
	if (k->look)
		event_free(k->look);
	tls_server_free(k->tls);
	*k = (struct api_control){0};
}

const struct api_part api_control_part = {.open = control_open, .close = control_close};
