// SPDX-License-Identifier: BSD-3-Clause

// The client of link.sock against a server that this test plays.

#include "dataplane/state/link.h"
#include "tests/unit/unit.h"

#include <sys/un.h>
#include <weir/bell.h>
#include <weir/shm_region.h>

enum { WORKERS = 3, RESOLVERS = 2, BELLS = WORKERS + RESOLVERS };

static char dir[64];
static int ours[BELLS], bells[BELLS];
static struct link_client client;
static int server = -1;

static int setup(void **)
{
	log_init("test_link", LOG_LEVEL_ERROR);
	strcpy(dir, "/tmp/weir-test-link-XXXXXX");
	if (!mkdtemp(dir) || mkdir(text_from("%s/" SHM_CONTROL, dir), 0750))
		return -1;
	for (unsigned i = 0; i < BELLS; i++) {
		int pair[BELL_ENDS];
		if (bell_open(pair))
			return -1;
		ours[i] = pair[0];
		bells[i] = pair[1];
	}
	return link_init(&client, dir, bells, WORKERS, RESOLVERS, 0xd0);
}

static int teardown(void **)
{
	link_close(&client);
	if (server >= 0)
		close(server);
	server = -1;
	unlink(client.path);
	for (unsigned i = 0; i < BELLS; i++)
		close(ours[i]), close(bells[i]);
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

// Accepts, checks the hello and the doorbells that come with it.
static int greet(void)
{
	int fd = accept(server, NULL, NULL);
	assert_true(fd >= 0);
	struct link_hello hello = {0};
	struct iovec iov = {.iov_base = &hello, .iov_len = sizeof(hello)};
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(bells))];
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	assert_int_equal(recvmsg(fd, &msg, MSG_DONTWAIT), sizeof(hello));
	assert_true(hello.magic == SHM_MAGIC);
	assert_int_equal(hello.abi_version, SHM_ABI_VERSION);
	assert_int_equal(hello.workers, WORKERS);
	assert_int_equal(hello.resolver_bells, RESOLVERS);
	assert_int_equal(hello.dp_incarnation, 0xd0);
	const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	assert_non_null(c);
	assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(bells)));
	int fds[BELLS];
	memcpy(fds, CMSG_DATA(c), sizeof(fds));
	for (unsigned i = 0; i < BELLS; i++) {
		// In the order of the workers, then of the resolvers: what is rung here is heard
		// there.
		struct pollfd p = {.fd = ours[i], .events = POLLIN};
		bell_ring(fds[i]);
		assert_int_equal(poll(&p, 1, 0), 1);
		assert_true(bell_clear(ours[i]));
		close(fds[i]);
	}
	return fd;
}

static void welcome(int fd, int32_t error)
{
	const struct link_welcome w = {.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.error = error,
		.cp_incarnation = 0xc0};
	assert_int_equal(send(fd, &w, sizeof(w), 0), sizeof(w));
}

TEST_WITH(comes_up_and_notices_the_hang_up, setup, teardown)
{
	assert_int_equal(link_poll(&client, 1000), LINK_NOTHING);
	listen_here();
	// Not before the retry is due.
	assert_int_equal(link_poll(&client, 1000 + LINK_RETRY_MS - 1), LINK_NOTHING);
	assert_true(accept(server, NULL, NULL) < 0);
	assert_int_equal(link_poll(&client, 1000 + LINK_RETRY_MS), LINK_NOTHING);
	int fd = greet();
	assert_int_equal(link_poll(&client, 1110), LINK_NOTHING);
	welcome(fd, 0);
	assert_int_equal(link_poll(&client, 1120), LINK_CAME_UP);
	assert_true(client.up);
	assert_int_equal(link_poll(&client, 100000), LINK_NOTHING);
	close(fd);
	assert_int_equal(link_poll(&client, 100010), LINK_WENT_DOWN);
	assert_false(client.up);
	assert_int_equal(link_poll(&client, 100020), LINK_NOTHING);
	assert_int_equal(link_poll(&client, 100010 + LINK_RETRY_MS), LINK_NOTHING);
	fd = greet();
	welcome(fd, 0);
	assert_int_equal(link_poll(&client, 100200), LINK_CAME_UP);
	close(fd);
}

TEST_WITH(a_refusal_is_retried, setup, teardown)
{
	listen_here();
	assert_int_equal(link_poll(&client, 1000), LINK_NOTHING);
	int fd = greet();
	welcome(fd, -EPROTO);
	assert_int_equal(link_poll(&client, 1010), LINK_NOTHING);
	assert_int_equal(client.told_error, EPROTO);
	assert_true(client.fd < 0);
	close(fd);
	assert_int_equal(link_poll(&client, 1010 + LINK_RETRY_MS), LINK_NOTHING);
	fd = greet();
	welcome(fd, 0);
	assert_int_equal(link_poll(&client, 1200), LINK_CAME_UP);
	assert_int_equal(client.told_error, 0);
	close(fd);
}

TEST_WITH(a_mute_server_is_given_up, setup, teardown)
{
	listen_here();
	assert_int_equal(link_poll(&client, 1000), LINK_NOTHING);
	int fd = greet();
	assert_int_equal(link_poll(&client, 1000 + LINK_WELCOME_MS - 1), LINK_NOTHING);
	assert_true(client.fd >= 0);
	assert_int_equal(link_poll(&client, 1000 + LINK_WELCOME_MS), LINK_NOTHING);
	assert_true(client.fd < 0);
	close(fd);
}

TEST_WITH(nonsense_ends_the_connection, setup, teardown)
{
	listen_here();
	struct link_welcome wrong = {.magic = SHM_MAGIC, .abi_version = SHM_ABI_VERSION + 1};
	assert_int_equal(link_poll(&client, 1000), LINK_NOTHING);
	int fd = greet();
	assert_int_equal(send(fd, &wrong, sizeof(wrong), 0), sizeof(wrong));
	assert_int_equal(link_poll(&client, 1010), LINK_NOTHING);
	assert_true(client.fd < 0);
	close(fd);

	// A message that is longer than a welcome is none, whatever its first bytes say.
	assert_int_equal(link_poll(&client, 1200), LINK_NOTHING);
	fd = greet();
	struct link_welcome two[2] = {{.magic = SHM_MAGIC, .abi_version = SHM_ABI_VERSION}};
	assert_int_equal(send(fd, two, sizeof(two), 0), sizeof(two));
	assert_int_equal(link_poll(&client, 1210), LINK_NOTHING);
	assert_true(client.fd < 0);
	close(fd);

	// And nothing may follow the welcome.
	assert_int_equal(link_poll(&client, 1400), LINK_NOTHING);
	fd = greet();
	welcome(fd, 0);
	welcome(fd, 0);
	assert_int_equal(link_poll(&client, 1410), LINK_CAME_UP);
	assert_int_equal(link_poll(&client, 1420), LINK_WENT_DOWN);
	close(fd);
}

TEST_WITH(a_long_directory_is_refused, setup, teardown)
{
	struct link_client c = {.fd = 99};
	char path[LINK_PATH_MAX + 1];
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(link_init(&c, path, bells, WORKERS, RESOLVERS, 1), -ENAMETOOLONG);
	assert_int_equal(c.fd, 99);
}
