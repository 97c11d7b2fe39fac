// SPDX-License-Identifier: BSD-3-Clause
// The machine: huge pages, the memory plan and swap, the limits of the two processes, the cores of
// the workers, the clock, and the settings of the kernel.

#include "doctor_checks.h"
#include "doctor_files.h"
#include "lib/figure.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>
#include <weir/mem_plan.h>
#include <weir/numa.h>

#define HUGE          "/sys/kernel/mm/hugepages"
#define HUGE_2M       HUGE "/hugepages-2048kB"
#define PACKAGE_MOUNT "/dev/hugepages-weir"
#define SYSCTL        "/etc/sysctl.d/60-weir-hugepages.conf"
#define TMPFILES      "/etc/tmpfiles.d/weir-hugepages.conf"
enum { HUGE_PAGE = 2 << 20, SWAPPINESS_MOST = 10 };

// Adds the command that reserves huge pages. vm.nr_hugepages counts pages of the kernel's default
// size, which is 32 MiB with pages of 16 KiB, and 512 MiB with pages of 64 KiB. Such machines have
// pages of 2 MiB as well.
static void reserve_do(struct doctor *d, uint64_t missing)
{
	const long long now = doctor_number(HUGE_2M "/nr_hugepages"),
			kib = doctor_field("/proc/meminfo", "Hugepagesize");
	uint64_t pages = (missing + HUGE_PAGE - 1) / HUGE_PAGE + (now > 0 ? (uint64_t)now : 0);
	if (kib > 0 && kib != HUGE_PAGE >> 10)
		doctor_do(d,
			"echo 'w " HUGE_2M "/nr_hugepages - - - - %" PRIu64 "' >" TMPFILES
			" && systemd-tmpfiles --create " TMPFILES,
			pages);
	else
		doctor_do(d, "echo vm.nr_hugepages=%" PRIu64 " >" SYSCTL " && sysctl -p " SYSCTL,
			pages);
}

// A hugetlbfs of 2 MiB pages.
struct huge_mount {
	char where[256];
	int may; // whether the control plane may make files there (doctor_file_may)
	struct doctor_block block;
};

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);
	return strncmp(path, folder, len) == 0 && (path[len] == '/' || !path[len]);
}

// Finds the first mount that the control plane may use, else the package's, else the last one; with
// `place` only mounts that have it. 1; 0: there is no such mount; -errno.
static int mount_find(const struct doctor *d, const char *place, struct huge_mount *out)
{
	char path[SYSROOT_PATH_MAX], line[1024], kind[32], options[256];
	FILE *f = fopen(sysroot_path(path, "/proc/self/mounts"), "re");
	int rc = f ? 0 : -errno;
	struct huge_mount one;
	while (f && !(rc && out->may == 1) && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %255s %31s %255s", one.where, kind, options) != 3
			|| strcmp(kind, "hugetlbfs") != 0 || !strstr(options, "pagesize=2M")
			|| (place && !is_below(place, one.where)))
			continue;
		one.may = doctor_file_may(&d->cp, place ? place : one.where, 3, &one.block);
		if (rc == 0 || one.may == 1 || strcmp(out->where, PACKAGE_MOUNT) != 0)
			*out = one;
		rc = 1;
	}
	if (f)
		fclose(f);
	return rc;
}

// Adds the command that mounts it; the package has a unit for its mount.
static void mount_do(struct doctor *d, const char *place)
{
	static const char unit[] = "dev-hugepages\\x2dweir.mount";
	if (strcmp(place, PACKAGE_MOUNT) == 0 && sysroot_exists("/lib/systemd/system/%s", unit))
		doctor_do(d, "systemctl start %s", TEXT_QUOTE(unit));
	else
		doctor_do(d,
			"mkdir -p %s && mount -t hugetlbfs -o pagesize=2M,mode=1770,gid=%u none %s",
			TEXT_QUOTE(place), (unsigned)d->cp.gid, TEXT_QUOTE(place));
}

