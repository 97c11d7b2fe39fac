// SPDX-License-Identifier: BSD-3-Clause

#include "http_get.h"

#include <curl/curl.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stats_read.h>

struct http_body {
	char *text;
	size_t len, cap;
};

static size_t body_take(char *data, size_t size, size_t count, void *arg)
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

static bool url_make(
	CURL *curl, const char *path, const struct http_param *params, char *url, size_t cap)
{
	size_t n = (size_t)snprintf(url, cap, "http://weir%s", path);
	for (unsigned i = 0; params && params[i].name && n < cap; i++) {
		char *value = curl_easy_escape(curl, params[i].value, 0);
		if (!value)
			return false;
		n += (size_t)snprintf(
			url + n, cap - n, "%c%s=%s", i ? '&' : '?', params[i].name, value);
		curl_free(value);
	}
	return n < cap;
}

static bool request_set(CURL *curl, const char *socket, bool post, unsigned timeout_ms,
	const char *url, struct http_body *body)
{
	bool ok = curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket) == CURLE_OK
		  && curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK
		  && curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK
		  && curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK
		  && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
		  && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 2000L) == CURLE_OK
		  && curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK
		  && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take) == CURLE_OK
		  && curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK;
	if (ok && post)
		ok = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "") == CURLE_OK;
	return ok;
}

static enum http_outcome outcome_of_error(CURL *curl, CURLcode code, char why[HTTP_WHY_MAX])
{
	long os_errno = 0;
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_errno);
	snprintf(why, HTTP_WHY_MAX, "%s", curl_easy_strerror(code));
	if (code == CURLE_OPERATION_TIMEDOUT)
		return HTTP_SILENT;
	if (code != CURLE_COULDNT_CONNECT)
		return HTTP_BROKEN;
	return os_errno == EACCES || os_errno == EPERM ? HTTP_DENIED : HTTP_NOBODY;
}

static enum http_outcome outcome_of_status(
	long status, const struct json_doc *doc, char why[HTTP_WHY_MAX])
{
	if (status == 200 && doc)
		return HTTP_OK;
	const char *error = json_text(json_doc_root(doc), "error");
	if (*error)
		snprintf(why, HTTP_WHY_MAX, "%s", error);
	else
		snprintf(why, HTTP_WHY_MAX, "status %ld", status);
	if (status == 504)
		return HTTP_SILENT;
	return status >= 400 && status < 600 ? HTTP_REFUSED : HTTP_BROKEN;
}

static enum http_outcome request_run(
	CURL *curl, struct http_body *body, struct json_doc **doc, char why[HTTP_WHY_MAX])
{
	CURLcode code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		return outcome_of_error(curl, code, why);
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	*doc = body->len ? json_doc_parse(body->text, body->len) : NULL;
	return outcome_of_status(status, *doc, why);
}

static enum http_outcome text_run(CURL *curl, struct http_body *body, char why[HTTP_WHY_MAX])
{
	CURLcode code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		return outcome_of_error(curl, code, why);
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		return HTTP_OK;
	struct json_doc *doc = body->len ? json_doc_parse(body->text, body->len) : NULL;
	enum http_outcome outcome = outcome_of_status(status, doc, why);
	json_doc_free(doc);
	return outcome;
}

enum http_outcome http_call(const struct ctl *c, bool post, const char *path,
	const struct http_param *params, unsigned timeout_ms, struct json_doc **doc,
	char why[HTTP_WHY_MAX])
{
	char socket[SHM_PATH_MAX + 16], url[8192];
	struct http_body body = {0};
	enum http_outcome outcome = HTTP_BROKEN;
	*doc = NULL;
	snprintf(why, HTTP_WHY_MAX, "out of memory");
	snprintf(socket, sizeof socket, "%s/control.sock", c->paths.run);
	CURL *curl = curl_easy_init();
	if (curl && url_make(curl, path, params, url, sizeof url)
		&& request_set(curl, socket, post, timeout_ms, url, &body))
		outcome = request_run(curl, &body, doc, why);
	curl_easy_cleanup(curl);
	free(body.text);
	return outcome;
}

const char *http_served_text(const struct ctl *c)
{
	char why[SHM_WHY_MAX];
	struct stats_copy *s = calloc(1, sizeof *s);
	bool has_stats = s && stats_read(&c->paths, s, why) == 0;
	bool is_up = has_stats && dataplane_state(&c->paths, s) == PROCESS_UP;
	free(s);
	return is_up ? HTTP_SERVED_TEXT : "the data plane is down, too: no client is answered";
}

