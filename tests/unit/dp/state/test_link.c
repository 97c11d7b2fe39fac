// SPDX-License-Identifier: BSD-3-Clause

// The client of link.sock against a server that this test plays.

#include "dataplane/state/link.h"
#include "tests/unit/dp/welcome_send.h"
#include "tests/unit/passed_files.h"
#include "tests/unit/slow_files.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <weir/clock.h>
#include <weir/shm_region.h>

enum { WORKERS = 3, RESOLVERS = 2, BELLS = BELL_ENDS * WORKERS + RESOLVERS };

static char dir[64];
static int bells[BELL_ENDS * WORKERS + SHM_RESOLVERS_MAX]; // as threads know them
static struct link_client client;
static int server = -1;

static int setup(void **)
{
	log_init("test_link", LOG_LEVEL_ERROR);
	strcpy(dir, "/tmp/weir-test-link-XXXXXX");
	if (!mkdtemp(dir) || mkdir(text_from("%s/" SHM_CONTROL, dir), 0750))
		return -1;
	const struct link_welcome all = {.workers = WORKERS, .resolvers = SHM_RESOLVERS_MAX};
	if (welcome_bells(&all, bells) != ARRAY_LEN(bells))
		return -1;
	return link_init(&client, dir, bells, WORKERS, 0xd0);
}

static int teardown(void **)
{
	link_close(&client);
	if (server >= 0)
		close(server);
	server = -1;
	unlink(client.path);
	for (unsigned i = 0; i < ARRAY_LEN(bells); i++)
		close(bells[i]);
	char control[sizeof(dir) + sizeof(SHM_CONTROL)];
	snprintf(control, sizeof(control), "%s/" SHM_CONTROL, dir);
	rmdir(control);
	return rmdir(dir);
}

static void listen_here(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	memcpy(addr.sun_path, client.path, sizeof(addr.sun_path));
	server = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(server, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(server, 4), 0);
}

// A turn of the main lcore, which connects: the closer has closed all before.
static enum link_event poll_at(uint64_t now_ms)
{
	WAIT_FOR(client.fd >= 0 || client.closer.count == 0,
		assert_int_equal(link_poll(&client, 0), LINK_NOTHING));
	return link_poll(&client, now_ms);
}

// Accepts, and checks the hello, with which no descriptor comes.
static int greet(void)
{
	int fd = accept(server, NULL, NULL);
	assert_true(fd >= 0);
	struct link_hello hello = {0};
	struct iovec iov = {.iov_base = &hello, .iov_len = sizeof(hello)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	assert_int_equal(recvmsg(fd, &msg, MSG_DONTWAIT), sizeof(hello));
	assert_int_equal(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC), 0);
	assert_true(hello.magic == SHM_MAGIC);
	assert_int_equal(hello.abi_version, SHM_ABI_VERSION);
	assert_int_equal(hello.workers, WORKERS);
	assert_int_equal(hello.dp_incarnation, 0xd0);
	return fd;
}

static struct link_welcome sound(int32_t error)
{
	return (struct link_welcome){.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.error = error,
		.cp_incarnation = 0xc0,
		.workers = error ? 0 : WORKERS,
		.resolvers = error ? 0 : RESOLVERS};
}

static void welcome(int fd, int32_t error)
{
	const struct link_welcome w = sound(error);
	assert_true(welcome_send(fd, &w));
}

