// SPDX-License-Identifier: BSD-3-Clause

#include "privilege.h"

#include "prefault.h"
#include "privilege_calls.h"

#include <rte_launch.h>
#include <rte_lcore.h>

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <weir/log.h>
#include <weir/os/caps.h>
#include <weir/thread.h>

static bool has_begun; // false in benchmarks, which keep their rights
static uint64_t kept;  // capabilities that stay permitted to the main lcore

static void thread_settle(const char *name)
{
	int rc = caps_keep(0, 0);
	if (rc)
		log_warning("thread %s keeps its capabilities: %s", name, strerror(-rc));
}

void privilege_begin(void)
{
	int rc = caps_no_new();
	has_begun = true;
	if (rc)
		log_warning("no_new_privs: %s", strerror(-rc));
	rc = caps_no_dump();
	if (rc)
		log_warning("the process can be dumped: %s", strerror(-rc));
	thread_on_start(thread_settle);
}

// Is any port an interface of the kernel, which ports_stop takes down?
static bool needs_admin(const struct config_dataplane *c)
{
	for (unsigned i = 0; i < c->port_count; i++) {
		const struct config_port *p = &c->ports[i];
		if (p->xdp || p->exception[0] || strncmp(p->device, "net_tap", 7) == 0
			|| strncmp(p->device, "net_af_packet", 13) == 0
			|| strncmp(p->device, "net_af_xdp", 10) == 0)
			return true;
	}
	return false;
}

static int lcore_settle(void *mode)
{
	return sandbox_load(&privilege_worker, (enum sandbox_mode)(uintptr_t)mode, false);
}

// Loads the filter on each lcore, also on lcores without a worker.
static int lcores_reach(enum sandbox_mode mode)
{
	int rc = 0;
	unsigned lcore;
	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		int one = rte_eal_remote_launch(lcore_settle, (void *)(uintptr_t)mode, lcore);
		if (one == 0)
			one = rte_eal_wait_lcore(lcore);
		rc = rc ? rc : one;
	}
	return rc;
}

// The packet path must not wait for swapped pages.
static void lock_memory(void)
{
	int rc = sandbox_is_possible() ? prefault_lock() : 0; // a sanitizer's shadow is too large
	if (rc)
		log_warning("memory is not locked: %s; swapped pages would delay answers (set "
			    "LimitMEMLOCK=infinity, or ulimit -l unlimited)",
			rc == -EPERM ? "RLIMIT_MEMLOCK has a limit" : strerror(-rc));
}

int privilege_settle(const struct config *c, char why[PRIVILEGE_WHY_MAX])
{
	enum sandbox_mode mode = (enum sandbox_mode)c->runtime.seccomp;
	if (!has_begun)
		return 0;
	lock_memory();
	if (mode != SANDBOX_OFF && !sandbox_is_possible()) {
		log_info("runtime.seccomp: off, because a sanitizer is built in");
		mode = SANDBOX_OFF;
	}
	kept = needs_admin(&c->dataplane) ? CAPS_BIT(CAP_NET_ADMIN) : 0;
	const char *step = "system calls of all threads";
	int rc = sandbox_load(&privilege_main, mode, true);
	if (rc == 0) {
		step = "rights of the main lcore";
		rc = caps_keep(kept, 0);
	}
	if (rc == 0) {
		rc = caps_drop_others(kept, why);
		if (rc)
			return rc;
		// Comes after the rights: a worker's filter does not allow capset.
		step = "system calls of the lcores";
		rc = lcores_reach(mode);
	}
	if (rc)
		snprintf(why, PRIVILEGE_WHY_MAX, "%s: %s", step, strerror(-rc));
	return rc;
}

void privilege_stop(void)
{
	int rc = has_begun ? caps_keep(kept, kept) : 0;
	if (rc)
		log_warning("no rights to take the ports down: %s", strerror(-rc));
}
