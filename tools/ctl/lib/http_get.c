// SPDX-License-Identifier: BSD-3-Clause
// Calls of the control API, and the messages about calls that failed.

#include "http_get.h"

#include "terminal/progress.h"
#include "terminal/screen.h"

#include <curl/curl.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/http_coding.h>
#include <weir/stats_read.h>

struct http_body {
	char *text;
	size_t len, cap;
};

static size_t body_receive(char *data, size_t size, size_t count, void *arg)
{
	struct http_body *b = arg;
	size_t len = size * count;
	if (b->len + len > HTTP_REPLY_MAX)
		return 0;
	if (b->len + len > b->cap) {
		size_t cap = 2 * (b->len + len);
		char *text = realloc(b->text, cap);
		if (!text)
			return 0;
		b->text = text;
		b->cap = cap;
	}
	memcpy(b->text + b->len, data, len);
	b->len += len;
	return len;
}

static bool is_form(const struct http_param *p)
{
	return strncmp(p->name, HTTP_FORM, sizeof(HTTP_FORM) - 1) == 0;
}

// Makes the URL. Leaves out items of `params` without a value, and items for the body. -ENOMEM;
// -E2BIG: no room.
static int url_make(const struct ctl *c, CURL *curl, const char *path,
	const struct http_param *params, char *url, size_t cap)
{
	size_t n = c->remote_options.host ? (size_t)snprintf(
			   url, cap, "https://%s/v1%s", c->remote.authority, path)
					  : (size_t)snprintf(url, cap, "http://weir%s", path);
	char mark = '?';
	for (; params && params->name && n < cap; params++) {
		const bool has = params->value && !is_form(params);
		char *value = has ? curl_easy_escape(curl, params->value, 0) : NULL;
		if (has && !value)
			return -ENOMEM;
		if (value)
			n += (size_t)snprintf(
				url + n, cap - n, "%c%s=%s", mark, params->name, value);
		mark = value ? '&' : mark;
		curl_free(value);
	}
	return n < cap ? 0 : -E2BIG;
}

// Makes the form of `params` in `body`, which is empty without items for it. -ENOMEM; -E2BIG: no
// room.
static int form_make(CURL *curl, const struct http_param *params, char *body, size_t cap)
{
	size_t n = 0;
	body[0] = '\0';
	for (; params && params->name && n < cap; params++) {
		if (!is_form(params) || !params->value)
			continue;
		char *value = curl_easy_escape(curl, params->value, 0);
		if (!value)
			return -ENOMEM;
		n += (size_t)snprintf(body + n, cap - n, "%s%s=%s", n ? "&" : "",
			params->name + sizeof(HTTP_FORM) - 1, value);
		explicit_bzero(value, strlen(value));
		curl_free(value);
	}
	return n < cap ? 0 : -E2BIG;
}

static int body_set(CURL *curl, const struct http_param *params)
{
	char body[4096];
	int rc = form_make(curl, params, body, sizeof(body));
	if (rc == 0 && curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body) != CURLE_OK)
		rc = -ENOMEM;
	explicit_bzero(body, sizeof(body));
	return rc;
}

typedef size_t receive_fn(char *data, size_t size, size_t count, void *arg);

// A request, and the user who answers it: the kernel names the listener of the control socket.
struct request {
	const struct ctl *c;
	CURL *curl; // NULL: out of memory
	int fd;     // descriptor of the control socket
	bool is_stranger, is_linked;
	bool is_gone; // the listener ended between the connect and the request
	uid_t who;
	struct http_coding coding;
	char socket[SHM_PATH_MAX + 32];
};

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	const size_t len = size * count;
	return http_coding_may(arg, line, len, false) ? len : 0;
}

static int on_socket(void *arg, curl_socket_t fd, curlsocktype)
{
	struct request *r = arg;
	r->fd = fd;
	return CURL_SOCKOPT_OK;
}