static bool has_rung(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

static bool is_heard(int watch)
{
	struct epoll_event e;
	return epoll_wait(watch, &e, 1, 0) == 1;
}

// The bells of each control plane take the numbers of the last one's, and ring once, as what was
// rung before may not have been heard. A control plane that is gone ends no bell.
TEST_WITH(bells_of_the_control_plane_take_their_numbers, setup, teardown)
{
	listen_here();
	for (unsigned life = 0; life < 2; life++) {
		int theirs[LINK_BELLS_MAX], watch = epoll_create1(EPOLL_CLOEXEC);
		const struct link_welcome w = sound(0);
		struct epoll_event e = {.events = EPOLLIN | EPOLLET};
		assert_int_equal(welcome_bells(&w, theirs), BELLS);
		int *gong = theirs + BELL_ENDS * WORKERS;
		assert_int_equal(epoll_ctl(watch, EPOLL_CTL_ADD, gong[1], &e), 0);
		assert_true(is_heard(watch)); // as it is not 0
		assert_int_equal(poll_at(1000 + 1000 * life), LINK_NOTHING);
		int fd = greet();
		assert_int_equal(welcome_pass(fd, &w, sizeof(w), theirs, BELLS), sizeof(w));
		assert_int_equal(poll_at(1010 + 1000 * life), LINK_CAME_UP);
		assert_true(is_heard(watch));
		gong_strike(bells[BELL_ENDS * WORKERS + 1]);
		assert_true(is_heard(watch));
		for (unsigned i = 0; i < WORKERS; i++) {
			const int *bell = bells + BELL_ENDS * i;
			assert_true(has_rung(bell[BELL_HEARS]));
			assert_true(bell_clear(bell[BELL_HEARS]));
			bell_ring(theirs[BELL_ENDS * i + BELL_RINGS]);
			assert_true(has_rung(bell[BELL_HEARS]));
			assert_true(bell_clear(bell[BELL_HEARS]));
			if (passed_files_known())
				assert_int_equal(
					passed_files_try(theirs[BELL_ENDS * i + BELL_RINGS]),
					-EPERM);
			bell_ring(bell[BELL_RINGS]);
			assert_true(has_rung(bell[BELL_HEARS]));
			assert_true(bell_clear(bell[BELL_HEARS]));
		}
		close(fd);
		for (unsigned i = 0; i < BELLS; i++)
			close(theirs[i]);
		assert_int_equal(poll_at(1020 + 1000 * life), LINK_WENT_DOWN);
		for (unsigned i = 0; i < WORKERS; i++)
			assert_false(has_rung(bells[BELL_ENDS * i + BELL_HEARS]));
		close(watch);
	}
}

static unsigned open_files(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

// Too few, too many, a file that is no gong, at which a worker could wait, or no bell: no link, and
// nothing stays.
TEST_WITH(wrong_bells_end_the_connection, setup, teardown)
{
	const unsigned before = open_files();
	int fds[LINK_BELLS_MAX], ends[2];
	listen_here();
	for (unsigned i = 0; i < 5; i++) {
		struct link_welcome w = sound(0);
		unsigned n = welcome_bells(&w, fds);
		assert_int_equal(pipe(ends), 0);
		if (i == 0)
			n--;
		else if (i == 1)
			fds[n++] = ends[0];
		else if (i == 2)
			assert_int_equal(dup2(ends[1], fds[n - 1]), fds[n - 1]);
		else if (i == 3)
			assert_int_equal(dup2(ends[0], fds[BELL_HEARS]), fds[BELL_HEARS]);
		else
			w.workers++;
		assert_int_equal(poll_at(1000 + 1000 * i), LINK_NOTHING);
		int fd = greet();
		assert_int_equal(welcome_pass(fd, &w, sizeof(w), fds, n), sizeof(w));
		assert_int_equal(poll_at(1010 + 1000 * i), LINK_NOTHING);
		assert_true(client.fd < 0 && !client.up);
		assert_int_equal(client.told_error, EPROTO);
		close(fd);
		for (unsigned k = 0; k < BELLS; k++)
			close(fds[k]);
		close(ends[0]), close(ends[1]);
		assert_int_equal(poll_at(0), LINK_NOTHING);
		assert_int_equal(open_files(), before + 1); // the listener
	}
}

TEST_WITH(comes_up_and_notices_the_hang_up, setup, teardown)
{
	assert_int_equal(poll_at(1000), LINK_NOTHING);
	listen_here();
	// Not before the retry is due.
	assert_int_equal(poll_at(1000 + LINK_RETRY_MS - 1), LINK_NOTHING);
	assert_true(accept(server, NULL, NULL) < 0);
	assert_int_equal(poll_at(1000 + LINK_RETRY_MS), LINK_NOTHING);
	int fd = greet();
	assert_int_equal(poll_at(1110), LINK_NOTHING);
	welcome(fd, 0);
	assert_int_equal(poll_at(1120), LINK_CAME_UP);
	assert_true(client.up);
	assert_int_equal(poll_at(100000), LINK_NOTHING);
	close(fd);
	assert_int_equal(poll_at(100010), LINK_WENT_DOWN);
	assert_false(client.up);
	assert_int_equal(poll_at(100020), LINK_NOTHING);
	assert_int_equal(poll_at(100010 + LINK_RETRY_MS), LINK_NOTHING);
	fd = greet();
	welcome(fd, 0);
	assert_int_equal(poll_at(100200), LINK_CAME_UP);
	close(fd);
}

TEST_WITH(a_refusal_is_retried, setup, teardown)
{
	listen_here();
	assert_int_equal(poll_at(1000), LINK_NOTHING);
	int fd = greet();
	welcome(fd, -EPROTO);
	assert_int_equal(poll_at(1010), LINK_NOTHING);
	assert_int_equal(client.told_error, EPROTO);
	assert_true(client.fd < 0);
	close(fd);
	assert_int_equal(poll_at(1010 + LINK_RETRY_MS), LINK_NOTHING);
	fd = greet();
	welcome(fd, 0);
	assert_int_equal(poll_at(1200), LINK_CAME_UP);
	assert_int_equal(client.told_error, 0);
	close(fd);
}

TEST_WITH(a_mute_server_is_given_up, setup, teardown)
{
	listen_here();
	assert_int_equal(poll_at(1000), LINK_NOTHING);
	int fd = greet();
	assert_int_equal(poll_at(1000 + LINK_WELCOME_MS - 1), LINK_NOTHING);
	assert_true(client.fd >= 0);
	assert_int_equal(poll_at(1000 + LINK_WELCOME_MS), LINK_NOTHING);
	assert_true(client.fd < 0);
	close(fd);
}

TEST_WITH(nonsense_ends_the_connection, setup, teardown)
{
	listen_here();
	struct link_welcome wrong = {.magic = SHM_MAGIC, .abi_version = SHM_ABI_VERSION + 1};
	assert_int_equal(poll_at(1000), LINK_NOTHING);
	int fd = greet();
	assert_int_equal(send(fd, &wrong, sizeof(wrong), 0), sizeof(wrong));
	assert_int_equal(poll_at(1010), LINK_NOTHING);
	assert_true(client.fd < 0);
	close(fd);

	// A message that is longer than a welcome is none, whatever its first bytes say.
	assert_int_equal(poll_at(1200), LINK_NOTHING);
	fd = greet();
	struct link_welcome two[2] = {{.magic = SHM_MAGIC, .abi_version = SHM_ABI_VERSION}};
	assert_int_equal(send(fd, two, sizeof(two), 0), sizeof(two));
	assert_int_equal(poll_at(1210), LINK_NOTHING);
	assert_true(client.fd < 0);
	close(fd);

	// Nor is an empty one with descriptors, which stay nobody's.
	assert_int_equal(poll_at(1400), LINK_NOTHING);
	fd = greet();
	int pair[2];
	char byte;
	assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(welcome_pass(fd, "", 0, &pair[1], 1), 0);
	close(pair[1]);
	assert_int_equal(poll_at(1410), LINK_NOTHING);
	assert_true(client.fd < 0);
	close(fd);
	assert_int_equal(poll_at(0), LINK_NOTHING);
	assert_int_equal(read(pair[0], &byte, 1), 0); // its other end is closed everywhere
	close(pair[0]);

	// And nothing may follow the welcome.
	assert_int_equal(poll_at(1600), LINK_NOTHING);
	fd = greet();
	welcome(fd, 0);
	welcome(fd, 0);
	assert_int_equal(poll_at(1610), LINK_CAME_UP);
	assert_int_equal(poll_at(1620), LINK_WENT_DOWN);
	close(fd);
}

// A message with as many descriptors as fit, of which the last ones take the kernel long to close,
// in place of a welcome or behind it. The main lcore goes on at once, and has another link soon.
TEST_WITH(descriptors_that_close_slowly_hold_nothing_up, setup, teardown)
{
	enum { SLOW = 3 };
	int fds[WELCOME_FILES_MAX], far[SLOW], slow_listener = -1;
	listen_here();
	for (unsigned i = 0; i < 2; i++) {
		const uint64_t now_ms = 1000 + 1000 * i, began_ms = clock_mono_ms();
		assert_int_equal(poll_at(now_ms), LINK_NOTHING);
		int fd = greet();
		if (i == 1) {
			welcome(fd, 0);
			assert_int_equal(poll_at(now_ms), LINK_CAME_UP);
		}
		for (unsigned k = 0; k < WELCOME_FILES_MAX; k++)
			fds[k] = server;
		for (unsigned k = 0; k < SLOW; k++)
			slow_file_make(&slow_listener, &fds[WELCOME_FILES_MAX - SLOW + k], &far[k]);
		assert_int_equal(welcome_pass(fd, "?", 1, fds, WELCOME_FILES_MAX), 1);
		for (unsigned k = 0; k < SLOW; k++)
			close(fds[WELCOME_FILES_MAX - SLOW + k]);
		assert_int_equal(poll_at(now_ms + 10), i == 0 ? LINK_NOTHING : LINK_WENT_DOWN);
		assert_true(client.fd < 0);
		close(fd);
		assert_int_equal(poll_at(0), LINK_NOTHING);
		assert_true(clock_mono_ms() - began_ms < SLOW_FILE_S * 1000 / 2);
		for (unsigned k = 0; k < SLOW; k++)
			close(far[k]);
	}
	close(slow_listener);
}

TEST_WITH(a_long_directory_is_refused, setup, teardown)
{
	struct link_client c = {.fd = 99};
	char path[LINK_PATH_MAX + 1];
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(link_init(&c, path, bells, WORKERS, 1), -ENAMETOOLONG);
	assert_int_equal(c.fd, 99);
}
