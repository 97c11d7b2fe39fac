// SPDX-License-Identifier: BSD-3-Clause
// Probes of servers: DNS over UDP, TCP, TLS and HTTPS, resources by URL, and Redis. The one
// includer of libcurl in this room; a look-up that the system does not end goes on behind its
// probe.

#include "doctor_probe.h"

#include "lib/ctl.h"

#include <curl/curl.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/http_coding.h>

enum { QUERY_LEN = 17, REPLY_MAX = 4096, HEADER_LEN = 12, ASK_MS = DOCTOR_PROBE_MS / 2 };

// `. NS`, recursion desired, with this identity.
static void query_write(uint8_t out[QUERY_LEN], uint16_t id)
{
	static const uint8_t rest[] = {1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1};
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	memcpy(out + 2, rest, sizeof(rest));
}

// The response code of a reply to this query, as a word. NULL: it is no such reply.
static const char *reply_code(const uint8_t *reply, size_t len, uint16_t id)
{
	static const char *const codes[] = {
		"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
	if (len < HEADER_LEN || (reply[0] << 8 | reply[1]) != id || !(reply[2] & 0x80))
		return NULL;
	unsigned code = reply[3] & 15;
	return code < ARRAY_LEN(codes) ? codes[code] : "another response code";
}

// Waits for the events until the deadline. 0, -ETIMEDOUT or -errno.
static int fd_await(int fd, short events, uint64_t until_ms)
{
	uint64_t now = clock_mono_ms();
	struct pollfd p = {.fd = fd, .events = events};
	int n = now < until_ms ? poll(&p, 1, (int)(until_ms - now)) : 0;
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int socket_open(const struct socket_address *to, int type, uint64_t until_ms)
{
	struct sockaddr_storage name;
	socklen_t len;
	int err = 0;
	socklen_t err_len = sizeof(err);
	if (!socket_address_to_sockaddr(to, &name, &len))
		return -EINVAL;
	int fd = socket(name.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int rc = connect(fd, (const struct sockaddr *)&name, len) < 0 ? -errno : 0;
	if (rc == -EINPROGRESS) {
		rc = fd_await(fd, POLLOUT, until_ms);
		if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) == 0)
			rc = -err;
	}
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

// At least one byte. Their number, or -errno; -ECONNRESET: the server closed.
static ssize_t some_receive(int fd, void *out, size_t cap, uint64_t until_ms)
{
	int rc = fd_await(fd, POLLIN, until_ms);
	ssize_t n = rc ? rc : recv(fd, out, cap, 0);
	if (rc)
		return rc;
	return n < 0 ? -errno : n == 0 ? -ECONNRESET : n;
}

// The response code, or NULL with `*rc`.
static const char *udp_query(const struct socket_address *to, uint16_t id, int *rc)
{
	uint8_t query[QUERY_LEN], reply[REPLY_MAX];
	uint64_t until_ms = clock_mono_ms() + ASK_MS;
	const char *code = NULL;
	int fd = *rc = socket_open(to, SOCK_DGRAM, until_ms);
	if (fd < 0)
		return NULL;
	query_write(query, id);
	*rc = send(fd, query, sizeof(query), MSG_NOSIGNAL) < 0 ? -errno : 0;
	while (*rc == 0 && !code) {
		ssize_t n = some_receive(fd, reply, sizeof(reply), until_ms);
		*rc = n < 0 ? (int)n : 0;
		code = n < 0 ? NULL : reply_code(reply, (size_t)n, id);
	}
	close(fd);
	return code;
}

static const char *tcp_query(const struct socket_address *to, uint16_t id, int *rc)
{
	uint8_t query[2 + QUERY_LEN] = {0, QUERY_LEN}, reply[REPLY_MAX];
	uint64_t until_ms = clock_mono_ms() + ASK_MS;
	size_t have = 0;
	int fd = *rc = socket_open(to, SOCK_STREAM, until_ms);
	if (fd < 0)
		return NULL;
	query_write(query + 2, id);
	*rc = send(fd, query, sizeof(query), MSG_NOSIGNAL) < 0 ? -errno : 0;
	while (*rc == 0 && have < 2 + HEADER_LEN) {
		ssize_t n = some_receive(fd, reply + have, sizeof(reply) - have, until_ms);
		*rc = n < 0 ? (int)n : 0;
		have += n < 0 ? 0 : (size_t)n;
	}
	close(fd);
	if (*rc)
		return NULL;
	const char *code = reply_code(reply + 2, have - 2, id);
	*rc = code ? 0 : -EBADMSG;
	return code;
}

static const char *error_text(int rc)
{
	return rc == -ETIMEDOUT ? "no reply in time" : strerror(-rc);
}

// -errno of a machine that has no route there, or no address to ask from.
static bool is_routeless(int rc)
{
	return rc == -ENETUNREACH || rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT;
}

static void dns_probe(struct doctor_probe *p)
{
	uint16_t id = 0;
	int udp_rc, tcp_rc;
	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
		id = (uint16_t)clock_mono_ms(); // no secret: nothing is cached
	const char *udp = udp_query(&p->server->address, id, &udp_rc);
	const char *tcp = tcp_query(&p->server->address, id, &tcp_rc);
	p->end = udp && tcp                                     ? DOCTOR_PROBE_ANSWERED
		 : udp || tcp                                   ? DOCTOR_PROBE_PARTLY
		 : is_routeless(udp_rc) && is_routeless(tcp_rc) ? DOCTOR_PROBE_NOT_ASKED
								: DOCTOR_PROBE_FAILED;
	snprintf(p->text, sizeof(p->text), "UDP: %s, TCP: %s", udp ? udp : error_text(udp_rc),
		tcp ? tcp : error_text(tcp_rc));
}

static void append(char *out, size_t cap, const char *fmt, ...) ATTR_PRINTF(3, 4);
static void append(char *out, size_t cap, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list args;
	va_start(args, fmt);
	vsnprintf(out + len, cap - len, fmt, args);
	va_end(args);
}

// Reads until "+PONG" or an error comes. 0 or -errno.
static int pong_await(int fd, char *out, size_t cap, uint64_t until_ms)
{
	size_t len = 0;
	*out = '\0';
	while (len < cap - 1) {
		ssize_t n = some_receive(fd, out + len, cap - 1 - len, until_ms);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		out[len] = '\0';
		bool is_error = *out == '-' || strstr(out, "\n-");
		if (strstr(out, "+PONG\r\n") || (is_error && strchr(out, '\n')))
			return 0;
	}
	return -EBADMSG;
}

static void redis_probe(struct doctor_probe *p)
{
	char call[1024] = "", reply[256];
	uint64_t until_ms = clock_mono_ms() + DOCTOR_PROBE_MS;
	const char *user = p->user, *password = p->password;
	if (*password && *user)
		append(call, sizeof(call), "*3\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
			strlen(user), user, strlen(password), password);
	else if (*password)
		append(call, sizeof(call), "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n", strlen(password),
			password);
	append(call, sizeof(call), "*1\r\n$4\r\nPING\r\n");
	int fd = socket_open(&p->address, SOCK_STREAM, until_ms);
	int rc = fd < 0 ? fd : send(fd, call, strlen(call), MSG_NOSIGNAL) < 0 ? -errno : 0;
	explicit_bzero(call, sizeof(call));
	rc = rc ? rc : pong_await(fd, reply, sizeof(reply), until_ms);
	if (fd >= 0)
		close(fd);
	bool is_pong = rc == 0 && strstr(reply, "+PONG");
	p->end = is_pong            ? DOCTOR_PROBE_ANSWERED
		 : is_routeless(rc) ? DOCTOR_PROBE_NOT_ASKED
				    : DOCTOR_PROBE_FAILED;
	if (rc == 0)
		reply[strcspn(reply, "\r\n")] = '\0';
	snprintf(p->text, sizeof(p->text), "%.128s",
		rc        ? error_text(rc)
		: is_pong ? "answers"
			  : reply);
}

enum { URL_MAX = 640, PINS_TEXT_MAX = CONFIG_PINS_MAX * 56, BODY_MAX = 4096 };

struct body {
	uint8_t bytes[BODY_MAX];
	size_t len;
	struct http_coding coding;
};

// Before the first thread.
static void curl_begin(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

// "sha256//...;sha256//...", as curl takes the pins.
static void pins_text(const struct config_upstream_tls *tls, char out[PINS_TEXT_MAX])
{
	size_t len = 0;
	*out = '\0';
	for (unsigned i = 0; i < tls->pin_count && len < PINS_TEXT_MAX; i++) {
		char one[PIN_TEXT_MAX];
		static_assert((int)PIN_LEN == (int)CONFIG_PIN_LEN);
		ctl_pin_text(tls->pin[i], one);
		len += (size_t)snprintf(out + len, PINS_TEXT_MAX - len, "%s%s", i ? ";" : "", one);
	}
}

static size_t body_receive(char *data, size_t size, size_t count, void *arg)
{
	struct body *b = arg;
	size_t len = size * count, room = sizeof(b->bytes) - b->len;
	memcpy(b->bytes + b->len, data, len < room ? len : room);
	b->len += len < room ? len : room;
	return len;
}

static size_t header_receive(char *line, size_t size, size_t count, void *coding)
{
	const size_t len = size * count;
	return http_coding_may(coding, line, len, false) ? len : 0;
}

static CURL *request_new(const char *url, const char *ca_file, struct body *body)
{
	CURL *curl = curl_easy_init();
	if (curl && curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
		// A look-up that the system's resolver does not end holds nothing up.
		&& curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)DOCTOR_PROBE_MS) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_receive) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_receive) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_HEADERDATA, &body->coding) == CURLE_OK
		&& (!ca_file || !*ca_file
			|| curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file) == CURLE_OK))
		return curl;
	curl_easy_cleanup(curl);
	return NULL;
}