// Warns if the running data plane does not use the hugetlbfs that this process sees at `where`.
static void sight_check(struct doctor *d, const char *where)
{
	char why[SHM_WHY_MAX];
	struct region r;
	if (d->view.dataplane != PROCESS_UP || !d->c->paths.huge[0]
		|| region_attach(&d->c->paths, SHM_IN_MEM, "reader", REGION_READER, false, &r, why))
		return;
	const struct reader_page *page = region_data(&r);
	const uint64_t seen = atomic_load(&page->huge);
	if (seen && seen != shm_huge_place(&d->c->paths)) {
		doctor_add(d, DOCTOR_WARNING,
			"the data plane %s, not that of %s: cache and rules are on a tmpfs",
			seen == SHM_HUGE_NONE ? "sees no hugetlbfs that it may use"
					      : "looks at another hugetlbfs",
			where);
		doctor_do(d, "systemctl restart weir-dataplane weir-controlplane");
	}
	region_unmap(&r);
}

// Checks the hugetlbfs where the control plane puts the cache and the rules.
static void mount_check(struct doctor *d)
{
	const char *place = d->config->runtime.hugepages;
	bool is_auto = strcmp(place, "auto") == 0;
	enum doctor_verdict worst = is_auto ? DOCTOR_WARNING : DOCTOR_WRONG;
	struct huge_mount m;
	int rc = mount_find(d, is_auto ? NULL : place, &m);
	if (rc < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "/proc/self/mounts: %s", strerror(-rc));
	} else if (rc == 0) {
		doctor_add(d, worst,
			"no hugetlbfs of 2 MiB pages is mounted (runtime.hugepages: %s)", place);
		mount_do(d, is_auto ? PACKAGE_MOUNT : place);
	} else if (m.may < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s", m.block.why);
	} else if (m.may == 0) {
		doctor_add(d, worst, "the user %s may not write to the hugetlbfs: %s", d->cp.name,
			m.block.why);
		if (m.block.is_way || m.block.is_missing)
			doctor_block_do(d, &d->cp, &m.block);
		else if (is_auto && strcmp(m.where, PACKAGE_MOUNT) != 0)
			mount_do(d, PACKAGE_MOUNT); // m.where may be another program's
		else
			// A remount does not help: the kernel ignores its mode= and gid=.
			doctor_do(d, "chgrp %u %s && chmod 1770 %s", (unsigned)d->cp.gid,
				TEXT_QUOTE(m.where), TEXT_QUOTE(m.where));
	} else {
		doctor_add(d, DOCTOR_OK, "a hugetlbfs is mounted on %s", m.where);
		sight_check(d, m.where);
	}
}

// Bytes in huge pages. DPDK uses pages of any size, regions only pages of 2 MiB.
struct huge {
	uint64_t two, other;
};

// Adds the pages of one size. -errno.
static int huge_add(const char *folder, const char *file, struct huge *out)
{
	char path[96];
	uint64_t kib;
	if (sscanf(strrchr(folder, '/'), "/hugepages-%" SCNu64 "kB", &kib) != 1)
		return 0;
	snprintf(path, sizeof(path), HUGE "/hugepages-%" PRIu64 "kB/%s", kib, file);
	const long long pages = doctor_number(path);
	if (pages < 0)
		return (int)pages;
	*(kib == HUGE_PAGE >> 10 ? &out->two : &out->other) += (uint64_t)pages * (kib << 10);
	return 0;
}

// Reads the reserved or the free pages. -errno.
static int huge_read(const char *file, struct huge *out)
{
	char pattern[SYSROOT_PATH_MAX];
	glob_t found;
	int rc = 0;
	*out = (struct huge){0};
	if (glob(sysroot_path(pattern, HUGE "/hugepages-*kB"), 0, NULL, &found))
		return -ENOENT;
	for (size_t i = 0; i < found.gl_pathc && rc == 0; i++)
		rc = huge_add(found.gl_pathv[i], file, out);
	globfree(&found);
	return rc;
}

// The bytes that DPDK and regions can use of these pages.
static uint64_t huge_used(const struct huge *h, uint64_t dpdk, uint64_t regions)
{
	uint64_t other = dpdk < h->other ? dpdk : h->other, rest = dpdk - other + regions;
	return other + (rest < h->two ? rest : h->two);
}

