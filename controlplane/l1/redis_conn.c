// SPDX-License-Identifier: BSD-3-Clause

#include "redis_conn.h"

#include <event2/event.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/text.h>

enum login_step { STEP_AUTH, STEP_SELECT, STEP_ROLE, STEP_NAME };

static int step_write(
	struct redis_conn *c, enum login_step step, const char *const *words, unsigned count)
{
	struct redis_command command = {.count = count};
	for (unsigned i = 0; i < count; i++)
		command.word[i] = (struct redis_word){words[i], strlen(words[i])};
	char *at = redis_conn_take(c, NULL, redis_command_size(&command));
	if (!at)
		return -ENOMEM;
	(void)redis_command_write(&command, at);
	c->step[c->steps++] = (uint8_t)step;
	c->login_end = c->given;
	return 0;
}

static int login_write(struct redis_conn *c, const struct redis_login *login)
{
	char db[16];
	c->steps = c->step_at = 0;
	int rc = 0;
	if (login->password[0] && login->username[0])
		rc = step_write(c, STEP_AUTH,
			(const char *[]){"AUTH", login->username, login->password}, 3);
	else if (login->password[0])
		rc = step_write(c, STEP_AUTH, (const char *[]){"AUTH", login->password}, 2);
	if (rc == 0 && login->db > 0) {
		snprintf(db, sizeof(db), "%u", login->db);
		rc = step_write(c, STEP_SELECT, (const char *[]){"SELECT", db}, 2);
	}
	if (rc == 0 && login->master)
		rc = step_write(c, STEP_ROLE, (const char *[]){"ROLE"}, 1);
	if (rc == 0)
		rc = step_write(c, STEP_NAME, (const char *[]){"CLIENT", "SETNAME", "weir"}, 3);
	return rc;
}

static const char *auth_error(const char *text)
{
	static const char *const known[] = {"WRONGPASS", "NOAUTH", "NOPERM", "LOADING", "ERR"};
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strncmp(text, known[i], strlen(known[i])) == 0)
			return known[i];
	}
	return "an error";
}

static bool is_master(const struct redis_reply *reply)
{
	size_t len;
	const struct redis_reply *role = redis_reply_at(reply, 0);
	const char *text = role ? redis_reply_text(role, &len) : NULL;
	return text && len == strlen("master") && memcmp(text, "master", len) == 0;
}

// Checks the reply to the next step of the log-in. False: refused, `why` filled in. The server's
// text after AUTH is not logged, since a hostile server could quote the password.
static bool login_check(
	struct redis_conn *c, const struct redis_reply *reply, char why[REDIS_WHY_MAX])
{
	enum login_step step = c->step[c->step_at++];
	size_t len;
	const char *text = redis_reply_text(reply, &len);
	bool error = redis_reply_kind(reply) == REDIS_ERROR;
	if (error && step == STEP_AUTH) {
		snprintf(why, REDIS_WHY_MAX, "log-in refused: %s", auth_error(text));
		return false;
	}
	if (step == STEP_ROLE && !error && !is_master(reply)) {
		snprintf(why, REDIS_WHY_MAX, "is not a master");
		return false;
	}
	// A server that forbids ROLE or CLIENT may still serve. NOAUTH at any step means that it
	// needs a password that is not configured.
	bool refused = error
		       && (step == STEP_SELECT || strncmp(text, "NOAUTH", 6) == 0
			       || strncmp(text, "LOADING", 7) == 0);
	if (refused) {
		char shown[REDIS_WHY_MAX - 16];
		snprintf(
			why, REDIS_WHY_MAX, "refused: %s", text_escape(text, shown, sizeof(shown)));
	}
	return !refused;
}

enum { READ_SIZE = 16 << 10, READS_PER_TURN = 4 };

static const char unasked[] = "a reply that was not asked for";

static void on_io(evutil_socket_t fd, short what, void *arg);
static void on_flush(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);

