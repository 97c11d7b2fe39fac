// SPDX-License-Identifier: BSD-3-Clause
#include "event_outs.h"

#include "base/json.h"
#include "event_out_text.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

// A thread that sends events to one kind of receiver, and may block. It has low priority, starts
// when the output is first turned on, and runs until the process ends.
//
// The ring of events is its queue: the sink has a position in the ring, and copies one event at a
// time. So the service loop waits for no sink. A receiver that was away gets the missed events once
// it is back; events that the ring has overwritten by then (EVENTS_MAX) are counted as lost.
//
// Who owns what: the service loop starts the thread, configures and stops it. All functions of
// `work` run on the thread.

enum {
	EVENT_SINK_BEAT_MS = 200,
	EVENT_SINK_REST_MS = 5000,
	EVENT_SINK_TURN_MS = 2000, // no event is begun later in a beat, or at the end
};

// Settings of all outputs; each output has a copy.
struct event_sink_settings {
	struct config_events config; // a copy, its texts included
	bool has_journal;
	uint64_t newest; // number of the newest event when these settings were made
	unsigned server_count;
	struct socket_address server[CONFIG_UPSTREAMS_MAX]; // servers that resolve names in URLs
};

struct event_sink_work {
	const char *name;
	size_t bytes; // bytes of the state of the sink
	// Applies settings, which stay valid until the next call. Called before `beat` and `end`.
	void (*apply)(void *arg, const struct event_sink_settings *s);
	// Sends what can be sent. True: events wait, and the next call comes within
	// EVENT_SINK_BEAT_MS. False: it comes with the next event, or within EVENT_SINK_REST_MS.
	bool (*beat)(void *arg, uint64_t now_ms);
	// The last call. May send waiting events, within its own deadline; frees `arg`.
	void (*end)(void *arg);
	void *arg;
};

struct event_sink {
	struct event_sink_work work;
	struct events *events;
	pthread_t thread;
	_Atomic bool is_ending;
	struct event_sink_settings *settings; // used by the thread alone
	pthread_mutex_t lock;                 // protects the fields below
	struct event_sink_settings *next;     // settings not applied yet; NULL: no new ones
	struct sink_status status;
};

static void settings_free(struct event_sink_settings *s)
{
	if (!s)
		return;
	for (unsigned i = 0; s->config.webhooks && i < s->config.webhook_count; i++) {
		FREE_AND_NULL(s->config.webhooks[i].to.url);
		FREE_AND_NULL(s->config.webhooks[i].to.ca_file);
	}
	FREE_AND_NULL(s->config.webhooks);
	FREE_AND_NULL(s->config.syslog);
	heap_free(s);
}

static bool webhooks_copy(struct config_events *to, const struct config_events *from)
{
	const size_t bytes = from->webhook_count * sizeof(*to->webhooks);
	to->webhooks = NULL;
	if (bytes == 0)
		return true;
	to->webhooks = heap_malloc(bytes);
	if (!to->webhooks)
		return false;
	memcpy(to->webhooks, from->webhooks, bytes);
	bool whole = true;
	for (unsigned i = 0; i < from->webhook_count; i++) {
		const struct config_webhook_to *w = &from->webhooks[i].to;
		struct config_webhook_to *copy = &to->webhooks[i].to;
		copy->url = heap_strdup(w->url);
		copy->ca_file = w->ca_file ? heap_strdup(w->ca_file) : NULL;
		whole &= copy->url && (copy->ca_file || !w->ca_file);
	}
	return whole;
}

static struct event_sink_settings *settings_copy(const struct event_sink_settings *s)
{
	struct event_sink_settings *copy = heap_malloc(sizeof(*copy));
	if (!copy)
		return NULL;
	*copy = *s;
	copy->config.syslog = heap_strdup(s->config.syslog);
	if (webhooks_copy(&copy->config, &s->config) && copy->config.syslog)
		return copy;
	settings_free(copy);
	return NULL;
}

