// SPDX-License-Identifier: BSD-3-Clause
#include "http_server.h"

#include "base/age_list.h"
#include "base/json.h"
#include "base/source_key.h"
#include "base/url_fields.h"
#include "tls/tls_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

static int resolve(const struct http_url *url, const struct bootstrap *b,
	char out[HTTP_HOST_LINE_MAX], char why[HTTP_HOST_WHY_MAX])
{
	struct ip_address address[BOOTSTRAP_ADDRESSES_MAX];
	char reason[BOOTSTRAP_WHY_MAX], text[SOCKET_ADDRESS_TEXT_MAX];
	const size_t cap = HTTP_HOST_LINE_MAX;
	unsigned count;
	int err = bootstrap_resolve(b, url->host, address, &count, reason);
	if (err) {
		snprintf(why, HTTP_HOST_WHY_MAX, "%s", reason);
		return err == -ECANCELED || err == -ETIMEDOUT ? err : -EIO;
	}
	size_t len = (size_t)snprintf(out, cap, "%s:%s:", url->host, url->port);
	for (unsigned i = 0; i < count && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s%s%s", i ? "," : "",
			address[i].version == 6 ? "[" : "",
			ip_address_text(&address[i], false, text),
			address[i].version == 6 ? "]" : "");
	if (len < cap)
		return 0;
	snprintf(why, HTTP_HOST_WHY_MAX, "a host name that is too long");
	return -EIO;
}

// Addresses, and names that libcurl itself takes for this machine.
static bool needs_no_dns(const char *host)
{
	struct ip_address a;
	static const char local[] = "localhost";
	return host[0] == '[' || ip_address_parse(host, &a) == 0 || strcasecmp(host, local) == 0;
}

// libcurl would look such a name up under another spelling, and ask the system; a sign in front has
// a meaning in its list of addresses.
static bool is_plain(const char *host)
{
	size_t len = strlen(host);
	bool plain = len > 0 && host[0] != '-' && host[0] != '+' && host[len - 1] != '.';
	for (size_t i = 0; i < len; i++)
		plain &= host[i] > 0x20 && host[i] < 0x7f;
	return plain;
}

int http_host_addresses(const struct http_url *url, const struct bootstrap *b,
	char out[HTTP_HOST_LINE_MAX], char why[HTTP_HOST_WHY_MAX])
{
	if (needs_no_dns(url->host)) {
		out[0] = '\0';
		return 0;
	}
	if (is_plain(url->host))
		return resolve(url, b, out, why);
	snprintf(why, HTTP_HOST_WHY_MAX, "a host name that is no plain ASCII");
	return -EPROTO;
}

uint64_t http_rate_key(char kind, const void *of, size_t len)
{
	return (keyhash_here(of, len) ^ (uint64_t)kind) | 1;
}

static struct http_rate_place *place_find(struct http_rate *r, uint64_t key)
{
	for (unsigned i = 0; i < HTTP_RATE_PLACES; i++)
		if (r->place[i].key == key)
			return &r->place[i];
	return NULL;
}

// A free one, or the one that asked longest ago.
static struct http_rate_place *place_take(
	struct http_rate *r, uint64_t key, unsigned times, uint64_t now_ms)
{
	struct http_rate_place *oldest = &r->place[0];
	for (unsigned i = 0; i < HTTP_RATE_PLACES && oldest->key; i++)
		if (!r->place[i].key || r->place[i].left.at_ms < oldest->left.at_ms)
			oldest = &r->place[i];
	r->evicted += oldest->key != 0;
	*oldest = (struct http_rate_place){
		.key = key, .times = times, .left = allowance_full(r->burst * times, now_ms)};
	return oldest;
}

// `times`: the share, of each_s and burst. False: refused.
static bool http_rate_take(struct http_rate *r, uint64_t key, unsigned times, uint64_t now_ms)
{
	struct http_rate_place *p = place_find(r, key);
	if (!p)
		p = place_take(r, key, times, now_ms);
	const bool may =
		allowance_take(&p->left, r->each_s * p->times, r->burst * p->times, now_ms);
	r->refused += !may;
	return may;
}

// Charges `us` for a request. A key that is not there has no budget to pay from.
static void http_rate_charge(struct http_rate *r, uint64_t key, uint64_t us)
{
	struct http_rate_place *p = key ? place_find(r, key) : NULL;
	if (p)
		allowance_charge(&p->left, us / HTTP_RATE_COST_US, r->burst * p->times);
}

