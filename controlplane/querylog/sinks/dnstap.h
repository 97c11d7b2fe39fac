// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// dnstap: a sink of the query log that sends each row as a dnstap message (dnstap_frame.h) over
// frame streams to a unix socket, to which it connects.
//
// A thread of its own (sink_thread.h). A connection begins with READY, ACCEPT, START and ends with
// STOP, FINISH, each wait DNSTAP_WAIT_MS at most, as is that for room to send, and that for all
// that is queued once it is to end. What goes wrong ends the connection; the next try is 1 s to
// 60 s later, doubling, and until then no batch is taken. Of a connection that ends, what its
// receiver had not read is lost without our knowing: the rows of the batch at hand are counted as
// lost.

#include "sink_thread.h"

enum { DNSTAP_WAIT_MS = 2000 };

struct dnstap;

// -ENAMETOOLONG: no socket has that path; -ENOMEM, -errno of creating the thread.
ATTR_MUST_CHECK int dnstap_open(struct dnstap **out, const char *path);
void dnstap_close(struct dnstap *d); // after querylog_stop. NULL is fine
struct sink_thread *dnstap_thread(struct dnstap *d);