// Checks that there are enough huge pages. Pages of a running weir are not free.
static void pages_check(struct doctor *d, uint64_t dpdk, uint64_t regions)
{
	char has[FIGURE_MAX], needs[FIGURE_MAX];
	struct huge all, free;
	int rc = huge_read("nr_hugepages", &all);
	rc = rc ? rc : huge_read("free_hugepages", &free);
	if (rc) {
		doctor_add(d, DOCTOR_UNKNOWN, HUGE ": %s", strerror(-rc));
		return;
	}
	bool is_wrong = d->view.dataplane == PROCESS_DOWN && dpdk > free.two + free.other;
	bool is_shown_all = d->runs && !is_wrong;
	// A running control plane has its pages already.
	uint64_t beside = is_wrong && d->view.controlplane != PROCESS_DOWN ? 0 : regions;
	uint64_t need = dpdk + beside;
	uint64_t room = huge_used(is_shown_all ? &all : &free, dpdk, beside);
	doctor_add(d,
		is_wrong      ? DOCTOR_WRONG
		: room < need ? DOCTOR_WARNING
			      : DOCTOR_OK,
		"weir can use %s of the %s huge pages; %s %s%s", figure_bytes(room, has),
		is_shown_all ? "reserved" : "free",
		dpdk && beside ? "the cache and DPDK take"
		: dpdk         ? "DPDK takes"
			       : "the cache takes",
		figure_bytes(need, needs),
		is_wrong ? ": the data plane does not start"
		: room < need
			? ": the rest is ordinary memory, in small pages where that is fragmented"
			: "");
	// Enough pages also after a restart of the control plane.
	uint64_t now = need - room, later = dpdk + regions - huge_used(&all, dpdk, regions);
	if (room < need)
		reserve_do(d, now > later ? now : later);
}

static uint64_t dpdk_of(const struct config *c)
{
	return c->dataplane.eal_hugepages ? (uint64_t)c->dataplane.memory_mb << 20 : 0;
}

static void check_hugepages(struct doctor *d)
{
	if (doctor_lacks_config(d) || doctor_lacks_sight(d))
		return;
	bool has_regions = strcmp(d->config->runtime.hugepages, "off") != 0;
	uint64_t dpdk = dpdk_of(d->config);
	uint64_t regions = has_regions ? (uint64_t)d->config->cache.l0_mb << 20 : 0;
	if (dpdk + regions == 0) {
		doctor_add(d, DOCTOR_OK, "the configuration uses none");
		return;
	}
	pages_check(d, dpdk, regions);
	if (has_regions)
		mount_check(d);
}

// The bytes of the plan's regions that are in huge pages: the cache and the rule images.
static uint64_t regions_of(const struct config *c, const struct mem_plan *p)
{
	uint64_t sum = 0;
	for (unsigned i = 0; strcmp(c->runtime.hugepages, "off") != 0 && i < p->count; i++)
		if (strcmp(p->line[i].tables, "l0") == 0
			|| strncmp(p->line[i].tables, "rule_image ", 11) == 0)
			sum += p->line[i].bytes;
	return sum;
}

// Memory that a running weir has taken is free for its successor. Reserved huge pages are a part of
// MemTotal, but not of MemAvailable. Huge pages that the plan does not use are lost for it.
static void check_memory(struct doctor *d)
{
	char has[FIGURE_MAX], needs[FIGURE_MAX];
	struct mem_plan plan;
	struct huge all = {0}, free = {0};
	if (doctor_lacks_config(d) || doctor_lacks_sight(d))
		return;
	const bool is_whole = d->runs || d->is_replacing;
	const char *field = is_whole ? "MemTotal" : "MemAvailable";
	long long kib = doctor_field("/proc/meminfo", field);
	if (kib < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "/proc/meminfo: %s", strerror((int)-kib));
		return;
	}
	if (huge_read("nr_hugepages", &all) || huge_read("free_hugepages", &free))
		all = free = (struct huge){0}; // a kernel without huge pages
	mem_plan_make(&plan, d->config);
	uint64_t dpdk = dpdk_of(d->config), regions = regions_of(d->config, &plan);
	uint64_t room = (uint64_t)kib << 10, lost = 0;
	if (is_whole)
		lost = all.two + all.other - huge_used(&all, dpdk, regions);
	else
		room += huge_used(&free, dpdk, regions);
	room -= lost < room ? lost : room;
	bool fits = plan.total <= room;
	doctor_add(d, fits ? DOCTOR_OK : DOCTOR_WRONG, "weir takes %s at most, and %s %s",
		figure_bytes(plan.total, needs), figure_bytes(room, has),
		is_whole ? "are in the machine for it" : "are free for it");
	if (!fits)
		doctor_do(d, "weirctl -c %s mem plan", TEXT_QUOTE(d->c->config_path));
}

