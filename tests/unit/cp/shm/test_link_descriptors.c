// SPDX-License-Identifier: BSD-3-Clause

// A data plane that hands over descriptors whose last close takes long, with its hello or after it.
// Helpers close them, and the resolvers go on.

#include "link_rig.h"
#include "tests/unit/passed_files.h"
#include "tests/unit/slow_files.h"

#include <dirent.h>

enum { SLOW = 3, MESSAGES = 2 };

static int listener = -1, far[MESSAGES][SLOW];
static unsigned passed; // messages with such sockets

static _Atomic bool held, released;
static void hold(void *)
{
	atomic_store(&held, true);
	WAIT_FOR(atomic_load(&released));
}

// The first resolver takes nothing until this thread has closed its own: then nobody else has them.
static void loop_hold(void)
{
	held = released = false;
	assert_int_equal(loop_call(side[0].loop, hold, NULL), 0);
	WAIT_FOR(atomic_load(&held));
}

static void loop_release(void)
{
	atomic_store(&released, true);
}

static void slow_pass(int to, const void *bytes, size_t len)
{
	int near[SLOW];
	for (unsigned i = 0; i < SLOW; i++)
		slow_file_make(&listener, &near[i], &far[passed][i]);
	passed++;
	assert_int_equal(passed_files_send(to, bytes, len, near, SLOW), 0);
	for (unsigned i = 0; i < SLOW; i++)
		close(near[i]);
}

// Their peers are gone, so their closes come to an end.
static void slow_end(void)
{
	while (passed > 0)
		for (unsigned i = 0, at = --passed; i < SLOW; i++)
			close(far[at][i]);
	close(listener);
	listener = -1;
}

static int connect_now(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = 20};
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.80s/" SHM_NAME_LINK, paths.run);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static int link_connect(void)
{
	assert_true(passed_files_allow(text_from("%.80s/" SHM_NAME_LINK, paths.run)));
	return connect_now();
}

static struct link_hello sound(void)
{
	return (struct link_hello){.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.workers = WORKERS,
		.dp_incarnation = dp.incarnation};
}

// Threads of this process that close such a socket: their names, as the kernel waits in them.
static unsigned helpers(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned n = 0;
	assert_non_null(tasks);
	for (const struct dirent *e; (e = readdir(tasks));) {
		char name[32] = "";
		FILE *f = fopen(text_from("/proc/self/task/%s/comm", e->d_name), "r");
		n += f && fgets(name, sizeof(name), f) && strcmp(name, "weir-link\n") == 0;
		if (f)
			fclose(f);
	}
	closedir(tasks);
	return n;
}

// While the helper that has read such a hello waits, each resolver serves who is connected.
TEST_WITH(test_slow_files_with_a_hello, setup, teardown)
{
	const struct link_hello hello = sound();
	struct link_welcome w;
	fake_dataplane_grow(&dp);
	link_now();
	loop_hold();
	int fd = link_connect();
	slow_pass(fd, &hello, sizeof(hello));
	loop_release();
	WAIT_FOR(helpers() == 1);
	for (unsigned i = 0; i < 20; i++)
		ask_both();
	assert_int_equal(helpers(), 1);
	slow_end();
	assert_int_equal(recv(fd, &w, sizeof(w), 0), sizeof(w));
	assert_int_equal(w.error, -EBUSY);
	close(fd);
	WAIT_FOR(helpers() == 0);
}

// A hello with descriptors is none.
TEST_WITH(test_files_with_a_hello_are_refused, setup, teardown)
{
	const struct link_hello hello = sound();
	struct link_welcome w;
	loop_hold();
	int fd = link_connect();
	slow_pass(fd, &hello, sizeof(hello));
	slow_end();
	loop_release();
	assert_int_equal(recv(fd, &w, sizeof(w), 0), sizeof(w));
	assert_int_equal(w.error, -EPROTO);
	close(fd);
}

// Whatever follows a hello ends the link, unread; the next data plane is welcome while the helper
// still waits for the descriptors that came.
TEST_WITH(test_slow_files_after_a_hello, setup, teardown)
{
	const struct link_hello hello = sound();
	struct link_welcome w;
	fake_dataplane_grow(&dp);
	int fd = link_connect();
	assert_int_equal(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
	assert_int_equal(recv(fd, &w, sizeof(w), 0), sizeof(w));
	assert_int_equal(w.error, 0);
	loop_hold();
	for (unsigned i = 0; i < MESSAGES; i++)
		slow_pass(fd, "?", 1);
	close(fd);
	loop_release();
	WAIT_FOR(helpers() == 1);
	link_now();
	for (unsigned i = 0; i < 20; i++)
		ask_both();
	WAIT_FOR(helpers() == 1);
	slow_end();
	WAIT_FOR(helpers() == 0);
}

TEST_WITH(test_the_sender_keeps_its_files, setup, teardown)
{
	int fd = connect_now();
	const bool known = passed_files_known();
	const int rc = known ? passed_files_try(fd) : 0;
	close(fd);
	if (!known)
		skip();
	assert_int_equal(rc, -EPERM);
}