// A request to the server's address, for the name of its certificate.
static CURL *server_request(const struct doctor_probe *p, struct body *body, struct curl_slist **at)
{
	const struct config_upstream *s = p->server;
	char url[URL_MAX], pins[PINS_TEXT_MAX], to[SOCKET_ADDRESS_TEXT_MAX + 16],
		ip[SOCKET_ADDRESS_TEXT_MAX];
	bool is_v6 = s->address.ip.version == 6, is_named = s->tls.name[0];
	const char *open = is_v6 ? "[" : "", *shut = is_v6 ? "]" : "";
	ip_address_text(&s->address.ip, false, ip);
	snprintf(to, sizeof(to), "::%s%s%s:%u", open, ip, shut, s->address.port);
	snprintf(url, sizeof(url), "https://%s%s%s:%u%s", is_named ? "" : open,
		is_named ? s->tls.name : ip, is_named ? "" : shut, s->address.port,
		s->tls.path[0] ? s->tls.path : "/");
	CURL *curl = request_new(url, p->ca_file, body);
	*at = curl_slist_append(NULL, to);
	pins_text(&s->tls, pins);
	if (curl && *at && curl_easy_setopt(curl, CURLOPT_CONNECT_TO, *at) == CURLE_OK
		&& (!*pins || curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, pins) == CURLE_OK))
		return curl;
	curl_easy_cleanup(curl);
	return NULL;
}

