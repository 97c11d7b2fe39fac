// SPDX-License-Identifier: BSD-3-Clause
// The limits of the two processes.

#include "doctor_checks.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum which { SOFT, HARD };

// A limit of the process, LLONG_MAX without one, or -errno.
static long long limit_read(pid_t pid, const char *name, enum which which)
{
	char path[SYSROOT_PATH_MAX], line[256];
	long long n = -ENOENT;
	FILE *f = fopen(sysroot_path(path, "/proc/%d/limits", (int)pid), "re");
	if (!f)
		return -errno;
	while (n == -ENOENT && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		const char *value = line + strlen(name) + strspn(line + strlen(name), " ");
		if (which == HARD) {
			value += strcspn(value, " ");
			value += strspn(value, " ");
		}
		n = strncmp(value, "unlimited", 9) == 0 ? LLONG_MAX : strtoll(value, NULL, 10);
	}
	fclose(f);
	return n;
}

// May the process lock memory beyond its limit (capabilities(7))?
static bool locks_freely(pid_t pid)
{
	enum { IPC_LOCK = 14 };
	char text[4096];
	(void)sysroot_read(text, sizeof(text), "/proc/%d/status", (int)pid);
	const char *line = strstr(text, "\nCapEff:");
	return line && strtoull(line + strlen("\nCapEff:"), NULL, 16) >> IPC_LOCK & 1;
}

static void setting_do(struct doctor *d, const char *unit, const char *file, const char *setting)
{
	doctor_do(d,
		"mkdir -p /etc/systemd/system/%s.service.d && printf '[Service]\\n%s\\n' "
		">/etc/systemd/system/%s.service.d/%s.conf && systemctl daemon-reload && systemctl "
		"restart %s",
		unit, setting, unit, file, unit);
}

static void limit_check(struct doctor *d, pid_t pid, const char *unit, const char *name,
	const char *setting, uint64_t needs)
{
	long long has = limit_read(pid, name, SOFT);
	if (has < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "/proc/%d/limits: %s", (int)pid, strerror((int)-has));
	} else if ((uint64_t)has < needs) {
		doctor_add(d, DOCTOR_WARNING, "%s: %s is %lld, it may need %" PRIu64, unit, name,
			has, needs);
		setting_do(d, unit, "limits", setting);
	} else {
		doctor_add(d, DOCTOR_OK, "%s: %s is enough", unit, name);
	}
}

// A process whose hard limit is 0 marks itself as one that is not dumped (caps_no_dump).
static void cores_check(struct doctor *d)
{
	static const char unit[] = "weir-controlplane";
	long long most = limit_read(d->cp_pid, "Max core file size", HARD);
	if (most < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "/proc/%d/limits: %s", (int)d->cp_pid,
			strerror((int)-most));
	} else if (most > 0) {
		doctor_add(d, DOCTOR_WARNING,
			"%s: it can be dumped, and a core dump holds its keys and passwords", unit);
		setting_do(d, unit, "cores", "LimitCORE=0");
	} else {
		doctor_add(d, DOCTOR_OK, "%s: no core dumps", unit);
	}
}

// vfio and AF_XDP lock the packet buffers in memory.
static bool locks_memory(const struct config_dataplane *dp)
{
	for (unsigned i = 0; i < dp->port_count; i++)
		if (dp->ports[i].xdp || strncmp(dp->ports[i].device, "net_", 4) != 0)
			return true;
	return false;
}

void doctor_check_limits(struct doctor *d)
{
	if (doctor_lacks_config(d) || doctor_lacks_sight(d))
		return;
	const struct config *c = d->config;
	enum { OTHER_FILES = 1024 }; // beside clients: upstream servers, regions, sinks
	if (!locks_memory(&c->dataplane))
		doctor_add(d, DOCTOR_OK, "no port of the configuration locks memory");
	else if (d->dp_pid && locks_freely(d->dp_pid))
		doctor_add(d, DOCTOR_OK, "weir-dataplane: it has CAP_IPC_LOCK");
	else if (d->dp_pid)
		limit_check(d, d->dp_pid, "weir-dataplane", "Max locked memory",
			"LimitMEMLOCK=infinity", (uint64_t)c->dataplane.memory_mb << 20);
	else
		doctor_add(d, DOCTOR_UNKNOWN, "no data plane is running");
	if (!d->cp_pid) {
		doctor_add(d, DOCTOR_UNKNOWN, "no control plane is running");
		return;
	}
	limit_check(d, d->cp_pid, "weir-controlplane", "Max open files", "LimitNOFILE=524288",
		OTHER_FILES + (config_has_streams(c) ? c->tcp.connections : 0));
	cores_check(d);
}