static void settings_take(struct event_sink *k)
{
	pthread_mutex_lock(&k->lock);
	struct event_sink_settings *next = k->next;
	k->next = NULL;
	pthread_mutex_unlock(&k->lock);
	if (!next)
		return;
	k->work.apply(k->work.arg, next);
	settings_free(k->settings);
	k->settings = next;
}

static void *sink_run(void *arg)
{
	struct event_sink *k = arg;
	uint64_t newest = 0, pokes = events_pokes(k->events);
	thread_background();
	while (!atomic_load(&k->is_ending)) {
		settings_take(k);
		const bool waits = k->work.beat(k->work.arg, clock_mono_ms());
		newest = events_wait(
			k->events, newest, pokes, waits ? EVENT_SINK_BEAT_MS : EVENT_SINK_REST_MS);
		pokes = events_pokes(k->events);
	}
	atomic_store(&k->is_ending, false);
	k->work.end(k->work.arg);
	return NULL;
}

static void sink_free(struct event_sink *k)
{
	settings_free(k->settings);
	settings_free(k->next);
	pthread_mutex_destroy(&k->lock);
	heap_free(k);
}

// -ENOMEM, -errno of creating the thread. `work` and `s` are copied; `events` outlives the sink.
static int sink_begin(struct event_sink **out, struct events *events,
	const struct event_sink_work *work, const struct event_sink_settings *s)
{
	struct event_sink *k = heap_calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->work = *work;
	k->events = events;
	k->status.name = work->name;
	pthread_mutex_init(&k->lock, NULL);
	k->next = settings_copy(s);
	*out = k; // the thread may read *out
	int rc = k->next ? thread_start(&k->thread, "weir-events", sink_run, k) : -ENOMEM;
	if (rc == 0)
		return 0;
	*out = NULL;
	sink_free(k);
	return rc;
}

// Gives the sink new settings. -ENOMEM: it keeps the old ones.
static int sink_configure(struct event_sink *k, const struct event_sink_settings *s)
{
	struct event_sink_settings *next = settings_copy(s);
	if (!next)
		return -ENOMEM;
	pthread_mutex_lock(&k->lock);
	struct event_sink_settings *unused = k->next;
	k->next = next;
	pthread_mutex_unlock(&k->lock);
	settings_free(unused);
	events_poke(k->events);
	return 0;
}

// Ends the thread after its current call and `end`, and frees the sink. NULL is fine.
static void sink_stop(struct event_sink *k)
{
	if (!k)
		return;
	atomic_store(&k->is_ending, true);
	events_poke(k->events);
	pthread_join(k->thread, NULL);
	sink_free(k);
}

// Points to a flag that is true from the request to end until `end` is called, for waits that check
// one.
static const _Atomic bool *sink_is_ending(const struct event_sink *k)
{
	return &k->is_ending;
}

static size_t sink_bytes(const struct event_sink *k)
{
	return sizeof(*k) + sizeof(*k->settings) + k->work.bytes;
}

static void sink_show(struct event_sink *k, const struct sink_status *s)
{
	pthread_mutex_lock(&k->lock);
	k->status = *s;
	k->status.name = k->work.name;
	pthread_mutex_unlock(&k->lock);
}

static void sink_look(struct event_sink *k, struct sink_status *out)
{
	const uint64_t now_ms = clock_mono_ms();
	pthread_mutex_lock(&k->lock);
	*out = k->status;
	pthread_mutex_unlock(&k->lock);
	const bool waits = out->failing && out->retry_at_ms > now_ms;
	out->retry_in_ms = waits ? out->retry_at_ms - now_ms : 0;
}

