// SPDX-License-Identifier: BSD-3-Clause
#include "dnstap.h"

#include "dnstap_frame.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/config_filter.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/os/passed_files.h>

enum { BUFFER = DNSTAP_FRAME_MAX + 128 * 1024 };

struct dnstap {
	struct sockaddr_storage address; // address of a unix socket or a TCP port
	socklen_t address_len;
	struct sink_thread *thread;
	// Fields that the sink's thread alone uses.
	int fd;          // -1: not connected
	uint64_t end_ms; // deadline for sending at shutdown; 0: not shutting down
	struct sink_retry retry;
	struct sink_status now;
	size_t used, rows, without; // buffered bytes and rows; rows without messages
	uint64_t weight;            // weight of the rows in the buffer
	uint8_t buffer[BUFFER];
};

// Waits until the socket is ready for `events`. -ETIMEDOUT, -errno.
static int wait_for(int fd, short events, uint64_t until_ms)
{
	for (;;) {
		uint64_t now_ms = clock_mono_ms();
		if (now_ms >= until_ms)
			return -ETIMEDOUT;
		struct pollfd p = {.fd = fd, .events = events};
		int n = poll(&p, 1, (int)(until_ms - now_ms));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_all(int fd, const uint8_t *bytes, size_t len, uint64_t until_ms)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
			continue;
		}
		int rc = n < 0 && (errno == EAGAIN || errno == EINTR)
				 ? wait_for(fd, POLLOUT, until_ms)
				 : -errno;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int control_send(int fd, enum dnstap_control type)
{
	uint8_t frame[DNSTAP_CONTROL_MAX];
	size_t len = dnstap_frame_control(type, frame, sizeof(frame));
	return send_all(fd, frame, len, clock_mono_ms() + DNSTAP_WAIT_MS);
}

// Reads the receiver's next frame, which must be of type `wanted`. Nothing may follow it.
static int control_await(int fd, enum dnstap_control wanted)
{
	uint8_t bytes[8 + DNSTAP_CONTROL_MAX];
	uint64_t until_ms = clock_mono_ms() + DNSTAP_WAIT_MS;
	size_t len = 0, used;
	enum dnstap_control type;
	for (;;) {
		ssize_t n = recv(fd, bytes + len, sizeof(bytes) - len, MSG_DONTWAIT);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
		int rc = dnstap_control_read(bytes, len, &type, &used);
		if (rc == 0)
			return type == wanted && used == len ? 0 : -EPROTO;
		if (rc != -EAGAIN)
			return rc;
		rc = n > 0 ? 0 : wait_for(fd, POLLIN, until_ms);
		if (rc < 0)
			return rc;
	}
}

static bool option_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

// The kernel probes a receiver and ends the connection to a machine that does not respond.
static int tcp_prepare(int fd)
{
	bool ok = option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
		  && option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, DNSTAP_SILENT_S / 2)
		  && option_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, DNSTAP_SILENT_S / 4)
		  && option_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000 * DNSTAP_SILENT_S);
	return ok ? 0 : -errno;
}

static int connection_await(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);
	int rc = wait_for(fd, POLLOUT, clock_mono_ms() + DNSTAP_WAIT_MS);
	if (rc < 0)
		return rc;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? -errno : -err;
}

