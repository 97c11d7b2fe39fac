// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which system calls the control plane's threads may make.

#include <weir/os/sandbox_calls.h>

// The service loop starts all else, publishes regions, listens for weirctl and metrics, reads and
// writes files. Every other thread has this list too; weir-stderr has only this one.
static const struct sandbox_kind privilege_service = {
	"service", {SANDBOX_FAMILY(calls_thread), SANDBOX_FAMILY(calls_ioctl),
			   SANDBOX_FAMILY(calls_code), SANDBOX_FAMILY(calls_traffic),
			   SANDBOX_FAMILY(calls_connect), SANDBOX_FAMILY(calls_listen),
			   SANDBOX_FAMILY(calls_events), SANDBOX_FAMILY(calls_threads),
			   SANDBOX_FAMILY(calls_files_read), SANDBOX_FAMILY(calls_files_write),
			   SANDBOX_FAMILY(calls_owner), SANDBOX_FAMILY(calls_settle)}};

// Resolvers have sockets to servers; the first one accepts links of workers, publishes regions, and
// starts threads, which drop their rights in turn.
static const struct sandbox_kind privilege_resolver = {"resolver",
	{SANDBOX_FAMILY(calls_thread), SANDBOX_FAMILY(calls_ioctl), SANDBOX_FAMILY(calls_code),
		SANDBOX_FAMILY(calls_traffic), SANDBOX_FAMILY(calls_connect),
		SANDBOX_FAMILY(calls_listen), SANDBOX_FAMILY(calls_events),
		SANDBOX_FAMILY(calls_threads), SANDBOX_FAMILY(calls_files_read),
		SANDBOX_FAMILY(calls_files_write), SANDBOX_FAMILY(calls_settle)}};

// Frontends have sockets for clients, only read files, and make no new code. The last reader of a
// rule image starts the thread that unmaps it.
static const struct sandbox_kind privilege_frontend = {"frontend",
	{SANDBOX_FAMILY(calls_thread), SANDBOX_FAMILY(calls_ioctl), SANDBOX_FAMILY(calls_traffic),
		SANDBOX_FAMILY(calls_connect), SANDBOX_FAMILY(calls_listen),
		SANDBOX_FAMILY(calls_events), SANDBOX_FAMILY(calls_threads),
		SANDBOX_FAMILY(calls_files_read), SANDBOX_FAMILY(calls_settle)}};

// Helpers (lists, the query log and its outputs, heap profiles, TLS handshakes) have files, and
// sockets to servers.
static const struct sandbox_kind privilege_helper = {
	"helper", {SANDBOX_FAMILY(calls_thread), SANDBOX_FAMILY(calls_ioctl),
			  SANDBOX_FAMILY(calls_code), SANDBOX_FAMILY(calls_traffic),
			  SANDBOX_FAMILY(calls_connect), SANDBOX_FAMILY(calls_events),
			  SANDBOX_FAMILY(calls_threads), SANDBOX_FAMILY(calls_files_read),
			  SANDBOX_FAMILY(calls_files_write), SANDBOX_FAMILY(calls_settle)}};

// Rights by the beginning of a thread's name; the last row, helpers, matches every name.
static const struct privilege_thread {
	const char *name;
	const struct sandbox_kind *kind;
	bool binds; // keeps CAP_NET_BIND_SERVICE
	bool files; // keeps CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH if the process runs as root
} privilege_threads[] = {
	{"weir-resolver", &privilege_resolver, false, false},
	{"weir-frontend", &privilege_frontend, true, false},
	{"weir-stderr", &privilege_service, false, false},
	{"", &privilege_helper, false, true},
};