static bool http_rate_owes(struct http_rate *r, uint64_t key, uint64_t now_ms)
{
	const struct http_rate_place *p = key ? place_find(r, key) : NULL;
	return p && p->left.left + (int64_t)((now_ms - p->left.at_ms) * r->each_s * p->times) < 0;
}

unsigned http_rate_used(const struct http_rate *r)
{
	unsigned n = 0;
	for (unsigned i = 0; i < HTTP_RATE_PLACES; i++)
		n += r->place[i].key != 0;
	return n;
}

struct http_exchange {
	LIST_ENTRY(http_exchange) link;
	struct age_link age;
	struct http_server *server;     // NULL: it is gone
	struct evhttp_request *request; // NULL: replied to (too late), or the server is gone
	struct event *deadline;
	struct ucred peer;
	struct sockaddr_storage source; // has only the family for a unix socket
	const void *note;
	char who[HTTP_WHO_MAX], from[HTTP_FROM_MAX];
	uint64_t right;
	uint64_t asks[HTTP_TURNS_MAX]; // keys of http_server.h, or 0
	struct url_fields params, form;
	bool is_form_read, is_admin;
	int form_err;
};

struct http_server {
	struct http_settings settings;
	struct evhttp *evhttp;
	struct evconnlistener *listener; // evhttp's
	struct event *accept_again;
	unsigned exchanges;
	struct age_list ages;
	LIST_HEAD(, http_exchange) exchange_list;
	struct http_counts counts;
	struct http_conns *conns;
	struct http_turn turn; // the request that is being handled
	LIST_HEAD(, http_stream) streams;
};

static struct bufferevent *request_buffer(struct evhttp_request *r)
{
	return evhttp_connection_get_bufferevent(evhttp_request_get_connection(r));
}

// A request, and whose it is.

bool http_is_post(const struct http_exchange *x)
{
	return evhttp_request_get_command(x->request) == EVHTTP_REQ_POST;
}

bool http_is_put(const struct http_exchange *x)
{
	return evhttp_request_get_command(x->request) == EVHTTP_REQ_PUT;
}

bool http_is_change(const struct http_exchange *x)
{
	return http_is_post(x) || http_is_put(x);
}

const char *http_method(const struct http_exchange *x)
{
	return http_is_post(x)                                             ? "POST"
	       : http_is_put(x)                                            ? "PUT"
	       : evhttp_request_get_command(x->request) == EVHTTP_REQ_HEAD ? "HEAD"
									   : "GET";
}

const char *http_path(const struct http_exchange *x)
{
	return evhttp_uri_get_path(evhttp_request_get_evhttp_uri(x->request));
}

const char *http_param(const struct http_exchange *x, const char *name)
{
	return url_fields_get(&x->params, name);
}

const struct url_fields *http_params(const struct http_exchange *x)
{
	return &x->params;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(x->request), name);
}

const struct sockaddr_storage *http_source(const struct http_exchange *x)
{
	return &x->source;
}

const char *http_client_name(const struct http_exchange *x)
{
	struct ssl_st *ssl = bufferevent_openssl_get_ssl(request_buffer(x->request));
	return ssl ? tls_lent_client_name(ssl) : NULL;
}

bool http_client_is_current(const struct http_exchange *x, const struct tls_server *s)
{
	struct ssl_st *ssl = bufferevent_openssl_get_ssl(request_buffer(x->request));
	return ssl && tls_lent_is_current(ssl, s);
}

const char *http_who(const struct http_exchange *x)
{
	return x->who;
}

const char *http_from(const struct http_exchange *x)
{
	return x->from;
}

void http_set_who(struct http_exchange *x, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(x->who, sizeof(x->who), fmt, args);
	va_end(args);
}

void http_set_right(struct http_exchange *x, uint64_t right)
{
	x->right = right;
}

uint64_t http_right(const struct http_exchange *x)
{
	return x->right;
}

uint64_t http_job_user(const struct http_exchange *x)
{
	return x->right ? http_rate_key('j', x->who, strlen(x->who)) : 0;
}