// Warns of memory of a process in swap.
static void swapped_check(struct doctor *d, const char *who, pid_t pid)
{
	char path[64], text[FIGURE_MAX];
	if (!pid)
		return;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	long long kib = doctor_field(path, "VmSwap");
	if (kib < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s of the %s: %s", path, who, strerror((int)-kib));
	} else if (kib > 0) {
		doctor_add(d, DOCTOR_WARNING, "%s of the %s lie in swap",
			figure_bytes((uint64_t)kib << 10, text), who);
		doctor_do(d, "swapoff -a");
	}
}

static void check_swap(struct doctor *d)
{
	char path[SYSROOT_PATH_MAX], line[256];
	unsigned areas = 0;
	FILE *f = fopen(sysroot_path(path, "/proc/swaps"), "re");
	if (!f) {
		doctor_add(d, DOCTOR_UNKNOWN, "/proc/swaps: %s", strerror(errno));
		return;
	}
	while (fgets(line, sizeof(line), f))
		areas += *line == '/';
	fclose(f);
	long long swappiness = doctor_number("/proc/sys/vm/swappiness");
	swapped_check(d, "data plane", d->dp_pid);
	swapped_check(d, "control plane", d->cp_pid);
	if (areas == 0) {
		doctor_add(d, DOCTOR_OK, "off");
	} else if (swappiness < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "swap is on; vm.swappiness: %s",
			strerror((int)-swappiness));
	} else if (swappiness > SWAPPINESS_MOST) {
		doctor_add(d, DOCTOR_WARNING,
			"on, with vm.swappiness %lld: pages of weir that rest go to the disk",
			swappiness);
		doctor_do(d, "echo vm.swappiness=1 >/etc/sysctl.d/60-weir-swap.conf && sysctl -p "
			     "/etc/sysctl.d/60-weir-swap.conf");
	} else {
		doctor_add(d, DOCTOR_OK, "on, with vm.swappiness %lld", swappiness);
	}
}

enum which { SOFT, HARD };

// A limit of the process, LLONG_MAX if it has none, or -errno.
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

// Checks that the control plane cannot be dumped: caps_no_dump sets its hard limit to 0.
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

// Does any port lock the packet buffers in memory, as vfio and AF_XDP do?
static bool locks_memory(const struct config_dataplane *dp)
{
	for (unsigned i = 0; i < dp->port_count; i++)
		if (dp->ports[i].xdp || strncmp(dp->ports[i].device, "net_", 4) != 0)
			return true;
	return false;
}

static void check_limits(struct doctor *d)
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

#define CPU "/sys/devices/system/cpu"
enum { LIST_MAX = 1024, CORES_TEXT_MAX = 5 * CONFIG_WORKERS_MAX };

unsigned doctor_cores_of_workers(struct doctor *d, unsigned out[CONFIG_WORKERS_MAX])
{
	unsigned count = 0;
	if (d->dp_pid) {
		const struct stats_copy *s = d->view.stats;
		for (; count < s->workers && count < CONFIG_WORKERS_MAX; count++)
			out[count] = s->worker[count].lcore;
	} else if (!doctor_lacks_config(d)) {
		const struct config_dataplane *dp = &d->config->dataplane;
		for (; !dp->workers_auto && count < dp->worker_count; count++)
			out[count] = dp->worker_lcores[count];
		if (count == 0)
			doctor_add(d, DOCTOR_UNKNOWN,
				"the data plane chooses its cores at its start "
				"(dataplane.worker_lcores: auto)");
	}
	return count;
}

// Writes "2,3,6".
static char *cores_text(const unsigned *core, unsigned count, char out[CORES_TEXT_MAX])
{
	size_t len = 0;
	*out = '\0';
	for (unsigned i = 0; i < count && len < CORES_TEXT_MAX; i++)
		len += (size_t)snprintf(
			out + len, CORES_TEXT_MAX - len, "%s%u", i ? "," : "", core[i]);
	return out;
}

