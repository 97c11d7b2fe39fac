// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_report.h"

#include "base/loop_ask.h"

#include <stdlib.h>

// One request on its way to the resolver loop and back.
struct report_call {
	struct loop_ask ask;
	const struct frontends *frontends;
	void (*done)(void *arg, const struct frontends_status *s);
	void *arg;
	struct frontends_status status;
};

static void report_deliver(void *arg)
{
	struct report_call *c = arg;
	c->done(c->arg, &c->status);
}

static void report_collect(void *arg)
{
	struct report_call *c = arg;
	frontend_status(c->frontends->engine, &c->status.engine);
	frontend_udp_status(c->frontends->udp, &c->status.udp);
	frontend_tcp_status(c->frontends->tcp, &c->status.tcp, NULL);
	loop_answer(&c->ask);
}

int frontends_report(const struct frontends *f, struct loop *reply_to,
	void (*done)(void *arg, const struct frontends_status *s), void *arg)
{
	struct report_call *c = calloc(1, sizeof(*c));
	if (c)
		*c = (struct report_call){.ask = {.reply_to = reply_to,
						  .work = report_collect,
						  .deliver = report_deliver},
			.frontends = f,
			.done = done,
			.arg = arg};
	return loop_ask(f->loop, c);
}

void frontends_tables(void *frontends, struct table_registry *tables)
{
	const struct frontends *f = frontends;
	struct frontend_tcp_status s;

	frontend_tables(f->engine, tables);
	frontend_udp_tables(f->udp, tables);
	frontend_tcp_status(f->tcp, &s, tables);
}