void redis_conn_init(struct redis_conn *c, struct event_base *base,
	const struct redis_conn_ops *ops, void *owner, struct redis_buffers *buffers)
{
	*c = (struct redis_conn){.ops = ops,
		.owner = owner,
		.base = base,
		.buffers = buffers,
		.fd = -1,
		.generation = c->generation + 1};
	c->last = &c->first;
	event_assign(&c->flush, base, -1, 0, on_flush, c);
	event_assign(&c->timer, base, -1, 0, on_timer, c);
}

static void timer_arm(struct redis_conn *c, uint64_t at_ms, uint64_t now_ms)
{
	if (c->armed_ms != 0 && c->armed_ms <= at_ms)
		return;
	uint64_t wait = at_ms > now_ms ? at_ms - now_ms : 1;
	struct timeval tv = {
		.tv_sec = (time_t)(wait / 1000), .tv_usec = (suseconds_t)(wait % 1000 * 1000)};
	c->armed_ms = at_ms;
	event_add(&c->timer, &tv);
}

static int io_wait(struct redis_conn *c, bool writing)
{
	event_del(&c->io);
	short what = EV_READ | EV_PERSIST | (writing ? EV_WRITE : 0);
	event_assign(&c->io, c->base, c->fd, what, on_io, c);
	c->writing = writing;
	return event_add(&c->io, NULL) < 0 ? -ENOMEM : 0;
}

// Closes the socket without notifying anyone. Returns the waiting calls.
static struct redis_call *conn_reset(struct redis_conn *c)
{
	struct redis_call *calls = c->first;
	if (c->fd >= 0) {
		event_del(&c->io);
		close(c->fd);
	}
	event_del(&c->flush);
	event_del(&c->timer);
	c->armed_ms = 0;
	c->fd = -1;
	c->state = REDIS_CONN_CLOSED;
	c->generation++;
	c->first = NULL;
	c->last = &c->first;
	c->calls = 0;
	c->buffers->unsent -= c->out.tail - c->out.head;
	redis_out_free(&c->out, &c->buffers->growth);
	redis_reader_free(c->reader);
	c->reader = NULL;
	return calls;
}

static void calls_end(struct redis_conn *c, struct redis_call *call, uint64_t sent,
	enum redis_end unless_sent, enum redis_end if_sent)
{
	while (call) {
		struct redis_call *next = call->next;
		enum redis_end end = call->large ? REDIS_LARGE : if_sent;
		if (c->ops->end)
			c->ops->end(c, call, call->start < sent ? end : unless_sent);
		call = next;
	}
}

static void conn_fail(struct redis_conn *c, const char *why)
{
	bool was_up = c->state == REDIS_CONN_UP;
	uint64_t sent = was_up ? c->sent : 0;
	struct redis_call *calls = conn_reset(c);
	c->ops->down(c, was_up, why);
	calls_end(c, calls, sent, REDIS_AWAY, REDIS_LOST);
}

void redis_conn_close(struct redis_conn *c, enum redis_end end)
{
	if (c->state != REDIS_CONN_CLOSED)
		calls_end(c, conn_reset(c), UINT64_MAX, end, end);
}

static int conn_connect(struct redis_conn *c, const struct socket_address *to)
{
	struct sockaddr_storage peer;
	socklen_t len;
	if (!socket_address_to_sockaddr(to, &peer, &len))
		return -EAFNOSUPPORT;
	c->fd = socket(peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	event_assign(&c->io, c->base, c->fd, EV_READ, on_io, c);
	int one = 1;
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (const struct sockaddr *)&peer, len) < 0 && errno != EINPROGRESS)
		return -errno;
	return io_wait(c, true);
}

int redis_conn_open(struct redis_conn *c, const struct redis_login *login)
{
	assert(c->state == REDIS_CONN_CLOSED);
	uint64_t now = clock_mono_ms();
	c->state = REDIS_CONN_CONNECTING;
	c->given = c->sent = 0;
	c->opened_ms = c->used_ms = c->read_ms = now;
	size_t most = c->ops->push ? REDIS_PUSH_MAX : REDIS_REPLY_MAX;
	int rc = redis_reader_new(&c->reader, most, &c->buffers->growth);
	if (rc == 0)
		rc = login_write(c, login);
	if (rc == 0)
		rc = conn_connect(c, &login->address);
	if (rc < 0) {
		(void)!conn_reset(c);
		return rc;
	}
	timer_arm(c, now + REDIS_CONNECT_MS, now);
	return 0;
}

