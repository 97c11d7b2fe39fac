// SPDX-License-Identifier: BSD-3-Clause
// weirctl's HTTP client against a peer that says what the test wants, in a process of its own.

#include "tests/unit/unit.h"
#include "tools/ctl/lib/http_get.h"

#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { PATIENCE_MS = 60000, SILENCE_MS = 500 };

static char folder[] = "/tmp/weir-test-get-XXXXXX";
static char path[64];
static char request[8192];
static uid_t peer_uid;    // 0: this user's
static bool stays_silent; // the peer keeps the connection behind its text
static bool ends_at_once; // who listens takes its socket away once it is connected to
static struct ctl ctl;

// libcurl's.
int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	const int rc = (int)syscall(SYS_connect, fd, address, len);
	if (ends_at_once)
		unlink(path);
	return rc;
}

// Answers one connection with `text`, `times` times over; the request comes back by a pipe.
static pid_t peer_start(const char *text, unsigned times, int *request_fd)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	memcpy(sun.sun_path, path, strlen(path) + 1);
	unlink(path);
	int pipe_fd[2], fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(pipe(pipe_fd), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	// The kernel notes who calls it.
	assert_int_equal(peer_uid ? seteuid(peer_uid) : 0, 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(peer_uid ? seteuid(0) : 0, 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(2 * PATIENCE_MS / 1000);
		char in[8192];
		int client = accept(fd, NULL, NULL);
		ssize_t n = read(client, in, sizeof(in));
		if (n > 0 && write(pipe_fd[1], in, (size_t)n) < 0)
			_exit(1);
		for (unsigned i = 0; text && i < times; i++) {
			if (send(client, text, strlen(text), MSG_NOSIGNAL) < 0)
				_exit(0);
		}
		if (!text || stays_silent)
			pause(); // silent: until the alarm
		_exit(0);
	}
	close(fd);
	close(pipe_fd[1]);
	*request_fd = pipe_fd[0];
	return pid;
}

static enum http_outcome call(const char *text, unsigned times, const struct http_param *params,
	struct json_doc **doc, char why[HTTP_WHY_MAX])
{
	int fd;
	pid_t pid = peer_start(text, times, &fd);
	unsigned timeout_ms = text ? PATIENCE_MS : SILENCE_MS;
	enum http_outcome outcome = http_call(&ctl, true, "/x", params, timeout_ms, doc, why);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ssize_t n = read(fd, request, sizeof(request) - 1);
	request[n > 0 ? n : 0] = '\0';
	close(fd);
	return outcome;
}

TEST(test_ok)
{
	struct json_doc *doc;
	char why[HTTP_WHY_MAX];
	static const struct http_param params[] = {
		{"name", "a&b=c/ \x01"}, {"f", "1"}, {NULL, NULL}};
	assert_int_equal(
		call("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}", 1, params, &doc, why),
		HTTP_OK);
	assert_int_equal(json_count(json_doc_root(doc), "a"), 1);
	assert_non_null(strstr(request, "POST /x?name=a%26b%3Dc%2F%20%01&f=1 HTTP/1.1\r\n"));
	json_doc_free(doc);
}

TEST(test_other_outcomes)
{
	static const struct {
		const char *text;
		enum http_outcome outcome;
		const char *why;
	} cases[] = {
		{"HTTP/1.1 400 X\r\nContent-Length: 15\r\n\r\n{\"error\": \"no\"}", HTTP_REFUSED,
			"no"},
		{"HTTP/1.1 401 X\r\nContent-Length: 15\r\n\r\n{\"error\": \"no\"}", HTTP_FORBIDDEN,
			"no"},
		{"HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n", HTTP_FORBIDDEN, "status 403"},
		{"HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n", HTTP_REFUSED, "status 429"},
		{"HTTP/1.1 404 X\r\nContent-Length: 15\r\n\r\n{\"error\": \"no\"}", HTTP_MISSING,
			"no"},
		{"HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nxyz", HTTP_REFUSED, "status 500"},
		{"HTTP/1.1 504 X\r\nContent-Length: 0\r\n\r\n", HTTP_SILENT, "status 504"},
		{"HTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\nxyz", HTTP_BROKEN, "status 200"},
		{"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n[]", HTTP_BROKEN, "status 200"},
		{"HTTP/1.1 301 X\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", HTTP_BROKEN,
			"status 301"},
		{"", HTTP_BROKEN, ""},
		{NULL, HTTP_SILENT, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json_doc *doc;
		char why[HTTP_WHY_MAX];
		enum http_outcome outcome = call(cases[i].text, 1, NULL, &doc, why);
		if (outcome != cases[i].outcome || !strstr(why, cases[i].why))
			fail_msg("%zu: %d \"%s\"", i, outcome, why);
		json_doc_free(doc);
	}
}

// Who may make files in the runtime directory may listen there, and gets no secret: the peers are
// root, this user, the owner of the state directory, and that of the runtime directory.
TEST(test_who_listens)
{
	enum { DATAPLANE = 64001, CONTROLPLANE = 64002, OWNER = 64003, USER = 64004 };
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
	static const struct http_param params[] = {{HTTP_FORM "password", "hunter2"}, {NULL, NULL}};
	static const struct {
		uid_t uid;
		enum http_outcome outcome;
	} peers[] = {{0, HTTP_OK}, {DATAPLANE, HTTP_UNTRUSTED}, {CONTROLPLANE, HTTP_OK},
		{OWNER, HTTP_OK}, {USER, HTTP_OK}};
	if (geteuid() != 0)
		skip();
	ctl.servers = (struct ctl_servers){.owner = CONTROLPLANE, .user = USER};
	assert_int_equal(chown(folder, OWNER, (gid_t)-1), 0);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		struct json_doc *doc;
		char why[HTTP_WHY_MAX] = "";
		peer_uid = peers[i].uid;
		assert_int_equal(call(ok, 1, params, &doc, why), peers[i].outcome);
		if (peers[i].outcome == HTTP_OK) {
			assert_non_null(strstr(request, "\r\n\r\npassword=hunter2"));
		} else {
			assert_string_equal(request, "");
			assert_null(doc);
			assert_non_null(strstr(why, "uid 64001 listens there"));
		}
		json_doc_free(doc);
	}
	peer_uid = 0;
	ctl.servers = (struct ctl_servers){0};
	assert_int_equal(chown(folder, 0, (gid_t)-1), 0);
}

// The socket of another who serves as root or this user, by a link in the place of weir's.
TEST(test_a_link_in_its_place)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
	char own[sizeof(path)], other[sizeof(path) + 8];
	memcpy(own, path, sizeof(own));
	snprintf(other, sizeof(other), "%s.x", own);
	(void)unlink(own);
	assert_int_equal(symlink(other, own), 0);
	memcpy(path, other, strlen(other) + 1);
	struct json_doc *doc;
	char why[HTTP_WHY_MAX] = "";
	const enum http_outcome outcome = call(ok, 1, NULL, &doc, why);
	(void)unlink(other);
	(void)unlink(own);
	memcpy(path, own, sizeof(own));
	assert_int_equal(outcome, HTTP_UNTRUSTED);
	assert_string_equal(request, "");
	assert_non_null(strstr(why, "is a link"));
	assert_null(doc);
}

