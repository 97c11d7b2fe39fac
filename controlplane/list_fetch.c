// SPDX-License-Identifier: BSD-3-Clause
#include "list_fetch.h"

#include "net_public.h"

#include <curl/curl.h>

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/url.h>

enum { OTHER_BODY_MAX = 65536, LOW_SPEED_OCTETS = 1024, SHOWN_MAX = 80 };

struct fetch {
	const struct list_fetch_request *request;
	struct list_fetch_result *result;
	CURL *curl;
	uint64_t deadline_ms;
	int err; // why a callback ended the transfer; 0: none did
	uint64_t other_bytes;
	bool refused; // some address was not public
	char refused_text[SOCKET_ADDRESS_TEXT_MAX];
};

static int ATTR_PRINTF(3, 4) fail(struct fetch *f, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->result->why, sizeof f->result->why, fmt, ap);
	va_end(ap);
	return err;
}

static bool stopped(const struct fetch *f)
{
	return f->request->stop && atomic_load_explicit(f->request->stop, memory_order_relaxed);
}

static long status_of(CURL *curl)
{
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool write_whole(int fd, const char *from, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, from, len);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			from += n;
			len -= (size_t)n;
		}
	}
	return true;
}

// Unpacked octets of the body. Anything but `len` ends the transfer.
static size_t on_body(char *octets, size_t, size_t len, void *arg)
{
	struct fetch *f = arg;
	if (status_of(f->curl) != 200) {
		f->other_bytes += len;
		return f->other_bytes > OTHER_BODY_MAX ? 0 : len;
	}
	f->result->bytes += len;
	if (f->result->bytes > f->request->max_bytes)
		f->err = -EFBIG;
	else if (!write_whole(f->request->fd, octets, len))
		f->err = -errno;
	return f->err ? 0 : len;
}

// The value of a header line "Name: value\r\n", cut to nothing when it does not fit: half a
// validator would never match.
static void header_take(const char *line, size_t len, const char *name, char *out, size_t cap)
{
	size_t name_len = strlen(name);
	if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
		return;
	const char *from = line + name_len + 1, *end = line + len;
	while (from < end && (*from == ' ' || *from == '\t'))
		from++;
	while (end > from && (unsigned char)end[-1] <= ' ')
		end--;
	size_t n = (size_t)(end - from);
	for (size_t i = 0; i < n; i++)
		if (from[i] < 0x20 || from[i] > 0x7e)
			n = cap;
	if (n >= cap)
		n = 0;
	memcpy(out, from, n);
	out[n] = '\0';
}

static size_t on_header(char *line, size_t, size_t len, void *arg)
{
	struct list_fetch_result *r = ((struct fetch *)arg)->result;
	header_take(line, len, "ETag", r->etag, sizeof r->etag);
	header_take(line, len, "Last-Modified", r->last_modified, sizeof r->last_modified);
	return len;
}

static int on_progress(void *arg, curl_off_t, curl_off_t now, curl_off_t, curl_off_t)
{
	struct fetch *f = arg;
	if (stopped(f))
		f->err = -ECANCELED;
	else if (now > 0 && (uint64_t)now > f->request->max_bytes)
		f->err = -EFBIG;
	return f->err != 0;
}

static bool address_of(const struct sockaddr *sa, struct ip_address *out)
{
	if (sa->sa_family == AF_INET) {
		*out = (struct ip_address){.version = 4, .prefix_len = 32};
		memcpy(out->bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		*out = (struct ip_address){.version = 6, .prefix_len = 128};
		memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
		return true;
	}
	return false;
}

// libcurl connects the socket to the address that it shows here.
static curl_socket_t on_socket(void *arg, curlsocktype, struct curl_sockaddr *to)
{
	struct fetch *f = arg;
	struct ip_address a;
	if (!address_of(&to->addr, &a))
		return CURL_SOCKET_BAD;
	if (!f->request->allow_private && !net_public(&a)) {
		f->refused = true;
		ip_address_text(&a, false, f->refused_text);
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void curl_start(void)
{
	curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool options_set(struct fetch *f)
{
	const struct list_fetch_request *r = f->request;
	CURL *c = f->curl;
	return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_USERAGENT, "weir/" WEIR_VERSION) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)LIST_FETCH_CONNECT_MS)
			  == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)LOW_SPEED_OCTETS) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)r->low_speed_s) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->max_bytes)
			  == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_WRITEDATA, f) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_HEADERDATA, f) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_XFERINFODATA, f) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, f) == CURLE_OK;
}