char *redis_conn_take(struct redis_conn *c, struct redis_call *call, size_t len)
{
	char *at = redis_out_take(&c->out, len, &c->buffers->growth);
	if (!at)
		return NULL;
	c->buffers->unsent += len;
	if (call) {
		uint64_t now = clock_mono_ms();
		call->start = c->given;
		call->late = call->large = false;
		call->next = NULL;
		*c->last = call;
		c->last = &call->next;
		c->calls++;
		c->used_ms = now;
		timer_arm(c, call->deadline_ms, now);
	}
	c->given += len;
	if (c->state == REDIS_CONN_UP && !c->writing)
		event_active(&c->flush, EV_WRITE, 0);
	return at;
}

// 0: all that may be sent was sent, or the socket is full; -errno.
static int conn_send(struct redis_conn *c)
{
	for (;;) {
		size_t len = c->out.tail - c->out.head;
		if (c->state != REDIS_CONN_UP)
			len = (size_t)(c->login_end - c->sent);
		if (len == 0)
			return c->writing ? io_wait(c, false) : 0;
		ssize_t n =
			send(c->fd, c->out.base + c->out.head, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return c->writing ? 0 : io_wait(c, true);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			c->sent += (size_t)n;
			c->buffers->unsent -= (size_t)n;
			redis_out_sent(&c->out, (size_t)n, &c->buffers->growth);
		}
	}
}

static void on_flush(evutil_socket_t, short, void *arg)
{
	struct redis_conn *c = arg;
	int rc = conn_send(c);
	if (rc < 0)
		conn_fail(c, strerror(-rc));
}

// True: the connection is still open.
static bool login_reply(struct redis_conn *c, const struct redis_reply *reply)
{
	char why[REDIS_WHY_MAX];
	if (!login_check(c, reply, why)) {
		conn_fail(c, why);
		return false;
	}
	if (c->step_at < c->steps)
		return true;
	c->state = REDIS_CONN_UP;
	unsigned generation = c->generation;
	if (c->ops->up)
		c->ops->up(c);
	if (c->generation == generation && c->out.tail > c->out.head && !c->writing)
		event_active(&c->flush, EV_WRITE, 0);
	return c->generation == generation;
}

// Whether the server may send now: a reply to the log-in or to a call that was sent, or a push.
static bool is_reply_due(const struct redis_conn *c)
{
	return c->state != REDIS_CONN_UP || c->ops->push || (c->first && c->first->start < c->sent);
}

// True: the connection is still open.
static bool one_reply(struct redis_conn *c, const struct redis_reply *reply)
{
	struct redis_call *call = c->first;
	if (c->state != REDIS_CONN_UP)
		return login_reply(c, reply);
	if (!is_reply_due(c)) {
		conn_fail(c, unasked);
		return false;
	}
	unsigned generation = c->generation;
	if (!call) {
		c->ops->push(c, reply);
		return c->generation == generation;
	}
	if (--call->left == 0) {
		c->first = call->next;
		if (!c->first)
			c->last = &c->first;
		c->calls--;
	}
	c->ops->reply(c, call, reply);
	return c->generation == generation;
}

// 0: no more to read at present; 1: the connection was closed; -errno.
static int conn_read(struct redis_conn *c)
{
	char buf[READ_SIZE];
	const struct redis_reply *reply;
	for (unsigned turn = 0; turn < READS_PER_TURN; turn++) {
		ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == 0)
			return -EPIPE;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		c->read_ms = clock_mono_ms();
		int rc = redis_reader_feed(c->reader, buf, (size_t)n);
		while (rc == 0 && (rc = redis_reader_next(c->reader, &reply)) == 1) {
			if (!one_reply(c, reply))
				return 1;
			rc = 0;
		}
		if (rc == -EMSGSIZE && c->first)
			c->first->large = true;
		if (rc < 0)
			return rc;
		// An idle connection must not collect a reply that may never end.
		if (redis_reader_is_midway(c->reader) && !is_reply_due(c)) {
			conn_fail(c, unasked);
			return 1;
		}
		if ((size_t)n < sizeof(buf))
			return 0;
	}
	return 0;
}

