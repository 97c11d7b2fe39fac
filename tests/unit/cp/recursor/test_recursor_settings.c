// SPDX-License-Identifier: BSD-3-Clause
// What the recursor makes of its settings and of a flush, with a double in the place of libunbound.

#include "recursor_rig.h"
#include "tests/unit/clock_shift.h"

// By default the library would leave a name server that was silent alone for 15 minutes.
TEST_WITH(test_silent_servers_come_back, recursor_setup, recursor_teardown)
{
	assert_non_null(strstr(library_double.config, "infra-host-ttl: 60\n"));
	assert_non_null(strstr(library_double.config, "infra-keep-probing: yes\n"));
}

// Special names are weir's to answer or to ask for (`local.special_names`): the library has none of
// its own. An NXDOMAIN for an alias says nothing of names below the alias.
TEST_WITH(test_the_library_denies_no_name_by_itself, recursor_setup, recursor_teardown)
{
	static const char *const names[] = {"localhost", "127.in-addr.arpa", "home.arpa", "onion",
		"test", "invalid", "resolver.arpa", "service.arpa"};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		assert_non_null(strstr(library_double.config,
			text_from("local-zone: \"%s\" nodefault\n", names[i])));
	assert_non_null(strstr(library_double.config, "unblock-lan-zones: yes\n"));
	assert_non_null(strstr(library_double.config, "harden-below-nxdomain: no\n"));
}

// A zone's owner chooses addresses for its name servers.
TEST_WITH(test_addresses_that_are_no_servers, recursor_setup, recursor_teardown)
{
	static const char *const none[] = {"localhost: yes", "address: 0.0.0.0/8",
		"address: ::", "address: 224.0.0.0/4", "address: ff00::/8"};

	for (unsigned i = 0; i < ARRAY_LEN(none); i++)
		assert_non_null(
			strstr(library_double.config, text_from("do-not-query-%s\n", none[i])));
}

// `upstreams.recursion_ip`.
TEST_WITH(test_versions_of_ip, recursor_setup, recursor_teardown)
{
	struct recursor_settings one = {
		.is_on = true, .root_hints = "", .ip = RECURSION_IP_V4, .hash = 7};

	assert_null(strstr(library_double.config, "do-ip"));
	assert_int_equal(recursor_configure(r, &one), 0);
	assert_non_null(strstr(library_double.config, "do-ip6: no\n"));
	assert_null(strstr(library_double.config, "do-ip4"));
	assert_int_equal(now().ipv6_off, 1);
	assert_int_equal(now().ipv4_off, 0);
	one.ip = RECURSION_IP_V6;
	one.hash++;
	assert_int_equal(recursor_configure(r, &one), 0);
	assert_non_null(strstr(library_double.config, "do-ip4: no\n"));
	assert_int_equal(now().ipv4_off, 1);
	send_now(0, query, sizeof(query));
	assert_int_equal(recursor_flush(r), 0);
	assert_non_null(strstr(library_double.config, "do-ip4: no\n"));
	one.ip = RECURSION_IP_BOTH;
	one.hash++;
	assert_int_equal(recursor_configure(r, &one), 0);
	assert_null(strstr(library_double.config, "do-ip"));
}

// Workers take replies of upstream servers to these.
TEST_WITH(test_ports_of_workers_are_avoided, recursor_setup, recursor_teardown)
{
	struct recursor_settings shares = set;

	assert_null(strstr(library_double.config, "61000-65535"));
	shares.range_count = 2;
	shares.range[0] = (struct hops_range){1024, 32767};
	shares.range[1] = (struct hops_range){61000, 65535};
	assert_int_equal(recursor_configure(r, &shares), 0);
	assert_non_null(strstr(library_double.config, "outgoing-port-avoid: 1024-32767\n"
						      "outgoing-port-avoid: 61000-65535\n"));
	assert_int_equal(library_double.open, 1);
}

TEST_WITH(test_settings, recursor_setup, recursor_teardown)
{
	const struct recursor_settings other = {.is_on = true, .root_hints = "/x", .hash = 2},
				       off = {.root_hints = ""};
	const uint16_t port = recursor_address(r)->port;
	struct socket_address any;

	assert_true(port != 0 && recursor_address_any(&any));
	assert_int_equal(any.port, port);
	assert_null(strstr(library_double.config, "root-hints"));
	send_now(0, query, sizeof(query));
	assert_int_equal(recursor_configure(r, &set), 0); // nothing new
	assert_int_equal(library_double.calls, 1);
	assert_int_equal(recursor_configure(r, &other), 0);
	expect_servfail(0);
	assert_non_null(strstr(library_double.config, "root-hints: \"/x\""));
	assert_int_equal(library_double.open, 1);
	assert_int_equal(recursor_address(r)->port, port);
	assert_int_equal(recursor_configure(r, &off), 0);
	assert_int_equal(library_double.open, 0);
	assert_int_equal(recursor_address(r)->port, 0);
	assert_false(recursor_address_any(&any));
	assert_int_equal(recursor_configure(r, &set), 0);
	assert_true(recursor_address(r)->port != 0);
}

