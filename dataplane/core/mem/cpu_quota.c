// SPDX-License-Identifier: BSD-3-Clause
#include "cpu_quota.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/attr.h>

enum { FILE_MAX = 4096, LEVELS_MAX = 32, HUNDREDTHS = 100, CPUS_MAX = 1 << 20 };

// The beginning of a file, as text. False: it is not there, or empty.
static bool text_read(const char *path, char out[FILE_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, out, FILE_MAX - 1);
	(void)close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

// A positive number that ends with a blank, a line or the text; else 0.
static uint64_t number_at(const char **at)
{
	char *end;
	if (**at < '0' || **at > '9')
		return 0;
	unsigned long long n = strtoull(*at, &end, 10); // ULLONG_MAX: too large
	if (n == ULLONG_MAX || !strchr(" \n", *end))
		return 0;
	*at = *end ? end + 1 : end;
	return n;
}

static unsigned hundredths(uint64_t quota_us, uint64_t period_us)
{
	if (quota_us == 0 || period_us == 0 || quota_us / period_us >= CPUS_MAX)
		return 0;
	const uint64_t h = quota_us * HUNDREDTHS / period_us;
	return h ? (unsigned)h : 1;
}

static unsigned lower(unsigned a, unsigned b)
{
	return !a || (b && b < a) ? b : a;
}

// cpu.max: "QUOTA PERIOD", or "max PERIOD".
static unsigned quota_v2(const char *folder)
{
	char path[2 * FILE_MAX], text[FILE_MAX];
	const char *at = text;

	snprintf(path, sizeof(path), "%s/cpu.max", folder);
	if (!text_read(path, text))
		return 0;
	const uint64_t quota = number_at(&at);
	return hundredths(quota, quota ? number_at(&at) : 0);
}

// Reads two files with a number each; a quota of -1 is no quota.
static unsigned quota_v1(const char *folder)
{
	char path[2 * FILE_MAX], quota[FILE_MAX], period[FILE_MAX];
	const char *q = quota, *p = period;

	snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", folder);
	if (!text_read(path, quota))
		return 0;
	snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", folder);
	return text_read(path, period) ? hundredths(number_at(&q), number_at(&p)) : 0;
}

// The least quota of `group` below the mount and of all groups above it.
static unsigned quota_up(const char *mount, const char *group, unsigned (*quota)(const char *))
{
	char folder[FILE_MAX];
	const size_t root = strlen(mount);
	unsigned least = quota(mount);

	if (strstr(group, "..") || root + strlen(group) >= sizeof(folder))
		return least;
	snprintf(folder, sizeof(folder), "%s%s", mount, group);
	for (unsigned level = 0; level < LEVELS_MAX && strlen(folder) > root + 1; level++) {
		least = lower(least, quota(folder));
		*strrchr(folder, '/') = '\0'; // the mount begins with one
	}
	return least;
}

// Is "cpu" among the names, separated by commas?
static bool has_cpu(const char *names)
{
	for (const char *at = names; (at = strstr(at, "cpu")); at++)
		if ((at == names || at[-1] == ',') && (at[3] == '\0' || at[3] == ','))
			return true;
	return false;
}

// A line of /proc/self/cgroup: "0::GROUP" of v2, "NUMBER:NAMES:GROUP" of v1.
static unsigned quota_of(const char *root, char *line)
{
	char mount[FILE_MAX];
	char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;

	if (!group || strlen(root) > FILE_MAX / 4 || strlen(line) > FILE_MAX / 2)
		return 0;
	*group++ = '\0';
	names++;
	if (*group != '/')
		return 0;
	if (*names == '\0') {
		snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup", root);
		return quota_up(mount, group, quota_v2);
	}
	if (!has_cpu(names))
		return 0;
	snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/%s", root, names);
	return quota_up(mount, group, quota_v1);
}

unsigned cpu_quota(const char *root)
{
	char path[FILE_MAX], text[FILE_MAX], *rest = NULL;
	unsigned least = 0;

	snprintf(path, sizeof(path), "%.1024s/proc/self/cgroup", root);
	if (!text_read(path, text))
		return 0;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		least = lower(least, quota_of(root, line));
	return least;
}