// May this user listen on the control socket? The data plane's user makes files in the runtime
// directory, too. A compromised data plane could listen in place of a control plane that is down:
// it gets no request, and its answer does not count.
static bool may_serve(const struct ctl *c, uid_t who)
{
	struct stat run;
	return who == 0 || who == geteuid() || who == c->servers.owner || who == c->servers.user
	       || (stat(c->paths.run, &run) == 0 && who == run.st_uid);
}

// Is the socket really in the runtime directory? A compromised data plane could leave a link to
// another socket on which root listens.
static bool is_in_place(const struct ctl *c, const char *socket)
{
	char run[PATH_MAX], real[PATH_MAX];
	struct stat st;
	if (!realpath(c->paths.run, run) || !realpath(socket, real))
		return false;
	const size_t len = strlen(run);
	return strncmp(real, run, len) == 0
	       && strcmp(real + len, socket + strlen(c->paths.run)) == 0 && lstat(real, &st) == 0
	       && S_ISSOCK(st.st_mode) && may_serve(c, st.st_uid);
}

// Checks the listener after the connect, before anything is sent.
static int on_connected(void *arg, char *, char *, int, int)
{
	struct request *r = arg;
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);
	struct stat st;
	r->is_gone = lstat(r->socket, &st) < 0 && errno == ENOENT;
	r->is_linked = !r->is_gone && !is_in_place(r->c, r->socket);
	r->is_stranger = getsockopt(r->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0
			 || !may_serve(r->c, peer.uid);
	r->who = peer.uid;
	return r->is_stranger || r->is_linked || r->is_gone ? CURL_PREREQFUNC_ABORT
							    : CURL_PREREQFUNC_OK;
}

// Finds the control socket. After an upgrade the control plane may be of the version before until
// its restart: so without a socket at the present place the former place counts. One check of users
// applies to both.
static void socket_find(struct request *r)
{
	const char *run = r->c->paths.run;
	struct stat st;
	snprintf(r->socket, sizeof(r->socket), "%s/" SHM_NAME_CONTROL_SOCKET, run);
	if (lstat(r->socket, &st) == 0 || errno != ENOENT)
		return;
	snprintf(r->socket, sizeof(r->socket), "%s/" SHM_NAME_FORMER_SOCKET, run);
	if (lstat(r->socket, &st) < 0 || !S_ISSOCK(st.st_mode))
		snprintf(r->socket, sizeof(r->socket), "%s/" SHM_NAME_CONTROL_SOCKET, run);
}

// Sets up a request over the control socket of this box.
static bool socket_set(struct request *r)
{
	CURL *curl = r->curl;
	socket_find(r);
	return curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, r->socket) == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, on_socket) == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_SOCKOPTDATA, r) == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_connected) == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_PREREQDATA, r) == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK;
}

// Sets up a request to another box over TLS. Without a file of authorities a pin replaces the
// checks of authorities and name; libcurl always checks a pin.
static bool remote_set(const struct remote *r, CURL *curl)
{
	return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2)
			  == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1)
			  == CURLE_OK
	       && (!r->ca_file || curl_easy_setopt(curl, CURLOPT_CAINFO, r->ca_file) == CURLE_OK)
	       && (!r->pin[0]
		       || (curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, r->pin) == CURLE_OK
			       && (r->ca_file
				       || (curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L)
						       == CURLE_OK
					       && curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L)
							  == CURLE_OK))))
	       && (!r->token[0]
		       || (curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER)
				       == CURLE_OK
			       && curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, r->token)
					  == CURLE_OK));
}

static const char *unmade_text(int err)
{
	return err == -E2BIG ? "what is given is too long for one request" : "out of memory";
}

// Prepares the request; `receive` gets its reply. -ENOMEM; -E2BIG: the values are too long.
static int request_make(struct request *r, bool post, const char *path,
	const struct http_param *params, unsigned timeout_ms, receive_fn *receive, void *arg)
{
	char url[8192];
	const struct ctl *c = r->c;
	CURL *curl = r->curl = curl_easy_init();
	int rc = curl ? url_make(c, curl, path, params, url, sizeof(url)) : -ENOMEM;
	if (rc == 0 && post)
		rc = body_set(curl, params);
	if (rc == 0 && (c->remote_options.host ? remote_set(&c->remote, curl) : socket_set(r))
		&& curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 2000L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_WRITEDATA, arg) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_HEADERDATA, &r->coding) == CURLE_OK)
		return 0;
	curl_easy_cleanup(curl);
	r->curl = NULL;
	return rc ? rc : -ENOMEM;
}