// State of an output that sends events one by one, in their order: its position in the ring, and
// when to try again. A failed event is sent again 1 s to 60 s later, doubling; events that the ring
// has overwritten by then are counted as lost. The sink's thread alone.
struct event_each {
	struct event_sink *sink; // set by sink_begin
	struct events *events;
	const char *name;                                     // name in log lines
	int (*send)(void *arg, const struct event_record *e); // bytes sent, or -errno
	void *arg;
	bool is_on;
	uint64_t after; // number of the last event that was sent
	struct sink_retry retry;
	struct sink_status now; // the owner sets target and sockets
};

static void each_well(struct event_each *c)
{
	if (c->now.failing)
		log_info("events: %s takes them again", c->name);
	c->retry = (struct sink_retry){0};
	c->now.failing = false;
	c->now.why[0] = '\0';
}

static void each_failed(struct event_each *c, int rc)
{
	sink_thread_retry_after(&c->retry, clock_mono_ms());
	c->now.failures++;
	(void)snprintf(c->now.why, sizeof(c->now.why), "%s", strerror(-rc));
	if (!c->now.failing)
		log_warning("events: %s does not take them: %s; they wait", c->name, c->now.why);
	c->now.failing = true;
}

// Turns the output on or off. An output that is turned on begins behind `newest`.
static void each_apply(struct event_each *c, bool is_on, uint64_t newest)
{
	if (is_on && !c->is_on)
		c->after = newest;
	c->is_on = is_on;
	c->retry = (struct sink_retry){0};
	c->now.failing = false;
	c->now.why[0] = '\0';
}

// The `beat` of such an output, whose state begins with its event_each. Sends all waiting events,
// unless a wait after a failure is left. True: the last attempt failed, and events wait.
static bool each_beat(void *arg, uint64_t now_ms)
{
	struct event_each *c = arg;
	struct event_record e;
	uint64_t missed;
	if (!c->is_on) {
		sink_show(c->sink, &c->now);
		return false;
	}
	while (now_ms >= c->retry.at_ms && clock_mono_ms() < now_ms + EVENT_SINK_TURN_MS
		&& events_copy(c->events, c->after, &e, &missed)) {
		const int rc = c->send(c->arg, &e);
		if (rc < 0) {
			each_failed(c, rc);
			break;
		}
		each_well(c);
		c->now.lost += missed;
		c->now.written++;
		c->now.bytes += (uint64_t)rc;
		c->after = e.number;
	}
	c->now.retry_at_ms = c->now.failing ? c->retry.at_ms : 0;
	sink_show(c->sink, &c->now);
	return c->now.failing;
}

// Events as entries of systemd's journal, with fields: one datagram each to its socket, in the
// journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).
//
// Fields: MESSAGE (the event's text), PRIORITY (3, 4, 6), SYSLOG_IDENTIFIER=weir-events, WEIR_EVENT
// (its kind), WEIR_EVENT_NUMBER, WEIR_SEVERITY, and WEIR_NAME for each field NAME of the event. The
// identifier differs from that of the log, whose lines may report the same event: `journalctl -t
// weir-events` has events alone, and `-t weir-controlplane` the log.
//
// weir does not use libsystemd: sd_journal_sendv blocks while journald does not read, which would
// keep the process from ending, and needs a memfd or a temporary file if a datagram is too large.
// An event has under 4 KiB, and the protocol is one line for each field.
//
// If the socket is full, or nobody listens on it, weir sends the event 1 s to 60 s later, doubling.

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct event_journal {
	struct event_each each;
	struct sockaddr_un to;
	int fd; // -1: no socket
};
static_assert(offsetof(struct event_journal, each) == 0);

// Whether stderr is a stream of the journal, by $JOURNAL_STREAM.
static bool journal_has_stderr(void)
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

static int journal_send(void *arg, const struct event_record *e)
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

static void journal_close(struct event_journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	j->each.now.sockets = 0;
}

static void journal_apply(void *arg, const struct event_sink_settings *s)
{
	struct event_journal *j = arg;
	each_apply(&j->each, s->has_journal, s->newest);
	if (!s->has_journal)
		journal_close(j);
}