// A restart takes the socket away between the connection and the question: nobody is there, and who
// waits for the next life asks again.
TEST(test_a_control_plane_that_ends_meanwhile)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
	char why[HTTP_WHY_MAX] = "";
	struct json_doc *doc;
	ends_at_once = true;
	const enum http_outcome outcome = call(ok, 1, NULL, &doc, why);
	ends_at_once = false;
	assert_int_equal(outcome, HTTP_NOBODY);
	assert_string_equal(request, "");
	assert_null(doc);
}

// A control plane of a version that has its socket beside the folder runs until its restart. The
// data plane's user may make files there: the same users may listen, and no link is followed.
TEST(test_the_socket_of_the_version_before)
{
	enum { DATAPLANE = 64001 };
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
	char own[sizeof(path)], why[HTTP_WHY_MAX] = "";
	struct json_doc *doc;
	int fd;
	memcpy(own, path, sizeof(own));
	(void)unlink(own);
	snprintf(path, sizeof(path), "%s/" SHM_NAME_FORMER_SOCKET, folder);
	assert_int_equal(call(ok, 1, NULL, &doc, why), HTTP_OK);
	json_doc_free(doc);
	peer_uid = geteuid() == 0 ? DATAPLANE : 0;
	const enum http_outcome outcome = call(ok, 1, NULL, &doc, why);
	peer_uid = 0;
	assert_int_equal(outcome, geteuid() == 0 ? HTTP_UNTRUSTED : HTTP_OK);
	json_doc_free(doc);
	(void)unlink(path);

	char other[sizeof(path) + 8];
	snprintf(other, sizeof(other), "%s.x", path);
	assert_int_equal(symlink(other, path), 0);
	char link[sizeof(path)];
	memcpy(link, path, sizeof(link));
	memcpy(path, other, strlen(other) + 1);
	assert_int_equal(call(ok, 1, NULL, &doc, why), HTTP_NOBODY);
	assert_string_equal(request, "");
	(void)unlink(other);
	(void)unlink(link);

	// The folder's own comes first, also where nobody listens on it.
	memcpy(path, own, sizeof(own));
	const pid_t stale = peer_start(ok, 1, &fd);
	kill(stale, SIGKILL);
	waitpid(stale, NULL, 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/" SHM_NAME_FORMER_SOCKET, folder);
	assert_int_equal(call(ok, 1, NULL, &doc, why), HTTP_NOBODY);
	(void)unlink(path);
	memcpy(path, own, sizeof(own));
	(void)unlink(path);
}

// The state directory may lie where this user may not look: the package's user counts all the same.
TEST(test_whom_the_control_plane_may_run_as)
{
	char *root = text_from("%s/root", folder), *etc = text_from("%s/etc", root),
	     *passwd = text_from("%s/passwd", etc);
	struct ctl_servers s;
	assert_int_equal(setenv("WEIR_ROOT", root, 1), 0);
	ctl_servers_find(&s, folder);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.owner, geteuid());
	assert_int_equal(s.user, 0);
	assert_int_equal(mkdir(root, 0755) | mkdir(etc, 0755), 0);
	FILE *f = fopen(passwd, "we");
	assert_non_null(f);
	fputs("root:x:0:0::/:/bin/sh\nweir-cp:x:64004:64004::/:/bin/false\n", f);
	assert_int_equal(fclose(f), 0);
	ctl_servers_find(&s, text_from("%s/none", root));
	assert_int_equal(unlink(passwd) | rmdir(etc) | rmdir(root), 0);
	assert_int_equal(unsetenv("WEIR_ROOT"), 0);
	assert_int_equal(s.err, ENOENT);
	assert_int_equal(s.owner, 0);
	assert_int_equal(s.user, 64004);
}

