// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Probes of servers, for a machine whose control plane does not run: each is one question with a
// deadline, each in a thread of its own. The kernel's routes and the system's certificates apply.
// Bytes of a server are checked for their lengths and shown as numbers or escaped text alone.

#include <stdbool.h>
#include <weir/config.h>

enum {
	DOCTOR_PROBE_MS = 2000, // of one
	DOCTOR_PROBES_MAX = 64, // of one call, all at one time
	DOCTOR_PROBE_TEXT_MAX = 192,
};

enum doctor_probe_kind {
	DOCTOR_PROBE_DNS,   // `. NS` over UDP and over TCP
	DOCTOR_PROBE_TLS,   // the same over TLS
	DOCTOR_PROBE_HTTPS, // the same over HTTPS
	DOCTOR_PROBE_URL,   // the head of a resource
	DOCTOR_PROBE_PING,  // a resource
	DOCTOR_PROBE_REDIS, // PING
};

enum doctor_probe_end {
	DOCTOR_PROBE_ANSWERED,
	DOCTOR_PROBE_PARTLY,
	DOCTOR_PROBE_FAILED,
	DOCTOR_PROBE_NOT_ASKED
};

struct doctor_probe {
	enum doctor_probe_kind kind;
	const struct config_upstream *server; // of the first three
	unsigned set;                         // list of servers that it is of
	bool has_unasked;                     // this list has servers without a probe
	const char *ca_file;                  // NULL or "": the system's authorities
	const char *url;                      // of the next two
	struct socket_address address;        // of Redis
	const char *user, *password;          // of Redis; "": none
	enum doctor_probe_end end;
	char text[DOCTOR_PROBE_TEXT_MAX]; // what came, or why nothing did
};
