// SPDX-License-Identifier: BSD-3-Clause
// Outputs of events with real receivers: each event once and in its order, over a receiver that
// goes away, over a ring that overwrites, and by settings that change while they run.

#include "controlplane/events/out/event_outs.h"
#include "tests/unit/unit.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/un.h>

enum { WAIT_MS = 10000 };

static char folder[] = "/tmp/weir-test-outs-XXXXXX";
static struct sockaddr_un journal;
static struct events *events;
static struct event_outs *outs;
static struct config_events config;
static char none[] = "";
static bool has_no_thread;

static int group_setup(void **)
{
	if (!mkdtemp(folder))
		return -1;
	journal.sun_family = AF_UNIX;
	snprintf(journal.sun_path, sizeof(journal.sun_path), "%s/socket", folder);
	return 0;
}

FIXTURE_OF(group_teardown, rmdir(folder))

static int fresh(void **)
{
	config = (struct config_events){.journal = EVENTS_JOURNAL_OFF, .syslog = none};
	if (events_open(&events, "box") < 0)
		return -1;
	const struct event_outs_settings s = {
		.events = events, .box = "box", .journal_socket = journal.sun_path};
	return event_outs_open(&outs, &s);
}

static int gone(void **)
{
	event_outs_close(outs);
	events_close(events);
	return 0;
}

static void configure(void)
{
	assert_int_equal(event_outs_configure(outs, true, &config, NULL, 0), 0);
}

static void add(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		events_add(events, EVENT_config_reloaded, NULL, "a reload");
}

static int journal_listen(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	(void)unlink(journal.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&journal, sizeof(journal)), 0);
	return fd;
}

// The number of the event of the next datagram; 0: none comes.
static uint64_t received(int fd, int ms, const char *before)
{
	char text[8192];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (poll(&p, 1, ms) != 1)
		return 0;
	const ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	const char *at = strstr(text, before);
	assert_non_null(at);
	return strtoull(at + strlen(before), NULL, 10);
}

static uint64_t of_journal(int fd, int ms)
{
	return received(fd, ms, "WEIR_EVENT_NUMBER=");
}

static struct sink_status status(void)
{
	struct sink_status s[EVENT_OUTS];
	assert_int_equal(event_outs_status(outs, s), 1);
	return s[0];
}

static uint64_t descriptors(void)
{
	struct table_registry tables = {0};
	event_outs_tables(outs, &tables);
	assert_int_equal(tables.count, 1);
	return tables.table[0].descriptors;
}

static void failing_wait(bool is_failing)
{
	WAIT_FOR(status().failing == is_failing);
}

TEST_WITH(an_output_begins_with_the_next_event, fresh, gone)
{
	int fd = journal_listen();
	add(3);
	configure(); // it is off
	config.journal = EVENTS_JOURNAL_ON;
	configure();
	add(2);
	const uint64_t newest = events_newest(events);
	assert_int_equal(of_journal(fd, WAIT_MS), newest - 1);
	assert_int_equal(of_journal(fd, WAIT_MS), newest);
	WAIT_FOR(descriptors() == 1);
	config.journal = EVENTS_JOURNAL_OFF;
	configure();
	struct sink_status s[EVENT_OUTS];
	assert_int_equal(event_outs_status(outs, s), 0);
	WAIT_FOR(descriptors() == 0); // it has taken the settings
	add(1);
	config.journal = EVENTS_JOURNAL_ON;
	configure();
	add(1);
	assert_int_equal(of_journal(fd, WAIT_MS), newest + 2); // the first since
	close(fd);
	assert_int_equal(unlink(journal.sun_path), 0);
}

int __real_thread_start(pthread_t *, const char *, void *(*)(void *), void *);
int __wrap_thread_start(pthread_t *, const char *, void *(*)(void *), void *);
int __wrap_thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *arg)
{
	return has_no_thread ? -EAGAIN : __real_thread_start(out, name, run, arg);
}

// A reload of the same configuration is its next try, and until then it fails for all to see.
TEST_WITH(one_that_could_not_start_is_tried_again, fresh, gone)
{
	int fd = journal_listen();
	config.journal = EVENTS_JOURNAL_ON;
	has_no_thread = true;
	assert_int_equal(event_outs_configure(outs, true, &config, NULL, 0), -EAGAIN);
	assert_string_equal(status().name, "journal");
	assert_true(status().failing);
	assert_non_null(strstr(status().why, "it could not start: Resource temp"));
	assert_int_equal(event_outs_configure(outs, false, &config, NULL, 0), -EAGAIN);
	has_no_thread = false;
	assert_int_equal(event_outs_configure(outs, false, &config, NULL, 0), 0);
	assert_false(status().failing);
	add(1);
	assert_int_equal(of_journal(fd, WAIT_MS), events_newest(events));
	has_no_thread = true; // it runs, and needs no other
	assert_int_equal(event_outs_configure(outs, true, &config, NULL, 0), 0);
	has_no_thread = false;
	close(fd);
	assert_int_equal(unlink(journal.sun_path), 0);
}