static bool two_lines(void *arg, const struct json_node *root)
{
	assert_true(json_count(root, "a") > 0);
	return ++*(unsigned *)arg < 2;
}

// The end of a stream is good only where its reader has enough.
TEST(test_stream_ends)
{
	static char long_line[80 * 1024];
	static const struct {
		const char *text, *said;
		unsigned lines;
	} cases[] = {
		{"{\"a\":1}\n{\"a\":2}\n{xyz\n", NULL, 2},
		{"{\"a\":1}\n", "the control plane closed the connection", 1},
		{"{\"a\":1}\n{xyz\n", "the control plane sent a line that is no JSON object", 1},
		{"{\"a\":1}\ndata: [1]\n", "the control plane sent a line that is no JSON object",
			1},
		{long_line, "the control plane sent a line over 64 KiB", 1},
	};
	memset(long_line, '{', sizeof(long_line) - 1);
	memcpy(long_line, "{\"a\":1}\n", 8);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *said = NULL, *reply = NULL;
		size_t size;
		unsigned lines = 0;
		int fd;
		assert_true(asprintf(&reply, "HTTP/1.1 200 OK\r\n\r\n%s", cases[i].text) > 0);
		const pid_t pid = peer_start(reply, 1, &fd);
		FILE *const usual = stderr;
		stderr = open_memstream(&said, &size);
		assert_non_null(stderr);
		const int rc = http_stream(&ctl, "/x", NULL, PATIENCE_MS, two_lines, &lines);
		fclose(stderr);
		stderr = usual;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(fd);
		if (rc != (cases[i].said ? CTL_FAILED : CTL_OK) || lines != cases[i].lines
			|| !(cases[i].said ? strstr(said, cases[i].said) != NULL : !*said))
			fail_msg("%zu: %d, %u lines, \"%s\"", i, rc, lines, said);
		free(said);
		free(reply);
	}
}

