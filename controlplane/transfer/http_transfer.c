// SPDX-License-Identifier: BSD-3-Clause
#include "http_transfer.h"

#include "tls/tls.h"

#include <curl/curl.h>

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weir/heap_site.h>
#include <weir/http_coding.h>
#include <weir/text.h>

enum { IN_BYTES = 2048, OUT_BYTES = 16384 }; // OUT_BYTES: the least that libcurl takes
enum { LOW_SPEED_BYTES = 1024, IDLE_S = 118 };

struct http_multi {
	CURLM *curl;
	struct http_multi_calls calls;
	_Atomic uint64_t sockets; // written by its thread alone
};

struct http_transfer {
	void *curl;                                  // CURL
	struct http_multi *multi;                    // NULL: blocks its thread
	_Atomic uint64_t *sockets;                   // the multi's count
	const struct http_transfer_request *request; // NULL while none is in flight
	struct curl_slist *headers, *addresses;      // the request's
	uint64_t sent;
	struct http_coding coding;     // the reply's
	bool is_packed_otherwise;      // so it was ended
	const char *ca_file, *ca_path; // the system's
	char error[256];               // libcurl's: CURL_ERROR_SIZE
};
static_assert(sizeof(((struct http_transfer *)0)->error) == CURL_ERROR_SIZE);

static _Atomic uint64_t handles, sockets; // all threads' together, without those of a multi

void http_transfer_counts(struct http_transfer_counts *out)
{
	out->handles = handles;
	out->bytes = out->handles * sizeof(struct http_transfer);
	out->sockets = sockets;
}

// 0: no reply yet.
static unsigned status_of(void *curl)
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
	if (!r->hooks.on_body || r->hooks.on_body(r->arg, status_of(t->curl), bytes, len))
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
	       // Each connection verifies the server, by the authorities that the file has by then.
	       && curl_easy_setopt(c, CURLOPT_CA_CACHE_TIMEOUT, 0L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSL_SESSIONID_CACHE, 0L) == CURLE_OK
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

static void curl_begin(void)
{
	pthread_once(&curl_once, curl_start);
}

static int handle_open(struct http_transfer **out, struct http_multi *m)
{
	curl_begin();
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
	return handle_open(out, NULL);
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

// Results of both kinds.

static int error_of(const struct http_transfer *t, int code)
{
	if (t->is_packed_otherwise)
		return -EIO;
	switch ((CURLcode)code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_WRITE_ERROR:
		return -ECANCELED;
	case CURLE_FILESIZE_EXCEEDED:
		return -EFBIG;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return -EKEYREJECTED;
	default:
		return -EIO;
	}
}

// A time, or seconds, whose fraction that some servers send is left out. From the header itself, as
// libcurl says 6 hours of all that is longer (8.14).
static uint64_t retry_after_s(CURL *curl)
{
	struct curl_header *header;
	if (curl_easy_header(curl, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return 0;
	const char *text = header->value;
	if (*text >= '0' && *text <= '9') {
		const uint64_t after_s = strtoull(text, NULL, 10);
		return after_s == 0 ? 0 : (after_s < UINT32_MAX ? after_s : UINT32_MAX) + 1;
	}
	const time_t at = curl_getdate(text, NULL), now = time(NULL);
	return at > now ? (uint64_t)(at - now) + 1 : 0;
}

// What happened, in words for an operator; NULL: libcurl's own say as much.
static const char *phrase_of(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "the name has no address";
	case CURLE_COULDNT_CONNECT:
		return "cannot connect";
	case CURLE_OPERATION_TIMEDOUT:
		return "no answer in time";
	case CURLE_SEND_ERROR:
	case CURLE_SEND_FAIL_REWIND:
		return "the server closed the connection before it had the whole request";
	case CURLE_GOT_NOTHING:
		return "the server closed the connection without a reply";
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
		return "the connection broke before the whole reply came";
	case CURLE_SSL_CONNECT_ERROR:
		return "the TLS handshake failed";
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		return "what answers does not speak HTTP";
	default:
		return NULL;
	}
}

// Whether the certificate fails by its dates: this box's clock may be what is wrong.
static bool is_dated(const struct http_transfer *t)
{
	long verify = X509_V_OK;
	return curl_easy_getinfo(t->curl, CURLINFO_SSL_VERIFYRESULT, &verify) == CURLE_OK
	       && (verify == X509_V_ERR_CERT_NOT_YET_VALID
		       || verify == X509_V_ERR_CERT_HAS_EXPIRED);
}

// About a certificate libcurl's own words say more, among them what the server put in it; elsewhere
// they may have a part of the URL.
static void why_write(const struct http_transfer *t, CURLcode code, char *out, size_t cap)
{
	char text[CURL_ERROR_SIZE + 64];
	long err = 0;
	const char *phrase = phrase_of(code);
	if (code == CURLE_OK)
		text[0] = '\0';
	else if (t->is_packed_otherwise || code == CURLE_BAD_CONTENT_ENCODING)
		snprintf(text, sizeof(text), "the reply is packed in a way that nobody asked for");
	else if (error_of(t, code) == -EKEYREJECTED && t->error[0])
		snprintf(text, sizeof(text), "%s%s", t->error,
			is_dated(t) ? " by this box's clock" : "");
	else if (code == CURLE_COULDNT_CONNECT
		 && curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &err) == CURLE_OK && err > 0)
		snprintf(text, sizeof(text), "%s: %s", phrase, strerror((int)err));
	else
		snprintf(text, sizeof(text), "%s", phrase ? phrase : curl_easy_strerror(code));
	text_escape(text, out, cap);
}

static void result_write(const struct http_transfer *t, int code, struct http_transfer_result *out)
{
	curl_off_t received = 0;
	char *redirect = NULL;
	long version = 0;
	*out = (struct http_transfer_result){.status = status_of(t->curl), .sent = t->sent};
	if (curl_easy_getinfo(t->curl, CURLINFO_SIZE_DOWNLOAD_T, &received) == CURLE_OK)
		out->received = (uint64_t)received;
	if (curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &redirect) == CURLE_OK)
		out->redirect = redirect;
	if (curl_easy_getinfo(t->curl, CURLINFO_HTTP_VERSION, &version) == CURLE_OK)
		out->version = version >= CURL_HTTP_VERSION_2_0 ? 2 : version > 0;
	out->retry_after_s = retry_after_s(t->curl);
	why_write(t, (CURLcode)code, out->why, sizeof(out->why));
}

