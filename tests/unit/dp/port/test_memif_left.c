// SPDX-License-Identifier: BSD-3-Clause

// Socket files that a memif server left: what is removed, and what stays.
#include "dataplane/port/memif_left.h"
#include "tests/unit/unit.h"

#include <sys/un.h>

static char folder[] = "/tmp/weir-memif-XXXXXX", path[64], device[160];

static int setup(void **)
{
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/memif.sock", folder);
	return 0;
}

static int teardown(void **)
{
	(void)unlink(path);
	return rmdir(folder);
}

static unsigned remove_as(const char *format)
{
	const struct config_dataplane dp = {.ports = {{.device = device}}, .port_count = 1};
	snprintf(device, sizeof(device), format, path);
	return memif_left_remove(&dp);
}

static bool is_there(void)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

// A listening socket at `path`; closed, its file stays.
static int listen_there(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

#define SERVER "net_memif0,role=server,socket-abstract=no,socket=%s"

TEST_WITH(test_of_a_killed_process, setup, teardown)
{
	assert_int_equal(remove_as(SERVER), 0); // no file
	close(listen_there());
	assert_true(is_there());
	assert_int_equal(remove_as(SERVER), 1);
	assert_false(is_there());
	close(listen_there());
	assert_int_equal(remove_as("net_memif3,socket=%s,role=server,socket-abstract=no"), 1);
	close(listen_there()); // so the next one can bind
	assert_int_equal(remove_as(SERVER ",bsize=2048"), 1);
}

TEST_WITH(test_what_stays, setup, teardown)
{
	int fd = listen_there();
	assert_int_equal(remove_as(SERVER), 0); // of a process that lives
	close(fd);
	assert_int_equal(remove_as("net_memif0,role=client,socket-abstract=no,socket=%s"), 0);
	assert_int_equal(remove_as("net_memif0,socket-abstract=no,socket=%s"), 0);
	assert_int_equal(remove_as("net_tap0,role=server,socket=%s"), 0);
	assert_int_equal(remove_as("net_memif0,role=server,socket-abstract=no,socket="), 0);
	assert_true(is_there());
	assert_int_equal(unlink(path), 0);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(remove_as(SERVER), 0); // no socket
	assert_true(is_there());
}