TEST_WITH(one_that_is_away_gets_what_the_ring_has, fresh, gone)
{
	config.journal = EVENTS_JOURNAL_ON;
	configure();
	add(1);
	const uint64_t first = events_newest(events);
	failing_wait(true);
	assert_string_equal(status().why, strerror(ENOENT));
	add(EVENTS_MAX + 2); // the first three are overwritten
	int fd = journal_listen();
	for (unsigned i = 0; i < EVENTS_MAX; i++)
		assert_int_equal(of_journal(fd, WAIT_MS), first + 3 + i);
	failing_wait(false);
	assert_int_equal(status().lost, 3);
	assert_int_equal(status().written, EVENTS_MAX);
	close(fd);
	assert_int_equal(unlink(journal.sun_path), 0);
}

static int udp_listen(uint16_t *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr.s_addr = htonl(0x7f000001)};
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
	*port = ntohs(to.sin_port);
	return fd;
}

// The kernel says that a datagram was refused when the next one is sent: both come.
TEST_WITH(a_refused_datagram_is_sent_again, fresh, gone)
{
	uint16_t port = 0;
	int fd = udp_listen(&port);
	char *address = text_from("127.0.0.1:%u", port);
	config.syslog = address;
	assert_int_equal(socket_address_parse(address, 514, &config.syslog_address), 0);
	configure();
	add(1);
	const uint64_t first = events_newest(events);
	assert_int_equal(received(fd, WAIT_MS, "number=\""), first);
	WAIT_FOR(status().written == 1);
	close(fd);
	add(1);
	WAIT_FOR(status().written == 2);
	add(1);
	failing_wait(true);
	fd = udp_listen(&port);
	assert_int_equal(received(fd, WAIT_MS, "number=\""), first + 1);
	assert_int_equal(received(fd, WAIT_MS, "number=\""), first + 2);
	close(fd);
}

static bool has_arrived(int fd)
{
	int left = 0;
	assert_int_equal(ioctl(fd, SIOCOUTQ, &left), 0);
	return left == 0;
}

// One over TCP that says as much as it can would be read forever: weir reads a little before each
// event, so that the kernel resets the connection, as at the end of one with unread bytes.
TEST_WITH(a_server_that_talks_is_read_a_little, fresh, gone)
{
	static char bytes[48 << 10];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	socklen_t len = sizeof(to);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &len), 0);
	assert_int_equal(listen(listener, 1), 0);
	char *address = text_from("127.0.0.1:%u", ntohs(to.sin_port));
	config.syslog = address;
	config.syslog_transport = EVENTS_SYSLOG_TCP;
	assert_int_equal(socket_address_parse(address, 514, &config.syslog_address), 0);
	configure();
	add(1);
	WAIT_FOR(status().written == 1);
	int fd = accept(listener, NULL, NULL);
	assert_int_equal(send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
	WAIT_FOR(has_arrived(fd));
	add(1);
	WAIT_FOR(status().written == 2);
	config.syslog = none;
	configure(); // which hangs up
	ssize_t n;
	do
		n = recv(fd, bytes, sizeof(bytes), 0);
	while (n > 0);
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	close(listener);
}

// Is the journal on where the configuration leaves that to weir?
static bool is_on_by_itself(void)
{
	const struct event_outs_settings s = {
		.events = events, .box = "box", .journal_socket = journal.sun_path};
	struct sink_status status[EVENT_OUTS];
	struct event_outs *own;
	config.journal = EVENTS_JOURNAL_AUTO;
	assert_int_equal(event_outs_open(&own, &s), 0);
	assert_int_equal(event_outs_configure(own, true, &config, NULL, 0), 0);
	const bool is_on = event_outs_status(own, status) > 0;
	event_outs_close(own);
	return is_on;
}

TEST_WITH(the_journal_is_known_by_its_stream, fresh, gone)
{
	struct stat st;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_false(is_on_by_itself());
	assert_int_equal(setenv("JOURNAL_STREAM",
				 text_from("%llu:%llu", (unsigned long long)st.st_dev,
					 (unsigned long long)st.st_ino),
				 1),
		0);
	assert_true(is_on_by_itself());
	assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0); // of another process
	assert_false(is_on_by_itself());
}

TEST_GROUP(group_setup, group_teardown)
