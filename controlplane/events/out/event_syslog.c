// SPDX-License-Identifier: BSD-3-Clause
#include "event_syslog.h"

#include "event_out_text.h"
#include "event_sink.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { LOOK_MS = 200, READS_MAX = 4 }; // READS_MAX: reads before an event

struct event_syslog {
	struct event_each each;
	const char *box;
	struct socket_address to;
	bool is_tcp, was_sent; // was_sent: a datagram was sent whose error may come later
	uint64_t before;       // position in the ring before that datagram
	int fd;                // -1: no socket
};

static void hang_up(struct event_syslog *y)
{
	if (y->fd >= 0)
		close(y->fd);
	y->fd = -1;
	y->was_sent = false;
	y->each.now.sockets = 0;
}

// Waits until the socket is writable, the process ends, or EVENT_SYSLOG_WAIT_MS have passed since
// `since_ms`.
static int wait_writable(const struct event_syslog *y, uint64_t since_ms)
{
	const _Atomic bool *is_ending = event_sink_is_ending(y->each.sink);
	while (clock_mono_ms() - since_ms < EVENT_SYSLOG_WAIT_MS) {
		struct pollfd p = {.fd = y->fd, .events = POLLOUT};
		const int n = poll(&p, 1, LOOK_MS);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (atomic_load(is_ending))
			return -ECANCELED;
	}
	return -ETIMEDOUT;
}

static int connect_up(struct event_syslog *y)
{
	struct sockaddr_storage to;
	socklen_t len, error_len = sizeof(int);
	int error = 0;
	if (!socket_address_to_sockaddr(&y->to, &to, &len))
		return -EINVAL;
	y->fd = socket(to.ss_family,
		(y->is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (y->fd < 0)
		return -errno;
	y->each.now.sockets = 1;
	if (connect(y->fd, (const struct sockaddr *)&to, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	const int rc = wait_writable(y, clock_mono_ms());
	if (rc < 0)
		return rc;
	if (getsockopt(y->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0)
		return -errno;
	return -error;
}

// Whether the server has closed the connection. It may send more bytes than READS_MAX reads take.
static bool is_gone(const struct event_syslog *y)
{
	char bytes[4096];
	ssize_t n = 1;
	for (unsigned i = 0; i < READS_MAX && n > 0; i++)
		n = recv(y->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

static int stream_send(struct event_syslog *y, const char *text, size_t len)
{
	const uint64_t since_ms = clock_mono_ms();
	for (size_t sent = 0; sent < len;) {
		const ssize_t n = send(y->fd, text + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		const int rc = wait_writable(y, since_ms);
		if (rc < 0)
			return rc;
	}
	return (int)len;
}

static int datagram_send(struct event_syslog *y, const char *text, size_t len)
{
	const ssize_t n = send(y->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	const int rc = n < 0 ? -errno : (int)n;
	if (rc == -ECONNREFUSED && y->was_sent)
		y->each.after = y->before;
	y->was_sent = rc >= 0;
	y->before = y->each.after;
	return rc;
}

static int on_send(void *arg, const struct event_record *e)
{
	struct event_syslog *y = arg;
	char text[EVENT_SYSLOG_MAX], framed[EVENT_SYSLOG_MAX + 8];
	const size_t len = event_syslog_text(e, y->box, (unsigned)getpid(), text);
	int rc = 0;
	if (y->fd >= 0 && y->is_tcp && is_gone(y))
		hang_up(y);
	if (y->fd < 0)
		rc = connect_up(y);
	if (rc == 0 && y->is_tcp) {
		const int n = snprintf(framed, sizeof(framed), "%zu %.*s", len, (int)len, text);
		rc = stream_send(y, framed, (size_t)n);
	} else if (rc == 0) {
		rc = datagram_send(y, text, len);
	}
	if (rc < 0)
		hang_up(y);
	return rc;
}

static void on_apply(void *arg, const struct event_sink_settings *s)
{
	struct event_syslog *y = arg;
	struct sink_status *now = &y->each.now;
	hang_up(y);
	y->to = s->config.syslog_address;
	y->is_tcp = s->config.syslog_transport == EVENTS_SYSLOG_TCP;
	(void)snprintf(now->target, sizeof(now->target), "%s%s", s->config.syslog,
		y->is_tcp ? " over TCP" : "");
	event_each_apply(&y->each, *s->config.syslog != '\0', s->newest);
}

static bool on_beat(void *arg, uint64_t now_ms)
{
	struct event_syslog *y = arg;
	return event_each_beat(&y->each, now_ms);
}

static void on_end(void *arg)
{
	struct event_syslog *y = arg;
	(void)event_each_beat(&y->each, clock_mono_ms());
	hang_up(y);
	heap_free(y);
}

int event_syslog_start(struct event_sink **out, struct events *events, const char *box,
	const struct event_sink_settings *s)
{
	struct event_syslog *y = heap_calloc(1, sizeof(*y));
	if (!y)
		return -ENOMEM;
	y->each = (struct event_each){
		.events = events, .name = "the syslog server", .send = on_send, .arg = y};
	y->box = box;
	y->fd = -1;
	const struct event_sink_work work = {.name = "syslog",
		.bytes = sizeof(*y),
		.apply = on_apply,
		.beat = on_beat,
		.end = on_end,
		.arg = y};
	int rc = event_sink_start(&y->each.sink, events, &work, s);
	if (rc < 0)
		heap_free(y);
	else
		*out = y->each.sink;
	return rc;
}