static void form_read(struct http_exchange *x)
{
	static const char type[] = "application/x-www-form-urlencoded";
	struct evbuffer *body = evhttp_request_get_input_buffer(x->request);
	const size_t len = evbuffer_get_length(body);
	const char *is = http_header(x, "Content-Type");
	char text[HTTP_FORM_MAX + 1];
	x->is_form_read = true;
	if (!is || strncasecmp(is, type, sizeof(type) - 1) != 0 || len == 0 || len > HTTP_FORM_MAX)
		return;
	evbuffer_remove(body, text, len);
	x->form_err = url_fields_read(&x->form, text, len);
	explicit_bzero(text, sizeof(text));
}

int http_form_read(struct http_exchange *x, const struct url_fields **out)
{
	if (!x->is_form_read)
		form_read(x);
	*out = &x->form;
	return x->form_err;
}

const char *http_form(const struct http_exchange *x, const char *name)
{
	return url_fields_get(&x->form, name);
}

size_t http_body_len(const struct http_exchange *x)
{
	return evbuffer_get_length(evhttp_request_get_input_buffer(x->request));
}

void http_body_move(struct http_exchange *x, char *out)
{
	(void)evbuffer_remove(evhttp_request_get_input_buffer(x->request), out, http_body_len(x));
}

char *http_body_take(struct http_exchange *x, size_t *len)
{
	*len = http_body_len(x);
	char *text = heap_malloc(*len + 1);
	if (!text)
		return NULL;
	http_body_move(x, text);
	text[*len] = '\0';
	return text;
}

void http_set_note(struct http_exchange *x, const void *note)
{
	x->note = note;
}

const void *http_note(const struct http_exchange *x)
{
	return x->note;
}

void http_reply_header(struct http_exchange *x, const char *name, const char *value)
{
	if (x->request)
		(void)evhttp_add_header(evhttp_request_get_output_headers(x->request), name, value);
}

bool http_is_served(const struct http_exchange *x)
{
	return x->server != NULL;
}

bool http_is_live(const struct http_exchange *x)
{
	return x->request != NULL;
}

void http_defer(struct http_exchange *x, unsigned deadline_ms)
{
	struct timeval tv = {.tv_sec = deadline_ms / 1000, .tv_usec = (deadline_ms % 1000) * 1000};
	(void)event_add(x->deadline, &tv);
}

// Replies.

static void body_free(const void *body, size_t, void *)
{
	heap_free((void *)(uintptr_t)body);
}

static void body_wipe(const void *body, size_t len, void *)
{
	explicit_bzero((void *)(uintptr_t)body, len);
	heap_free((void *)(uintptr_t)body);
}

// What a body would have: evhttp counts the bytes that it sends.
static int length_add(struct evhttp_request *r, size_t len)
{
	char text[24];
	snprintf(text, sizeof(text), "%zu", len);
	return evhttp_add_header(evhttp_request_get_output_headers(r), "Content-Length", text);
}

// `end`: called for the body once it has left or cannot leave; may be NULL.
static void request_reply_as(struct evhttp_request *r, unsigned status, const char *type,
	const char *body, size_t len, evbuffer_ref_cleanup_cb end)
{
	struct evbuffer *out = evbuffer_new();
	// From here on the connection's own time counts (http_conns.h). evhttp would end it after
	// HTTP_TIMEOUT_S without input, however well the client reads.
	bufferevent_set_timeouts(request_buffer(r), NULL, NULL);
	const bool is_head = evhttp_request_get_command(r) == EVHTTP_REQ_HEAD;
	const bool is_held =
		out && len && !is_head && evbuffer_add_reference(out, body, len, end, NULL) == 0;
	if (!is_held && end)
		end(body, len, NULL);
	if (out && (is_held || is_head || len == 0) && (!is_head || !len || length_add(r, len) == 0)
		&& evhttp_add_header(evhttp_request_get_output_headers(r), "Content-Type", type)
			   == 0)
		evhttp_send_reply(r, (int)status, NULL, out);
	else
		evhttp_send_error(r, HTTP_INTERNAL, NULL);
	if (out)
		evbuffer_free(out);
}

// The request is evhttp's again, which frees it when the reply has left or cannot. `body`: a
// constant.
static void request_reply(struct evhttp_request *r, unsigned status, const char *body)
{
	request_reply_as(r, status, "application/json", body, strlen(body), NULL);
}

