// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Probes over TLS and HTTP. The one includer of libcurl in this room. Blocks for DOCTOR_PROBE_MS at
// most, 1 s more over TLS; a look-up that the system does not end then goes on behind it. Any
// thread, after doctor_web_begin.

#include "doctor_probe.h"

void doctor_web_begin(void); // before the first thread
void doctor_web_tls(struct doctor_probe *p);
void doctor_web_https(struct doctor_probe *p);
void doctor_web_url(struct doctor_probe *p, bool only_head);