void http_fail(const struct ctl *c, enum http_outcome outcome, const char *why)
{
	switch (outcome) {
	case HTTP_NOBODY:
		ctl_fail(c, "the control plane is down (nobody listens on %s/control.sock); %s",
			c->paths.run, http_served_text(c));
		break;
	case HTTP_SILENT:
		ctl_fail(c, "the control plane does not answer: %s", why);
		break;
	case HTTP_DENIED:
		ctl_fail(c, "%s/control.sock: " HTTP_DENIED_TEXT, c->paths.run);
		break;
	default:
		ctl_fail(c, "%s", why);
	}
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

int http_print(const struct ctl *c, const char *path, unsigned timeout_ms)
{
	return http_save(c, path, timeout_ms, stdout);
}

int http_save(const struct ctl *c, const char *path, unsigned timeout_ms, FILE *file)
{
	char why[HTTP_WHY_MAX] = "out of memory", socket[SHM_PATH_MAX + 16], url[8192];
	struct http_body body = {0};
	enum http_outcome outcome = HTTP_BROKEN;
	snprintf(socket, sizeof socket, "%s/control.sock", c->paths.run);
	CURL *curl = curl_easy_init();
	if (curl && url_make(curl, path, NULL, url, sizeof url)
		&& request_set(curl, socket, false, timeout_ms, url, &body))
		outcome = text_run(curl, &body, why);
	curl_easy_cleanup(curl);
	if (outcome == HTTP_OK && fwrite(body.text, 1, body.len, file) != body.len)
		outcome = HTTP_BROKEN, snprintf(why, sizeof why, "%s", strerror(errno));
	if (outcome != HTTP_OK)
		http_fail(c, outcome, why);
	free(body.text);
	return outcome == HTTP_OK ? CTL_OK : CTL_FAILED;
}

enum { STREAM_LINE_MAX = 64 * 1024 };

struct http_lines {
	bool (*line)(void *arg, const struct json_node *root);
	void *arg;
	bool enough;
	size_t used;
	char text[STREAM_LINE_MAX];
};

static void line_end(struct http_lines *l)
{
	struct json_doc *doc = json_doc_parse(l->text, l->used);
	l->enough = !doc || !l->line(l->arg, json_doc_root(doc));
	json_doc_free(doc);
	l->used = 0;
}

// A refusal is one line without an end: it stays in `text`.
static size_t lines_take(char *data, size_t size, size_t count, void *arg)
{
	struct http_lines *l = arg;
	size_t len = size * count;
	for (size_t i = 0; i < len && !l->enough; i++) {
		if (data[i] == '\n')
			line_end(l);
		else if (l->used < sizeof l->text)
			l->text[l->used++] = data[i];
		else
			l->enough = true;
	}
	return l->enough ? 0 : len;
}

static int stream_run(const struct ctl *c, CURL *curl, struct http_lines *l)
{
	char why[HTTP_WHY_MAX];
	long status = 0;
	CURLcode code = curl_easy_perform(curl);
	if (l->enough)
		return CTL_OK;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 0) {
		enum http_outcome outcome = outcome_of_error(curl, code, why);
		http_fail(c, outcome, why);
	} else if (status != 200) {
		struct json_doc *doc = json_doc_parse(l->text, l->used);
		enum http_outcome outcome = outcome_of_status(status, doc, why);
		http_fail(c, outcome, why);
		json_doc_free(doc);
	} else {
		ctl_fail(c, "the control plane closed the connection: it stopped, or weirctl read "
			    "too slowly");
	}
	return CTL_FAILED;
}

int http_stream(const struct ctl *c, const char *path, const struct http_param *params,
	bool (*line)(void *arg, const struct json_node *root), void *arg)
{
	char socket[SHM_PATH_MAX + 16], url[8192];
	int ret = CTL_FAILED;
	struct http_lines *l = calloc(1, sizeof *l);
	CURL *curl = curl_easy_init();
	snprintf(socket, sizeof socket, "%s/control.sock", c->paths.run);
	if (l && curl && url_make(curl, path, params, url, sizeof url)
		&& request_set(curl, socket, false, 0, url, NULL)
		&& curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, lines_take) == CURLE_OK
		&& curl_easy_setopt(curl, CURLOPT_WRITEDATA, l) == CURLE_OK) {
		*l = (struct http_lines){.line = line, .arg = arg};
		ret = stream_run(c, curl, l);
	} else {
		ctl_fail(c, "out of memory");
	}
	curl_easy_cleanup(curl);
	free(l);
	return ret;
}