// The client gets this status, or has it: tells the owner, once.
static void exchange_replied(struct http_exchange *x, unsigned status)
{
	const struct http_settings *s = &x->server->settings;
	if (s->replied)
		s->replied(s->arg, x, status);
}

// From its server, which may be closing: nothing of the base is held any longer.
static void exchange_detach(struct http_exchange *x)
{
	LIST_REMOVE(x, link);
	age_remove(&x->server->ages, &x->age);
	x->server->exchanges--;
	event_free(x->deadline);
	x->server = NULL;
	x->request = NULL;
}

static void exchange_free(struct http_exchange *x)
{
	if (x->server)
		exchange_detach(x);
	url_fields_end(&x->params);
	url_fields_end(&x->form);
	heap_free(x);
}

void http_reply(struct http_exchange *x, unsigned status, char *body)
{
	http_reply_text(x, status, "application/json", body);
}

void http_reply_text(struct http_exchange *x, unsigned status, const char *type, char *body)
{
	http_reply_bytes(x, status, type, body, body ? strlen(body) : 0);
}

static unsigned refusal_weight(unsigned status)
{
	return status == 429 ? HTTP_FAST_WEIGHT : status == 401 || status == 403;
}

static void body_reply(struct http_exchange *x, unsigned status, const char *type, char *body,
	size_t len, evbuffer_ref_cleanup_cb end)
{
	if (x->request) {
		const unsigned weight = refusal_weight(status);
		if (http_conns_replied(x->server->conns, request_buffer(x->request), weight)
			>= HTTP_REFUSALS_MAX)
			http_reply_header(x, "Connection", "close");
		exchange_replied(x, body ? status : 500);
	} else if (x->server && x->server->settings.late) {
		x->server->settings.late(x->server->settings.arg, x, body ? status : 500);
	}
	if (x->request && body)
		request_reply_as(x->request, status, type, body, len, end);
	else if (x->request)
		request_reply(x->request, 500, "{\"error\":\"out of memory\"}");
	else if (body)
		end(body, len, NULL);
	exchange_free(x);
}

void http_reply_bytes(
	struct http_exchange *x, unsigned status, const char *type, char *body, size_t len)
{
	body_reply(x, status, type, body, len, body_free);
}

void http_reply_secret(struct http_exchange *x, unsigned status, char *body)
{
	body_reply(x, status, "application/json", body, body ? strlen(body) : 0, body_wipe);
}

// How often a sender and a user may ask, and what they pay for what it takes. Pages
// of other sites ask by an allowance apart, or one in a browser would use up that of its address.

// Places in `asks`.
enum { NETWORK, SENDER, USER };
static_assert((int)USER + 1 == (int)HTTP_TURNS_MAX);

static bool ask_take(struct http_exchange *x, unsigned which, uint64_t key, unsigned times)
{
	struct http_rate *rate = x->server->settings.rate;
	if (!rate)
		return true;
	x->asks[which] = x->server->turn.key[which] = key;
	if (http_rate_take(rate, key, times, clock_mono_ms()))
		return true;
	x->server->counts.refused_rate++;
	http_reply_header(x, "Retry-After", "1");
	http_reply(x, 429, json_out_error("too many requests: try again in a second"));
	return false;
}

// How many requests are served for that user; 0: for all users but admins.
static unsigned served_of(const struct http_server *s, uint64_t key)
{
	const struct http_exchange *x;
	unsigned n = 0;
	LIST_FOREACH (x, &s->exchange_list, link)
		n += key ? x->asks[USER] == key : x->asks[USER] && !x->is_admin;
	return n;
}

static bool busy_reply(struct http_exchange *x, const char *with)
{
	x->server->counts.refused_full++;
	http_reply_header(x, "Retry-After", "1");
	http_reply(x, 503, json_out_error("too busy with %s: try again", with));
	return false;
}

// Does a browser say that another site's page asks? Nobody at the sender's address can answer for
// that.
static bool is_foreign(const struct http_exchange *x)
{
	const char *site = http_header(x, "Sec-Fetch-Site");
	return site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
}

// The key of what the kernel says: an address, or a local user.
static uint64_t own_of(const struct http_exchange *x, const struct source_ids *of)
{
	return source_id_is_none(&of->own) ? http_rate_key('u', &x->peer.uid, sizeof(x->peer.uid))
					   : http_rate_key('s', &of->own, sizeof(of->own));
}