// Finds the cores that are in the list, or those that are not.
static unsigned cores_pick(const char *list, bool is_in, const unsigned *core, unsigned count,
	unsigned out[CONFIG_WORKERS_MAX])
{
	unsigned picked = 0;
	for (unsigned i = 0; i < count; i++)
		if (numa_list_has(list, core[i]) == is_in)
			out[picked++] = core[i];
	return picked;
}

// Warns of cores that a file of the kernel does not list: the scheduler or its tick disturbs their
// workers.
static bool listed_check(struct doctor *d, const char *file, const char *good, const char *lacks,
	const unsigned *core, unsigned count)
{
	char list[LIST_MAX], text[CORES_TEXT_MAX];
	unsigned other[CONFIG_WORKERS_MAX];
	int rc = sysroot_line(list, sizeof(list), CPU "/%s", file);
	if (rc) {
		doctor_add(d, DOCTOR_UNKNOWN, CPU "/%s: %s", file, strerror(-rc));
		return true;
	}
	unsigned shared = cores_pick(list, false, core, count, other);
	if (shared == 0)
		doctor_add(d, DOCTOR_OK, "worker cores %s %s", cores_text(core, count, text), good);
	else
		doctor_add(d, DOCTOR_WARNING, "worker cores %s %s", cores_text(other, shared, text),
			lacks);
	return shared == 0;
}

static void isolation_check(struct doctor *d, const unsigned *core, unsigned count)
{
	char text[CORES_TEXT_MAX];
	cores_text(core, count, text);
	bool is_isolated = listed_check(d, "isolated", "are isolated",
		"are not isolated: the kernel may run other tasks there", core, count);
	if (!is_isolated)
		doctor_do(d,
			"editor /etc/default/grub # GRUB_CMDLINE_LINUX, then update-grub: "
			"isolcpus=managed_irq,domain,%s nohz_full=%s rcu_nocbs=%s",
			text, text, text);
	if (!listed_check(d, "nohz_full", "have no tick", "have the kernel's tick (nohz_full)",
		    core, count))
		doctor_do(d,
			is_isolated ? "editor /etc/default/grub # GRUB_CMDLINE_LINUX, then "
				      "update-grub: nohz_full=%s rcu_nocbs=%s"
				    : "editor /etc/default/grub # as for the isolation",
			text, text);
}

// Warns of two workers on one physical core, which share its time.
static void siblings_check(struct doctor *d, const unsigned *core, unsigned count)
{
	unsigned pairs = 0;
	for (unsigned i = 0; i < count; i++) {
		char list[LIST_MAX];
		int rc = sysroot_line(
			list, sizeof(list), CPU "/cpu%u/topology/thread_siblings_list", core[i]);
		if (rc) {
			doctor_add(d, DOCTOR_UNKNOWN, "the topology of core %u: %s", core[i],
				strerror(-rc));
			return;
		}
		for (unsigned j = i + 1; j < count; j++) {
			if (!numa_list_has(list, core[j]))
				continue;
			pairs++;
			doctor_add(d, DOCTOR_WARNING,
				"workers on %u and %u share one physical core (hyper-threads)",
				core[i], core[j]);
			doctor_do(d,
				"lscpu --extended=CPU,CORE # choose cores of another CORE each for "
				"dataplane.worker_lcores");
		}
	}
	if (pairs == 0)
		doctor_add(d, DOCTOR_OK, "each worker has a physical core of its own");
}

// Reads the cores that the data plane may use: from its control group, else from its unit's, else
// from that of all services, else the online cores. `path` gets the file that was read. -errno.
static int cpuset_read(const struct doctor *d, char path[SYSROOT_PATH_MAX], char list[LIST_MAX])
{
	static const char *const groups[] = {
		"/system.slice/weir-dataplane.service", "/system.slice"};
	char group[256];
	if (d->dp_pid && sysroot_line(group, sizeof(group), "/proc/%d/cgroup", (int)d->dp_pid) == 0
		&& strncmp(group, "0::/", 4) == 0) {
		snprintf(path, SYSROOT_PATH_MAX, "/sys/fs/cgroup%s/cpuset.cpus.effective",
			group + 3);
		if (sysroot_line(list, LIST_MAX, "%s", path) == 0)
			return 0;
	}
	for (unsigned i = 0; i < ARRAY_LEN(groups); i++) {
		snprintf(path, SYSROOT_PATH_MAX, "/sys/fs/cgroup%s/cpuset.cpus.effective",
			groups[i]);
		int rc = sysroot_line(list, LIST_MAX, "%s", path);
		if (rc != -ENOENT)
			return rc;
	}
	snprintf(path, SYSROOT_PATH_MAX, CPU "/online");
	return sysroot_line(list, LIST_MAX, "%s", path);
}

