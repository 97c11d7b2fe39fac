// SPDX-License-Identifier: BSD-3-Clause
// Whom drop rules must not shut out: users, places of admins, entries of control.allow.

#include "controlplane/access/drop_guard.h"
#include "tests/unit/unit.h"

#include <weir/shm_abi.h>

static struct admin_places places;
static struct config_control control;
static char why[DROP_GUARD_WHY_MAX];

static int empty(void **)
{
	places = (struct admin_places){0};
	control = (struct config_control){.listen_count = 1};
	return 0;
}

static void allow(const char *text)
{
	control.allow[control.allow_count++] = address_of_text(text);
}

// "": the control socket.
static struct sockaddr_storage from_of(const char *text)
{
	struct sockaddr_storage out = {.ss_family = AF_UNIX};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		out.ss_family = AF_INET;
	} else if (*text) {
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
		out.ss_family = AF_INET6;
	}
	return out;
}

static void asked(const char *from, uint64_t now_ms)
{
	const struct sockaddr_storage source = from_of(from);
	drop_guard_note(&places, &source, now_ms);
}

static enum drop_verdict wish(
	enum control_role role, const char *from, const char *source, unsigned minutes)
{
	const struct sockaddr_storage user = from_of(from);
	const struct ip_address of = address_of_text(source);
	const struct drop_wish w = {.role = role, .from = &user, .source = &of, .minutes = minutes};
	return drop_guard(&places, &control, &w, why);
}

static enum drop_verdict by_operator(const char *source)
{
	return wish(CONTROL_OPERATE, "203.0.113.9", source, DROP_OPERATOR_MINUTES_MAX);
}

static enum drop_verdict on_box(const char *source)
{
	return wish(CONTROL_ADMIN, "", source, DROP_MINUTES_MAX);
}

TEST_WITH(test_an_operator_has_bounds, empty, NULL)
{
	assert_int_equal(by_operator("198.18.0.0/16"), DROP_MAY);
	assert_string_equal(why, "");
	assert_int_equal(by_operator("198.18.0.0/15"), DROP_MAY_NOT);
	assert_string_equal(
		why, "source: an operator may drop /16 at most, or /32 of IPv6: ask an admin");
	assert_int_equal(by_operator("2001:db8::/32"), DROP_MAY);
	assert_int_equal(by_operator("2001:db8::/31"), DROP_MAY_NOT);
	assert_int_equal(
		wish(CONTROL_OPERATE, "203.0.113.9", "198.18.0.1", DROP_OPERATOR_MINUTES_MAX + 1),
		DROP_MAY_NOT);
	assert_non_null(strstr(why, "minutes: an operator may drop for 60 at most"));
	assert_int_equal(
		wish(CONTROL_ADMIN, "203.0.113.9", "198.0.0.0/8", DROP_MINUTES_MAX), DROP_MAY);
	assert_int_equal(on_box("198.0.0.0/8"), DROP_MAY);
}

TEST_WITH(test_nobody_drops_the_own_address, empty, NULL)
{
	static const enum control_role roles[] = {CONTROL_OPERATE, CONTROL_ADMIN};
	for (unsigned i = 0; i < ARRAY_LEN(roles); i++) {
		assert_int_equal(wish(roles[i], "203.0.113.9", "203.0.113.0/24", 5), DROP_MAY_NOT);
		assert_string_equal(why, "source: has 203.0.113.9, from which you ask: you could "
					 "not take it back");
		assert_int_equal(wish(roles[i], "203.0.113.9", "203.0.113.9", 5), DROP_MAY_NOT);
		assert_int_equal(wish(roles[i], "203.0.113.9", "203.0.113.8", 5), DROP_MAY);
		assert_int_equal(wish(roles[i], "2001:db8::9", "2001:db8::/64", 5), DROP_MAY_NOT);
		assert_int_equal(wish(roles[i], "2001:db8::9", "2001:db8:0:1::/64", 5), DROP_MAY);
		// Nothing of one family is in the other.
		assert_int_equal(wish(roles[i], "32.1.13.184", "2001:db8::/32", 5), DROP_MAY);
	}
}

TEST_WITH(test_places_of_admins, empty, NULL)
{
	asked("192.0.2.7", 1);
	asked("2001:db8:0:7::99", 2);
	asked("", 3); // the control socket is no place
	assert_int_equal(places.count, 2);
	static const char *const shut_out[] = {"192.0.2.0/24", "192.0.2.7", "192.0.0.0/16",
		"2001:db8::/32", "2001:db8:0:7::/64",
		// Its hosts change their addresses.
		"2001:db8:0:7:8000::/65", "2001:db8:0:7::1"};
	for (unsigned i = 0; i < ARRAY_LEN(shut_out); i++) {
		assert_int_equal(by_operator(shut_out[i]), DROP_MAY_NOT);
		assert_string_equal(
			why, "source: an admin has asked from there: only an admin may drop it");
		assert_int_equal(on_box(shut_out[i]), DROP_MAY_WARNED);
		assert_non_null(strstr(why, "an admin has asked from "));
		assert_non_null(strstr(why, "cannot for 1440 min"));
	}
	assert_int_equal(by_operator("192.0.2.6"), DROP_MAY);
	assert_int_equal(by_operator("2001:db8:0:8::/64"), DROP_MAY);
	assert_int_equal(on_box("192.0.2.6"), DROP_MAY);
}

TEST_WITH(test_entries_of_control_allow, empty, NULL)
{
	allow("192.0.2.0/24");
	allow("10.0.0.0/8");
	allow("198.51.100.7");
	allow("2001:db8:5::/48");
	static const char *const shut_out[] = {"192.0.2.0/24", "192.0.2.128/25", "192.0.0.0/16",
		"198.51.100.0/24", "198.51.100.7", "2001:db8::/32", "2001:db8:5:1::/64"};
	for (unsigned i = 0; i < ARRAY_LEN(shut_out); i++) {
		assert_int_equal(by_operator(shut_out[i]), DROP_MAY_NOT);
		assert_non_null(strstr(why, "an operator may drop single addresses of it alone"));
		assert_int_equal(on_box(shut_out[i]), DROP_MAY_WARNED);
		assert_non_null(strstr(why, "from which nobody can ask for 1440 min"));
	}
	// One client; one network of an entry that says little about where admins are.
	static const char *const may[] = {
		"192.0.2.77", "10.1.0.0/16", "198.51.100.8", "2001:db8:5::77", "192.0.3.0/24"};
	for (unsigned i = 0; i < ARRAY_LEN(may); i++)
		assert_int_equal(by_operator(may[i]), DROP_MAY);
	assert_int_equal(on_box("10.0.0.0/8"), DROP_MAY_WARNED);
	control.listen_count = 0; // nobody asks from anywhere
	assert_int_equal(by_operator("192.0.2.0/24"), DROP_MAY);
}

// The place of the one that asked longest ago goes.
TEST_WITH(test_places_have_a_bound, empty, NULL)
{
	for (unsigned i = 0; i < ADMIN_PLACES_MAX; i++)
		asked(text_from("192.0.2.%u", i), i);
	asked("192.0.2.0", 1000);
	assert_int_equal(places.evicted, 0);
	asked("198.51.100.1", 1001);
	assert_int_equal(places.count, ADMIN_PLACES_MAX);
	assert_int_equal(places.evicted, 1);
	assert_int_equal(by_operator("192.0.2.0"), DROP_MAY_NOT);
	assert_int_equal(by_operator("192.0.2.1"), DROP_MAY);
	assert_int_equal(by_operator("198.51.100.1"), DROP_MAY_NOT);
}