static void journal_end(void *arg)
{
	struct event_journal *j = arg;
	(void)each_beat(&j->each, clock_mono_ms());
	journal_close(j);
	heap_free(j);
}

// `socket` NULL: systemd's.
static int journal_start(struct event_sink **out, struct events *events, const char *socket,
	const struct event_sink_settings *s)
{
	const char *path = socket ? socket : JOURNAL_SOCKET;
	struct event_journal *j = heap_calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->each = (struct event_each){
		.events = events, .name = "the journal", .send = journal_send, .arg = j};
	j->fd = -1;
	j->to.sun_family = AF_UNIX;
	(void)snprintf(j->to.sun_path, sizeof(j->to.sun_path), "%s", path);
	(void)snprintf(j->each.now.target, sizeof(j->each.now.target), "%s", path);
	const struct event_sink_work work = {.name = "journal",
		.bytes = sizeof(*j),
		.apply = journal_apply,
		.beat = each_beat,
		.end = journal_end,
		.arg = j};
	int rc = sink_begin(&j->each.sink, events, &work, s);
	if (rc < 0)
		heap_free(j);
	else
		*out = j->each.sink;
	return rc;
}

// Events for a syslog server (RFC 5424): over UDP each event is a datagram (RFC 5426), over TCP its
// length precedes it (RFC 6587). Nothing is encrypted.
//
// A message has facility daemon, the kind as message id, and the event's number, severity and
// fields as structured data of `event@32473`. 32473 is the enterprise number that RFC 5612 reserves
// for documentation; weir has no number. A control character becomes a question mark.
//
// A server that refuses (ICMP, a reset) or accepts nothing for EVENT_SYSLOG_WAIT_MS gets the event
// later (event_each). With UDP the refusal of a datagram shows when the next one is sent; weir
// then sends both again. weir does not learn of datagrams that the network loses, nor of events in
// a TCP connection that breaks, and does not count them.

enum { SYSLOG_LOOK_MS = 200, SYSLOG_READS_MAX = 4 }; // SYSLOG_READS_MAX: reads before an event

struct event_syslog {
	struct event_each each;
	const char *box;
	struct socket_address to;
	bool is_tcp, was_sent; // was_sent: a datagram was sent whose error may come later
	uint64_t before;       // position in the ring before that datagram
	int fd;                // -1: no socket
};
static_assert(offsetof(struct event_syslog, each) == 0);

static void syslog_hang_up(struct event_syslog *y)
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
	const _Atomic bool *is_ending = sink_is_ending(y->each.sink);
	while (clock_mono_ms() - since_ms < EVENT_SYSLOG_WAIT_MS) {
		struct pollfd p = {.fd = y->fd, .events = POLLOUT};
		const int n = poll(&p, 1, SYSLOG_LOOK_MS);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (atomic_load(is_ending))
			return -ECANCELED;
	}
	return -ETIMEDOUT;
}

static int syslog_connect(struct event_syslog *y)
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