static uint64_t apart(uint64_t key, bool is_foreign)
{
	return is_foreign ? http_rate_key('f', &key, sizeof(key)) : key;
}

// Takes a request from its sender's allowance. False: that is used up, and 429 is the reply.
static bool sender_may_ask(struct http_exchange *x)
{
	const struct source_ids of = source_ids_of(&x->source);
	const bool foreign = is_foreign(x);
	// An address that asks too often takes nothing of what its network has.
	if (!ask_take(x, SENDER, apart(own_of(x, &of), foreign), 1))
		return false;
	if (source_id_is_none(&of.network))
		return true;
	const uint64_t network = http_rate_key('n', &of.network, sizeof(of.network));
	return ask_take(x, NETWORK, apart(network, foreign), SOURCE_NETWORK_TIMES);
}

bool http_may_ask(struct http_exchange *x, uint64_t key, bool is_admin)
{
	const struct http_server *s = x->server;
	const unsigned max = s->settings.exchanges_max;
	http_conns_entitled(s->conns, request_buffer(x->request), key);
	x->is_admin = is_admin;
	if (s->settings.rate && served_of(s, key) >= max / 2)
		return busy_reply(x, "this user");
	if (s->settings.rate && !is_admin && served_of(s, 0) >= max - max / 4)
		return busy_reply(x, "users who are no admins");
	return ask_take(x, USER, key, 1);
}

static uint64_t cpu_us(void)
{
	return clock_us_of(CLOCK_THREAD_CPUTIME_ID);
}

struct http_turn http_turn_begin(const struct http_exchange *x)
{
	struct http_turn t = {.rate = x->server ? x->server->settings.rate : NULL};
	if (t.rate)
		t.began_us = cpu_us();
	memcpy(t.key, x->asks, sizeof(t.key));
	return t;
}

void http_turn_end(const struct http_turn *t)
{
	if (!t->rate)
		return;
	const uint64_t took_us = cpu_us() - t->began_us;
	for (unsigned i = 0; i < HTTP_TURNS_MAX; i++)
		http_rate_charge(t->rate, t->key[i], took_us);
}

bool http_owes(const struct http_exchange *x)
{
	struct http_rate *rate = x->server ? x->server->settings.rate : NULL;
	bool owes = false;
	for (unsigned i = 0; rate && i < HTTP_TURNS_MAX; i++)
		owes |= http_rate_owes(rate, x->asks[i], clock_mono_ms());
	return owes;
}

static_assert((int)HTTP_CONNS_INPUT_MAX > (int)HTTP_HEADER_MAX + (int)HTTP_BODY_MAX);

static void on_deadline(evutil_socket_t, short, void *arg)
{
	struct http_exchange *x = arg;
	x->server->counts.timeouts++;
	(void)http_conns_replied(x->server->conns, request_buffer(x->request), 0);
	exchange_replied(x, 504);
	request_reply(x->request, 504, "{\"error\":\"no answer in time\"}");
	x->request = NULL;
}

// Who it is by the kernel's word.
static void origin_fill(struct http_exchange *x)
{
	socklen_t len = sizeof(x->source);
	struct sockaddr_storage *a = &x->source;
	if (getpeername(bufferevent_getfd(request_buffer(x->request)), (struct sockaddr *)a, &len)
		< 0)
		a->ss_family = AF_UNSPEC;
	if (a->ss_family == AF_UNIX) {
		snprintf(x->who, sizeof(x->who), "uid %u", x->peer.uid);
		snprintf(x->from, sizeof(x->from), "pid %d", x->peer.pid);
	} else if (a->ss_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, x->from,
			sizeof(x->from));
	} else if (a->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr, x->from,
			sizeof(x->from));
	}
}

static struct http_exchange *exchange_new(
	struct http_server *s, struct evhttp_request *r, const struct ucred *peer)
{
	struct http_exchange *x = heap_calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->deadline = evtimer_new(s->settings.base, on_deadline, x);
	if (!x->deadline) {
		heap_free(x);
		return NULL;
	}
	x->server = s;
	x->request = r;
	x->peer = *peer;
	origin_fill(x);
	LIST_INSERT_HEAD(&s->exchange_list, x, link);
	http_conns_asked(s->conns, request_buffer(r));
	age_add(&s->ages, &x->age);
	if (++s->exchanges > s->counts.waiting_most)
		s->counts.waiting_most = s->exchanges;
	return x;
}