static enum http_outcome outcome_of_error(
	const struct request *r, CURLcode code, char why[HTTP_WHY_MAX])
{
	long os_errno = 0;
	if (r->is_stranger) {
		const int err = r->c->servers.err;
		snprintf(why, HTTP_WHY_MAX,
			"%.100s: uid %u listens there, who is neither root nor weir-cp nor the "
			"owner of runtime.state_directory%s%.40s; nothing was sent",
			r->socket, r->who, err ? ", which cannot be seen: " : "",
			err ? strerror(err) : "");
		return HTTP_UNTRUSTED;
	}
	if (r->is_linked) {
		snprintf(why, HTTP_WHY_MAX,
			"%.120s is a link, or not the control plane's; nothing was sent",
			r->socket);
		return HTTP_UNTRUSTED;
	}
	if (r->is_gone) {
		snprintf(why, HTTP_WHY_MAX, "the control plane has just ended");
		return HTTP_NOBODY;
	}
	curl_easy_getinfo(r->curl, CURLINFO_OS_ERRNO, &os_errno);
	snprintf(why, HTTP_WHY_MAX, "%s", curl_easy_strerror(code));
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
		return HTTP_UNTRUSTED;
	if (code == CURLE_OPERATION_TIMEDOUT)
		return HTTP_SILENT;
	if (code != CURLE_COULDNT_CONNECT)
		return HTTP_BROKEN;
	return os_errno == EACCES || os_errno == EPERM ? HTTP_DENIED : HTTP_NOBODY;
}

// `good`: a reply with status 200 has the expected kind of body.
static enum http_outcome outcome_of_status(
	long status, bool good, const struct json_doc *doc, char why[HTTP_WHY_MAX])
{
	if (status == 200 && good)
		return HTTP_OK;
	const char *error = json_text(json_doc_root(doc), "error");
	if (*error)
		snprintf(why, HTTP_WHY_MAX, "%s", error);
	else
		snprintf(why, HTTP_WHY_MAX, "status %ld", status);
	if (status == 504)
		return HTTP_SILENT;
	if (status == 404)
		return HTTP_MISSING;
	if (status == 401 || status == 403)
		return HTTP_FORBIDDEN;
	return status >= 400 && status < 600 ? HTTP_REFUSED : HTTP_BROKEN;
}

bool http_is_denied(enum http_outcome outcome)
{
	return outcome == HTTP_DENIED || outcome == HTTP_FORBIDDEN || outcome == HTTP_UNTRUSTED;
}

static int on_wait(void *arg, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
{
	progress_step(arg);
	return screen_is_over(); // the user has pressed q
}

static CURLcode perform(CURL *curl)
{
	struct progress p = progress_begin("waiting for the control plane", 0);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_wait);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &p);
	CURLcode code = curl_easy_perform(curl);
	progress_end(&p);
	return code;
}

// Performs a request. `doc` NULL: the body is a text.
static enum http_outcome request_run(const struct ctl *c, bool post, const char *path,
	const struct http_param *params, unsigned timeout_ms, struct http_body *body,
	struct json_doc **doc, char why[HTTP_WHY_MAX])
{
	struct json_doc *read = NULL;
	enum http_outcome outcome = HTTP_BROKEN;
	struct request r = {.c = c, .fd = -1};
	const int err = request_make(&r, post, path, params, timeout_ms, body_receive, body);
	CURLcode code = err ? CURLE_OUT_OF_MEMORY : perform(r.curl);
	long status = 0;
	if (err) {
		snprintf(why, HTTP_WHY_MAX, "%s", unmade_text(err));
	} else if (code != CURLE_OK) {
		outcome = outcome_of_error(&r, code, why);
	} else {
		curl_easy_getinfo(r.curl, CURLINFO_RESPONSE_CODE, &status);
		if (body->len && (doc || status != 200))
			read = json_doc_parse(body->text, body->len);
		outcome = outcome_of_status(status, read || !doc, read, why);
	}
	if (doc)
		*doc = read;
	else
		json_doc_free(read);
	curl_easy_cleanup(r.curl);
	return outcome;
}