// A control plane that hangs, or whose box lost its power, ends no connection.
TEST(test_silent_streams)
{
	static const char *const texts[] = {
		NULL, "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}\n"};
	stays_silent = true;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char *said = NULL;
		size_t size;
		unsigned lines = 0;
		int fd;
		const pid_t pid = peer_start(texts[i], 1, &fd);
		FILE *const usual = stderr;
		stderr = open_memstream(&said, &size);
		assert_non_null(stderr);
		const int rc = http_stream(&ctl, "/x", NULL, 1000, two_lines, &lines);
		fclose(stderr);
		stderr = usual;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(fd);
		if (rc != CTL_FAILED || lines != (i == 2)
			|| !strstr(said, "the control plane does not answer: nothing came for"))
			fail_msg("%zu: %d, %u lines, \"%s\"", i, rc, lines, said);
		free(said);
	}
	stays_silent = false;
}

// Nothing is sent, and it is no want of memory.
TEST(test_too_long)
{
	static char text[8192];
	static const char *const names[] = {"name", HTTP_FORM "name"};
	memset(text, 'a', sizeof(text) - 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct http_param params[] = {{names[i], text}, {NULL, NULL}};
		struct json_doc *doc;
		char why[HTTP_WHY_MAX];
		assert_int_equal(http_call(&ctl, true, "/x", params, 300, &doc, why), HTTP_BROKEN);
		assert_string_equal(why, "what is given is too long for one request");
		assert_null(doc);
	}
}

// A peer that never stops sending ends at the cap, not with our memory.
TEST(test_endless)
{
	static const char head[] = "HTTP/1.1 200 X\r\n\r\n";
	static char text[1 << 20];
	struct json_doc *doc;
	char why[HTTP_WHY_MAX];
	memset(text, '{', sizeof(text) - 1);
	memcpy(text, head, sizeof(head) - 1);
	assert_int_equal(call(text, 100, NULL, &doc, why), HTTP_BROKEN);
	assert_null(doc);
}

TEST(test_nobody)
{
	struct json_doc *doc;
	char why[HTTP_WHY_MAX];
	assert_int_equal(
		http_call(&ctl, false, "/x", NULL, 300, &doc, why), HTTP_NOBODY); // stale socket
	unlink(path);
	assert_int_equal(http_call(&ctl, false, "/x", NULL, 300, &doc, why), HTTP_NOBODY);
	assert_null(http_call_or_fail(&ctl, false, "/x", NULL, 300));
}

static int setup(void **)
{
	if (!mkdtemp(folder) || mkdir(text_from("%s/" SHM_CONTROL, folder), 0750))
		return -1;
	snprintf(path, sizeof(path), "%s/" SHM_NAME_CONTROL_SOCKET, folder);
	snprintf(ctl.paths.run, sizeof(ctl.paths.run), "%s", folder);
	return 0;
}

static int teardown(void **)
{
	unlink(path);
	rmdir(text_from("%s/" SHM_CONTROL, folder));
	return rmdir(folder);
}

TEST_GROUP(setup, teardown)