static void cpuset_check(struct doctor *d, const unsigned *core, unsigned count)
{
	char list[LIST_MAX], text[CORES_TEXT_MAX], path[SYSROOT_PATH_MAX];
	unsigned other[CONFIG_WORKERS_MAX];
	int rc = cpuset_read(d, path, list);
	if (rc) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s: %s", path, strerror(-rc));
		return;
	}
	unsigned missing = cores_pick(list, false, core, count, other);
	if (missing == 0) {
		doctor_add(d, DOCTOR_OK, "the data plane may use worker cores %s",
			cores_text(core, count, text));
		return;
	}
	doctor_add(d, DOCTOR_WRONG,
		"the data plane may use the cores %s alone, which leaves out %s", list,
		cores_text(other, missing, text));
	if (strcmp(path, CPU "/online") == 0)
		doctor_do(d,
			"for c in $(echo %s | tr , ' '); do echo 1 >" CPU "/cpu$c/online; done",
			text);
	else
		doctor_do(d,
			"systemctl show -p AllowedCPUs -- -.slice system.slice "
			"weir-dataplane.service # set-property UNIT AllowedCPUs= takes it away");
}

static void check_cores(struct doctor *d)
{
	unsigned core[CONFIG_WORKERS_MAX], count = doctor_cores_of_workers(d, core);
	if (count == 0)
		return;
	cpuset_check(d, core, count);
	isolation_check(d, core, count);
	siblings_check(d, core, count);
}

// Has the interrupt a handler that is not vfio's?
static bool is_foreign_interrupt(const char *folder)
{
	char pattern[SYSROOT_PATH_MAX + 4];
	bool is_foreign = false;
	glob_t found;
	snprintf(pattern, sizeof(pattern), "%s/*/", folder);
	if (glob(pattern, 0, NULL, &found) != 0)
		return false;
	for (size_t i = 0; i < found.gl_pathc; i++)
		is_foreign |= !strstr(found.gl_pathv[i], "/vfio");
	globfree(&found);
	return is_foreign;
}

static int effective_read(const char *folder, char list[LIST_MAX])
{
	char path[SYSROOT_PATH_MAX + 32];
	snprintf(path, sizeof(path), "%s/effective_affinity_list", folder);
	FILE *f = fopen(path, "re");
	*list = '\0';
	if (!f)
		return -errno;
	if (fgets(list, LIST_MAX, f))
		list[strcspn(list, "\n")] = '\0';
	fclose(f);
	return 0;
}

// Finds an online core without a worker. False: each has one.
static bool core_find(const unsigned *core, unsigned count, unsigned *out)
{
	enum { CORES_MAX = 4096 };
	char list[LIST_MAX];
	if (sysroot_line(list, sizeof(list), CPU "/online") != 0)
		return false;
	for (*out = 0; *out < CORES_MAX; ++*out) {
		bool is_worker = false;
		for (unsigned i = 0; i < count; i++)
			is_worker |= core[i] == *out;
		if (!is_worker && numa_list_has(list, *out))
			return true;
	}
	return false;
}

static void interrupts_report(struct doctor *d, const unsigned *core, unsigned count,
	unsigned shared, unsigned shown, const char *numbers)
{
	char text[CORES_TEXT_MAX];
	unsigned to;
	doctor_add(d, DOCTOR_WARNING, "interrupts that go to worker cores (%s): %s%s",
		cores_text(core, count, text), numbers, shown < shared ? " and more" : "");
	if (core_find(core, count, &to))
		doctor_do(d,
			"for i in %s; do echo %u >/proc/irq/$i/smp_affinity_list; done # "
			"irqbalance "
			"off%s",
			numbers, to, shown < shared ? "; then again: there are more" : "");
}