static void fault_reply(struct http_exchange *x, const char *fault)
{
	x->server->counts.bad_requests++;
	http_reply(x, 400, json_out_error("malformed request: %s", fault));
}

static int params_read(struct http_exchange *x)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(x->request));
	return query ? url_fields_read(&x->params, query, strlen(query)) : 0;
}

static void params_refuse(struct http_exchange *x, int err)
{
	const char *last = x->params.count ? x->params.field[x->params.count - 1].name : "";
	x->server->counts.bad_requests++;
	http_reply(x, err == -ENOMEM ? 500 : 400,
		err == -EEXIST   ? json_out_error("the parameter \"%s\" is there twice", last)
		: err == -E2BIG  ? json_out_error("more than %d parameters", URL_FIELDS_MAX)
		: err == -EINVAL ? json_out_error(
			  "malformed query: a parameter is NAME=VALUE, without a zero byte")
				 : NULL);
}

// The user may be known only meanwhile, and `x` have ended behind it.
static void handle(struct http_server *s, struct http_exchange *x)
{
	s->turn = http_turn_begin(x);
	s->settings.handle(s->settings.arg, x);
	http_turn_end(&s->turn);
}

static bool peer_admitted(
	const struct http_settings *t, struct evhttp_request *r, struct ucred *peer)
{
	int fd = bufferevent_getfd(request_buffer(r));
	socklen_t len = sizeof(*peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) == 0
	       && t->admit(t->arg, peer, fd);
}

static void on_request(struct evhttp_request *r, void *arg)
{
	struct http_server *s = arg;
	struct ucred peer;
	const char *fault = http_conns_fault(s->conns, request_buffer(r));
	s->counts.requests++;
	(void)http_conns_replied(s->conns, request_buffer(r), 0); // unless it goes on
	const bool is_admitted = peer_admitted(&s->settings, r, &peer);
	// The last reply of its connection: where the next one begins nobody can say, or who may
	// not ask need not ask again.
	if (fault || !is_admitted)
		(void)evhttp_add_header(
			evhttp_request_get_output_headers(r), "Connection", "close");
	if (!is_admitted) {
		s->counts.refused_peer++;
		request_reply(r, 403, "{\"error\":\"not permitted\"}");
		return;
	}
	if (evhttp_request_get_command(r) == EVHTTP_REQ_CONNECT) { // which evhttp keeps open
		http_conns_end(s->conns, request_buffer(r));
		request_reply(r, 501, "{\"error\":\"use GET or POST\"}");
		return;
	}
	if (s->exchanges >= s->settings.exchanges_max) {
		s->counts.refused_full++;
		(void)evhttp_add_header(evhttp_request_get_output_headers(r), "Retry-After", "1");
		request_reply(r, 503, "{\"error\":\"too busy: try again\"}");
		return;
	}
	struct http_exchange *x = exchange_new(s, r, &peer);
	const int rc = x ? params_read(x) : -ENOMEM;
	if (!x)
		request_reply(r, 500, "{\"error\":\"out of memory\"}");
	else if (!sender_may_ask(x))
		; // it has its reply
	else if (fault)
		fault_reply(x, fault);
	else if (rc < 0)
		params_refuse(x, rc);
	else
		handle(s, x);
}

// No file descriptor or memory. A waiting client would make the loop spin. evhttp uses the
// listener's argument for itself, so this function cannot reach the server's timer: that one runs
// all the time.
static void on_accept_error(struct evconnlistener *listener, void *)
{
	evconnlistener_disable(listener);
}

static void on_accept_again(evutil_socket_t, short, void *arg)
{
	struct http_server *s = arg;
	if (http_conns_has_place(s->conns))
		evconnlistener_enable(s->listener); // nothing, while it is
}

static bool accept_again_start(struct http_server *s, struct evconnlistener *listener)
{
	const struct timeval pause = {.tv_usec = HTTP_ACCEPT_PAUSE_MS * 1000};
	s->listener = listener;
	evconnlistener_set_error_cb(listener, on_accept_error);
	s->accept_again = event_new(s->settings.base, -1, EV_PERSIST, on_accept_again, s);
	if (s->accept_again && event_add(s->accept_again, &pause) == 0)
		return true;
	if (s->accept_again)
		event_free(s->accept_again);
	return false;
}

