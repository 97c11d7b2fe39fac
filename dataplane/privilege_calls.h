// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which system calls the data plane's threads may make once the ports have started.

#include <weir/os/sandbox_calls.h>

// The main lcore attaches to regions of the control plane, serves the link to it, keeps the gates
// of steering programs open, writes the log, and closes the ports at the stop. Drivers start
// threads while they serve (ixgbe when a link is down), and glibc maps libgcc_s to cancel a thread.
// Every other thread has this list, too; EAL's interrupt thread, which accepts the peers of memif
// ports, has only this list.
static const struct sandbox_kind privilege_main = {
	"main", {SANDBOX_FAMILY(calls_thread), SANDBOX_FAMILY(calls_devices),
			SANDBOX_FAMILY(calls_traffic), SANDBOX_FAMILY(calls_connect_here),
			SANDBOX_FAMILY(calls_listen), SANDBOX_FAMILY(calls_events),
			SANDBOX_FAMILY(calls_threads), SANDBOX_FAMILY(calls_code),
			SANDBOX_FAMILY(calls_files_read), SANDBOX_FAMILY(calls_files_write),
			SANDBOX_FAMILY(calls_settle), SANDBOX_FAMILY(calls_maps)}};

// Workers read, write, send and receive frames on open descriptors, sleep, and use memory. They
// open no file and no socket, map no code and start no thread.
static const struct sandbox_kind privilege_worker = {
	"worker", {SANDBOX_FAMILY(calls_thread), SANDBOX_FAMILY(calls_devices),
			  SANDBOX_FAMILY(calls_traffic)}};
