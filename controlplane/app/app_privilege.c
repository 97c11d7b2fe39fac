// SPDX-License-Identifier: BSD-3-Clause

#include "app_privilege.h"

#include "app_privilege_calls.h"
#include "memory/heap.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/log.h>
#include <weir/os/caps.h>
#include <weir/thread.h>

static const uint64_t bind_low = CAPS_BIT(CAP_NET_BIND_SERVICE);
// Set once, while weir-stderr is the only thread that may read it.
static _Atomic enum sandbox_mode filters = SANDBOX_OFF;

// Capabilities of a process of root, which expects to read and write files of any user.
static uint64_t files_of_root(void)
{
	return geteuid() == 0 ? CAPS_BIT(CAP_DAC_OVERRIDE) | CAPS_BIT(CAP_DAC_READ_SEARCH) : 0;
}

static const struct privilege_thread *row_of(const char *name)
{
	const struct privilege_thread *row = privilege_threads;
	while (strncmp(name, row->name, strlen(row->name)) != 0)
		row++;
	return row;
}

static void thread_settle(const char *name)
{
	const struct privilege_thread *row = row_of(name);
	const uint64_t keeps = (row->binds ? bind_low : 0) | (row->files ? files_of_root() : 0);
	int rc = caps_keep(keeps, keeps);
	if (rc)
		log_warning("thread %s keeps its capabilities: %s", name, strerror(-rc));
	// The list of the service loop, which all threads have, applies in any case.
	rc = sandbox_load(row->kind, filters, false);
	if (rc)
		log_warning("thread %s keeps the system calls of the service loop: %s", name,
			strerror(-rc));
}

void app_privilege_begin(void)
{
	int rc = caps_no_new();
	if (rc)
		log_warning("no_new_privs: %s", strerror(-rc));
	rc = caps_no_dump();
	if (rc)
		log_warning("the process can be dumped: %s", strerror(-rc));
	thread_on_start(thread_settle);
}

int app_privilege_confine(enum sandbox_mode mode, char why[APP_PRIVILEGE_WHY_MAX])
{
	if (mode != SANDBOX_OFF && !sandbox_is_possible()) {
		log_info("runtime.seccomp: off, because a sanitizer is built in");
		mode = SANDBOX_OFF;
	}
	int rc = sandbox_load(&privilege_service, mode, true);
	if (rc)
		snprintf(why, APP_PRIVILEGE_WHY_MAX, "runtime.seccomp: filter not loaded: %s",
			strerror(-rc));
	filters = mode;
	return rc;
}

static void *heap_thread(void *)
{
	int rc = caps_keep(0, 0);
	if (rc == 0)
		rc = heap_background();
	if (rc && rc != -ENOTSUP)
		log_warning("freed memory is given back late: the allocator starts no thread: %s",
			strerror(-rc));
	return NULL;
}

// The allocator's thread gets the rights of the thread that starts it, so a thread without
// capabilities does.
void app_privilege_heap(void)
{
	pthread_t thread;
	int rc = thread_start(&thread, "weir-heap", heap_thread, NULL);
	if (rc == 0)
		pthread_join(thread, NULL);
	else
		log_warning("freed memory is given back late: %s", strerror(-rc));
}

int app_privilege_settle(char why[APP_PRIVILEGE_WHY_MAX])
{
	const uint64_t most = bind_low | files_of_root();
	int rc = caps_keep(most, most);
	if (rc) {
		snprintf(why, APP_PRIVILEGE_WHY_MAX, "capabilities: %s", strerror(-rc));
		return rc;
	}
	return caps_check(most, most, why);
}