static const char *failure_text(int rc)
{
	switch (rc) {
	case -EPIPE:
		return "closed by the server";
	case -EBADMSG:
		return "not a Redis reply";
	case -EMSGSIZE:
		return "a reply that is too large";
	default:
		return strerror(-rc);
	}
}

static int connected(struct redis_conn *c)
{
	int err = 0;
	socklen_t len = sizeof(err);
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -errno;
	if (err == 0)
		c->state = REDIS_CONN_LOGIN;
	return -err;
}

static void on_io(evutil_socket_t, short what, void *arg)
{
	struct redis_conn *c = arg;
	int rc = 0;
	if (c->state == REDIS_CONN_CONNECTING)
		rc = connected(c);
	if (rc == 0 && (what & EV_WRITE))
		rc = conn_send(c);
	if (rc == 0 && (what & EV_READ))
		rc = conn_read(c);
	if (rc < 0)
		conn_fail(c, failure_text(rc));
}

// Notifies the owners of late calls. Returns the earliest deadline of the other calls, or
// UINT64_MAX; 0: the connection was closed.
static uint64_t calls_expire(struct redis_conn *c, uint64_t now)
{
	uint64_t next = UINT64_MAX;
	unsigned generation = c->generation;
	for (struct redis_call *call = c->first; call; call = call->next) {
		if (!call->late && call->deadline_ms <= now) {
			call->late = true;
			c->ops->late(c, call);
			if (c->generation != generation)
				return 0;
		}
		if (!call->late && call->deadline_ms < next)
			next = call->deadline_ms;
	}
	return next;
}

// When the connection itself is overdue; 0: it has failed.
static uint64_t conn_overdue(struct redis_conn *c, uint64_t now)
{
	if (c->state != REDIS_CONN_UP) {
		if (now >= c->opened_ms + REDIS_CONNECT_MS) {
			conn_fail(c, c->state == REDIS_CONN_LOGIN ? "no answer to the log-in"
								  : "no answer to the connect");
			return 0;
		}
		return c->opened_ms + REDIS_CONNECT_MS;
	}
	if (c->first && c->first->late) {
		if (now >= c->first->deadline_ms + REDIS_STUCK_MS) {
			conn_fail(c, "no replies");
			return 0;
		}
		return c->first->deadline_ms + REDIS_STUCK_MS;
	}
	if (c->first)
		return UINT64_MAX;
	uint64_t idle_ms = now > c->used_ms ? now - c->used_ms : 0;
	redis_out_idle(&c->out, idle_ms, &c->buffers->growth);
	redis_reader_idle(c->reader, idle_ms);
	if (idle_ms < GROWTH_IDLE_MS)
		return c->used_ms + GROWTH_IDLE_MS;
	if (c->ops->push)
		return UINT64_MAX;
	if (now >= c->used_ms + REDIS_IDLE_MS) {
		redis_conn_close(c, REDIS_LOST);
		return 0;
	}
	return c->used_ms + REDIS_IDLE_MS;
}

static void on_timer(evutil_socket_t, short, void *arg)
{
	struct redis_conn *c = arg;
	uint64_t now = clock_mono_ms();
	c->armed_ms = 0;
	uint64_t next = calls_expire(c, now);
	uint64_t own = next == 0 ? 0 : conn_overdue(c, now);
	if (own == 0)
		return;
	if (own < next)
		next = own;
	if (next == UINT64_MAX)
		next = now + REDIS_IDLE_MS;
	timer_arm(c, next, now);
}

size_t redis_conn_bytes(const struct redis_conn *c)
{
	return c->out.cap + (c->reader ? redis_reader_bytes(c->reader) : 0);
}
