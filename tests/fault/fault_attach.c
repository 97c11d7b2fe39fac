// SPDX-License-Identifier: BSD-3-Clause

// The control plane's end of the link: the child is a control plane with two resolvers on their
// loops, the parent the data plane that introduces itself to it again and again, as after each
// hang-up. After the child's death a successor takes the same worker rings over and answers through
// them.

#include "controlplane/shm/link.h"
#include "fault_run.h"
#include "tests/unit/cp/shm/fake_dataplane.h"
#include "tests/unit/wait.h"

#include <event2/event.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/clock.h>

enum { RESOLVERS = 2, LANES = 2, LINKS = 4, ASKED = 20, WAIT_MS = 20000 };

static const struct shm_paths *paths;
static struct fake_dataplane data;
static bool data_open;
static _Atomic uint32_t *stop;            // shared
static struct worker_rings *worker_rings; // the child's

static void on_miss(void *, const struct msg_miss *m, const uint8_t *question)
{
	struct msg_answer head = {.dp_incarnation = m->dp_incarnation,
		.arrival_ms = m->arrival_ms,
		.path = m->path,
		.dns_len = m->question_len};
	FAULT_CHECK(worker_rings_answer(worker_rings, &head, question));
	worker_rings_publish(worker_rings);
}

static void on_tick(evutil_socket_t fd, short what, void *loop)
{
	(void)fd, (void)what;
	if (atomic_load(stop))
		loop_stop(loop);
}

static void *second_loop(void *loop)
{
	FAULT_CHECK(loop_run(loop) == 0);
	return NULL;
}

static void control_plane(void)
{
	char why[SHM_WHY_MAX];
	struct config config = {.cache.l0_mb = 1, .controlplane.resolvers = RESOLVERS};
	struct publisher *p;
	struct loop *loop[RESOLVERS];
	struct link_server *server;
	pthread_t second;
	FAULT_CHECK(publisher_open(&p, paths, &config, why) == 0);
	for (unsigned i = 0; i < RESOLVERS; i++)
		FAULT_CHECK(loop_new("fault", &loop[i]) == 0);
	FAULT_CHECK(link_open(&server, loop, p, why) == 0);
	worker_rings = link_worker_rings(server, 0);
	worker_rings_serve(worker_rings, on_miss, NULL);
	worker_rings_serve(link_worker_rings(server, 1), on_miss, NULL);
	struct event *tick = event_new(loop_base(loop[0]), -1, EV_PERSIST, on_tick, loop[0]);
	FAULT_CHECK(tick && event_add(tick, &(struct timeval){.tv_usec = 2000}) == 0);
	FAULT_CHECK(pthread_create(&second, NULL, second_loop, loop[1]) == 0);
	FAULT_CHECK(loop_run(loop[0]) == 0);
	loop_stop(loop[1]);
	FAULT_CHECK(pthread_join(second, NULL) == 0);
	event_free(tick);
	link_close(server);
	for (unsigned i = 0; i < RESOLVERS; i++)
		loop_free(loop[i]);
	publisher_close(p);
}

static void data_close(void)
{
	if (data_open)
		fake_dataplane_close(&data);
	data_open = false;
}

static void prepare(void)
{
	data_close();
	paths = fault_folders();
	fake_dataplane_open(&data, paths, LANES);
	fake_dataplane_grow(&data);
	data_open = true;
	atomic_store(stop, 0);
}

static void hang_up(void)
{
	if (data.link_fd >= 0)
		close(data.link_fd);
	data.link_fd = -1;
}

// Read, not reaped: fault_run does that.
static bool has_died(pid_t pid)
{
	siginfo_t info = {0};
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0
	       && info.si_pid == pid;
}

// False: it died meanwhile. It may not listen yet, or not have noticed the hang-up.
static bool introduce(struct link_welcome *welcome, pid_t pid)
{
	bool is_there = false;
	WAIT_FOR((is_there = fake_dataplane_link(&data, welcome) == 0)
		 || (hang_up(), has_died(pid)));
	return is_there;
}

// Questions of both worker rings are answered, each once and whole.
static void ask_all(void)
{
	unsigned seen[ASKED] = {0};
	for (uint16_t i = 0; i < ASKED; i++) {
		struct fake_miss m = {
			.name = "www.lab.example", .type = 1, .client_port = i, .rings = i % LANES};
		FAULT_CHECK(fake_dataplane_ask(&data, &m));
	}
	fake_dataplane_ring(&data);
	for (unsigned i = 0; i < ASKED; i++) {
		struct fake_answer a;
		FAULT_CHECK(fake_dataplane_answer(&data, &a, WAIT_MS));
		FAULT_CHECK(a.head.dp_incarnation == data.incarnation);
		FAULT_CHECK(a.head.path.client_udp < ASKED && a.head.dns_len == 17 + 4);
		FAULT_CHECK(memcmp(a.dns, "\3www\3lab\7example", 17) == 0);
		FAULT_CHECK(seen[a.head.path.client_udp]++ == 0);
	}
}

static void peer(pid_t pid)
{
	struct link_welcome welcome;
	for (unsigned i = 0; i < LINKS; i++) {
		fake_dataplane_reader(&data);
		if (!introduce(&welcome, pid))
			break;
		hang_up();
	}
	atomic_store(stop, 1);
}

static void audit(enum fault_site)
{
	struct link_welcome welcome;
	hang_up();
	for (unsigned i = 0; i < 2; i++) {
		atomic_store(stop, 0);
		pid_t pid = fork();
		FAULT_CHECK(pid >= 0);
		if (pid == 0) {
			control_plane();
			_exit(0);
		}
		FAULT_CHECK(introduce(&welcome, pid));
		ask_all();
		ask_all();
		hang_up();
		atomic_store(stop, 1);
		int status;
		FAULT_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
}

int main(int argc, char **argv)
{
	static const struct fault_scene scene = {
		.name = "attach",
		.groups = 1u << FAULT_GROUP_ATTACH,
		.prepare = prepare,
		.work = control_plane,
		.peer = peer,
		.audit = audit,
	};
	stop = fault_shared(sizeof(*stop));
	signal(SIGPIPE, SIG_IGN);
	int rc = fault_run(&scene, argc, argv);
	data_close();
	return rc;
}