enum http_outcome http_call(const struct ctl *c, bool post, const char *path,
	const struct http_param *params, unsigned timeout_ms, struct json_doc **doc,
	char why[HTTP_WHY_MAX])
{
	struct http_body body = {0};
	enum http_outcome outcome = request_run(c, post, path, params, timeout_ms, &body, doc, why);
	free(body.text);
	return outcome;
}

struct json_doc *http_call_or_fail(const struct ctl *c, bool post, const char *path,
	const struct http_param *params, unsigned timeout_ms)
{
	struct json_doc *doc;
	char why[HTTP_WHY_MAX];
	enum http_outcome outcome = http_call(c, post, path, params, timeout_ms, &doc, why);
	if (outcome == HTTP_OK)
		return doc;
	http_fail(c, outcome, why);
	json_doc_free(doc);
	return NULL;
}

int http_save(const struct ctl *c, const char *path, unsigned timeout_ms, FILE *file)
{
	char why[HTTP_WHY_MAX];
	struct http_body body = {0};
	enum http_outcome outcome = request_run(c, false, path, NULL, timeout_ms, &body, NULL, why);
	if (outcome == HTTP_OK && fwrite(body.text, 1, body.len, file) != body.len)
		outcome = HTTP_BROKEN, snprintf(why, sizeof(why), "%s", strerror(errno));
	if (outcome != HTTP_OK)
		http_fail(c, outcome, why);
	free(body.text);
	return outcome == HTTP_OK ? CTL_OK : CTL_FAILED;
}

enum { STREAM_LINE_MAX = 64 * 1024 };

struct http_lines {
	bool (*line)(void *arg, const struct json_node *root);
	void *arg;
	bool enough; // `line` wants no more
	CURL *curl;
	bool has_begun;    // the reply
	bool is_silent;    // for too long
	uint64_t heard_ms; // clock_mono_ms() of the latest bytes
	unsigned silence_ms;
	const char *broken; // why the rest cannot be read, or NULL
	size_t used;
	char text[STREAM_LINE_MAX];
};

// Ends a line. A line of server-sent events counts only if it has data, which is one line each.
static void line_end(struct http_lines *l)
{
	static const char data[] = "data: ";
	const size_t skip = sizeof(data) - 1;
	const bool is_event = l->used > 0 && l->text[0] != '{';
	if (l->used == 0 || (is_event && (l->used < skip || memcmp(l->text, data, skip) != 0))) {
		l->used = 0;
		return;
	}
	const char *text = is_event ? l->text + skip : l->text;
	struct json_doc *doc = json_doc_parse(text, l->used - (size_t)(text - l->text));
	if (doc)
		l->enough = !l->line(l->arg, json_doc_root(doc));
	else
		l->broken = "sent a line that is no JSON object";
	json_doc_free(doc);
	l->used = 0;
}

// Splits the reply into lines. A refusal is one line without a newline, and stays in `text`.
static size_t lines_receive(char *data, size_t size, size_t count, void *arg)
{
	struct http_lines *l = arg;
	size_t len = size * count;
	for (size_t i = 0; i < len && !l->enough && !l->broken; i++) {
		if (data[i] == '\n')
			line_end(l);
		else if (l->used < sizeof(l->text))
			l->text[l->used++] = data[i];
		else
			l->broken = "sent a line over 64 KiB";
	}
	l->heard_ms = clock_mono_ms(); // the output may have waited for its reader
	return l->enough || l->broken ? 0 : len;
}

