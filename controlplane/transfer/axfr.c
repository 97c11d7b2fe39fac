// SPDX-License-Identifier: BSD-3-Clause
#include "axfr.h"

#include "base/rng.h"
#include "tls/tls.h"
#include "tsig.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { SLICE_MS = 100 };

struct exchange {
	const struct axfr_request *request;
	struct axfr_result *result;
	struct rng rng;
	int fd;
	struct tls_conn *tls; // NULL: in clear text
	uint64_t asked_bytes; // bytes of all messages before this question's
	bool has_text;        // `text` was called
	struct ixfr_reader reader;
	struct tsig tsig; // the question's, if there is a key
	uint8_t msg[DNS_MESSAGE_MAX];
};

static int ATTR_PRINTF(3, 4) fail(struct exchange *x, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(x->result->why, sizeof(x->result->why), fmt, ap);
	va_end(ap);
	return err;
}

// Waits until the socket is ready for `events`, for `within_ms` at most. 0, or the error.
static int ready_wait(struct exchange *x, short events, unsigned within_ms)
{
	const struct axfr_request *r = x->request;
	uint64_t now_ms = clock_mono_ms(), until_ms = now_ms + within_ms;
	if (until_ms > r->deadline_ms)
		until_ms = r->deadline_ms;
	for (; now_ms < until_ms; now_ms = clock_mono_ms()) {
		struct pollfd p = {.fd = x->fd, .events = events};
		uint64_t left_ms = until_ms - now_ms;
		if (r->stop && atomic_load_explicit(r->stop, memory_order_relaxed))
			return fail(x, -ECANCELED, "stopped");
		if (poll(&p, 1, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS) > 0)
			return 0;
	}
	return fail(x, -ETIMEDOUT, "too slow: stopped after %u s without %s", within_ms / 1000,
		x->result->connected ? "a byte" : "a connection");
}

// Waits after -EAGAIN of a call for `events`, which with TLS may need the other direction.
static int again_wait(struct exchange *x, short events)
{
	if (x->tls)
		events = tls_conn_wants_write(x->tls) ? POLLOUT : POLLIN;
	return ready_wait(x, events, x->request->idle_ms);
}

// Ends in connect_ms, whatever the server sends meanwhile.
static int tls_open(struct exchange *x)
{
	char why[TLS_WHY_MAX];
	uint64_t until_ms = clock_mono_ms() + x->request->connect_ms;
	if (tls_conn_connect(&x->tls, x->request->peer, x->fd) < 0)
		return fail(x, -ENOMEM, "no memory for TLS");
	int rc = tls_conn_handshake(x->tls);
	while (rc == -EAGAIN) {
		uint64_t now_ms = clock_mono_ms();
		int err = now_ms < until_ms
				  ? ready_wait(x, tls_conn_wants_write(x->tls) ? POLLOUT : POLLIN,
					  (unsigned)(until_ms - now_ms))
				  : -ETIMEDOUT;
		if (err == -ETIMEDOUT)
			return fail(x, err, "too slow: the TLS handshake was not done in time");
		if (err < 0)
			return err;
		rc = tls_conn_handshake(x->tls);
	}
	if (rc == 1)
		return 0;
	(void)tls_conn_failure(x->tls, why);
	return fail(x, -EKEYREJECTED, "TLS handshake failed: %.90s", why);
}

