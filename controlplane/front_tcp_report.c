// SPDX-License-Identifier: BSD-3-Clause
#include "front_tcp_internal.h"

#include <errno.h>
#include <stdlib.h>

// One request on its way to the resolver loop and back.
struct report_call {
	struct front_tcp *tcp;
	struct loop *reply_to;
	struct loop_return back;
	void (*done)(void *arg, const struct front_tcp_status *s);
	void *arg;
	struct front_tcp_status status;
};

static void report_deliver(void *arg)
{
	struct report_call *c = arg;
	c->done(c->arg, &c->status);
	free(c);
}

static void report_collect(void *arg)
{
	struct report_call *c = arg;
	front_tcp_status(c->tcp, &c->status, NULL);
	loop_call_back(c->reply_to, &c->back, report_deliver, c);
}

int front_tcp_report(struct front_tcp *t, struct loop *reply_to,
	void (*done)(void *arg, const struct front_tcp_status *s), void *arg)
{
	struct report_call *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->tcp = t;
	c->reply_to = reply_to;
	c->done = done;
	c->arg = arg;
	int rc = loop_call(t->loop, report_collect, c);
	if (rc < 0)
		free(c);
	return rc;
}
