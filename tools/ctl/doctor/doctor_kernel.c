// SPDX-License-Identifier: BSD-3-Clause
// The clock and the settings of the kernel.

#include "doctor_checks.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

enum {
	DAY_S = 86400,
	AGE_MOST_S = 3650 * DAY_S, // of a program that still runs
	RECEIVE_LEAST = 1 << 20,   // FRONTEND_UDP_BUFFER of the control plane
	BACKLOG_LEAST = 4096,      // of its TCP listeners
	MAPS_LEAST = 65530,        // the kernel's default
};

// The program's file is from its build: a clock ahead of that is set, one behind it is not.
static bool date_check(struct doctor *d)
{
	char path[SYSROOT_PATH_MAX], built[32], shown[32];
	struct stat st;
	struct tm tm;
	time_t now = time(NULL);
	if (stat(sysroot_path(path, "/proc/self/exe"), &st) != 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "the date of the build: %s", strerror(errno));
		return true;
	}
	if (now >= st.st_mtime - DAY_S && now <= st.st_mtime + AGE_MOST_S)
		return true;
	strftime(built, sizeof(built), "%F", gmtime_r(&st.st_mtime, &tm));
	strftime(shown, sizeof(shown), "%F", gmtime_r(&now, &tm));
	doctor_add(d, DOCTOR_WRONG,
		"it shows %s, and weir was built on %s: certificates and DNSSEC "
		"signatures fail",
		shown, built);
	doctor_do(d, "timedatectl set-ntp true # or: date -s YYYY-MM-DD");
	return false;
}

void doctor_check_clock(struct doctor *d)
{
	struct timex t = {0};
	if (!date_check(d))
		return;
	int state = adjtimex(&t);
	if (state < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "adjtimex: %s", strerror(errno));
	} else if (state == TIME_ERROR || t.status & STA_UNSYNC) {
		doctor_add(d, DOCTOR_WARNING, "no time service keeps it");
		doctor_do(d, "timedatectl set-ntp true");
	} else {
		doctor_add(
			d, DOCTOR_OK, "a time service keeps it, within %ld ms", t.maxerror / 1000);
	}
}

static void at_least(struct doctor *d, const char *name, long long least, const char *what)
{
	char path[96];
	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	long long now = doctor_number(path);
	char dotted[96];
	snprintf(dotted, sizeof(dotted), "%s", name);
	for (char *p = dotted; *p; p++)
		*p = *p == '/' ? '.' : *p;
	if (now < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s: %s", dotted, strerror((int)-now));
	} else if (now < least) {
		doctor_add(d, DOCTOR_WARNING, "%s is %lld: %s", dotted, now, what);
		doctor_do(d,
			"echo %s=%lld >>/etc/sysctl.d/60-weir.conf && sysctl -p "
			"/etc/sysctl.d/60-weir.conf",
			dotted, least);
	} else {
		doctor_add(d, DOCTOR_OK, "%s is %lld", dotted, now);
	}
}

// The kernel takes the stricter of both, but 2 (loose) before 1 (strict).
static void reverse_path_check(struct doctor *d, const char *interface)
{
	char path[128];
	if (!sysroot_exists("/proc/sys/net/ipv4/conf/%s", interface))
		return; // weir makes it
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", interface);
	long long own = doctor_number(path);
	long long all = doctor_number("/proc/sys/net/ipv4/conf/all/rp_filter");
	if (own < 0 || all < 0) {
		doctor_add(
			d, DOCTOR_UNKNOWN, "%s: %s", path, strerror((int)-(own < 0 ? own : all)));
	} else if ((own > all ? own : all) == 1) {
		doctor_add(d, DOCTOR_WARNING,
			"rp_filter of %s is strict: the kernel drops TCP of clients to whom "
			"another "
			"interface leads",
			interface);
		doctor_do(
			d, "echo 2 >/proc/sys/net/ipv4/conf/%s/rp_filter", SHELL_QUOTE(interface));
	} else {
		doctor_add(d, DOCTOR_OK, "rp_filter of %s is not strict", interface);
	}
}

static void ipv6_check(struct doctor *d, const struct config_dataplane *dp)
{
	bool is_used = false;
	for (unsigned i = 0; i < dp->address_count; i++)
		is_used |= dp->addresses[i].version == 6;
	if (!is_used)
		return;
	long long off = doctor_number("/proc/sys/net/ipv6/conf/all/disable_ipv6");
	if (off < 0 && off != -ENOENT) {
		doctor_add(d, DOCTOR_UNKNOWN, "disable_ipv6: %s", strerror((int)-off));
	} else if (off == 0) {
		doctor_add(d, DOCTOR_OK, "IPv6 is on");
	} else {
		doctor_add(d, DOCTOR_WRONG, "IPv6 is off, and a service address is of IPv6");
		doctor_do(d, "sysctl net.ipv6.conf.all.disable_ipv6=0");
	}
}

void doctor_check_kernel(struct doctor *d)
{
	at_least(d, "net/core/rmem_max", RECEIVE_LEAST,
		"sockets of the control plane get less room for queries than they ask for");
	at_least(d, "net/core/somaxconn", BACKLOG_LEAST,
		"fewer TCP connections may wait than weir asks for");
	at_least(d, "vm/max_map_count", MAPS_LEAST, "a process may run out of mappings");
	if (!d->config)
		return;
	const struct config_dataplane *dp = &d->config->dataplane;
	for (unsigned i = 0; i < dp->port_count; i++)
		if (dp->ports[i].exception[0])
			reverse_path_check(d, dp->ports[i].exception);
	ipv6_check(d, dp);
}