// Whether the server has closed the connection. It may send more bytes than SYSLOG_READS_MAX reads
// take.
static bool syslog_is_gone(const struct event_syslog *y)
{
	char bytes[4096];
	ssize_t n = 1;
	for (unsigned i = 0; i < SYSLOG_READS_MAX && n > 0; i++)
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

static int syslog_send(void *arg, const struct event_record *e)
{
	struct event_syslog *y = arg;
	char text[EVENT_SYSLOG_MAX], framed[EVENT_SYSLOG_MAX + 8];
	const size_t len = event_syslog_text(e, y->box, (unsigned)getpid(), text);
	int rc = 0;
	if (y->fd >= 0 && y->is_tcp && syslog_is_gone(y))
		syslog_hang_up(y);
	if (y->fd < 0)
		rc = syslog_connect(y);
	if (rc == 0 && y->is_tcp) {
		const int n = snprintf(framed, sizeof(framed), "%zu %.*s", len, (int)len, text);
		rc = stream_send(y, framed, (size_t)n);
	} else if (rc == 0) {
		rc = datagram_send(y, text, len);
	}
	if (rc < 0)
		syslog_hang_up(y);
	return rc;
}

static void syslog_apply(void *arg, const struct event_sink_settings *s)
{
	struct event_syslog *y = arg;
	struct sink_status *now = &y->each.now;
	syslog_hang_up(y);
	y->to = s->config.syslog_address;
	y->is_tcp = s->config.syslog_transport == EVENTS_SYSLOG_TCP;
	(void)snprintf(now->target, sizeof(now->target), "%s%s", s->config.syslog,
		y->is_tcp ? " over TCP" : "");
	each_apply(&y->each, *s->config.syslog != '\0', s->newest);
}

static void syslog_end(void *arg)
{
	struct event_syslog *y = arg;
	(void)each_beat(&y->each, clock_mono_ms());
	syslog_hang_up(y);
	heap_free(y);
}

static int syslog_start(struct event_sink **out, struct events *events, const char *box,
	const struct event_sink_settings *s)
{
	struct event_syslog *y = heap_calloc(1, sizeof(*y));
	if (!y)
		return -ENOMEM;
	y->each = (struct event_each){
		.events = events, .name = "the syslog server", .send = syslog_send, .arg = y};
	y->box = box;
	y->fd = -1;
	const struct event_sink_work work = {.name = "syslog",
		.bytes = sizeof(*y),
		.apply = syslog_apply,
		.beat = each_beat,
		.end = syslog_end,
		.arg = y};
	int rc = sink_begin(&y->each.sink, events, &work, s);
	if (rc < 0)
		heap_free(y);
	else
		*out = y->each.sink;
	return rc;
}

// Messages about events to webhooks: up to EVENT_WEBHOOK_EVENTS_MAX events in a POST, which
// webhook.h sends and limits. A target chooses kinds and the least severity.
//
// Each target has a position of its own in the ring. Events between two messages go into the next
// one. A failed message is made again from the ring, with the events that came since. Events that
// the ring has overwritten by then are counted as lost, and the message has their number. A message
// whose reply was lost may arrive twice: its events have numbers. At shutdown the current message
// is aborted, and targets that do not fail get the waiting events, for WEBHOOK_END_MS in all.

enum { EVENT_WEBHOOK_EVENTS_MAX = 8 };

struct target {
	const struct config_event_webhook *config;
	struct webhook_post to;
	uint64_t after; // number of the last event that the target got or does not want
};

// The events of a message.
struct batch {
	struct event_record event[EVENT_WEBHOOK_EVENTS_MAX];
	unsigned count;
	uint64_t missed;
	uint64_t after; // number of the last event read
};

struct event_webhook {
	struct event_sink *sink;
	struct events *events;
	const char *box;
	const _Atomic bool *single;
	unsigned count;
	struct target target[CONFIG_WEBHOOKS_MAX];
	struct batch batch; // events of the message being made
	struct sink_status now;
};

static bool wants(const struct config_event_webhook *c, const struct event_record *e)
{
	return (c->kinds & (UINT32_C(1) << e->kind)) && e->severity >= c->severity;
}

// Collects the next events that the target wants. False: no such event.
static bool batch_fill(struct event_webhook *w, const struct target *t)
{
	struct batch *b = &w->batch;
	struct event_record e;
	uint64_t missed;
	*b = (struct batch){.after = t->after};
	while (b->count < EVENT_WEBHOOK_EVENTS_MAX
		&& events_copy(w->events, b->after, &e, &missed)) {
		b->missed += missed;
		b->after = e.number;
		if (wants(t->config, &e))
			b->event[b->count++] = e;
	}
	return b->count > 0;
}

static char *batch_discord(const struct event_webhook *w)
{
	const struct batch *b = &w->batch;
	struct webhook_content c = {0};
	char text[EVENT_TEXT_MAX];
	webhook_content_line(&c, "**%s**\n", w->box);
	if (b->missed)
		webhook_content_line(&c, "%" PRIu64 " events missed\n", b->missed);
	for (unsigned i = 0; i < b->count; i++)
		webhook_content_line(&c, "%s %s: `%s`\n",
			event_severity_names[b->event[i].severity],
			event_kind_names[b->event[i].kind],
			webhook_harmless(b->event[i].text, text, sizeof(text)));
	return webhook_discord(&c);
}

static char *batch_text(const struct event_webhook *w, enum webhook_form form)
{
	const struct batch *b = &w->batch;
	if (form == WEBHOOK_DISCORD)
		return batch_discord(w);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "kind", "events");
	json_out_text(o, root, "box", w->box);
	json_out_count(o, root, "missed", b->missed);
	struct json_node *list = json_out_array(o, root, "events");
	for (unsigned i = 0; i < b->count; i++)
		event_json(o, json_out_object(o, list, NULL), &b->event[i]);
	return json_out_finish(o);
}

