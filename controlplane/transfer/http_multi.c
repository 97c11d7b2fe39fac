// SPDX-License-Identifier: BSD-3-Clause
#include "http_internal.h"
#include "tls/tls.h"

#include <curl/curl.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/heap_site.h>
#include <weir/text.h>

enum { IN_BYTES = 2048, OUT_BYTES = 16384 }; // OUT_BYTES: the least that libcurl takes

struct http_multi {
	CURLM *curl;
	struct http_multi_calls calls;
	_Atomic uint64_t sockets; // written by its thread alone
};

int http_error_of(const struct http_transfer *t, int code)
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

// Of a certificate libcurl's own words say more, among them what the server put in it; elsewhere
// they may have a part of the URL.
static void why_write(const struct http_transfer *t, CURLcode code, char *out, size_t cap)
{
	char text[CURL_ERROR_SIZE + 64];
	long err = 0;
	const char *phrase = phrase_of(code);
	if (code == CURLE_OK)
		text[0] = '\0';
	else if (t->is_packed_otherwise)
		snprintf(text, sizeof(text), "the reply is packed in a way that nobody asked for");
	else if (http_error_of(t, code) == -EKEYREJECTED && t->error[0])
		snprintf(text, sizeof(text), "%s", t->error);
	else if (code == CURLE_COULDNT_CONNECT
		 && curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &err) == CURLE_OK && err > 0)
		snprintf(text, sizeof(text), "%s: %s", phrase, strerror((int)err));
	else
		snprintf(text, sizeof(text), "%s", phrase ? phrase : curl_easy_strerror(code));
	text_escape(text, out, cap);
}

void http_result_write(const struct http_transfer *t, int code, struct http_transfer_result *out)
{
	curl_off_t received = 0;
	char *redirect = NULL;
	long version = 0;
	*out = (struct http_transfer_result){.status = http_status_of(t->curl), .sent = t->sent};
	if (curl_easy_getinfo(t->curl, CURLINFO_SIZE_DOWNLOAD_T, &received) == CURLE_OK)
		out->received = (uint64_t)received;
	if (curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &redirect) == CURLE_OK)
		out->redirect = redirect;
	if (curl_easy_getinfo(t->curl, CURLINFO_HTTP_VERSION, &version) == CURLE_OK)
		out->version = version >= CURL_HTTP_VERSION_2_0 ? 2 : version > 0;
	out->retry_after_s = retry_after_s(t->curl);
	why_write(t, (CURLcode)code, out->why, sizeof(out->why));
}

static CURLcode on_tls(CURL *, void *context, void *peer)
{
	return tls_peer_lend(peer, context) == 0 ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

static int on_sent(void *arg, char *, char *, int, int local_port)
{
	const struct http_transfer_request *r = ((struct http_transfer *)arg)->request;
	bool is_good = r->hooks.on_sent(r->arg, (uint16_t)local_port);
	return is_good ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

bool http_multi_options(const struct http_transfer *t)
{
	const struct http_transfer_request *r = t->request;
	CURL *c = t->curl;
	return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS)
			  == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSL_SESSIONID_CACHE, 0L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, on_tls) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, r->peer) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_sent) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_PREREQDATA, t) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, t->sockets) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_NOPROGRESS, 1L) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_USERAGENT, NULL) == CURLE_OK
	       && curl_easy_setopt(c, CURLOPT_PRIVATE, t) == CURLE_OK;
}

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
	http_start();
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
	int rc = http_handle_open(out, m);
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
	if (!http_request_take(t, r))
		return -ENOMEM;
	if (curl_multi_add_handle(t->multi->curl, t->curl) == CURLM_OK)
		return 0;
	http_request_drop(t);
	return -ENOMEM;
}

void http_multi_give_up(struct http_transfer *t)
{
	if (!t->multi || !t->request)
		return;
	curl_multi_remove_handle(t->multi->curl, t->curl);
	http_request_drop(t);
}

static void exchange_end(struct http_transfer *t, CURLcode code)
{
	const struct http_transfer_request *r = t->request;
	struct http_transfer_result result;
	http_result_write(t, code, &result);
	curl_multi_remove_handle(t->multi->curl, t->curl);
	http_request_drop(t);
	r->hooks.on_end(r->arg, http_error_of(t, code), &result);
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