static int connect_to(const struct dnstap *d, int *out)
{
	const bool is_tcp = d->address.ss_family != AF_UNIX;
	int fd = socket(d->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int rc = is_tcp ? tcp_prepare(fd) : 0;
	passed_files_refuse(fd); // the receiver could pass files whose close delays the rows
	// A unix socket connects at once or fails (EAGAIN: its backlog is full).
	if (rc == 0 && connect(fd, (const struct sockaddr *)&d->address, d->address_len) < 0)
		rc = errno == EINPROGRESS ? connection_await(fd) : -errno;
	if (rc == 0)
		rc = control_send(fd, DNSTAP_READY);
	if (rc == 0)
		rc = control_await(fd, DNSTAP_ACCEPT);
	if (rc == 0)
		rc = control_send(fd, DNSTAP_START);
	if (rc < 0)
		close(fd);
	else
		*out = fd;
	return rc;
}

static void leave(struct dnstap *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

static void fail(struct dnstap *d, int err)
{
	leave(d);
	sink_thread_retry_after(&d->retry, clock_mono_ms());
	d->now.failures++;
	d->now.failing = true;
	d->now.retry_at_ms = d->retry.at_ms;
	snprintf(d->now.why, sizeof(d->now.why), "%s", strerror(-err));
	log_warning("dnstap: %s: %s; next try in %llu ms", d->now.target, d->now.why,
		(unsigned long long)d->retry.wait_ms);
}

// Deadline of one send. A slow receiver may delay the thread for each send, but at shutdown one
// deadline covers all.
static uint64_t send_until_ms(struct dnstap *d)
{
	uint64_t until_ms = clock_mono_ms() + DNSTAP_WAIT_MS;
	if (!*sink_thread_is_ending(d->thread))
		return until_ms;
	if (!d->end_ms)
		d->end_ms = until_ms;
	return d->end_ms;
}

static void flush(struct dnstap *d)
{
	if (d->rows == 0)
		return;
	int rc = d->fd < 0 ? -ENOTCONN : send_all(d->fd, d->buffer, d->used, send_until_ms(d));
	if (rc == 0) {
		d->now.written += d->rows;
		d->now.bytes += d->used;
		d->now.without_messages += d->without;
	} else {
		d->now.lost += d->rows;
		d->now.lost_weight += d->weight;
		if (d->fd >= 0)
			fail(d, rc);
	}
	d->used = d->rows = d->without = d->weight = 0;
}

static void on_take(void *arg, const struct querylog_batch *b)
{
	struct dnstap *d = arg;
	for (unsigned i = 0; i < b->count; i++) {
		if (sizeof(d->buffer) - d->used < DNSTAP_FRAME_MAX)
			flush(d);
		size_t len = dnstap_frame_row(
			&b->row[i], b->box, d->buffer + d->used, sizeof(d->buffer) - d->used);
		d->used += len;
		d->rows += len > 0;
		d->without += len > 0 && !dnstap_frame_is_whole(&b->row[i]);
		d->weight += len > 0 ? b->row[i].weight : 0;
		d->now.lost += len == 0;
		d->now.lost_weight += len == 0 ? b->row[i].weight : 0;
	}
	flush(d);
}

// Detects that the receiver is gone: it sends nothing between ACCEPT and FINISH, so bytes or an end
// of file end the connection.
static void look(struct dnstap *d)
{
	uint8_t byte;
	ssize_t n = recv(d->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	fail(d, n == 0 ? -ECONNRESET : n < 0 ? -errno : -EPROTO);
}

static void on_beat(void *arg, uint64_t now_ms)
{
	struct dnstap *d = arg;
	if (d->fd >= 0) {
		look(d);
	} else if (now_ms >= d->retry.at_ms && !*sink_thread_is_ending(d->thread)) {
		int rc = connect_to(d, &d->fd);
		if (rc < 0) {
			fail(d, rc);
		} else {
			d->retry = (struct sink_retry){0};
			d->now.failing = false;
			d->now.why[0] = '\0';
			log_info("dnstap: connected to %s", d->now.target);
		}
	}
	d->now.sockets = d->fd >= 0;
	sink_thread_show(d->thread, &d->now);
}

static void on_end(void *arg)
{
	struct dnstap *d = arg;
	if (d->fd >= 0 && control_send(d->fd, DNSTAP_STOP) == 0)
		(void)control_await(d->fd, DNSTAP_FINISH); // after FINISH the receiver has read all
	leave(d);
}

static int address_of(struct dnstap *d, const char *target)
{
	static const char tcp[] = "tcp:";
	struct sockaddr_un *own = (struct sockaddr_un *)&d->address;
	struct socket_address to;
	if (strncmp(target, tcp, sizeof(tcp) - 1) == 0)
		return socket_address_parse(target + sizeof(tcp) - 1, 0, &to) == 0
				       && socket_address_to_sockaddr(
					       &to, &d->address, &d->address_len)
			       ? 0
			       : -EINVAL;
	int n = snprintf(own->sun_path, sizeof(own->sun_path), "%s", target);
	own->sun_family = AF_UNIX;
	d->address_len = sizeof(*own);
	return n < 0 || (size_t)n >= sizeof(own->sun_path) ? -ENAMETOOLONG : 0;
}

int dnstap_open(struct dnstap **out, const char *target)
{
	struct dnstap *d = heap_calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->fd = -1;
	snprintf(d->now.target, sizeof(d->now.target), "%s", target);
	const struct sink_work work = {.name = "dnstap",
		.table = "log_dnstap_queue",
		.bytes = sizeof(*d),
		.take = on_take,
		.beat = on_beat,
		.end = on_end,
		.arg = d};
	int rc = address_of(d, target);
	if (rc == 0)
		rc = sink_thread_start(&d->thread, &work);
	if (rc < 0) {
		heap_free(d);
		return rc;
	}
	*out = d;
	return 0;
}

void dnstap_close(struct dnstap *d)
{
	if (!d)
		return;
	sink_thread_stop(d->thread);
	heap_free(d);
}

struct sink_thread *dnstap_thread(struct dnstap *d)
{
	return d->thread;
}