static void end_set(struct doctor_probe *p, enum doctor_probe_end end, const char *text)
{
	p->end = end;
	snprintf(p->text, sizeof(p->text), "%.160s", text);
}

// The machine has no route to the address: weir's ports may have one.
static bool is_unreachable(CURL *curl, CURLcode code)
{
	long err = 0;
	return code == CURLE_COULDNT_CONNECT
	       && curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &err) == CURLE_OK
	       && is_routeless((int)-err);
}

// The question over the connection that curl made.
static const char *tls_query(CURL *curl)
{
	uint8_t query[2 + QUERY_LEN] = {0, QUERY_LEN}, reply[BODY_MAX];
	uint64_t until_ms = clock_mono_ms() + DOCTOR_PROBE_MS / 2;
	size_t sent = 0, have = 0;
	curl_socket_t fd = CURL_SOCKET_BAD;
	query_write(query + 2, 0);
	if (curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK
		|| curl_easy_send(curl, query, sizeof(query), &sent) != CURLE_OK
		|| sent != sizeof(query))
		return NULL;
	while (have < 14) {
		size_t n = 0;
		CURLcode code = curl_easy_recv(curl, reply + have, sizeof(reply) - have, &n);
		uint64_t now = clock_mono_ms();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (code == CURLE_OK && n == 0)
			return NULL; // closed
		if (code == CURLE_OK)
			have += n;
		else if (code != CURLE_AGAIN || now >= until_ms
			 || poll(&p, 1, (int)(until_ms - now)) <= 0)
			return NULL;
	}
	return reply_code(reply + 2, have - 2, 0);
}

static void tls_probe(struct doctor_probe *p)
{
	struct body body = {.len = 0};
	struct curl_slist *at = NULL;
	char error[CURL_ERROR_SIZE] = "", text[DOCTOR_PROBE_TEXT_MAX];
	CURL *curl = server_request(p, &body, &at);
	CURLcode code = CURLE_OUT_OF_MEMORY;
	if (curl && curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error) == CURLE_OK)
		code = curl_easy_perform(curl);
	const char *reply = code == CURLE_OK ? tls_query(curl) : NULL;
	snprintf(text, sizeof(text), "TLS: %.160s",
		reply              ? reply
		: code == CURLE_OK ? "no reply in time"
		: *error           ? error
				   : curl_easy_strerror(code));
	end_set(p,
		reply                        ? DOCTOR_PROBE_ANSWERED
		: is_unreachable(curl, code) ? DOCTOR_PROBE_NOT_ASKED
					     : DOCTOR_PROBE_FAILED,
		text);
	curl_easy_cleanup(curl);
	curl_slist_free_all(at);
}