static int connection_open(struct exchange *x)
{
	struct sockaddr_storage to;
	socklen_t to_len, len = sizeof(int);
	int err = 0;
	if (!socket_address_to_sockaddr(&x->request->server, &to, &to_len))
		return fail(x, -EIO, "no address of a server");
	x->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (x->fd < 0)
		return fail(x, -EIO, "no socket: %s", strerror(errno));
	if (connect(x->fd, (struct sockaddr *)&to, to_len) < 0)
		err = errno;
	if (err == EINPROGRESS) {
		int rc = ready_wait(x, POLLOUT, x->request->connect_ms);
		if (rc < 0)
			return rc;
		if (getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
			err = errno;
	}
	if (err)
		return fail(x, -EIO, "cannot connect: %s", strerror(err));
	x->result->connected = true;
	return x->request->peer ? tls_open(x) : 0;
}

// Bytes, -EAGAIN, or -errno.
static ssize_t some_send(struct exchange *x, const uint8_t *from, size_t len)
{
	ssize_t n =
		x->tls ? tls_conn_write(x->tls, from, len) : send(x->fd, from, len, MSG_NOSIGNAL);
	if (x->tls || n >= 0)
		return n;
	return errno == EINTR ? -EAGAIN : -errno;
}

// Bytes, -EAGAIN, or -errno; 0: the server closed the connection.
static ssize_t some_receive(struct exchange *x, uint8_t *to, size_t len)
{
	ssize_t n = x->tls ? tls_conn_read(x->tls, to, len) : recv(x->fd, to, len, 0);
	if (x->tls || n >= 0)
		return n;
	return errno == EINTR ? -EAGAIN : -errno;
}

static int bytes_send(struct exchange *x, const uint8_t *from, size_t len)
{
	while (len > 0) {
		ssize_t n = some_send(x, from, len);
		if (n < 0 && n != -EAGAIN)
			return fail(x, -EIO, "cannot send: %s", strerror((int)-n));
		if (n > 0) {
			from += n;
			len -= (size_t)n;
			continue;
		}
		int err = again_wait(x, POLLOUT);
		if (err < 0)
			return err;
	}
	return 0;
}

static int bytes_receive(struct exchange *x, uint8_t *to, size_t len)
{
	while (len > 0) {
		ssize_t n = some_receive(x, to, len);
		if (n == 0)
			return fail(x, -EIO, "the server closed the connection before the end");
		if (n < 0 && n != -EAGAIN)
			return fail(x, -EIO, "cannot receive: %s", strerror((int)-n));
		if (n > 0) {
			to += n;
			len -= (size_t)n;
			continue;
		}
		int err = again_wait(x, POLLIN);
		if (err < 0)
			return err;
	}
	return 0;
}

static int query_send(struct exchange *x, uint16_t qtype)
{
	uint8_t query[2 + IXFR_QUERY_MAX + TSIG_RECORD_MAX];
	const struct config_tsig_key *key = x->request->key;
	x->reader.zone.id = rng_u16(&x->rng);
	size_t len = qtype == DNS_TYPE_IXFR ? ixfr_query_write(&x->reader, query + 2)
					    : axfr_query_write(&x->reader.zone, qtype, query + 2);
	if (key)
		len = tsig_begin(&x->tsig, key, query + 2, len, (uint64_t)time(NULL));
	if (len == 0)
		return fail(x, -ENOMEM, "no memory for TSIG");
	put_u16(query, (uint16_t)len);
	return bytes_send(x, query, 2 + len);
}

// One message, to x->msg. Its length, or the error.
static int message_receive(struct exchange *x)
{
	uint8_t head[2];
	int err = bytes_receive(x, head, sizeof(head));
	if (err < 0)
		return err;
	size_t len = get_u16(head);
	x->result->bytes += sizeof(head) + len;
	if (x->result->bytes - x->asked_bytes > x->request->max_bytes)
		return fail(x, -EFBIG, "larger than %llu MiB",
			(unsigned long long)x->request->max_bytes >> 20);
	// A server that always has bytes never lets ready_wait check stop and deadline.
	if (x->request->stop && atomic_load_explicit(x->request->stop, memory_order_relaxed))
		return fail(x, -ECANCELED, "stopped");
	if (clock_mono_ms() >= x->request->deadline_ms)
		return fail(x, -ETIMEDOUT, "too slow: the time for the whole transfer is over");
	err = bytes_receive(x, x->msg, len);
	return err < 0 ? err : (int)len;
}

// 0: it is signed as it must be, or there is no key.
static int message_verify(struct exchange *x, size_t len)
{
	if (!x->request->key)
		return 0;
	int err = tsig_take(&x->tsig, x->msg, len, (uint64_t)time(NULL));
	return err < 0 ? fail(x, err, "%s", x->tsig.why) : 0;
}

// 0: more must come; below: the error.
static int message_read(struct exchange *x, uint16_t qtype, size_t len)
{
	struct axfr_reader *zone = &x->reader.zone;
	if (qtype == DNS_TYPE_AXFR)
		return axfr_read(zone, x->msg, len);
	if (qtype == DNS_TYPE_SOA) {
		int err = axfr_read_serial(zone, x->msg, len);
		return err < 0 ? err : 1;
	}
	int got = ixfr_read(&x->reader, x->msg, len);
	x->result->unchanged = got == IXFR_UNCHANGED;
	x->result->is_difference = got == IXFR_DIFFERENCE;
	return got;
}

static int messages_read(struct exchange *x, uint16_t qtype)
{
	int done = 0;
	while (done == 0) {
		int len = message_receive(x);
		int err = len < 0 ? len : message_verify(x, (size_t)len);
		if (err < 0)
			return err;
		done = message_read(x, qtype, (size_t)len);
		if (done < 0)
			return fail(x, done, "%s", x->reader.zone.why);
	}
	if (x->request->key && !tsig_is_closed(&x->tsig))
		return fail(x, -EKEYREJECTED, "the server did not sign its last message");
	return 0;
}

static int question_ask(struct exchange *x, uint16_t qtype)
{
	x->asked_bytes = x->result->bytes;
	x->reader.zone.begun = false;
	int err = connection_open(x);
	if (err == 0)
		err = query_send(x, qtype);
	if (err == 0)
		err = messages_read(x, qtype);
	tsig_end(&x->tsig);
	tls_conn_close(x->tls);
	x->tls = NULL;
	if (x->fd >= 0)
		close(x->fd);
	x->fd = -1;
	return err;
}

static int on_text(void *arg, const char *line, size_t len)
{
	struct exchange *x = arg;
	x->has_text = true;
	return x->request->text(x->request->arg, line, len);
}

static int on_change(void *arg, bool joins, const char *line, size_t len)
{
	struct exchange *x = arg;
	return x->request->change(x->request->arg, joins, line, len);
}

// May the server send the whole zone where it sent no difference that is good? One that knows no
// IXFR may close the connection, or say nothing. Differences may be larger than the zone.
static bool is_worth_axfr(const struct exchange *x, int err)
{
	return !x->has_text
	       && (err == -EPROTO || err == -EBADMSG || err == -ESTALE || err == -E2BIG
		       || err == -EFBIG || err == -ENOMEM
		       || ((err == -EIO || err == -ETIMEDOUT) && x->result->connected));
}

// The whole zone, unless its serial is that of the copy.
static int other_ask(struct exchange *x)
{
	int err = question_ask(x, DNS_TYPE_SOA);
	x->result->unchanged = err == 0 && x->reader.zone.serial == x->request->serial;
	return err < 0 || x->result->unchanged ? err : question_ask(x, DNS_TYPE_AXFR);
}

static int difference_ask(struct exchange *x)
{
	struct axfr_result *result = x->result;
	x->reader.have = x->request->serial;
	int err = question_ask(x, DNS_TYPE_IXFR);
	if (!is_worth_axfr(x, err))
		return err;
	memcpy(result->instead, result->why, sizeof(result->instead));
	result->why[0] = '\0';
	err = other_ask(x);
	if (result->unchanged)
		result->instead[0] = '\0';
	return err;
}

static int zone_ask(struct exchange *x)
{
	if (!x->request->has_serial)
		return question_ask(x, DNS_TYPE_AXFR);
	return x->request->change ? difference_ask(x) : other_ask(x);
}

int axfr(const struct axfr_request *request, struct axfr_result *out)
{
	*out = (struct axfr_result){0};
	struct exchange *x = heap_calloc(1, sizeof(*x));
	if (!x) {
		snprintf(out->why, sizeof(out->why), "no memory");
		return -ENOMEM;
	}
	*x = (struct exchange){.request = request, .result = out, .fd = -1};
	x->reader.zone.zone = request->zone;
	x->reader.zone.text = on_text;
	x->reader.zone.arg = x;
	x->reader.change = on_change;
	int err = zone_ask(x);
	out->serial = x->reader.zone.serial;
	explicit_bzero(&x->rng, sizeof(x->rng));
	heap_free(x);
	return err;
}
