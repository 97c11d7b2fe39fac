// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// dnstap: a sink of the query log that sends each row as a dnstap message (dnstap_frame.h) over
// frame streams to a unix socket or a TCP port, to which it connects.
//
// It has a thread of its own (sink_thread.h). A connection begins with READY, ACCEPT, START and
// ends with STOP, FINISH. Each wait is DNSTAP_WAIT_MS at most: for a TCP connection, for room to
// send, and for all queued batches at shutdown. The kernel ends a TCP connection whose other end
// acknowledges neither data nor probes (keepalive) for DNSTAP_SILENT_S. An error ends the
// connection; the next attempt is 1 s to 60 s later, doubling, and until then no batch is accepted.
// Data that the receiver had not read is lost without a count: only the rows of the current batch
// count as lost.

#include "sink_thread.h"

enum { DNSTAP_WAIT_MS = 2000, DNSTAP_SILENT_S = 20 };

struct dnstap;

// `target`: the path of a unix socket, or "tcp:ADDRESS:PORT". -ENAMETOOLONG: the path is too long
// for a socket; -EINVAL: invalid address; -ENOMEM, -errno of creating the thread.
ATTR_MUST_CHECK int dnstap_open(struct dnstap **out, const char *target);
void dnstap_close(struct dnstap *d); // after querylog_stop. NULL is fine
struct sink_thread *dnstap_thread(struct dnstap *d);
