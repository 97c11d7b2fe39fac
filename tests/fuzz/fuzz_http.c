// SPDX-License-Identifier: BSD-3-Clause

// A client of the control socket, in two pieces: whatever it sends, the handler sees whole requests
// with parameters that are texts, and each gets one reply or the connection's end. The first byte
// says where the rest is cut.

#include "controlplane/http/http_server.h"
#include "fuzz.h"

#include <event2/event.h>

#include <signal.h>
#include <sys/un.h>
#include <weir/attr.h>

enum { INPUT_MOST = 4096, TURNS = 4, REQUESTS_MOST = 8 };

static struct event_base *base;
static struct http_server *server;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len = sizeof(address);
static unsigned handled;

static bool on_admit(void *, const struct ucred *peer, int)
{
	return peer->pid == getpid();
}

static void on_request(void *, struct http_exchange *x)
{
	static const char *const names[] = {"name", "type", "client", "minutes", "", "%"};
	FUZZ_CHECK(http_path(x) && strlen(http_path(x)) <= INPUT_MOST);
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = http_param(x, names[i]);
		FUZZ_CHECK(!value || strlen(value) <= INPUT_MOST);
	}
	handled++;
	http_reply(x, http_is_post(x) ? 200 : 404, strdup("{}"));
}

FUZZ_BEGIN
{
	signal(SIGPIPE, SIG_IGN); // as the server asks for
	base = event_base_new();
	const struct http_settings settings = {.base = base,
		.exchanges_max = REQUESTS_MOST,
		.connections_max = 64,
		.connection_ms = 60000,
		.admit = on_admit,
		.handle = on_request};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	// An abstract address that the kernel chooses.
	FUZZ_CHECK(base && bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
	FUZZ_CHECK(listen(fd, REQUESTS_MOST) == 0);
	FUZZ_CHECK(getsockname(fd, (struct sockaddr *)&address, &address_len) == 0);
	FUZZ_CHECK(http_server_open(&server, fd, &settings) == 0);
	return 0;
}

static void turns(void)
{
	for (unsigned i = 0; i < TURNS; i++)
		FUZZ_CHECK(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

FUZZ_BODY(data, len)
{
	static char reply[1 << 16];
	if (len < 2 || len > INPUT_MOST)
		return 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FUZZ_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, address_len) == 0);
	size_t cut = data[0] < len ? data[0] : 0;
	handled = 0;
	(void)!send(fd, data + 1, cut, MSG_NOSIGNAL);
	turns();
	(void)!send(fd, data + 1 + cut, len - 1 - cut, MSG_NOSIGNAL);
	turns();
	ssize_t n = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
	FUZZ_CHECK(handled == 0 || n > 0);
	FUZZ_CHECK(n <= 0 || (n > 9 && memcmp(reply, "HTTP/", 5) == 0));
	close(fd);
	turns();
	return 0;
}
