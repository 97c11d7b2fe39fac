// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Probes of servers, for a machine whose control plane does not run: each is one query with a
// deadline, in a thread of its own. The kernel's routes and the system's certificates apply.
// Lengths of a server's bytes are checked, and the bytes are only shown as numbers or escaped text.

#include <stdbool.h>
#include <weir/config.h>

enum {
	DOCTOR_PROBE_MS = 2000, // deadline of one probe
	DOCTOR_PROBES_MAX = 64, // probes of one call, all at one time
	DOCTOR_PROBE_TEXT_MAX = 192,
};

enum doctor_probe_kind {
	DOCTOR_PROBE_DNS,   // `. NS` over UDP and over TCP
	DOCTOR_PROBE_TLS,   // `. NS` over TLS
	DOCTOR_PROBE_HTTPS, // `. NS` over HTTPS
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
	const struct config_upstream *server; // for DNS, TLS and HTTPS
	unsigned set;                         // number of the server's list
	bool has_unasked;                     // the list has servers without a probe
	const char *ca_file;                  // NULL or "": the system's authorities
	const char *url;                      // for URL and PING
	struct socket_address address;        // for REDIS
	const char *user, *password;          // for REDIS; "": not given
	enum doctor_probe_end end;
	char text[DOCTOR_PROBE_TEXT_MAX]; // the result, or why there is none
};
