// SPDX-License-Identifier: BSD-3-Clause
// Which of several cached answers an explanation is about.

#include "controlplane/api/why_cached.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"
#include "why_rig.h"

// Of the answers for subnets that of the client's longest one, unless there is one for everyone.
TEST(test_cached_by_subnet)
{
	static struct cache_entry e[3];
	struct dns_name name = fixture_name("a");
	struct ip_address who;
	struct cache_look look = {.count = 2, .entry = e};
	for (unsigned i = 0; i < 3; i++)
		e[i] = (struct cache_entry){
			.qtype = 1, .qclass = 1, .soft_left_ms = 1000, .hard_left_ms = 1000};
	e[0].subnet = address_of_text("192.0.0.0/16");
	e[1].subnet = address_of_text("192.0.2.0/24");
	who = address_of_text("192.0.2.7");
	struct why *w = why_begin(&name, 1);
	why_cached(w, &look, &who);
	assert_int_equal(w->cache, WHY_CACHE_FOUND);
	assert_string_equal(w->subnet, "192.0.2.0/24");
	why_cached(w, &look, NULL);
	assert_int_equal(w->cache, WHY_CACHE_NOTHING);
	who.bytes[2] = 3;
	why_cached(w, &look, &who);
	assert_string_equal(w->subnet, "192.0.0.0/16");
	e[0].soft_left_ms = -1;
	e[1].subnet.bytes[2] = 3;
	e[1].soft_left_ms = -1;
	look.count = 3;
	why_cached(w, &look, &who);
	assert_string_equal(w->subnet, "");
	who.bytes[0] = 193;
	look.count = 2;
	why_cached(w, &look, &who);
	assert_int_equal(w->cache, WHY_CACHE_NOTHING);
}
