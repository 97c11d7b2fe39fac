// SPDX-License-Identifier: BSD-3-Clause
#include "http_internal.h"
#include "tls/tls.h"

#include <curl/curl.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/heap_site.h>
#include <weir/text.h>

enum { LOW_SPEED_BYTES = 1024, IDLE_S = 118 };
static_assert(sizeof(((struct http_transfer *)0)->error) == CURL_ERROR_SIZE);

static _Atomic uint64_t handles, sockets; // of all threads, but of no multi

void http_transfer_counts(struct http_transfer_counts *out)
{
	out->handles = handles;
	out->bytes = out->handles * sizeof(struct http_transfer);
	out->sockets = sockets;
}

unsigned http_status_of(void *curl)
{
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return (unsigned)status;
}

// Anything but `len` ends the transfer, here and below.
static size_t on_body(char *bytes, size_t, size_t len, void *arg)
{
	struct http_transfer *t = arg;
	const struct http_transfer_request *r = t->request;
	if (!r->hooks.on_body || r->hooks.on_body(r->arg, http_status_of(t->curl), bytes, len))
		return len;
	return len ? 0 : 1;
}

static size_t on_header(char *line, size_t, size_t len, void *arg)
{
	struct http_transfer *t = arg;
	const struct http_transfer_request *r = t->request;
	if (!http_coding_may(&t->coding, line, len, r->takes_gzip)) {
		t->is_packed_otherwise = true;
		return len ? 0 : 1;
	}
	if (r->hooks.on_header)
		r->hooks.on_header(r->arg, line, len);
	return len;
}

// There is no way back in it: libcurl fails, instead of sending again what it has sent.
static size_t on_send(char *out, size_t, size_t cap, void *arg)
{
	struct http_transfer *t = arg;
	size_t left = t->request->len - t->sent, n = left < cap ? left : cap;
	if (n)
		memcpy(out, (const char *)t->request->body + t->sent, n);
	t->sent += n;
	return n;
}

// libcurl 8.7 and later ask for the start of a body before its first byte is sent, too. A body that
// is on its way is not sent again.
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	const struct http_transfer *t = arg;
	bool is_start = offset == 0 && origin == SEEK_SET;
	return is_start && t->sent == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static int on_progress(void *arg, curl_off_t, curl_off_t now, curl_off_t, curl_off_t)
{
	const struct http_transfer_request *r = ((struct http_transfer *)arg)->request;
	return r->hooks.on_wait && !r->hooks.on_wait(r->arg, now > 0 ? (uint64_t)now : 0);
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
	struct http_transfer *t = arg;
	const struct http_transfer_request *r = t->request;
	struct ip_address a;
	if (!address_of(&to->addr, &a))
		return CURL_SOCKET_BAD;
	if (r->hooks.on_address && !r->hooks.on_address(r->arg, &a))
		return CURL_SOCKET_BAD;
	int fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	if (fd >= 0)
		++*(t->sockets ? t->sockets : &sockets);
	return fd;
}

// A connection of a multi outlives the handle that has made it.
static int on_close(void *arg, curl_socket_t fd)
{
	_Atomic uint64_t *count = arg;
	--*(count ? count : &sockets);
	return close(fd);
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void curl_start(void)
{
	tls_start();
	curl_ready = curl_global_init_mem(CURL_GLOBAL_DEFAULT, heap_curl_malloc, heap_free,
		heap_curl_realloc, heap_curl_strdup, heap_curl_calloc);
}

static CURLcode on_tls(CURL *, void *context, void *)
{
	tls_chain_bound(context);
	return CURLE_OK;
}

static bool options_lasting(struct http_transfer *t)
{
	CURL *c = t->curl;
	return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_MAXCONNECTS, 1L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, on_tls) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_USERAGENT, "weir") == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)LOW_SPEED_BYTES) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_HEADERDATA, t) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_READFUNCTION, on_send) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_READDATA, t) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SEEKDATA, t) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_XFERINFODATA, t) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK;
}

void http_start(void)
{
	pthread_once(&curl_once, curl_start);
}

