// SPDX-License-Identifier: BSD-3-Clause
#include "https_stream.h"

#include "tests/unit/unit.h"

struct fake_https https_server;

void https_is(const char *name, const char *path)
{
	struct config_upstream *s = &rig.config.server[0];

	s->address = socket_here(https_server.port);
	s->tls.is_on = true;
	snprintf(s->tls.name, sizeof(s->tls.name), "%s", name);
	snprintf(s->tls.path, sizeof(s->tls.path), "%s", path);
	stream_configure();
}

int https_stream_setup(void **state)
{
	stream_rig_setup(state);
	fake_doh_start(&https_server);
	rig.config.ca_file = https_server.ca;
	https_is("dns.example", "/dns-query");
	return 0;
}

int https_stream_teardown(void **state)
{
	assert_int_equal(rig.steps[TRACE_udp_sent], 0);
	assert_int_equal(rig.conns, 0); // never a connection in clear text
	stream_rig_teardown(state);
	fake_https_stop(&https_server);
	return 0;
}

struct upstream_https_stats https(void)
{
	return totals().https;
}

void asks_replied(unsigned count)
{
	unsigned first = ask_more(count);
	wait_done(rig.started);
	assert_int_equal(replied(first, count), count);
}

void ask_fails(void)
{
	unsigned first = ask_more(1);
	wait_done(rig.started);
	assert_true(rig.ended[first]);
}

int https_stream_start(void **)
{
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	return 0;
}