// Sends the next message to a target. True: it was sent, or failed. False: no event for it. `after`
// moves past events that the target does not want, too.
static bool tell(struct event_webhook *w, struct target *t, uint64_t now_ms, unsigned timeout_ms)
{
	if (!batch_fill(w, t)) {
		w->now.lost += w->batch.missed;
		t->after = w->batch.after;
		return false;
	}
	char *text = batch_text(w, t->config->to.form);
	if (text && webhook_post_send(&t->to, text, now_ms, timeout_ms, &w->now)) {
		w->now.lost += w->batch.missed;
		t->after = w->batch.after;
	}
	heap_free(text);
	return true;
}

// The status shows the failing target that is tried next.
static bool webhooks_show(struct event_webhook *w)
{
	const struct webhook_post *next = NULL;
	for (unsigned i = 0; i < w->count; i++) {
		const struct webhook_post *to = &w->target[i].to;
		if (to->retry.wait_ms && (!next || to->retry.at_ms < next->retry.at_ms))
			next = to;
	}
	w->now.failing = next != NULL;
	(void)snprintf(w->now.why, sizeof(w->now.why), "%s", next ? next->why : "");
	w->now.retry_at_ms = next ? next->retry.at_ms : 0;
	sink_show(w->sink, &w->now);
	return next != NULL;
}

// Sends at most one message to each target, because other targets wait while a slow one is served.
static bool webhooks_beat(void *arg, uint64_t now_ms)
{
	struct event_webhook *w = arg;
	bool waits = false;
	for (unsigned i = 0; i < w->count; i++) {
		struct target *t = &w->target[i];
		if (webhook_post_may_send(&t->to, now_ms))
			waits |= tell(w, t, now_ms, WEBHOOK_TIMEOUT_MS);
		else
			waits |= batch_fill(w, t);
	}
	return webhooks_show(w) || waits;
}

static void targets_close(struct event_webhook *w)
{
	for (unsigned i = 0; i < w->count; i++)
		webhook_post_close(&w->target[i].to);
	w->count = 0;
}

// The targets of before the new settings; a new target takes one, once.
struct targets_before {
	struct target target[CONFIG_WEBHOOKS_MAX];
	bool is_taken[CONFIG_WEBHOOKS_MAX];
	unsigned count;
};

// Two targets may have one URL.
static const struct target *target_take(
	struct targets_before *b, const struct config_event_webhook *c, bool is_exact)
{
	for (unsigned i = 0; i < b->count; i++) {
		const struct config_event_webhook *was = b->target[i].config;
		if (b->is_taken[i] || strcmp(was->to.url, c->to.url) != 0
			|| (is_exact
				&& (was->kinds != c->kinds || was->severity != c->severity
					|| was->to.form != c->to.form)))
			continue;
		b->is_taken[i] = true;
		return &b->target[i];
	}
	return NULL;
}