// Called about once a second. Other than 0: nothing has arrived for too long.
static int on_stream_wait(void *arg, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
{
	struct http_lines *l = arg;
	long status = 0;
	curl_easy_getinfo(l->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 0 && !l->has_begun) {
		l->has_begun = true;
		l->heard_ms = clock_mono_ms();
	}
	const unsigned most_ms = l->has_begun ? l->silence_ms : HTTP_SHORT_MS;
	l->is_silent = most_ms && clock_mono_ms() - l->heard_ms > most_ms;
	return l->is_silent;
}

// A peer that lost its power closes no connection: the kernel asks it once a minute.
static void stream_watch(CURL *curl, struct http_lines *l)
{
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_stream_wait);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, l);
}

static int stream_run(const struct request *r, struct http_lines *l)
{
	const struct ctl *c = r->c;
	char why[HTTP_WHY_MAX];
	long status = 0;
	stream_watch(r->curl, l);
	CURLcode code = curl_easy_perform(r->curl);
	if (l->enough)
		return CTL_OK;
	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
	if (l->is_silent) {
		snprintf(why, sizeof(why), "nothing came for %u s",
			(l->has_begun ? l->silence_ms : HTTP_SHORT_MS) / 1000);
		http_fail(c, HTTP_SILENT, why);
	} else if (status == 0) {
		http_fail(c, outcome_of_error(r, code, why), why);
	} else if (status != 200) {
		struct json_doc *doc = json_doc_parse(l->text, l->used);
		http_fail(c, outcome_of_status(status, false, doc, why), why);
		json_doc_free(doc);
	} else {
		ctl_fail(c, "the control plane %s",
			l->broken
				? l->broken
				: "closed the connection: it stopped, or weirctl read too slowly");
	}
	return CTL_FAILED;
}

int http_stream(const struct ctl *c, const char *path, const struct http_param *params,
	unsigned silence_ms, bool (*line)(void *arg, const struct json_node *root), void *arg)
{
	struct http_lines *l = calloc(1, sizeof(*l));
	struct request r = {.c = c, .fd = -1};
	int rc = CTL_FAILED;
	const int err = l ? request_make(&r, false, path, params, 0, lines_receive, l) : -ENOMEM;
	if (err) {
		ctl_fail(c, "%s", unmade_text(err));
	} else {
		*l = (struct http_lines){.line = line,
			.arg = arg,
			.curl = r.curl,
			.heard_ms = clock_mono_ms(),
			.silence_ms = silence_ms};
		rc = stream_run(&r, l);
	}
	curl_easy_cleanup(r.curl);
	free(l);
	return rc;
}

const char *http_served_text(const struct ctl *c)
{
	char why[SHM_WHY_MAX];
	struct stats_copy *s = calloc(1, sizeof(*s));
	bool has_stats = s && stats_read(&c->paths, s, why) == 0;
	bool is_up = has_stats && dataplane_state(&c->paths, s) == PROCESS_UP;
	free(s);
	return is_up ? HTTP_SERVED_TEXT : "the data plane is down, too: no client is answered";
}

static void remote_fail(const struct ctl *c, enum http_outcome outcome, const char *why)
{
	const char *box = c->remote.authority;
	if (outcome == HTTP_UNTRUSTED)
		ctl_fail(c,
			"%s: its certificate is not trusted: %s; --ca FILE names who vouches for "
			"it, --pin SHA256 its key",
			box, why);
	else if (outcome == HTTP_NOBODY)
		ctl_fail(c, "%s: cannot connect (control.listen, control.allow): %s", box, why);
	else
		ctl_fail(c, "%s: %s", box, why);
}

void http_fail(const struct ctl *c, enum http_outcome outcome, const char *why)
{
	if (c->remote_options.host) {
		remote_fail(c, outcome, why);
		return;
	}
	switch (outcome) {
	case HTTP_NOBODY:
		ctl_fail(c,
			"the control plane is down (nobody listens on %s/" SHM_NAME_CONTROL_SOCKET
			"); %s",
			c->paths.run, http_served_text(c));
		break;
	case HTTP_SILENT:
		ctl_fail(c, "the control plane does not answer: %s", why);
		break;
	case HTTP_DENIED:
		ctl_fail(c, "%s/" SHM_NAME_CONTROL_SOCKET ": " HTTP_DENIED_TEXT, c->paths.run);
		break;
	default:
		ctl_fail(c, "%s", why);
	}
}
