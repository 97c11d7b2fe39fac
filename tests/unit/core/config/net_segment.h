// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A network segment, seg0, in a network namespace of the test's own, whose kernel has the addresses
// and neighbours that the test gave it. Where namespaces are not allowed the segment is missing,
// and tests that need it are skipped. One a program.

#include "tests/unit/unit.h"

#include <sched.h>

static bool net_segment_is_there;

// Lines of ip(8), one a line; it stops at the first that fails. 0: all are done.
static inline int net_segment_ip(const char *lines)
{
	FILE *ip = popen("ip -batch -", "w");
	if (!ip)
		return -1;
	fputs(lines, ip);
	return pclose(ip);
}

// For a group's setup; `lines` as in net_segment_ip.
static inline int net_segment_open(const char *lines)
{
	net_segment_is_there = unshare(CLONE_NEWNET) == 0;
	if (!net_segment_is_there)
		return 0;
	if (net_segment_ip("link add seg0 type veth peer name seg1\n"
			   "link set seg1 up\n"
			   "link set seg0 up\n"))
		return -1;
	return net_segment_ip(lines);
}

static inline void net_segment_need(void)
{
	if (!net_segment_is_there)
		skip();
}
