// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_report.h"

#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>

// One request on its way to the resolver loop and back.
struct report_call {
	const struct frontends *frontends;
	struct loop *reply_to;
	struct loop_return back;
	void (*done)(void *arg, const struct frontends_status *s);
	void *arg;
	struct frontends_status status;
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
	frontend_status(c->frontends->engine, &c->status.engine);
	frontend_udp_status(c->frontends->udp, &c->status.udp);
	frontend_tcp_status(c->frontends->tcp, &c->status.tcp, NULL);
	loop_call_back(c->reply_to, &c->back, report_deliver, c);
}

int frontends_report(const struct frontends *f, struct loop *reply_to,
	void (*done)(void *arg, const struct frontends_status *s), void *arg)
{
	struct report_call *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->frontends = f;
	c->reply_to = reply_to;
	c->done = done;
	c->arg = arg;
	int rc = loop_call(f->loop, report_collect, c);
	if (rc < 0)
		free(c);
	return rc;
}

void frontends_tables(void *frontends, struct table_registry *tables)
{
	const struct frontends *f = frontends;
	struct frontend_tcp_status s;

	frontend_tables(f->engine, tables);
	frontend_udp_tables(f->udp, tables);
	frontend_tcp_status(f->tcp, &s, tables);
}
