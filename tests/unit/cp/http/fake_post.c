// SPDX-License-Identifier: BSD-3-Clause
#include "fake_post.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

enum { HEAD_MAX = 8192, LOOK_MS = 5 };

struct talk {
	struct fake_post *server;
	int fd;
	char head[HEAD_MAX];
	size_t got; // of the head, and what came along behind it
};

// Bytes read; 0: the client or the test ended it.
static size_t hear(struct talk *t, void *out, size_t cap)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};
	while (!t->server->stop) {
		if (poll(&p, 1, LOOK_MS) <= 0)
			continue;
		ssize_t n = recv(t->fd, out, cap, 0);
		return n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static size_t body_len(const char *head)
{
	const char *at = strcasestr(head, "\r\nContent-Length:");
	return at ? strtoul(at + 17, NULL, 10) : 0;
}

// The bytes behind the head, which ends in "\r\n" then; NULL: the connection ended.
static char *head_read(struct talk *t)
{
	for (;;) {
		t->head[t->got] = '\0';
		char *end = strstr(t->head, "\r\n\r\n");
		if (end)
			return end + 4;
		assert_true(t->got + 1 < HEAD_MAX);
		size_t n = hear(t, t->head + t->got, HEAD_MAX - 1 - t->got);
		if (!n)
			return NULL;
		t->got += n;
	}
}

static bool body_read(struct talk *t, const char *behind, uint8_t *body, size_t len)
{
	size_t got = t->got - (size_t)(behind - t->head);
	unsigned cut = t->server->cut_after;
	assert_true(got <= len); // no pipelining
	memcpy(body, behind, got);
	while (got < len && !(cut && got >= cut)) {
		size_t n = hear(t, body + got, cut && cut < len ? cut - got : len - got);
		if (!n)
			return false;
		got += n;
	}
	return !(cut && got >= cut);
}

static bool say(struct talk *t, int status, const char *reply)
{
	char out[2048];
	int len = snprintf(out, sizeof(out),
		"HTTP/1.1 %d Said\r\nContent-Length: %zu\r\nConnection: keep-alive\r\n\r\n%s",
		status == FAKE_POST_HALF ? 200 : status,
		strlen(reply) + (status == FAKE_POST_HALF ? 10 : 0), reply);
	return send(t->fd, out, (size_t)len, MSG_NOSIGNAL) == len && status != FAKE_POST_HALF;
}

// False: the connection is over.
static bool exchange(struct talk *t)
{
	char reply[1024] = "", nothing[1];
	t->got = 0;
	char *behind = head_read(t);
	if (!behind)
		return false;
	size_t len = body_len(t->head);
	uint8_t *body = malloc(len + 1);
	assert_non_null(body);
	bool go_on = body_read(t, behind, body, len);
	if (go_on) {
		behind[-2] = '\0';
		const struct fake_post_request r = {t->head, body, len};
		int what = t->server->answer(t->server->arg, &r, reply);
		t->server->requests++;
		if (what == FAKE_POST_SILENT)
			(void)hear(t, nothing, 1);
		go_on = what >= FAKE_POST_HALF && what != FAKE_POST_SILENT && say(t, what, reply);
	}
	free(body);
	return go_on;
}

static void *serve(void *arg)
{
	struct fake_post *f = arg;
	struct pollfd p = {.fd = f->fd, .events = POLLIN};
	while (!f->stop) {
		if (poll(&p, 1, LOOK_MS) <= 0)
			continue;
		struct talk t = {.server = f, .fd = accept(f->fd, NULL, NULL)};
		if (t.fd < 0)
			continue;
		f->connections++;
		while (exchange(&t))
			;
		close(t.fd);
	}
	return NULL;
}

void fake_post_start(struct fake_post *f)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
		.sin_port = htons(f->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int on = 1;
	f->stop = false;
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(f->fd >= 0);
	assert_return_code(setsockopt(f->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_return_code(bind(f->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_return_code(listen(f->fd, 8), 0);
	assert_return_code(getsockname(f->fd, (struct sockaddr *)&sin, &len), 0);
	f->port = ntohs(sin.sin_port);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

void fake_post_stop(struct fake_post *f)
{
	f->stop = true;
	pthread_join(f->thread, NULL);
	close(f->fd);
}
