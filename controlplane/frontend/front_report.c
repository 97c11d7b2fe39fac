// SPDX-License-Identifier: BSD-3-Clause
#include "front_report.h"

#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>

// One request on its way to the resolver loop and back.
struct report_call {
	const struct fronts *fronts;
	struct loop *reply_to;
	struct loop_return back;
	void (*done)(void *arg, const struct fronts_status *s);
	void *arg;
	struct fronts_status status;
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
	front_status(c->fronts->engine, &c->status.engine);
	front_udp_status(c->fronts->udp, &c->status.udp);
	front_tcp_status(c->fronts->tcp, &c->status.tcp, NULL);
	loop_call_back(c->reply_to, &c->back, report_deliver, c);
}

int fronts_report(const struct fronts *f, struct loop *reply_to,
	void (*done)(void *arg, const struct fronts_status *s), void *arg)
{
	struct report_call *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fronts = f;
	c->reply_to = reply_to;
	c->done = done;
	c->arg = arg;
	int rc = loop_call(f->loop, report_collect, c);
	if (rc < 0)
		free(c);
	return rc;
}

void fronts_tables(void *fronts, struct table_registry *tables)
{
	const struct fronts *f = fronts;
	struct front_tcp_status s;

	front_tables(f->engine, tables);
	front_udp_tables(f->udp, tables);
	front_tcp_status(f->tcp, &s, tables);
}