static bool conns_start(
	struct http_server *s, struct evhttp *evhttp, struct evconnlistener *listener)
{
	const struct http_conns_settings settings = {.base = s->settings.base,
		.listener = listener,
		.max = s->settings.connections_max,
		.life_ms = s->settings.connection_ms,
		.source_max = s->settings.source_max,
		.rate_max = s->settings.rate_max,
		.source_rate_max = s->settings.source_rate_max,
		.lend = s->settings.lend,
		.refuses = s->settings.refuses,
		.arg = s->settings.arg};
	if (http_conns_new(&s->conns, &settings) < 0)
		return false;
	evhttp_set_bevcb(evhttp, http_conns_make, s->conns);
	return true;
}

int http_server_open(struct http_server **out, int fd, const struct http_settings *settings)
{
	struct http_server *s = heap_calloc(1, sizeof(*s));
	struct evhttp *evhttp = s ? evhttp_new(settings->base) : NULL;
	struct evconnlistener *listener =
		evhttp ? evconnlistener_new(settings->base, NULL, NULL,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd)
		       : NULL;
	if (s)
		s->settings = *settings;
	bool is_ready =
		listener && conns_start(s, evhttp, listener) && accept_again_start(s, listener);
	if (!is_ready || !evhttp_bind_listener(evhttp, listener)) {
		if (is_ready)
			event_free(s->accept_again);
		if (listener)
			evconnlistener_free(listener);
		else
			close(fd);
		if (evhttp)
			evhttp_free(evhttp);
		if (s)
			http_conns_free(s->conns);
		heap_free(s);
		return -ENOMEM;
	}
	evhttp_set_max_headers_size(evhttp, HTTP_HEADER_MAX);
	evhttp_set_max_body_size(evhttp, HTTP_BODY_MAX);
	evhttp_set_timeout(evhttp, HTTP_TIMEOUT_S);
	evhttp_set_allowed_methods(evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST
						   | EVHTTP_REQ_PUT | EVHTTP_REQ_CONNECT);
	evhttp_set_gencb(evhttp, on_request, s);
	s->evhttp = evhttp;
	LIST_INIT(&s->exchange_list);
	LIST_INIT(&s->streams);
	*out = s;
	return 0;
}

void http_server_close(struct http_server *s)
{
	if (!s)
		return;
	struct http_exchange *x;
	while ((x = LIST_FIRST(&s->exchange_list))) {
		if (x->request)
			exchange_replied(x, 503);
		exchange_detach(x);
	}
	event_free(s->accept_again);
	evhttp_free(s->evhttp); // frees the listener, connections and requests, too
	http_conns_free(s->conns);
	heap_free(s);
}

void http_server_counts(const struct http_server *s, struct http_counts *out)
{
	*out = s->counts;
	out->waiting = s->exchanges;
	out->waiting_max = s->settings.exchanges_max;
	out->since_ms = age_since(&s->ages);
	out->bytes = sizeof(struct http_exchange);
	http_conns_counts(s->conns, &out->conns);
	out->conns.bytes += sizeof(*s);
}

