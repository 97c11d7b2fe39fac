// SPDX-License-Identifier: BSD-3-Clause
#include "redis_server.h"

#include "tests/unit/cp/http/fake_listener.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { SAY_S = 60, STARTS = 10 };

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

uint16_t redis_free_port(void)
{
	uint16_t port = 0;
	close(loopback_listen(&port));
	return port;
}

static bool is_free(uint16_t port)
{
	const struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	bool is = bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return is;
}

static void child_exec(const struct redis_server *s, const char *const *args)
{
	char port[8];
	const char *argv[REDIS_SERVER_ARGS_MAX + 16] = {"redis-server"};
	unsigned n = 1;
	snprintf(port, sizeof(port), "%u", s->port);
	const char *const fixed[] = {"--bind", "127.0.0.1", "--port", port, "--save", "",
		"--appendonly", "no", "--dir", s->folder, "--loglevel", "warning"};
	// Sentinels want the name of their file first.
	bool file = args && args[0] && args[0][0] == '/';
	if (file)
		argv[n++] = args[0];
	for (size_t i = 0; !file && i < sizeof(fixed) / sizeof(*fixed); i++)
		argv[n++] = fixed[i];
	for (unsigned i = file ? 1 : 0; args && args[i] && n < REDIS_SERVER_ARGS_MAX + 15; i++)
		argv[n++] = args[i];
	argv[n] = NULL;
	char *copy[REDIS_SERVER_ARGS_MAX + 16] = {0};
	for (unsigned i = 0; i < n; i++)
		copy[i] = strdup(argv[i]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	execvp(copy[0], copy);
	_exit(127);
}

// It answers, and no other server took the port meanwhile.
static bool is_up(const struct redis_server *s)
{
	const char *said = redis_server_say(s, "INFO server");
	const char *pid = strstr(said, "process_id:");
	return pid ? strtol(pid + strlen("process_id:"), NULL, 10) == s->pid : said[0] == '-';
}

// False: it ended at once.
static bool start_once(struct redis_server *s, const char *const *args)
{
	bool has_ended = false;
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		child_exec(s, args);
	WAIT_FOR((has_ended = waitpid(s->pid, NULL, WNOHANG) == s->pid) || is_up(s));
	if (has_ended)
		s->pid = 0;
	return !has_ended;
}

void redis_server_start(struct redis_server *s, const char *const *args)
{
	bool any_port = s->port == 0;
	if (s->folder[0] == '\0') {
		snprintf(s->folder, sizeof(s->folder), "/tmp/weir-test-redis-XXXXXX");
		assert_non_null(mkdtemp(s->folder));
	}
	unsigned starts = 0;
	do {
		if (starts++ == STARTS)
			fail_msg("redis-server ended at once: is the package installed?");
		if (any_port)
			s->port = redis_free_port();
		else
			WAIT_FOR(is_free(s->port)); // another test may have it for a moment
	} while (!start_once(s, args));
}

void redis_server_signal(const struct redis_server *s, int sig)
{
	assert_true(s->pid > 0);
	assert_int_equal(kill(s->pid, sig), 0);
}

void redis_server_stop(struct redis_server *s)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

void redis_server_clean(struct redis_server *s)
{
	redis_server_stop(s);
	DIR *d = s->folder[0] ? opendir(s->folder) : NULL;
	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
	if (s->folder[0])
		rmdir(s->folder);
	*s = (struct redis_server){0};
}

// True when `text` holds one whole reply: elements of arrays are items to come.
static bool reply_whole(const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	for (long items = 1; items > 0; items--) {
		const char *line = memmem(p, (size_t)(end - p), "\r\n", 2);
		if (!line)
			return false;
		long n = strtol(p + 1, NULL, 10);
		bool text_follows = *p == '$' && n >= 0;
		if (*p == '*' && n > 0)
			items += n;
		p = line + 2 + (text_follows ? n + 2 : 0);
		if (p > end)
			return false;
	}
	return true;
}

const char *redis_server_say(const struct redis_server *s, const char *command)
{
	static char reply[REDIS_SAY_MAX];
	struct sockaddr_in a = loopback(s->port);
	struct timeval wait = {.tv_sec = SAY_S};
	size_t len = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
		(void)!send(fd, command, strlen(command), MSG_NOSIGNAL);
		(void)!send(fd, "\r\n", 2, MSG_NOSIGNAL);
		for (ssize_t n = 1; n > 0 && !reply_whole(reply, len);) {
			n = recv(fd, reply + len, sizeof(reply) - 1 - len, 0);
			len += n > 0 ? (size_t)n : 0;
		}
	}
	close(fd);
	reply[len] = '\0';
	return reply;
}