// What is asked only if it changed.
static struct curl_slist *conditions(const struct list_fetch_request *r)
{
	char line[LIST_FETCH_ETAG_MAX + 32];
	struct curl_slist *list = NULL, *longer;
	if (r->etag[0]) {
		snprintf(line, sizeof line, "If-None-Match: %s", r->etag);
		list = curl_slist_append(NULL, line);
	}
	if (r->last_modified[0]) {
		snprintf(line, sizeof line, "If-Modified-Since: %s", r->last_modified);
		longer = curl_slist_append(list, line);
		list = longer ? longer : list;
	}
	return list;
}

// "host:port:address,address" for libcurl, so that it asks nobody.
static int resolve_line(struct fetch *f, const char *host, const char *port, char *out, size_t cap)
{
	struct ip_address address[BOOTSTRAP_ADDRESSES_MAX];
	char why[BOOTSTRAP_WHY_MAX], text[SOCKET_ADDRESS_TEXT_MAX];
	unsigned count;
	struct bootstrap b = {.server_count = f->request->server_count,
		.deadline_ms = f->deadline_ms,
		.stop = f->request->stop};
	if (b.server_count > ARRAY_LEN(b.server))
		b.server_count = ARRAY_LEN(b.server);
	if (b.server_count)
		memcpy(b.server, f->request->servers, b.server_count * sizeof b.server[0]);
	int err = bootstrap_resolve(&b, host, address, &count, why);
	if (err)
		return fail(f, err == -ECANCELED || err == -ETIMEDOUT ? err : -EIO, "%s", why);
	size_t len = (size_t)snprintf(out, cap, "%s:%s:", host, port);
	for (unsigned i = 0; i < count && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s%s%s", i ? "," : "",
			address[i].version == 6 ? "[" : "",
			ip_address_text(&address[i], false, text),
			address[i].version == 6 ? "]" : "");
	return len < cap ? 0 : fail(f, -EIO, "a host name that is too long");
}

// Addresses, and names that libcurl itself takes for this machine.
static bool needs_no_dns(const char *host)
{
	struct ip_address a;
	static const char local[] = "localhost";
	return host[0] == '[' || ip_address_parse(host, &a) == 0 || strcasecmp(host, local) == 0;
}

// The addresses of the URL's host, in *out for libcurl; NULL: it needs none.
static int host_prepare(struct fetch *f, CURLU *u, struct curl_slist **out)
{
	char line[DNS_NAME_TEXT_MAX + BOOTSTRAP_ADDRESSES_MAX * SOCKET_ADDRESS_TEXT_MAX];
	char *host = NULL, *port = NULL;
	int err = 0;
	*out = NULL;
	if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK
		|| curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK) {
		err = fail(f, -EPROTO, "a URL without host");
	} else if (!needs_no_dns(host)) {
		size_t len = strlen(host);
		bool plain = host[0] != '-' && host[0] != '+';
		for (size_t i = 0; i < len; i++)
			plain &= host[i] > 0x20 && host[i] < 0x7f;
		// libcurl would look such a name up under another spelling, and ask the system; a
		// sign in front has a meaning in CURLOPT_RESOLVE.
		if (!plain || host[len - 1] == '.')
			err = fail(f, -EPROTO, "a host name that is no plain ASCII");
		else
			err = resolve_line(f, host, port, line, sizeof line);
		if (!err && !(*out = curl_slist_append(NULL, line)))
			err = fail(f, -EIO, "no memory");
	}
	curl_free(host);
	curl_free(port);
	return err;
}

static int transfer_error(struct fetch *f, CURLcode code)
{
	const struct list_fetch_request *r = f->request;
	unsigned long long mb = r->max_bytes >> 20;
	if (f->err == -EFBIG || code == CURLE_FILESIZE_EXCEEDED)
		return fail(f, -EFBIG, "larger than %llu MiB", mb);
	if (f->err == -ECANCELED)
		return fail(f, -ECANCELED, "stopped");
	if (f->err)
		return fail(f, -EIO, "cannot write: %s", strerror(-f->err));
	if (f->refused)
		return fail(f, -EACCES,
			"%s is not a public address (blocking.update.allow_private)",
			f->refused_text);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return fail(f, -ETIMEDOUT, "too slow: stopped after %u s at most",
			(r->timeout_ms + 999) / 1000);
	return fail(f, -EIO, "%s", curl_easy_strerror(code));
}