// The configuration goes with a reload that something else refuses.
TEST_WITH(test_settings_are_copied, recursor_setup, recursor_teardown)
{
	char path[] = "/hints", anchors[] = "/anchors";
	struct dns_name negative;
	const struct recursor_settings other = {.is_on = true,
		.root_hints = path,
		.validates = true,
		.trusted = {.anchors = anchors, .negative = &negative, .negative_count = 1},
		.hash = 3};

	negative = name_of_text("corp.example");
	assert_int_equal(recursor_configure(r, &other), 0);
	memset(path, 'x', sizeof(path) - 1);
	memset(anchors, 'x', sizeof(anchors) - 1);
	memset(&negative, 0, sizeof(negative));
	send_now(0, query, sizeof(query));
	assert_int_equal(recursor_flush(r), 0);
	assert_non_null(strstr(library_double.config, "root-hints: \"/hints\""));
	assert_non_null(strstr(library_double.config, "trust-anchor-file: \"/anchors\""));
	assert_non_null(strstr(library_double.config, "domain-insecure: \"corp.example\""));
}

// The hash is of contents, and a flush reads the files again.
TEST_WITH(test_a_file_that_moved, recursor_setup, recursor_teardown)
{
	struct recursor_settings other = {.is_on = true, .root_hints = "/before", .hash = 5};

	assert_int_equal(recursor_configure(r, &other), 0);
	send_now(0, query, sizeof(query));
	const unsigned opened = library_double.opened;
	other.root_hints = "/behind";
	assert_int_equal(recursor_configure(r, &other), 0);
	assert_int_equal(library_double.opened, opened);
	assert_int_equal(library_double.calls, 1);
	assert_int_equal(recursor_flush(r), 0);
	assert_int_equal(library_double.opened, opened + 1);
	assert_non_null(strstr(library_double.config, "root-hints: \"/behind\""));
}

// It answers from NSEC records that it has proven (RFC 8198), and gives bogus answers too.
TEST_WITH(test_validating, recursor_setup, recursor_teardown)
{
	const struct recursor_settings other = {.is_on = true,
		.root_hints = "",
		.validates = true,
		.trusted = {.anchors = "/a", .keys = ". DNSKEY 1\n. DNSKEY 2\n"},
		.hash = 4};

	assert_non_null(strstr(library_double.config, "module-config: \"iterator\"\n"));
	assert_null(strstr(library_double.config, "trust-anchor"));
	assert_int_equal(recursor_configure(r, &other), 0);
	assert_non_null(strstr(library_double.config, "module-config: \"validator iterator\"\n"));
	assert_non_null(strstr(library_double.config, "aggressive-nsec: yes\n"));
	assert_non_null(strstr(library_double.config, "val-permissive-mode: yes\n"));
	assert_non_null(strstr(library_double.config,
		"trust-anchor: \". DNSKEY 1\"\ntrust-anchor: \". DNSKEY 2\"\n"));
	assert_null(strstr(library_double.config, "/a"));
	assert_int_equal(library_double.open, 1);
}

// Of hints that the library does not take, before any question.
TEST_WITH(test_bad_settings, recursor_setup, recursor_teardown)
{
	const struct recursor_settings other = {.is_on = true, .root_hints = "/x", .hash = 2};

	send_now(0, query, sizeof(query));
	library_double.apply_error = -EINVAL;
	assert_int_equal(recursor_configure(r, &other), -EINVAL);
	assert_int_equal(recursor_flush(r), -EINVAL);
	assert_int_equal(library_double.open, 1);
	assert_int_equal(library_double.calls, 1); // all goes on as it was
	library_double.apply_error = 0;
	assert_int_equal(recursor_configure(r, &set), 0);
	assert_int_equal(library_double.calls, 1);
}

