// SPDX-License-Identifier: BSD-3-Clause
#include "process.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/keyhash.h>

size_t process_text_read(const char *path, char *out, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, cap - 1);
	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void memory_read(const char *path, uint64_t *rss, uint64_t *anonymous)
{
	char text[128], *end;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	process_text_read(path, text, sizeof(text));
	(void)strtoull(text, &end, 10);
	uint64_t resident = strtoull(end, &end, 10), shared = strtoull(end, NULL, 10);
	*rss = resident * page;
	*anonymous = resident > shared ? (resident - shared) * page : 0;
}

void process_memory(uint64_t *rss, uint64_t *anonymous)
{
	memory_read("/proc/self/statm", rss, anonymous);
}

void process_memory_of(pid_t process, uint64_t *rss, uint64_t *anonymous)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/statm", process);
	memory_read(path, rss, anonymous);
}

// After the name in brackets, which may hold anything: field 3 is the state, 14 and 15 the ticks.
static void stat_read(const char *text, struct process_thread *t)
{
	const char *open = strchr(text, '('), *shut = strrchr(text, ')');
	if (!open || !shut || shut[1] != ' ')
		return;
	size_t len = (size_t)(shut - open - 1);
	snprintf(t->name, sizeof(t->name), "%.*s", (int)(len < sizeof(t->name) ? len : 15),
		open + 1);
	t->state = shut[2];
	const char *at = shut + 2;
	for (unsigned field = 3; field < 14 && at; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return;
	char *end;
	uint64_t user = strtoull(at, &end, 10), kernel = strtoull(end, NULL, 10);
	t->cpu_ms = (user + kernel) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static uint64_t status_number(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void thread_read(const char *id, struct process_thread *t)
{
	char path[64], text[4096];
	*t = (struct process_thread){.id = (pid_t)strtol(id, NULL, 10), .state = '?'};
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", t->id);
	process_text_read(path, text, sizeof(text));
	stat_read(text, t);
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", t->id);
	process_text_read(path, text, sizeof(text));
	t->waits = status_number(text, "\nvoluntary_ctxt_switches:");
	t->preempted = status_number(text, "\nnonvoluntary_ctxt_switches:");
}

unsigned process_threads(struct process_thread *out, unsigned cap)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *e;
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		if (n < cap)
			thread_read(e->d_name, &out[n]);
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

// Other threads own, open and close these descriptors without ordering with this thread: only the
// kernel knows what a number is at that moment. So this uses system calls and not libc, whose calls
// imply the caller's own files (a thread sanitizer would rightly object).

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
		inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
		snprintf(out, PROCESS_ADDRESS_MAX, "%s:%u", host, ntohs(a->in.sin_port));
	} else if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
		snprintf(out, PROCESS_ADDRESS_MAX, "[%s]:%u", host, ntohs(a->in6.sin6_port));
	} else if (a->sa.sa_family == AF_UNIX) {
		unix_text(&a->un, len, out);
	}
}

// 0 also where the kernel does not say.
static int option_of(int fd, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);
	long rc = syscall(SYS_getsockopt, fd, SOL_SOCKET, option, &value, &len);
	return rc < 0 ? 0 : value;
}

static uint64_t bytes_of(int fd, unsigned long request)
{
	int n = 0;
	return syscall(SYS_ioctl, fd, request, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

static const char *kind_of(int fd, int family)
{
	int type = option_of(fd, SO_TYPE), listens = option_of(fd, SO_ACCEPTCONN);
	if (family == AF_UNIX)
		return listens ? "unix listener" : "unix";
	if (family != AF_INET && family != AF_INET6)
		return "other";
	if (type == SOCK_DGRAM)
		return "udp";
	return listens ? "tcp listener" : "tcp";
}

static void peer_note(const union any_address *a, struct process_socket *s)
{
	if (a->sa.sa_family == AF_INET) {
		s->peer_version = 4;
		memcpy(s->peer_bytes, &a->in.sin_addr, sizeof(a->in.sin_addr));
	} else if (a->sa.sa_family == AF_INET6) {
		s->peer_version = 6;
		memcpy(s->peer_bytes, &a->in6.sin6_addr, sizeof(a->in6.sin6_addr));
	}
}

static bool socket_read(int fd, struct process_socket *s)
{
	union any_address a = {0};
	socklen_t len = sizeof(a);
	*s = (struct process_socket){.fd = fd};
	if (syscall(SYS_getsockname, fd, &a, &len) < 0)
		return false;
	s->kind = kind_of(fd, a.sa.sa_family);
	address_text(&a, len, s->local);
	a = (union any_address){0};
	len = sizeof(a);
	if (syscall(SYS_getpeername, fd, &a, &len) == 0) {
		address_text(&a, len, s->peer);
		peer_note(&a, s);
		s->may_be_client = s->peer_version && option_of(fd, SO_REUSEADDR);
	}
	s->unread = bytes_of(fd, SIOCINQ);
	s->unsent = bytes_of(fd, SIOCOUTQ);
	return true;
}

// False: there is no such file any more.
static bool file_of(const char *number, struct stat *out)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%.10s", number);
	return stat(path, out) == 0;
}

void process_sockets(void (*each)(void *arg, struct process_socket *s), void *arg,
	struct process_files_count *out)
{
	struct process_socket s;
	struct stat before, after;
	const struct dirent *e;
	DIR *dir = opendir("/proc/self/fd");
	*out = (struct process_files_count){0};
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		int fd = (int)strtol(e->d_name, NULL, 10);
		if (fd == dirfd(dir) || !file_of(e->d_name, &before))
			continue;
		out->files++;
		if (!S_ISSOCK(before.st_mode))
			continue;
		out->sockets++;
		if (socket_read(fd, &s) && file_of(e->d_name, &after)
			&& after.st_ino == before.st_ino && after.st_dev == before.st_dev)
			each(arg, &s);
	}
	if (dir)
		closedir(dir);
}

// "[2001:db8::1]" of "[2001:db8::1]:53"; of a unix socket all. A port may be missing.
static size_t host_len(const struct process_socket *s)
{
	if (strncmp(s->kind, "unix", 4) == 0)
		return strlen(s->peer);
	return s->peer[0] == '[' ? strcspn(s->peer, "]") + 1 : strcspn(s->peer, ":");
}

static bool is_peer(const struct process_peer *p, const struct process_socket *s, size_t len)
{
	return strcmp(p->kind, s->kind) == 0 && strlen(p->host) == len
	       && memcmp(p->host, s->peer, len) == 0;
}

// The peer's entry, or the common one of all peers without one. A quarter of the slots is used at
// most.
static struct process_peer *peer_of(struct process_peers *p, const struct process_socket *s)
{
	const size_t len = host_len(s);
	uint64_t at = contenthash(s->peer, len) + contenthash(s->kind, strlen(s->kind));
	uint16_t *slot;
	while (*(slot = &p->slot[at % ARRAY_LEN(p->slot)])) {
		if (is_peer(&p->peer[*slot - 1], s, len))
			return &p->peer[*slot - 1];
		at++;
	}
	if (p->count == PROCESS_PEERS_MAX)
		return &p->others;
	struct process_peer *new = &p->peer[p->count++];
	*slot = (uint16_t)p->count;
	new->kind = s->kind;
	memcpy(new->host, s->peer, len);
	new->host[len] = '\0';
	return new;
}

void process_peers_add(struct process_peers *p, const struct process_socket *s)
{
	struct process_peer *peer = peer_of(p, s);
	peer->sockets++;
	peer->unread += s->unread;
	peer->unsent += s->unsent;
}