// One transfer. 1: a redirect, in *next (curl_free).
static int hop_run(struct fetch *f, const char *url, struct curl_slist *headers,
	struct curl_slist *addresses, char **next)
{
	CURL *c = f->curl;
	uint64_t now = clock_mono_ms();
	char *location = NULL;
	f->result->etag[0] = f->result->last_modified[0] = '\0';
	f->result->bytes = f->other_bytes = 0;
	f->refused = false;
	if (now >= f->deadline_ms)
		return fail(f, -ETIMEDOUT, "no time left after redirects");
	if (curl_easy_setopt(c, CURLOPT_URL, url) != CURLE_OK
		|| curl_easy_setopt(c, CURLOPT_RESOLVE, addresses) != CURLE_OK
		|| curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) != CURLE_OK
		|| curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(f->deadline_ms - now))
			   != CURLE_OK)
		return fail(f, -EIO, "no memory");
	CURLcode code = curl_easy_perform(c);
	long status = status_of(c);
	curl_off_t wire = 0;
	f->result->http_status = (unsigned)status;
	if (curl_easy_getinfo(c, CURLINFO_SIZE_DOWNLOAD_T, &wire) == CURLE_OK)
		f->result->wire_bytes = (uint64_t)wire;
	if (status >= 400 && !f->err)
		return fail(f, -EPROTO, "HTTP status %ld", status);
	if (code != CURLE_OK)
		return transfer_error(f, code);
	if (status == 200)
		return 0;
	if (status == 304 && headers) {
		f->result->not_modified = true;
		return 0;
	}
	curl_easy_getinfo(c, CURLINFO_REDIRECT_URL, &location);
	if (status < 300 || status > 308 || !location)
		return fail(f, -EPROTO, "HTTP status %ld", status);
	*next = strdup(location);
	return *next ? 1 : fail(f, -EIO, "no memory");
}

// Checks and resolves, then transfers.
static int hop(
	struct fetch *f, const char *url, bool had_tls, struct curl_slist *headers, char **next)
{
	struct curl_slist *addresses = NULL;
	CURLU *u = curl_url();
	char *scheme = NULL;
	int err = 0;
	if (!u)
		return fail(f, -EIO, "no memory");
	if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK
		|| curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		err = fail(f, -EPROTO, "not a URL");
	else if (strcmp(scheme, "https") != 0 && (had_tls || strcmp(scheme, "http") != 0))
		err = fail(
			f, -EPROTO, "a redirect to %.10s%s", scheme, had_tls ? " from https" : "");
	if (!err)
		err = host_prepare(f, u, &addresses);
	if (!err)
		err = hop_run(f, url, headers, addresses, next);
	curl_free(scheme);
	curl_slist_free_all(addresses);
	curl_url_cleanup(u);
	return err;
}

static int hops_run(struct fetch *f, struct curl_slist *headers)
{
	char shown[SHOWN_MAX], *url = strdup(f->request->url);
	bool had_tls = false;
	int err = url ? 1 : fail(f, -EIO, "no memory");
	for (unsigned i = 0; err == 1; i++) {
		char *next = NULL;
		if (i > f->request->max_redirects) {
			err = fail(f, -ELOOP, "more than %u redirects", f->request->max_redirects);
			break;
		}
		err = hop(f, url, had_tls, headers, &next);
		had_tls |= strncasecmp(url, "https:", 6) == 0;
		if (err < 0 && i > 0) {
			size_t len = strlen(f->result->why);
			snprintf(f->result->why + len, sizeof f->result->why - len,
				" (redirected to %s)", url_shown(url, shown, sizeof shown));
		}
		free(url);
		url = next;
	}
	free(url);
	return err;
}

int list_fetch(const struct list_fetch_request *request, struct list_fetch_result *out)
{
	struct fetch f = {.request = request,
		.result = out,
		.deadline_ms = clock_mono_ms() + request->timeout_ms};
	*out = (struct list_fetch_result){0};
	pthread_once(&curl_once, curl_start);
	f.curl = curl_ready == CURLE_OK ? curl_easy_init() : NULL;
	struct curl_slist *headers = conditions(request);
	int err = f.curl && options_set(&f) ? hops_run(&f, headers)
					    : fail(&f, -EIO, "libcurl cannot be set up");
	curl_slist_free_all(headers);
	curl_easy_cleanup(f.curl);
	return err;
}