// The query goes by POST, as weir sends it.
static bool post_set(CURL *curl, struct curl_slist *heads)
{
	uint8_t query[QUERY_LEN];
	query_write(query, 0);
	return curl && heads && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, heads) == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)sizeof(query)) == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, (char *)query) == CURLE_OK;
}

static void https_probe(struct doctor_probe *p)
{
	struct body body = {.len = 0};
	struct curl_slist *at = NULL,
			  *heads = curl_slist_append(NULL, "Content-Type: application/dns-message");
	char error[CURL_ERROR_SIZE] = "", text[DOCTOR_PROBE_TEXT_MAX];
	long status = 0;
	CURL *curl = server_request(p, &body, &at);
	CURLcode code = CURLE_OUT_OF_MEMORY;
	if (post_set(curl, heads) && curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error) == CURLE_OK)
		code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	const char *reply = status == 200 ? reply_code(body.bytes, body.len, 0) : NULL;
	if (code != CURLE_OK)
		snprintf(text, sizeof(text), "HTTPS: %.160s",
			*error ? error : curl_easy_strerror(code));
	else
		snprintf(text, sizeof(text), "HTTPS: status %ld, %s", status,
			reply ? reply : "no DNS message");
	end_set(p,
		reply                        ? DOCTOR_PROBE_ANSWERED
		: is_unreachable(curl, code) ? DOCTOR_PROBE_NOT_ASKED
					     : DOCTOR_PROBE_FAILED,
		text);
	curl_easy_cleanup(curl);
	curl_slist_free_all(heads);
	curl_slist_free_all(at);
}

// weir resolves names of URLs by its own servers, so a failure of the system's says nothing.
static void url_probe(struct doctor_probe *p, bool only_head)
{
	struct body body = {.len = 0};
	char text[DOCTOR_PROBE_TEXT_MAX];
	long status = 0;
	CURL *curl = request_new(p->url, p->ca_file, &body);
	CURLcode code = CURLE_OUT_OF_MEMORY;
	if (curl && curl_easy_setopt(curl, CURLOPT_NOBODY, only_head ? 1L : 0L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L) == CURLE_OK)
		code = curl_easy_perform(curl);
	curl_off_t lookup_us = 0;
	if (code == CURLE_OPERATION_TIMEDOUT)
		curl_easy_getinfo(curl, CURLINFO_NAMELOOKUP_TIME_T, &lookup_us);
	if (code == CURLE_COULDNT_RESOLVE_HOST) {
		end_set(p, DOCTOR_PROBE_NOT_ASKED,
			"this machine's resolver does not know the host");
	} else if (code == CURLE_OPERATION_TIMEDOUT && lookup_us == 0) {
		end_set(p, DOCTOR_PROBE_NOT_ASKED,
			"this machine's resolver does not answer in time");
	} else if (is_unreachable(curl, code)) {
		end_set(p, DOCTOR_PROBE_NOT_ASKED, "this machine has no route to it");
	} else if (code != CURLE_OK) {
		end_set(p, DOCTOR_PROBE_FAILED, curl_easy_strerror(code));
	} else {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		snprintf(text, sizeof(text), "status %ld", status);
		// Some servers refuse HEAD and have the file.
		bool is_good = (status >= 200 && status < 300) || (only_head && status == 405);
		end_set(p, is_good ? DOCTOR_PROBE_ANSWERED : DOCTOR_PROBE_FAILED, text);
	}
	curl_easy_cleanup(curl);
}

static void *probe_run(void *arg)
{
	struct doctor_probe *p = arg;
	switch (p->kind) {
	case DOCTOR_PROBE_DNS:
		dns_probe(p);
		break;
	case DOCTOR_PROBE_TLS:
		tls_probe(p);
		break;
	case DOCTOR_PROBE_HTTPS:
		https_probe(p);
		break;
	case DOCTOR_PROBE_URL:
	case DOCTOR_PROBE_PING:
		url_probe(p, p->kind == DOCTOR_PROBE_URL);
		break;
	case DOCTOR_PROBE_REDIS:
		redis_probe(p);
		break;
	}
	return NULL;
}

void doctor_probe_all(struct doctor_probe *p, unsigned count)
{
	pthread_t thread[DOCTOR_PROBES_MAX];
	bool runs[DOCTOR_PROBES_MAX];
	curl_begin();
	for (unsigned i = 0; i < count; i++) {
		runs[i] = pthread_create(&thread[i], NULL, probe_run, &p[i]) == 0;
		if (runs[i])
			continue;
		p[i].end = DOCTOR_PROBE_NOT_ASKED;
		snprintf(p[i].text, sizeof(p->text), "no thread for it");
	}
	for (unsigned i = 0; i < count; i++)
		if (runs[i])
			pthread_join(thread[i], NULL);
}