static CURLcode on_peer_tls(CURL *, void *context, void *peer)
{
	return tls_peer_lend(peer, context) == 0 ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

static int on_sent(void *arg, char *, char *, int, int local_port)
{
	const struct http_transfer_request *r = ((struct http_transfer *)arg)->request;
	bool is_good = r->hooks.on_sent(r->arg, (uint16_t)local_port);
	return is_good ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

// Sets the options that an exchange of a multi has beside those of any request.
static bool multi_options(const struct http_transfer *t)
{
	const struct http_transfer_request *r = t->request;
	CURL *c = t->curl;
	return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS)
			  == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, on_peer_tls) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, r->peer) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_sent) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_PREREQDATA, t) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, t->sockets) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_NOPROGRESS, 1L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_USERAGENT, NULL) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_PRIVATE, t) == CURLE_OK;
}

static void request_drop(struct http_transfer *t)
{
	curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(t->curl, CURLOPT_RESOLVE, NULL);
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->addresses);
	t->headers = t->addresses = NULL;
	t->request = NULL;
}

// Sets the handle up for the request; false: no memory. request_drop ends it.
static bool request_set(struct http_transfer *t, const struct http_transfer_request *r)
{
	t->request = r;
	t->sent = 0;
	t->coding = (struct http_coding){0};
	t->is_packed_otherwise = false;
	t->error[0] = '\0';
	if (headers_make(r, &t->headers) && (!r->addresses || list_add(&t->addresses, r->addresses))
		&& options_of(t) && (t->multi ? multi_options(t) : authorities_set(t, r->ca_file)))
		return true;
	request_drop(t);
	return false;
}