static void check_interrupts(struct doctor *d)
{
	char pattern[SYSROOT_PATH_MAX], list[LIST_MAX], text[CORES_TEXT_MAX], numbers[96] = "";
	unsigned core[CONFIG_WORKERS_MAX], hit[CONFIG_WORKERS_MAX], shared = 0, shown = 0,
								    unread = 0;
	unsigned count = doctor_cores_of_workers(d, core);
	glob_t found;
	if (count == 0)
		return;
	if (glob(sysroot_path(pattern, "/proc/irq/[0-9]*"), 0, NULL, &found) != 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "/proc/irq shows no interrupts");
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *folder = found.gl_pathv[i];
		if (!is_foreign_interrupt(folder))
			continue;
		if (effective_read(folder, list) != 0) {
			unread++;
			continue;
		}
		if (cores_pick(list, true, core, count, hit) == 0)
			continue;
		size_t len = strlen(numbers);
		if (len < sizeof(numbers) - 12) {
			snprintf(numbers + len, sizeof(numbers) - len, "%s%s", len ? " " : "",
				strrchr(folder, '/') + 1);
			shown++;
		}
		shared++;
	}
	globfree(&found);
	cores_text(core, count, text);
	if (unread)
		doctor_add(d, DOCTOR_UNKNOWN, "interrupts whose cores cannot be read: %u", unread);
	if (shared) {
		interrupts_report(d, core, count, shared, shown, numbers);
	} else if (!unread) {
		doctor_add(d, DOCTOR_OK, "no interrupt goes to worker cores %s", text);
	}
}

static void check_governor(struct doctor *d)
{
	char word[32], text[CORES_TEXT_MAX];
	unsigned core[CONFIG_WORKERS_MAX], slow[CONFIG_WORKERS_MAX], slows = 0, scaled = 0;
	unsigned count = doctor_cores_of_workers(d, core);
	if (count == 0)
		return;
	for (unsigned i = 0; i < count; i++) {
		int rc = sysroot_line(
			word, sizeof(word), CPU "/cpu%u/cpufreq/scaling_governor", core[i]);
		if (rc && rc != -ENOENT) {
			doctor_add(d, DOCTOR_UNKNOWN, "core %u: %s", core[i], strerror(-rc));
			return;
		}
		scaled += !rc;
		if (!rc && strcmp(word, "performance") != 0)
			slow[slows++] = core[i];
	}
	if (scaled == 0) {
		doctor_add(d, DOCTOR_OK, "the kernel does not scale the frequency of worker cores");
	} else if (slows == 0) {
		doctor_add(d, DOCTOR_OK, "worker cores have the governor performance");
	} else {
		doctor_add(d, DOCTOR_WARNING,
			"worker cores %s have another governor than performance",
			cores_text(slow, slows, text));
		doctor_do(d,
			"for c in $(echo %s | tr , ' '); do echo performance >" CPU
			"/cpu$c/cpufreq/scaling_governor; done",
			text);
	}
}

enum {
	DAY_S = 86400,
	AGE_MOST_S = 3650 * DAY_S, // longest age of a program in use
	RECEIVE_LEAST = 1 << 20,   // FRONTEND_UDP_BUFFER of the control plane
	BACKLOG_LEAST = 4096,      // backlog of the control plane's TCP listeners
	MAPS_LEAST = 65530,        // the kernel's default
};

// Checks the clock against the date of the program's file: a build is neither in the future nor ten
// years old.
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

static void check_clock(struct doctor *d)
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

// Checks rp_filter. The kernel uses the larger of the interface's value and that of "all": 2
// (loose) wins over 1 (strict).
static void reverse_path_check(struct doctor *d, const char *interface)
{
	char path[128];
	if (!sysroot_exists("/proc/sys/net/ipv4/conf/%s", interface))
		return; // weir makes the interface
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
		doctor_do(d, "echo 2 >/proc/sys/net/ipv4/conf/%s/rp_filter", TEXT_QUOTE(interface));
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

static void check_kernel(struct doctor *d)
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

const struct doctor_check doctor_machine_checks[] = {
	{"hugepages", check_hugepages},
	{"memory", check_memory},
	{"swap", check_swap},
	{"limits", check_limits},
	{"cores", check_cores},
	{"interrupts", check_interrupts},
	{"governor", check_governor},
	{"clock", check_clock},
	{"kernel", check_kernel},
	{NULL, NULL},
};
