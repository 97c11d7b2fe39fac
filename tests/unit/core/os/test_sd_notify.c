// SPDX-License-Identifier: BSD-3-Clause

// Messages for systemd, read from a socket of the test's own: a path and an abstract name.
#include "tests/unit/unit.h"

#include <sys/un.h>
#include <weir/os/sd_notify.h>

static int listen_at(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const size_t len = strlen(name);
	memcpy(at.sun_path, name, len);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
		0);
	return fd;
}

static const char *heard(int fd)
{
	static char text[1024];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void talk(const char *name)
{
	int fd = listen_at(name);
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "10000000", 1);
	unsetenv("WATCHDOG_PID");
	assert_int_equal(sd_notify_open(), 0);
	sd_notify_send("READY=1\nSTATUS=%s", "serving");
	assert_string_equal(heard(fd), "READY=1\nSTATUS=serving");
	sd_notify_reloading();
	assert_memory_equal(heard(fd), "RELOADING=1\nMONOTONIC_USEC=", 27);
	// Half of the watchdog's 10 s.
	assert_true(sd_notify_wants_alive(100000));
	sd_notify_alive(100000);
	assert_string_equal(heard(fd), "WATCHDOG=1");
	assert_false(sd_notify_wants_alive(104999));
	sd_notify_alive(104999);
	assert_string_equal(heard(fd), "");
	assert_true(sd_notify_wants_alive(105000));
	sd_notify_close();
	sd_notify_send("READY=1");
	assert_string_equal(heard(fd), "");
	close(fd);
}

TEST(test_names)
{
	talk(text_from("@weir-test-notify-%d", (int)getpid()));
	const char *path = text_from("/tmp/weir-test-notify-%d", (int)getpid());
	talk(path);
	unlink(path);
}

// What a full queue did not take comes with the next looks, not half of the watchdog's time later.
TEST(test_full)
{
	const char *abstract = text_from("@weir-test-full-%d", (int)getpid());
	int fd = listen_at(abstract);
	setenv("NOTIFY_SOCKET", abstract, 1);
	setenv("WATCHDOG_USEC", "10000000", 1);
	unsetenv("WATCHDOG_PID");
	assert_int_equal(sd_notify_open(), 0);
	while (sd_notify_send("STATUS=full"))
		;
	sd_notify_ready();
	sd_notify_alive(100000);
	assert_true(sd_notify_wants_alive(100001));
	sd_notify_look();
	while (strcmp(heard(fd), "STATUS=full") == 0)
		;
	assert_string_equal(heard(fd), "");
	sd_notify_look();
	assert_string_equal(heard(fd), "READY=1");
	sd_notify_alive(100100);
	assert_string_equal(heard(fd), "WATCHDOG=1");
	assert_false(sd_notify_wants_alive(105099));
	sd_notify_look(); // nothing is owed
	assert_string_equal(heard(fd), "");
	while (sd_notify_send("STATUS=full"))
		;
	sd_notify_ready();
	while (*heard(fd))
		;
	sd_notify_reloading(); // its own READY=1 follows
	assert_memory_equal(heard(fd), "RELOADING=1", 11);
	sd_notify_look();
	assert_string_equal(heard(fd), "");
	sd_notify_close();
	close(fd);
}

// Of a watchdog for another process nothing comes, and long messages are cut.
TEST(test_bounds)
{
	char text[2048];
	const char *abstract = text_from("@weir-test-bounds-%d", (int)getpid());
	int fd = listen_at(abstract);
	setenv("NOTIFY_SOCKET", abstract, 1);
	setenv("WATCHDOG_USEC", "10000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(sd_notify_open(), 0);
	assert_false(sd_notify_wants_alive(UINT64_MAX));
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	sd_notify_send("%s", text);
	assert_int_equal(strlen(heard(fd)), 511);
	sd_notify_close();
	close(fd);
}

TEST(test_bad)
{
	char text[256];
	memset(text, 'x', sizeof(text) - 1);
	text[0] = '/', text[sizeof(text) - 1] = '\0';
	setenv("NOTIFY_SOCKET", text, 1);
	assert_int_equal(sd_notify_open(), -ENAMETOOLONG);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(sd_notify_open(), -EINVAL);
	setenv("NOTIFY_SOCKET", "@", 1);
	assert_int_equal(sd_notify_open(), -EINVAL);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(sd_notify_open(), 0);
	sd_notify_send("READY=1"); // nowhere
	assert_false(sd_notify_wants_alive(UINT64_MAX));
}