// The target of this URL that is furthest behind, taken or not: an event that no new target of the
// URL has sent may be for each of them.
static const struct target *target_furthest(const struct targets_before *b, const char *url)
{
	const struct target *t = NULL;
	for (unsigned i = 0; i < b->count; i++)
		if (strcmp(b->target[i].config->to.url, url) == 0
			&& (!t || b->target[i].after < t->after))
			t = &b->target[i];
	return t;
}

static void target_open(struct event_webhook *w, const struct config_event_webhook *c,
	const struct target *before, uint64_t newest, const struct http_post_settings *post)
{
	struct target *t = &w->target[w->count];
	*t = (struct target){.config = c, .after = before ? before->after : newest};
	if (webhook_post_open(&t->to, &c->to, post) < 0) {
		log_error("events: no memory for webhook %s; it gets none", t->to.shown);
		return;
	}
	if (before)
		webhook_post_follow(&t->to, &before->to);
	w->count++;
}

// A target whose URL was configured before goes on where it was in the ring, after its wait: that
// of the same other settings, or else another one, which a webhook that was split in two has twice.
static void webhooks_apply(void *arg, const struct event_sink_settings *s)
{
	struct event_webhook *w = arg;
	struct targets_before b = {.count = w->count};
	const struct target *before[CONFIG_WEBHOOKS_MAX];
	const struct config_event_webhook *c = s->config.webhooks;
	const unsigned count = s->config.webhook_count;
	const struct http_post_settings post = {.server_count = s->server_count,
		.servers = s->server,
		.single = w->single,
		.stop = sink_is_ending(w->sink)};
	targets_close(w);
	memcpy(b.target, w->target, sizeof(b.target));
	for (unsigned i = 0; i < count; i++)
		before[i] = target_take(&b, &c[i], true);
	for (unsigned i = 0; i < count; i++)
		if (!before[i])
			before[i] = target_take(&b, &c[i], false);
	for (unsigned i = 0; i < count; i++)
		if (!before[i])
			before[i] = target_furthest(&b, c[i].to.url);
	for (unsigned i = 0; i < count; i++)
		target_open(w, &c[i], before[i], s->newest, &post);
	(void)snprintf(w->now.target, sizeof(w->now.target), "%u targets", w->count);
}

static void webhooks_end(void *arg)
{
	struct event_webhook *w = arg;
	const uint64_t until_ms = clock_mono_ms() + WEBHOOK_END_MS;
	uint64_t now_ms;
	for (unsigned i = 0; i < w->count; i++) {
		struct target *t = &w->target[i];
		while ((now_ms = clock_mono_ms()) < until_ms && webhook_post_has_room(&t->to)
			&& tell(w, t, now_ms, (unsigned)(until_ms - now_ms)))
			;
	}
	targets_close(w);
	heap_free(w);
}

static int webhooks_start(struct event_sink **out, struct events *events, const char *box,
	const _Atomic bool *single, const struct event_sink_settings *s)
{
	struct event_webhook *w = heap_calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->events = events;
	w->box = box;
	w->single = single;
	const struct event_sink_work work = {.name = "webhooks",
		.bytes = sizeof(*w),
		.apply = webhooks_apply,
		.beat = webhooks_beat,
		.end = webhooks_end,
		.arg = w};
	int rc = sink_begin(&w->sink, events, &work, s);
	if (rc < 0)
		heap_free(w);
	else
		*out = w->sink;
	return rc;
}

struct event_outs {
	struct event_outs_settings settings;
	bool is_on[EVENT_OUTS];
	int err[EVENT_OUTS]; // why the output lacks the last settings; 0: it has them
	struct event_sink *sink[EVENT_OUTS]; // NULL: the output was never on, or could not start
	bool is_journal;                     // stderr is a stream of the journal
};

int event_outs_open(struct event_outs **out, const struct event_outs_settings *s)
{
	struct event_outs *o = heap_calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->settings = *s;
	o->is_journal = journal_has_stderr();
	*out = o;
	return 0;
}

