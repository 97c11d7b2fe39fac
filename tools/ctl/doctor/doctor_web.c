// SPDX-License-Identifier: BSD-3-Clause
#include "doctor_web.h"

#include "doctor_ask.h"
#include "lib/pin_text.h"

#include <curl/curl.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/http_coding.h>

enum { URL_MAX = 640, PINS_TEXT_MAX = CONFIG_PINS_MAX * 56, BODY_MAX = 4096 };

struct body {
	uint8_t bytes[BODY_MAX];
	size_t len;
	struct http_coding coding;
};

void doctor_web_begin(void)
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
		pin_text(tls->pin[i], one);
		len += (size_t)snprintf(out + len, PINS_TEXT_MAX - len, "%s%s", i ? ";" : "", one);
	}
}

static size_t body_take(char *data, size_t size, size_t count, void *arg)
{
	struct body *b = arg;
	size_t len = size * count, room = sizeof(b->bytes) - b->len;
	memcpy(b->bytes + b->len, data, len < room ? len : room);
	b->len += len < room ? len : room;
	return len;
}

static size_t header_take(char *line, size_t size, size_t count, void *coding)
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
		&& curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_take) == CURLE_OK
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
	       && doctor_ask_is_routeless((int)-err);
}

// The question over the connection that curl made.
static const char *stream_ask(CURL *curl)
{
	uint8_t query[2 + DOCTOR_ASK_QUERY_LEN] = {0, DOCTOR_ASK_QUERY_LEN}, reply[BODY_MAX];
	uint64_t until_ms = clock_mono_ms() + DOCTOR_PROBE_MS / 2;
	size_t sent = 0, have = 0;
	curl_socket_t fd = CURL_SOCKET_BAD;
	doctor_ask_query(query + 2, 0);
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
	return doctor_ask_reply(reply + 2, have - 2, 0);
}

void doctor_web_tls(struct doctor_probe *p)
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
	const char *reply = code == CURLE_OK ? stream_ask(curl) : NULL;
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

// As weir does, by POST.
static bool post_set(CURL *curl, struct curl_slist *heads)
{
	uint8_t query[DOCTOR_ASK_QUERY_LEN];
	doctor_ask_query(query, 0);
	return curl && heads && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, heads) == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)sizeof(query)) == CURLE_OK
	       && curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, (char *)query) == CURLE_OK;
}

void doctor_web_https(struct doctor_probe *p)
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
	const char *reply = status == 200 ? doctor_ask_reply(body.bytes, body.len, 0) : NULL;
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
void doctor_web_url(struct doctor_probe *p, bool only_head)
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
