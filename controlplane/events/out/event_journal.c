// SPDX-License-Identifier: BSD-3-Clause
#include "event_journal.h"

#include "event_out_text.h"
#include "event_sink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct event_journal {
	struct event_each each;
	struct sockaddr_un to;
	int fd; // -1: no socket
};

bool event_journal_has_stderr(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	struct stat st;
	char is[64];
	if (!text || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(
		is, sizeof(is), "%" PRIu64 ":%" PRIu64, (uint64_t)st.st_dev, (uint64_t)st.st_ino);
	return strcmp(is, text) == 0;
}

static int on_send(void *arg, const struct event_record *e)
{
	struct event_journal *j = arg;
	char text[EVENT_JOURNAL_MAX];
	if (j->fd < 0)
		j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (j->fd < 0)
		return -errno;
	j->each.now.sockets = 1;
	const size_t len = event_journal_text(e, text);
	const ssize_t sent = sendto(j->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&j->to, sizeof(j->to));
	return sent < 0 ? -errno : (int)sent;
}

static void socket_close(struct event_journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	j->each.now.sockets = 0;
}

static void on_apply(void *arg, const struct event_sink_settings *s)
{
	struct event_journal *j = arg;
	event_each_apply(&j->each, s->has_journal, s->newest);
	if (!s->has_journal)
		socket_close(j);
}

static bool on_beat(void *arg, uint64_t now_ms)
{
	struct event_journal *j = arg;
	return event_each_beat(&j->each, now_ms);
}

static void on_end(void *arg)
{
	struct event_journal *j = arg;
	(void)event_each_beat(&j->each, clock_mono_ms());
	socket_close(j);
	heap_free(j);
}

int event_journal_start(struct event_sink **out, struct events *events, const char *socket,
	const struct event_sink_settings *s)
{
	const char *path = socket ? socket : JOURNAL_SOCKET;
	struct event_journal *j = heap_calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->each = (struct event_each){
		.events = events, .name = "the journal", .send = on_send, .arg = j};
	j->fd = -1;
	j->to.sun_family = AF_UNIX;
	(void)snprintf(j->to.sun_path, sizeof(j->to.sun_path), "%s", path);
	(void)snprintf(j->each.now.target, sizeof(j->each.now.target), "%s", path);
	const struct event_sink_work work = {.name = "journal",
		.bytes = sizeof(*j),
		.apply = on_apply,
		.beat = on_beat,
		.end = on_end,
		.arg = j};
	int rc = event_sink_start(&j->each.sink, events, &work, s);
	if (rc < 0)
		heap_free(j);
	else
		*out = j->each.sink;
	return rc;
}
