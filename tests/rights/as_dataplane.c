// SPDX-License-Identifier: BSD-3-Clause

// as_dataplane KIND: what a thread of the data plane can do with files and sockets once it was
// broken into. Started with the user, groups and capabilities of a data plane; takes the rights
// and the filter of its `main` thread or of a `worker`. Reads lines "TYPE PATH" (find -printf
// '%y %p\n') and writes a line of PATH and each thing that could be done: read, write, delete;
// of a socket connect, and the status of GET /v1/status; of TYPE t, a TCP socket, open. What the
// kernel ends the process for is "killed".

#include "dataplane/privilege_calls.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/os/caps.h>

static void say(const char *what)
{
	if (write(STDOUT_FILENO, what, strlen(what)) < 0)
		_exit(2);
}

static void socket_try(const char *path)
{
	static const char request[] = "GET /v1/status HTTP/1.1\r\nHost: weir\r\n\r\n";
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = 5};
	char reply[13] = "", said[sizeof(reply) + 1];
	snprintf(to.sun_path, sizeof(to.sun_path), "%.107s", path);
	for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++) {
		const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
			continue;
		say(" connect");
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (type == SOCK_STREAM && send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0
			&& recv(fd, reply, sizeof(reply) - 1, MSG_WAITALL) > 0) {
			snprintf(said, sizeof(said), " %s", reply + strcspn(reply, " ") + 1);
			say(said);
		}
	}
}

static void path_try(char type, const char *path)
{
	if (type == 's') {
		socket_try(path);
	} else if (type == 't') {
		if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0)
			say(" open");
	} else {
		if (open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) >= 0)
			say(" read");
		if (open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC) >= 0)
			say(" write");
	}
	if (unlink(path) == 0)
		say(" delete");
}

// In a process of its own, for the filter ends it at the first call that it does not allow.
static void line_try(const struct sandbox_kind *kind, char type, const char *path)
{
	int status;
	printf("%s", path);
	fflush(stdout);
	const pid_t child = fork();
	if (child == 0) {
		if (caps_no_new() || caps_keep(CAPS_BIT(CAP_NET_ADMIN), 0)
			|| sandbox_load(kind, SANDBOX_KILL, false))
			_exit(1);
		path_try(type, path);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || (WIFEXITED(status) && status)) {
		fprintf(stderr, "as_dataplane: %s: cannot try\n", path);
		exit(2);
	}
	puts(WIFSIGNALED(status) ? " killed" : "");
}

int main(int argc, char **argv)
{
	char line[512];
	const bool is_worker = argc == 2 && strcmp(argv[1], privilege_worker.name) == 0;
	if (argc != 2 || (!is_worker && strcmp(argv[1], privilege_main.name) != 0))
		return 2;
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		line_try(is_worker ? &privilege_worker : &privilege_main, line[0], line + 2);
	}
	return 0;
}