int http_transfer(struct http_transfer *t, const struct http_transfer_request *r,
	struct http_transfer_result *out)
{
	*out = (struct http_transfer_result){.why = "no memory"};
	if (!request_set(t, r))
		return -ENOMEM;
	CURLcode code = curl_easy_perform(t->curl);
	result_write(t, code, out);
	request_drop(t);
	return error_of(t, code);
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

// Exchanges on a loop.

static int on_watch(CURL *, curl_socket_t fd, int what, void *arg, void *)
{
	const struct http_multi_calls *calls = &((struct http_multi *)arg)->calls;
	calls->watch(calls->arg, fd, what == CURL_POLL_IN || what == CURL_POLL_INOUT,
		what == CURL_POLL_OUT || what == CURL_POLL_INOUT);
	return 0;
}

static int on_timer(CURLM *, long ms, void *arg)
{
	const struct http_multi_calls *calls = &((struct http_multi *)arg)->calls;
	calls->timer(calls->arg, ms);
	return 0;
}

static bool options_all(CURLM *c, struct http_multi *m, unsigned connections)
{
	return curl_multi_setopt(c, CURLMOPT_SOCKETFUNCTION, on_watch) == CURLM_OK
	       && curl_multi_setopt(c, CURLMOPT_SOCKETDATA, m) == CURLM_OK
	       && curl_multi_setopt(c, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK
	       && curl_multi_setopt(c, CURLMOPT_TIMERDATA, m) == CURLM_OK
	       && curl_multi_setopt(c, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX) == CURLM_OK
	       && curl_multi_setopt(c, CURLMOPT_MAX_HOST_CONNECTIONS, (long)connections) == CURLM_OK
	       && curl_multi_setopt(c, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections)
			  == CURLM_OK
	       && curl_multi_setopt(c, CURLMOPT_MAXCONNECTS, (long)connections) == CURLM_OK;
}

int http_multi_open(
	struct http_multi **out, const struct http_multi_calls *calls, unsigned connections)
{
	curl_begin();
	struct http_multi *m = heap_calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->calls = *calls;
	m->curl = curl_multi_init();
	if (!m->curl || !options_all(m->curl, m, connections)) {
		http_multi_close(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

void http_multi_close(struct http_multi *m)
{
	if (!m)
		return;
	curl_multi_cleanup(m->curl);
	heap_free(m);
}

unsigned http_multi_sockets(const struct http_multi *m)
{
	return (unsigned)m->sockets;
}

int http_multi_transfer(struct http_multi *m, struct http_transfer **out)
{
	int rc = handle_open(out, m);
	if (rc < 0)
		return rc;
	(*out)->sockets = &m->sockets;
	// Before its first exchange, or libcurl refuses them.
	if (curl_easy_setopt((*out)->curl, CURLOPT_BUFFERSIZE, (long)IN_BYTES) == CURLE_OK
		&& curl_easy_setopt((*out)->curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)OUT_BYTES)
			   == CURLE_OK)
		return 0;
	http_transfer_close(*out);
	return -ENOMEM;
}

int http_multi_begin(struct http_transfer *t, const struct http_transfer_request *r)
{
	if (!request_set(t, r))
		return -ENOMEM;
	if (curl_multi_add_handle(t->multi->curl, t->curl) == CURLM_OK)
		return 0;
	request_drop(t);
	return -ENOMEM;
}

void http_multi_give_up(struct http_transfer *t)
{
	if (!t->multi || !t->request)
		return;
	curl_multi_remove_handle(t->multi->curl, t->curl);
	request_drop(t);
}

static void exchange_end(struct http_transfer *t, CURLcode code)
{
	const struct http_transfer_request *r = t->request;
	struct http_transfer_result result;
	result_write(t, code, &result);
	curl_multi_remove_handle(t->multi->curl, t->curl);
	request_drop(t);
	r->hooks.on_end(r->arg, error_of(t, code), &result);
}

void http_multi_turn(struct http_multi *m, int fd, bool is_readable, bool is_writable)
{
	int running, left;
	const CURLMsg *msg;
	curl_multi_socket_action(m->curl, fd < 0 ? CURL_SOCKET_TIMEOUT : fd,
		(is_readable ? CURL_CSELECT_IN : 0) | (is_writable ? CURL_CSELECT_OUT : 0),
		&running);
	while ((msg = curl_multi_info_read(m->curl, &left))) {
		struct http_transfer *t = NULL;
		CURLcode code = msg->data.result;
		if (msg->msg == CURLMSG_DONE
			&& curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t) == CURLE_OK)
			exchange_end(t, code);
	}
}

struct ssl_st *http_multi_new_tls(struct http_transfer *t)
{
	long made = 0;
	const struct curl_tlssessioninfo *tls = NULL;
	if (curl_easy_getinfo(t->curl, CURLINFO_NUM_CONNECTS, &made) != CURLE_OK || made == 0
		|| curl_easy_getinfo(t->curl, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK || !tls)
		return NULL;
	return tls->internals;
}