// Questions that run have their answers; later ones find empty caches.
TEST_WITH(test_flush, recursor_setup, recursor_teardown)
{
	const struct library_answer a = {.msg = answer, .len = sizeof(answer)};
	uint8_t got[512];

	send_now(0, query, sizeof(query));
	assert_int_equal(recursor_flush(r), 0);
	assert_int_equal(library_double.open, 2);
	assert_int_equal(library_double.calls, 1);
	send_now(1, query, sizeof(query));
	assert_int_equal(library_double.calls, 2);
	assert_ptr_not_equal(library_double.call[0].of, library_double.call[1].of);
	library_double_answer(0, &a);
	assert_int_equal(reply(0, got, sizeof(got)), sizeof(answer));
	recursor_beat(r);
	send_zone(2, 'x', ID);
	assert_int_equal(library_double.open, 1);
	assert_int_equal(library_double.calls, 2);
	assert_int_equal(recursor_flush(r), 0);
	assert_int_equal(recursor_flush(r), 0); // its caches are empty
	assert_int_equal(library_double.opened, 3);
	assert_int_equal(library_double.calls, 2);
}

// Questions of before a flush keep its library for a while, whatever flushes come meanwhile.
TEST_WITH(test_flushes_one_after_the_other, recursor_setup, recursor_teardown)
{
	const struct library_answer a = {.msg = answer, .len = sizeof(answer)};
	uint8_t got[512];

	send_now(0, query, sizeof(query));
	send_zone(1, 'x', ID);
	assert_int_equal(recursor_flush(r), 0);
	send_zone(2, 'y', ID);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(recursor_flush(r), -EAGAIN);
	recursor_beat(r);
	assert_int_equal(library_double.opened, 2);
	assert_int_equal(library_double.calls, 3);
	library_double_answer(0, &a);
	assert_int_equal(reply(0, got, sizeof(got)), sizeof(answer));
	assert_int_equal(recursor_flush(r), -EAGAIN); // one still runs
	library_double_answer(0, &a);
	assert_int_equal(reply(1, got, sizeof(got)), sizeof(answer));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(recursor_flush(r), 0); // all of them are one
	assert_int_equal(library_double.opened, 3);
	assert_int_equal(library_double.open, 2);
	assert_int_equal(now().questions, 1);
	send_now(0, query, sizeof(query));
	clock_ahead_by_ms(RECURSOR_DRAIN_MS - 1000);
	assert_int_equal(recursor_flush(r), -EAGAIN);
	clock_ahead_by_ms(RECURSOR_DRAIN_MS);
	library_double.apply_error = -EINVAL;
	assert_int_equal(recursor_flush(r), -EINVAL); // and ends none
	assert_int_equal(library_double.calls, 2);
	library_double.apply_error = 0;
	assert_int_equal(recursor_flush(r), 0);
	assert_int_equal(reply(2, got, sizeof(got)), sizeof(query));
	assert_int_equal(get_u16(got + 2) & DNS_FLAG_RCODE, DNS_RCODE_SERVFAIL);
	assert_int_equal(library_double.calls, 1);
	assert_int_equal(library_double.open, 2);
	assert_int_equal(now().questions, 1);
}

// The library ages by the wall clock. What cannot be emptied at once is tried again, with pauses.
TEST_WITH(test_a_step_back_of_the_clock, recursor_setup, recursor_teardown)
{
	recursor_forget(NULL);
	recursor_forget(r); // empty as it is
	recursor_beat(r);
	assert_int_equal(library_double.opened, 1);
	send_now(0, query, sizeof(query));
	recursor_forget(r);
	library_double.apply_error = -EINVAL;
	recursor_beat(r);
	library_double.apply_error = 0;
	const unsigned opened = library_double.opened;
	recursor_beat(r);
	assert_int_equal(library_double.opened, opened);
	clock_ahead_by_ms(1000);
	recursor_beat(r);
	assert_int_equal(library_double.opened, opened + 1);
	send_now(1, query, sizeof(query));
	assert_ptr_not_equal(library_double.call[0].of, library_double.call[1].of);
	clock_ahead_by_ms(2000);
	recursor_beat(r); // once for each step
	assert_int_equal(library_double.opened, opened + 1);
}

TEST_WITH(test_flush_while_off, recursor_setup, recursor_teardown)
{
	const struct recursor_settings off = {.root_hints = ""};

	send_now(0, query, sizeof(query));
	assert_int_equal(recursor_flush(r), 0);
	assert_int_equal(recursor_configure(r, &off), 0);
	expect_servfail(0);
	assert_int_equal(recursor_flush(r), 0);
	assert_int_equal(library_double.open, 0);
}
