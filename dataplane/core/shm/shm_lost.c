// SPDX-License-Identifier: BSD-3-Clause

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/log.h>
#include <weir/shm_lost.h>

// All code here must be async-signal-safe: no stdio, no allocation. It looks the file up in
// /proc/self/maps. A worker's filter lets it open no file, so region_lost_catch opens all it needs.

enum { LINE_MAX_BYTES = 512 };

struct mapping {
	uint64_t start, end;
	bool writable;
	char path[LINE_MAX_BYTES];
};

// The handler can reach nothing else.
static const char *const *own_names;
static int maps_fd = -1, stderr_fd = -1;
// Protects the position of maps_fd. A thread that holds it reads on and touches no region, so waits
// are short.
static atomic_flag maps_taken = ATOMIC_FLAG_INIT;

static void put(char *line, size_t *len, const char *text)
{
	while (*text && *len < LINE_MAX_BYTES - 1)
		line[(*len)++] = *text++;
}

static uint64_t hex(const char **p)
{
	uint64_t value = 0;
	for (;; ++*p) {
		char c = **p;
		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return value;
	}
}

// "start-end rw-s offset device inode path": true if `at` lies in it. The path is empty where it is
// no file's.
static bool line_parse(const char *line, uint64_t at, struct mapping *out)
{
	const char *p = line;
	out->start = hex(&p);
	if (*p++ != '-')
		return false;
	out->end = hex(&p);
	if (at < out->start || at >= out->end || *p != ' ')
		return false;
	out->writable = p[2] == 'w';
	p = strchr(p, '/');
	strcpy(out->path, p ? p : ""); // no longer than the line that it is in
	return true;
}

// The next line of fd, truncated to the buffer; false at the end.
static bool line_read(int fd, char line[LINE_MAX_BYTES])
{
	size_t len = 0;
	char c;
	while (read(fd, &c, 1) == 1) {
		if (c == '\n') {
			line[len] = '\0';
			return true;
		}
		if (len < LINE_MAX_BYTES - 1)
			line[len++] = c;
	}
	return false;
}

enum lookup { LOOKUP_FILE, LOOKUP_NO_FILE, LOOKUP_FAILED };

static enum lookup mapping_at(uint64_t at, struct mapping *out)
{
	char line[LINE_MAX_BYTES];
	bool found = false;
	while (atomic_flag_test_and_set_explicit(&maps_taken, memory_order_acquire))
		;
	if (lseek(maps_fd, 0, SEEK_SET) == 0)
		while (!found && line_read(maps_fd, line))
			found = line_parse(line, at, out);
	atomic_flag_clear_explicit(&maps_taken, memory_order_release);
	return !found ? LOOKUP_FAILED : out->path[0] ? LOOKUP_FILE : LOOKUP_NO_FILE;
}

// Does the file's name begin with one of these?
static bool is_one_of(const char *path, const char *const *names)
{
	const char *name = strrchr(path, '/') + 1;
	for (; *names; names++)
		if (strncmp(name, *names, strlen(*names)) == 0)
			return true;
	return false;
}

static bool is_region(const char *path)
{
	static const char *const names[] = {"directory", "l0.", "rule_image.", "policy.", "rings.",
		"answers.", "marks.", "reader", "stats", NULL};
	return is_one_of(path, names);
}

static bool zeros_in_place(const struct mapping *m)
{
	void *at = (void *)(uintptr_t)m->start;
	return mmap(at, m->end - m->start, PROT_READ | (m->writable ? PROT_WRITE : 0),
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
	       == at;
}

// To stderr, or nowhere: a worker must not wait for whoever reads there. The descriptor is shared
// with others, so it cannot be made non-blocking; stderr_fd, a second one of the same pipe or
// terminal, is.
static void write_now(const char *line, size_t len)
{
	ssize_t n = send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0 || errno != ENOTSOCK)
		return;
	n = write(stderr_fd, line, len);
	(void)n; // nowhere to complain
}

static void tell(const char *path, const char *what)
{
	char line[LINE_MAX_BYTES];
	size_t len = 0;
	put(line, &len, program_invocation_short_name);
	put(line, &len, ": ");
	put(line, &len, path);
	put(line, &len, ": cut off while in use (SIGBUS); ");
	put(line, &len, what);
	put(line, &len, "\n");
	write_now(line, len);
}

static void on_bus_error(int signo, siginfo_t *info, void *)
{
	struct mapping m;
	int saved = errno;
	enum lookup found = info->si_code == BUS_ADRERR
				    ? mapping_at((uint64_t)(uintptr_t)info->si_addr, &m)
				    : LOOKUP_FAILED;
	if (found == LOOKUP_NO_FILE) {
		// Another thread fell over the same region and has put the zeros there.
		errno = saved;
		return;
	}
	if (found == LOOKUP_FAILED || !is_region(m.path)) {
		// Another cause. The instruction runs again and ends the process as usual; a signal
		// that a process sent is sent again.
		signal(signo, SIG_DFL);
		if (info->si_code <= 0)
			raise(signo);
		return;
	}
	if (is_one_of(m.path, own_names) || !zeros_in_place(&m)) {
		tell(m.path, "ending with status 87, a restart makes it anew");
		_exit(REGION_LOST_STATUS);
	}
	tell(m.path, "going on without it until there is a new one");
	errno = saved;
}

void region_lost_catch(const char *const *own)
{
	own_names = own;
	maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (maps_fd < 0)
		log_warning("/proc/self/maps: %s; a region that is cut off ends this process",
			strerror(errno));
	stderr_fd =
		open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	static_assert(REGION_LOST_STATUS == 87); // the text above says so
	const struct sigaction catch = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
	(void)sigaction(SIGBUS, &catch, NULL);
}

static _Noreturn void lost_end(void)
{
	log_out_stop(); // _exit leaves what waits unwritten
	_exit(REGION_LOST_STATUS);
}

void region_lost_end(const char *name)
{
	log_error("%s: cut off while in use; ending with status %d, a restart makes it anew", name,
		REGION_LOST_STATUS);
	lost_end();
}

void region_gone_end(const char *why)
{
	log_error("a data plane that starts cannot map the cache (%s); ending with status %d, a "
		  "restart makes it anew",
		why, REGION_LOST_STATUS);
	lost_end();
}