static int out_start(
	struct event_outs *o, enum event_out which, const struct event_sink_settings *s)
{
	const struct event_outs_settings *own = &o->settings;
	struct event_sink **sink = &o->sink[which];
	if (which == EVENT_OUT_JOURNAL)
		return journal_start(sink, own->events, own->journal_socket, s);
	if (which == EVENT_OUT_SYSLOG)
		return syslog_start(sink, own->events, own->box, s);
	return webhooks_start(sink, own->events, own->box, own->single, s);
}

int event_outs_configure(struct event_outs *o, bool is_changed, const struct config_events *c,
	const struct socket_address *servers, unsigned count)
{
	struct event_sink_settings s = {.config = *c,
		.has_journal = c->journal == EVENTS_JOURNAL_ON
			       || (c->journal == EVENTS_JOURNAL_AUTO && o->is_journal),
		.newest = events_newest(o->settings.events)};
	int first = 0;
	for (unsigned i = 0; i < count && i < CONFIG_UPSTREAMS_MAX; i++)
		s.server[s.server_count++] = servers[i];
	o->is_on[EVENT_OUT_JOURNAL] = s.has_journal;
	o->is_on[EVENT_OUT_SYSLOG] = *c->syslog != '\0';
	o->is_on[EVENT_OUT_WEBHOOKS] = c->webhook_count > 0;
	for (unsigned i = 0; i < EVENT_OUTS; i++) {
		if (!is_changed && o->err[i] == 0)
			continue;
		o->err[i] = 0;
		if (o->sink[i])
			o->err[i] = sink_configure(o->sink[i], &s);
		else if (o->is_on[i])
			o->err[i] = out_start(o, (enum event_out)i, &s);
		first = first ? first : o->err[i];
	}
	return first;
}

void event_outs_close(struct event_outs *o)
{
	if (!o)
		return;
	for (unsigned i = 0; i < EVENT_OUTS; i++)
		sink_stop(o->sink[i]);
	heap_free(o);
}

// An output that does not run, or with former settings.
static void behind_status(const struct event_outs *o, unsigned i, struct sink_status *out)
{
	static const char *const names[EVENT_OUTS] = {"journal", "syslog", "webhooks"};
	*out = (struct sink_status){.name = names[i]};
	if (o->sink[i])
		sink_look(o->sink[i], out);
	out->failing = true;
	snprintf(out->why, sizeof(out->why), "%s: %s; weirctl config reload tries again",
		o->sink[i] ? "it runs with its former settings" : "it could not start",
		strerror(-o->err[i]));
}

unsigned event_outs_status(struct event_outs *o, struct sink_status out[EVENT_OUTS])
{
	unsigned n = 0;
	for (unsigned i = 0; o && i < EVENT_OUTS; i++) {
		if (o->err[i])
			behind_status(o, i, &out[n++]);
		else if (o->is_on[i] && o->sink[i])
			sink_look(o->sink[i], &out[n++]);
	}
	return n;
}

void event_outs_tables(struct event_outs *o, struct table_registry *tables)
{
	uint64_t bytes = sizeof(*o), descriptors = 0;
	unsigned used = 0;
	for (unsigned i = 0; i < EVENT_OUTS; i++) {
		struct sink_status s;
		if (!o->sink[i])
			continue;
		sink_look(o->sink[i], &s);
		used++;
		bytes += sink_bytes(o->sink[i]);
		descriptors += s.sockets;
	}
	table_register(tables, &(struct table_info){.name = "event_outputs",
				       .owner = "events",
				       .eviction = "the ring overwrites the oldest, counted",
				       .lifetime = "life of the process",
				       .kind = TABLE_FIXED,
				       .cap = EVENT_OUTS,
				       .used = used,
				       .high = used,
				       .descriptors = descriptors,
				       .bytes = bytes});
}