int http_handle_open(struct http_transfer **out, struct http_multi *m)
{
	http_start();
	struct http_transfer *t = heap_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->multi = m;
	handles += !m;
	const curl_version_info_data *built = curl_version_info(CURLVERSION_NOW);
	t->ca_file = built->cainfo;
	t->ca_path = built->capath;
	t->curl = curl_ready == CURLE_OK ? curl_easy_init() : NULL;
	if (!t->curl || !options_lasting(t)) {
		http_transfer_close(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

int http_transfer_open(struct http_transfer **out)
{
	return http_handle_open(out, NULL);
}

void http_transfer_close(struct http_transfer *t)
{
	if (!t)
		return;
	http_multi_give_up(t);
	curl_easy_cleanup(t->curl);
	handles -= !t->multi;
	heap_free(t);
}

static bool options_of(const struct http_transfer *t)
{
	const struct http_transfer_request *r = t->request;
	CURL *c = t->curl;
	const char *packed = r->takes_gzip ? "gzip" : NULL;
	CURLcode method = r->body ? curl_easy_setopt(c, CURLOPT_POST, 1L)
				  : curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	curl_off_t len = r->body ? (curl_off_t)r->len : -1;
	return method == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, len) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_URL, r->url) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_RESOLVE, t->addresses) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, packed) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->max_bytes)
			  == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)r->low_speed_s) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_FORBID_REUSE, (long)r->single) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, (long)(r->idle_s ? r->idle_s : IDLE_S))
			  == CURLE_OK;
}

static bool authorities_set(struct http_transfer *t, const char *ca_file)
{
	const char *file = ca_file ? ca_file : t->ca_file, *path = ca_file ? NULL : t->ca_path;
	return curl_easy_setopt(t->curl, CURLOPT_CAINFO, file) == CURLE_OK
	       && curl_easy_setopt(t->curl, CURLOPT_CAPATH, path) == CURLE_OK;
}

// False: no memory; *list is then as long as it got.
static bool list_add(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);
	*list = longer ? longer : *list;
	return longer != NULL;
}

// "Expect:" without a value: no byte of a body waits for a 100.
static bool headers_make(const struct http_transfer_request *r, struct curl_slist **out)
{
	bool made = !r->body || list_add(out, "Expect:");
	for (unsigned i = 0; made && i < HTTP_TRANSFER_HEADERS_MAX && r->header[i]; i++)
		made = list_add(out, r->header[i]);
	return made;
}

void http_request_drop(struct http_transfer *t)
{
	curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(t->curl, CURLOPT_RESOLVE, NULL);
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->addresses);
	t->headers = t->addresses = NULL;
	t->request = NULL;
}

bool http_request_take(struct http_transfer *t, const struct http_transfer_request *r)
{
	t->request = r;
	t->sent = 0;
	t->coding = (struct http_coding){0};
	t->is_packed_otherwise = false;
	t->error[0] = '\0';
	if (headers_make(r, &t->headers) && (!r->addresses || list_add(&t->addresses, r->addresses))
		&& options_of(t)
		&& (t->multi ? http_multi_options(t) : authorities_set(t, r->ca_file)))
		return true;
	http_request_drop(t);
	return false;
}

int http_transfer(struct http_transfer *t, const struct http_transfer_request *r,
	struct http_transfer_result *out)
{
	*out = (struct http_transfer_result){.why = "no memory"};
	if (!http_request_take(t, r))
		return -ENOMEM;
	CURLcode code = curl_easy_perform(t->curl);
	http_result_write(t, code, out);
	http_request_drop(t);
	return http_error_of(t, code);
}

static bool part_get(CURLU *u, CURLUPart part, unsigned flags, char *out, size_t cap)
{
	char *text = NULL;
	if (curl_url_get(u, part, &text, flags) != CURLUE_OK)
		return false;
	int len = snprintf(out, cap, "%s", text);
	curl_free(text);
	return len >= 0 && (size_t)len < cap;
}

int http_url_split(const char *url, struct http_url *out)
{
	struct http_url split;
	CURLU *u = curl_url();
	bool whole =
		u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK
		&& part_get(u, CURLUPART_SCHEME, 0, split.scheme, sizeof(split.scheme))
		&& part_get(u, CURLUPART_HOST, 0, split.host, sizeof(split.host))
		&& part_get(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, split.port, sizeof(split.port));
	curl_url_cleanup(u);
	if (!whole)
		return -EINVAL;
	*out = split;
	return 0;
}

bool http_url_escape(const char *text, char *out, size_t cap)
{
	char *escaped = curl_easy_escape(NULL, text, 0);
	size_t len = escaped ? strlen(escaped) : cap;
	if (len < cap)
		memcpy(out, escaped, len + 1);
	curl_free(escaped);
	return len < cap;
}
