// SPDX-License-Identifier: BSD-3-Clause
// Huge pages, the memory plan and swap.

#include "doctor_checks.h"
#include "doctor_files.h"
#include "lib/figure.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/mem_plan.h>

#define HUGE          "/sys/kernel/mm/hugepages"
#define HUGE_2M       HUGE "/hugepages-2048kB"
#define PACKAGE_MOUNT "/dev/hugepages-weir"
#define SYSCTL        "/etc/sysctl.d/60-weir-hugepages.conf"
#define TMPFILES      "/etc/tmpfiles.d/weir-hugepages.conf"
enum { HUGE_PAGE = 2 << 20, SWAPPINESS_MOST = 10 };

// vm.nr_hugepages counts pages of the kernel's default size, which is 32 MiB where its pages have
// 16 KiB, and 512 MiB where they have 64 KiB. Such machines have pages of 2 MiB as well.
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

// The first one that it may use, else the package's, else the last one; of a given `place` the one
// that has it. 1; 0: none; -errno.
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

// The package has a unit for its mount.
static void mount_do(struct doctor *d, const char *place)
{
	static const char unit[] = "dev-hugepages\\x2dweir.mount";
	if (strcmp(place, PACKAGE_MOUNT) == 0 && sysroot_exists("/lib/systemd/system/%s", unit))
		doctor_do(d, "systemctl start %s", SHELL_QUOTE(unit));
	else
		doctor_do(d,
			"mkdir -p %s && mount -t hugetlbfs -o pagesize=2M,mode=1770,gid=%u none %s",
			SHELL_QUOTE(place), (unsigned)d->cp.gid, SHELL_QUOTE(place));
}

// Does the running data plane look in the place that is seen from here? `where` lies there.
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

// Where the control plane puts the cache and the rules.
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
			mount_do(d, PACKAGE_MOUNT); // that one may be another program's
		else
			// A remount changes neither: the kernel ignores its mode= and gid=.
			doctor_do(d, "chgrp %u %s && chmod 1770 %s", (unsigned)d->cp.gid,
				SHELL_QUOTE(m.where), SHELL_QUOTE(m.where));
	} else {
		doctor_add(d, DOCTOR_OK, "a hugetlbfs is mounted on %s", m.where);
		sight_check(d, m.where);
	}
}

// Bytes in huge pages. DPDK takes any, regions those of 2 MiB.
struct huge {
	uint64_t two, other;
};

// Adds those of one size. 0 or -errno.
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

// Reserved or free ones. 0 or -errno.
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

// What both would take of them.
static uint64_t huge_used(const struct huge *h, uint64_t dpdk, uint64_t regions)
{
	uint64_t other = dpdk < h->other ? dpdk : h->other, rest = dpdk - other + regions;
	return other + (rest < h->two ? rest : h->two);
}

// A running weir has its pages, and they are no longer free.
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
	// Pages of a control plane that runs are not free.
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
	// So many that the control plane has its own after a restart as well.
	uint64_t now = need - room, later = dpdk + regions - huge_used(&all, dpdk, regions);
	if (room < need)
		reserve_do(d, now > later ? now : later);
}

static uint64_t dpdk_of(const struct config *c)
{
	return c->dataplane.eal_hugepages ? (uint64_t)c->dataplane.memory_mb << 20 : 0;
}

void doctor_check_hugepages(struct doctor *d)
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

// Regions of the plan that lie in huge pages: the cache and the rule images.
static uint64_t regions_of(const struct config *c, const struct mem_plan *p)
{
	uint64_t sum = 0;
	for (unsigned i = 0; strcmp(c->runtime.hugepages, "off") != 0 && i < p->count; i++)
		if (strcmp(p->line[i].tables, "l0") == 0
			|| strncmp(p->line[i].tables, "rule_image ", 11) == 0)
			sum += p->line[i].bytes;
	return sum;
}

// Reserved huge pages are a part of MemTotal, and not of MemAvailable; those that the plan puts
// nothing into are of no use.
void doctor_check_memory(struct doctor *d)
{
	char has[FIGURE_MAX], needs[FIGURE_MAX];
	struct mem_plan plan;
	struct huge all = {0}, free = {0};
	if (doctor_lacks_config(d) || doctor_lacks_sight(d))
		return;
	const char *field = d->runs ? "MemTotal" : "MemAvailable";
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
	if (d->runs)
		lost = all.two + all.other - huge_used(&all, dpdk, regions);
	else
		room += huge_used(&free, dpdk, regions);
	room -= lost < room ? lost : room;
	bool fits = plan.total <= room;
	doctor_add(d, fits ? DOCTOR_OK : DOCTOR_WRONG, "weir takes %s at most, and %s %s",
		figure_bytes(plan.total, needs), figure_bytes(room, has),
		d->runs ? "are in the machine for it" : "are free for it");
	if (!fits)
		doctor_do(d, "weirctl -c %s mem plan", SHELL_QUOTE(d->c->config_path));
}

// How much of a process lies in swap.
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

void doctor_check_swap(struct doctor *d)
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
