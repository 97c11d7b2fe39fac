// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_box.h"

#include "tests/unit/cp/resolver/resolver_config.h"
#include "tests/unit/folder.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <weir/dns_proto.h>
#include <weir/log.h>

// A message to the resolver is published in one turn and read in the next, as is its answer.
enum { TURNS_MOST = 200, QUIET_TURNS = 4, MESSAGE_MOST = 4096 };

struct resolver_box box;
static _Atomic bool linked;
static pid_t owner;

static void files_remove(void)
{
	if (getpid() != owner)
		return;
	(void)!folder_remove(box.paths.run, box.paths.mem);
}

// Never on the machine's own DNS port, and nobody else can answer.
static void upstream_open(struct config *c)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	char text[32];
	box.upstream_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	FUZZ_CHECK(box.upstream_fd >= 0);
	FUZZ_CHECK(bind(box.upstream_fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	FUZZ_CHECK(getsockname(box.upstream_fd, (struct sockaddr *)&sin, &len) == 0);
	snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(sin.sin_port));
	FUZZ_CHECK(socket_address_parse(text, 53, &c->upstreams.server[0].address) == 0);
	c->upstreams.count = 1;
}

void box_open(void)
{
	char run[64], why[SHM_WHY_MAX] = "";
	struct config *c = &box.config;
	log_init("fuzz", LOG_LEVEL_ERROR);
	FUZZ_CHECK(folder_make(run, "fuzz") == 0);
	FUZZ_CHECK(shm_paths_init(&box.paths, run, "off", why) == 0);
	owner = getpid();
	atexit(files_remove);
	resolver_config_fill(c);
	c->limits.inflight = 64;
	c->limits.waiters = 64;
	c->limits.answer_deadline_ms = 1900;
	upstream_open(c);
	FUZZ_CHECK(publisher_open(&box.publisher, &box.paths, c, why) == 0);
	FUZZ_CHECK(loop_new("fuzz", &box.loop) == 0);
	FUZZ_CHECK(link_open(&box.link, &box.loop, box.publisher, why) == 0);
	FUZZ_CHECK(resolver_views_open(&box.views, box.loop, NULL, NULL, box.publisher, c) == 0);
	box.all = (struct resolvers){.count = 1, .running = true};
	FUZZ_CHECK(resolver_client_mesh(&box.mesh, 1, 1) == 0);
	const struct resolver_given given = {.all = &box.all,
		.loop = box.loop,
		.publisher = box.publisher,
		.link = box.link,
		.views = box.views,
		.frontends = box.mesh};
	FUZZ_CHECK(resolver_open(&box.resolver, &given, c, why) == 0);
	box.all.one[0] = box.resolver;
	const struct frontend_given frontend = {
		.loop = box.loop, .resolvers = box.mesh, .publisher = box.publisher};
	FUZZ_CHECK(frontend_open(&box.frontend, &frontend, c) == 0);
	fake_dataplane_open(&box.dp, &box.paths, 2);
}

static void *hello(void *)
{
	struct link_welcome welcome;
	FUZZ_CHECK(fake_dataplane_link(&box.dp, &welcome) == 0);
	linked = true;
	return NULL;
}

void box_link(void)
{
	pthread_t thread;
	FUZZ_CHECK(pthread_create(&thread, NULL, hello, NULL) == 0);
	while (!linked)
		box_turn();
	pthread_join(thread, NULL);
}

void box_turn(void)
{
	FUZZ_CHECK(event_base_loop(loop_base(box.loop), EVLOOP_NONBLOCK) >= 0);
}

void box_wait(void)
{
	FUZZ_CHECK(event_base_loop(loop_base(box.loop), EVLOOP_ONCE) >= 0);
}

bool box_upstream_answer(void)
{
	static const uint8_t address[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1};
	uint8_t msg[MESSAGE_MOST];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(box.upstream_fd, msg, sizeof(msg) - sizeof(address), 0,
		(struct sockaddr *)&from, &from_len);
	if (n < 0)
		return false;
	size_t end = DNS_HEADER_LEN;
	FUZZ_CHECK((size_t)n > end + 5 && get_u16(msg + 4) == 1); // the resolver's own
	while (msg[end] && end + msg[end] + 1 < (size_t)n)
		end += msg[end] + 1u;
	end += 5;
	FUZZ_CHECK(end <= (size_t)n);
	bool is_a = get_u16(msg + end - 4) == DNS_TYPE_A && get_u16(msg + end - 2) == DNS_CLASS_IN;
	put_u16(msg + 2, DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA);
	put_u16(msg + 6, is_a);
	memset(msg + 8, 0, 4);
	if (is_a)
		memcpy(msg + end, address, sizeof(address));
	end += is_a ? sizeof(address) : 0;
	(void)!sendto(box.upstream_fd, msg, end, 0, (struct sockaddr *)&from, from_len);
	return true;
}

void box_settle(void)
{
	unsigned quiet = 0;
	for (unsigned i = 0; quiet < QUIET_TURNS; i++) {
		FUZZ_CHECK(i < TURNS_MOST);
		box_turn();
		bool any = false;
		while (box_upstream_answer())
			any = true;
		quiet = any ? 0 : quiet + 1;
	}
}

struct status_wait {
	bool there;
	struct resolver_status s;
};

static void on_status(void *arg, const struct resolver_status *s)
{
	struct status_wait *w = arg;
	w->s = *s;
	w->there = true;
}

struct resolver_status box_status(void)
{
	static struct status_wait w;
	w.there = false;
	FUZZ_CHECK(resolvers_status(&box.all, box.loop, on_status, &w) == 0);
	for (unsigned i = 0; !w.there; i++) {
		FUZZ_CHECK(i < TURNS_MOST);
		box_turn();
	}
	return w.s;
}
