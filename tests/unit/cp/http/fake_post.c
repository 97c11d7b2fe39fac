// SPDX-License-Identifier: BSD-3-Clause
#include "fake_post.h"

#include "tests/unit/unit.h"

enum { HEAD_MAX = 8192 };

struct talk {
	struct fake_post *server;
	int fd;
	char head[HEAD_MAX];
	size_t got; // of the head, and what came along behind it
};

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
		size_t n = fake_listener_hear(
			&t->server->listener, t->fd, t->head + t->got, HEAD_MAX - 1 - t->got);
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
		size_t n = fake_listener_hear(&t->server->listener, t->fd, body + got,
			cut && cut < len ? cut - got : len - got);
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
	return fake_listener_say(t->fd, out, (size_t)len) && status != FAKE_POST_HALF;
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
			(void)fake_listener_hear(&t->server->listener, t->fd, nothing, 1);
		go_on = what >= FAKE_POST_HALF && what != FAKE_POST_SILENT && say(t, what, reply);
	}
	free(body);
	return go_on;
}

static void serve(void *arg, int fd)
{
	struct talk t = {.server = arg, .fd = fd};
	t.server->connections++;
	while (exchange(&t))
		;
}

void fake_post_start(struct fake_post *f)
{
	fake_listener_start(&f->listener, f->port, serve, f);
	f->port = f->listener.port;
}

void fake_post_stop(struct fake_post *f)
{
	fake_listener_stop(&f->listener);
}
