// SPDX-License-Identifier: BSD-3-Clause
#include "doctor_cores.h"

#include "doctor_checks.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/numa.h>

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

// "2,3,6"
static char *cores_text(const unsigned *core, unsigned count, char out[CORES_TEXT_MAX])
{
	size_t len = 0;
	*out = '\0';
	for (unsigned i = 0; i < count && len < CORES_TEXT_MAX; i++)
		len += (size_t)snprintf(
			out + len, CORES_TEXT_MAX - len, "%s%u", i ? "," : "", core[i]);
	return out;
}

// Those of the cores that are in the list, or that are not.
static unsigned cores_pick(const char *list, bool is_in, const unsigned *core, unsigned count,
	unsigned out[CONFIG_WORKERS_MAX])
{
	unsigned picked = 0;
	for (unsigned i = 0; i < count; i++)
		if (numa_list_has(list, core[i]) == is_in)
			out[picked++] = core[i];
	return picked;
}

// Cores that a file of the kernel does not list: the scheduler or its tick disturbs their workers.
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

// Two workers of one physical core take each other's time.
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

// The cores that the data plane may use: those of its control group, else of that of its unit, else
// of all services, else those that are online. 0, with the file that says it in `path`, or -errno.
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

void doctor_check_cores(struct doctor *d)
{
	unsigned core[CONFIG_WORKERS_MAX], count = doctor_cores_of_workers(d, core);
	if (count == 0)
		return;
	cpuset_check(d, core, count);
	isolation_check(d, core, count);
	siblings_check(d, core, count);
}

// Has the interrupt a handler, and one that is not the port's own?
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

// An online core without a worker. False: each has one.
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

void doctor_check_interrupts(struct doctor *d)
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

void doctor_check_governor(struct doctor *d)
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