// The earlier of two times, each of which may be 0 for no time.
static uint64_t older(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

void http_counts_add(struct http_counts *sum, const struct http_counts *one)
{
	sum->requests += one->requests;
	sum->refused_full += one->refused_full;
	sum->refused_peer += one->refused_peer;
	sum->refused_rate += one->refused_rate;
	sum->bad_requests += one->bad_requests;
	sum->timeouts += one->timeouts;
	sum->waiting += one->waiting;
	sum->waiting_max += one->waiting_max;
	sum->waiting_most += one->waiting_most;
	sum->since_ms = older(sum->since_ms, one->since_ms);
	sum->bytes = one->bytes;
	sum->conns.live += one->conns.live;
	sum->conns.most += one->conns.most;
	sum->conns.max += one->conns.max;
	sum->conns.made += one->conns.made;
	sum->conns.refused += one->conns.refused;
	sum->conns.cut += one->conns.cut;
	sum->conns.shut_out += one->conns.shut_out;
	sum->conns.since_ms = older(sum->conns.since_ms, one->conns.since_ms);
	sum->conns.bytes += one->conns.bytes;
}

unsigned http_server_waiting(const struct http_server *s, const struct http_exchange *but,
	struct http_waiting *out, unsigned max)
{
	unsigned n = 0;
	for (const struct age_link *k = s->ages.oldest; k && n < max; k = k->newer) {
		const struct http_exchange *x =
			(const void *)((const char *)k - offsetof(struct http_exchange, age));
		if (x == but)
			continue;
		out[n] = (struct http_waiting){
			.uid = x->peer.uid, .pid = (unsigned)x->peer.pid, .since_ms = k->since_ms};
		if (x->request)
			snprintf(out[n].path, sizeof(out->path), "%.63s", http_path(x));
		n++;
	}
	return n;
}

// Streams.

struct http_stream {
	struct evhttp_request *request;
	LIST_ENTRY(http_stream) link;
	const struct http_server *server;
	struct http_stream_user user;
	uint64_t since_ms;
	bool is_over;
};

// Input of a client in its stream is not read: it may fill this much, and wait.
enum { STREAM_INPUT_MAX = 4096 };

static struct bufferevent *stream_buffer(const struct http_stream *s)
{
	struct evhttp_connection *c = evhttp_request_get_connection(s->request);
	return c ? evhttp_connection_get_bufferevent(c) : NULL;
}

struct http_stream *http_stream_begin(struct http_exchange *x, const char *type)
{
	if (x->request && evhttp_request_get_command(x->request) == EVHTTP_REQ_HEAD) {
		http_reply_text(x, HTTP_OK, type, heap_strdup(""));
		return NULL;
	}
	struct http_stream *s = x->request ? heap_calloc(1, sizeof(*s)) : NULL;
	if (!s
		|| evhttp_add_header(
			   evhttp_request_get_output_headers(x->request), "Content-Type", type)
			   < 0) {
		heap_free(s);
		http_reply(x, 500, NULL);
		return NULL;
	}
	exchange_replied(x, HTTP_OK);
	s->request = x->request;
	s->server = x->server;
	LIST_INSERT_HEAD(&x->server->streams, s, link);
	memcpy(s->user.who, x->who, sizeof(s->user.who));
	s->user.right = x->right;
	s->since_ms = clock_mono_ms();
	exchange_free(x);
	struct bufferevent *b = stream_buffer(s);
	bufferevent_set_timeouts(b, NULL, NULL);
	bufferevent_setwatermark(b, EV_READ, 0, STREAM_INPUT_MAX);
	evhttp_send_reply_start(s->request, HTTP_OK, NULL);
	return s;
}

// Asks the kernel, because the loop may not have handled the event yet. Less than 0: a signal came
// in between (SIGHUP), so the state is unknown.
static bool is_over(const struct http_stream *s)
{
	const unsigned life_ms = s->server->settings.stream_ms;
	return s->is_over || (life_ms && clock_mono_ms() - s->since_ms >= life_ms);
}

bool http_stream_is_live(const struct http_stream *s)
{
	if (is_over(s))
		return false;
	struct bufferevent *b = stream_buffer(s);
	struct pollfd p = {.fd = b ? bufferevent_getfd(b) : -1, .events = POLLRDHUP};
	return b && poll(&p, 1, 0) <= 0;
}

const struct http_stream_user *http_stream_user(const struct http_stream *s)
{
	return &s->user;
}

void http_streams_end(
	struct http_server *s, bool (*keeps)(const void *arg, uint64_t right), const void *arg)
{
	struct http_stream *one;
	if (!s)
		return;
	LIST_FOREACH (one, &s->streams, link)
		one->is_over |= !keeps || !keeps(arg, one->user.right);
}

bool http_stream_send(struct http_stream *s, const char *data, size_t len)
{
	struct evbuffer *out = evbuffer_new();
	bool ok = out && evbuffer_add(out, data, len) == 0;
	if (ok)
		evhttp_send_reply_chunk(s->request, out);
	if (out)
		evbuffer_free(out);
	return ok;
}

size_t http_stream_pending(const struct http_stream *s)
{
	struct bufferevent *b = stream_buffer(s);
	return b ? evbuffer_get_length(bufferevent_get_output(b)) : 0;
}

void http_stream_close(struct http_stream *s)
{
	struct evhttp_connection *c = evhttp_request_get_connection(s->request);
	LIST_REMOVE(s, link);
	if (c)
		evhttp_connection_free(c); // frees the request, too
	else
		evhttp_request_free(s->request);
	heap_free(s);
}
