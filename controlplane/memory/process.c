// SPDX-License-Identifier: BSD-3-Clause
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
