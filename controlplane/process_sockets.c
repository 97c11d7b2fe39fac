// SPDX-License-Identifier: BSD-3-Clause
#include "process_sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

union any_address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage room;
};

static void unix_text(const struct sockaddr_un *un, socklen_t len, char out[PROCESS_ADDRESS_MAX])
{
	size_t n = len > offsetof(struct sockaddr_un, sun_path)
			   ? len - offsetof(struct sockaddr_un, sun_path)
			   : 0;
	const char *path = un->sun_path;
	if (n && !path[0]) { // an abstract one
		snprintf(out, PROCESS_ADDRESS_MAX, "@%.*s", (int)n - 1, path + 1);
		return;
	}
	snprintf(out, PROCESS_ADDRESS_MAX, "%.*s", (int)n, path);
}

static void address_text(const union any_address *a, socklen_t len, char out[PROCESS_ADDRESS_MAX])
{
	char host[INET6_ADDRSTRLEN] = "";
	out[0] = '\0';
	if (a->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof host);
		snprintf(out, PROCESS_ADDRESS_MAX, "%s:%u", host, ntohs(a->in.sin_port));
	} else if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof host);
		snprintf(out, PROCESS_ADDRESS_MAX, "[%s]:%u", host, ntohs(a->in6.sin6_port));
	} else if (a->sa.sa_family == AF_UNIX) {
		unix_text(&a->un, len, out);
	}
}

static const char *kind_of(int fd, int family)
{
	int type = 0, listens = 0;
	socklen_t len = sizeof type;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return "other";
	len = sizeof listens;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0)
		listens = 0;
	if (family == AF_UNIX)
		return listens ? "unix listener" : "unix";
	if (family != AF_INET && family != AF_INET6)
		return "other";
	if (type == SOCK_DGRAM)
		return "udp";
	return listens ? "tcp listener" : "tcp";
}

static bool socket_read(int fd, struct process_socket *s)
{
	union any_address a = {0};
	socklen_t len = sizeof a;
	int n;
	*s = (struct process_socket){.fd = fd};
	if (getsockname(fd, &a.sa, &len) < 0)
		return false;
	s->kind = kind_of(fd, a.sa.sa_family);
	address_text(&a, len, s->local);
	a = (union any_address){0};
	len = sizeof a;
	if (getpeername(fd, &a.sa, &len) == 0)
		address_text(&a, len, s->peer);
	if (ioctl(fd, SIOCINQ, &n) == 0 && n > 0)
		s->unread = (uint64_t)n;
	if (ioctl(fd, SIOCOUTQ, &n) == 0 && n > 0)
		s->unsent = (uint64_t)n;
	return true;
}

void process_sockets(void (*each)(void *arg, const struct process_socket *s), void *arg,
	struct process_files_count *out)
{
	struct process_socket s;
	struct stat st;
	const struct dirent *e;
	DIR *dir = opendir("/proc/self/fd");
	*out = (struct process_files_count){0};
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		int fd = (int)strtol(e->d_name, NULL, 10);
		if (fd == dirfd(dir) || fstat(fd, &st) < 0)
			continue;
		out->files++;
		if (!S_ISSOCK(st.st_mode))
			continue;
		out->sockets++;
		if (socket_read(fd, &s))
			each(arg, &s);
	}
	if (dir)
		closedir(dir);
}
