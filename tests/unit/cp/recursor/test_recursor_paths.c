// SPDX-License-Identifier: BSD-3-Clause
// What the recursor learns of IPv4 and IPv6, with a double in the place of libunbound, servers on
// loopback for its probes, and a clock that jumps.

#include "base/loop.h"
#include "recursor/recursor.h"
#include "recursor_rig.h"
#include "tests/unit/clock_shift.h"

#include <event2/event.h>

static int server[2]; // sockets on ::1
static struct sockaddr_in6 at[2];
static const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = 53};

static int servers_setup(void **state)
{
	recursor_setup(state);
	for (unsigned i = 0; i < ARRAY_LEN(server); i++) {
		socklen_t len = sizeof(at[i]);
		at[i] = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
		server[i] = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(server[i], (struct sockaddr *)&at[i], sizeof(at[i])), 0);
		assert_int_equal(getsockname(server[i], (struct sockaddr *)&at[i], &len), 0);
	}
	return 0;
}

static int servers_teardown(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(server); i++)
		close(server[i]);
	return recursor_teardown(state);
}

static void met(const void *peer, bool came)
{
	library_double.met(library_double.met_arg, peer, came);
}

static void met_silence(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		met(&at[i % 2], false);
}

static void beat(uint32_t later_ms)
{
	clock_ahead_by_ms(later_ms);
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	recursor_beat(r);
}

// The probe that server `i` has, with its sender; false: none.
static bool probed(unsigned i, uint8_t msg[64], struct sockaddr_in6 *from)
{
	socklen_t len = sizeof(*from);
	return recvfrom(server[i], msg, 64, MSG_DONTWAIT, (struct sockaddr *)from, &len) == 17;
}

static void reply_from(unsigned i)
{
	uint8_t msg[64];
	struct sockaddr_in6 from;

	assert_true(probed(i, msg, &from));
	msg[2] = 0x80;
	msg[3] = DNS_RCODE_REFUSED;
	assert_int_equal(sendto(server[i], msg, 17, 0, (struct sockaddr *)&from, sizeof(from)), 17);
}

static bool is_without_v6(void)
{
	return now().ipv6_off == 1 && strstr(library_double.config, "do-ip6: no\n");
}

static void v6_goes_off(void)
{
	met_silence(PATH_SILENT);
	beat(0);
	met(&v4, true);
	beat(PATH_PROBE_MS);
	assert_true(is_without_v6());
}

TEST_WITH(test_a_version_without_answers_is_left, servers_setup, servers_teardown)
{
	const struct library_answer a = {.msg = answer, .len = sizeof(answer)};
	uint8_t got[512];

	send_now(0, query, sizeof(query));
	met_silence(PATH_SILENT - 1);
	beat(0);
	assert_false(probed(0, got, &at[0]));
	v6_goes_off();
	assert_int_equal(now().ipv4_off, 0);
	send_now(1, query, sizeof(query));
	assert_ptr_not_equal(library_double.call[0].of, library_double.call[1].of);
	library_double_answer(0, &a); // what ran goes on
	assert_int_equal(reply(0, got, sizeof(got)), sizeof(answer));
}

TEST_WITH(test_it_is_used_again, servers_setup, servers_teardown)
{
	uint8_t msg[64];
	struct sockaddr_in6 from;

	v6_goes_off();
	assert_true(probed(0, msg, &from));
	assert_true(probed(1, msg, &from));
	beat(PATH_PROBE_EACH_MS - 1000);
	assert_false(probed(0, msg, &from));
	beat(1000);
	beat(PATH_PROBE_MS); // a round without an answer
	assert_true(is_without_v6());
	assert_true(probed(0, msg, &from));
	assert_true(probed(1, msg, &from));
	beat(PATH_PROBE_EACH_MS);
	reply_from(1);
	beat(1);
	beat(1000);
	assert_int_equal(now().ipv6_off, 0);
	assert_null(strstr(library_double.config, "do-ip6"));
}

static void drain(void) // of rounds before
{
	uint8_t msg[64];
	struct sockaddr_in6 from;
	for (unsigned i = 0; i < ARRAY_LEN(server); i++)
		while (probed(i, msg, &from))
			;
}

static void v6_comes_back(uint32_t wait_ms)
{
	uint8_t msg[64];
	struct sockaddr_in6 from;
	drain();
	beat(wait_ms - 1000);
	assert_false(probed(0, msg, &from));
	beat(1000);
	reply_from(0);
	beat(1);
	beat(1000);
	assert_int_equal(now().ipv6_off, 0);
	clock_ahead_by_ms(PATH_DOUBT_EACH_MS);
}

// Most packets are lost: some probe has an answer, and the next queries have none.
TEST_WITH(test_a_bad_line_does_not_flap, servers_setup, servers_teardown)
{
	for (unsigned i = 0; i < PATH_STEPS_MAX + 2; i++) {
		v6_goes_off();
		v6_comes_back(
			(uint32_t)PATH_PROBE_EACH_MS << (i < PATH_STEPS_MAX ? i : PATH_STEPS_MAX));
	}
	clock_ahead_by_ms(2 * PATH_DECAY_MS); // of a good line
	v6_goes_off();
	v6_comes_back((uint32_t)PATH_PROBE_EACH_MS << (PATH_STEPS_MAX - 2));
	clock_ahead_by_ms(PATH_STEPS_MAX * PATH_DECAY_MS);
	v6_goes_off();
	v6_comes_back(PATH_PROBE_EACH_MS);
}

TEST_WITH(test_what_was_left_is_asked_when_the_other_goes, servers_setup, servers_teardown)
{
	uint8_t msg[64];
	struct sockaddr_in6 from;
	v6_goes_off();
	v6_comes_back(PATH_PROBE_EACH_MS);
	v6_goes_off(); // its turn is in a minute
	drain();
	for (unsigned i = 0; i < PATH_SILENT; i++)
		met(&v4, false);
	beat(0);
	assert_false(probed(0, msg, &from));
	beat(PATH_PROBE_MS);
	beat(1);
	reply_from(0);
	beat(1);
	assert_int_equal(now().ipv6_off, 0);
}

// A zone has addresses where nothing listens, and many ask for its names.
TEST_WITH(test_silent_servers_turn_nothing_off, servers_setup, servers_teardown)
{
	met(&at[0], true);
	const unsigned opened = library_double.opened;
	for (unsigned i = 0; i < 1000; i++)
		met(&(struct sockaddr_in6){.sin6_family = AF_INET6,
			    .sin6_port = 9,
			    .sin6_addr
				    .s6_addr = {0xfd, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i}},
			false);
	met(&v4, true);
	beat(0);
	reply_from(0);
	beat(1);
	beat(PATH_PROBE_MS);
	assert_int_equal(now().ipv6_off, 0);
	assert_int_equal(library_double.opened, opened);
	met_silence(PATH_SILENT); // and a round each five seconds at most
	beat(0);
	assert_false(probed(0, (uint8_t[64]){0}, &(struct sockaddr_in6){0}));
	beat(PATH_DOUBT_EACH_MS);
	reply_from(0);
}

// The cable is out: nothing is learned of either version.
TEST_WITH(test_silence_of_both_is_none_of_one, servers_setup, servers_teardown)
{
	met(&v4, true);
	clock_ahead_by_ms(1000);
	met_silence(PATH_SILENT);
	for (unsigned i = 0; i < PATH_SILENT; i++)
		met(&v4, false);
	beat(0);
	beat(PATH_PROBE_MS);
	beat(PATH_DOUBT_EACH_MS);
	beat(PATH_PROBE_MS);
	assert_int_equal(now().ipv6_off + now().ipv4_off, 0);
}

// Another id, another sender.
TEST_WITH(test_a_forged_reply_is_none, servers_setup, servers_teardown)
{
	uint8_t msg[64];
	struct sockaddr_in6 from;

	met_silence(PATH_SILENT);
	beat(0);
	met(&v4, true);
	assert_true(probed(0, msg, &from));
	assert_true(probed(1, msg, &from));
	msg[2] = 0x80;
	msg[0] ^= 1;
	assert_int_equal(sendto(server[0], msg, 17, 0, (struct sockaddr *)&from, sizeof(from)), 17);
	msg[0] ^= 1;
	int stranger = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sendto(stranger, msg, 17, 0, (struct sockaddr *)&from, sizeof(from)), 17);
	close(stranger);
	beat(PATH_PROBE_MS);
	assert_true(is_without_v6());
}

// With a version that the operator says nothing is learned.
TEST_WITH(test_the_operators_word, servers_setup, servers_teardown)
{
	const struct recursor_settings both = {
		.is_on = true, .root_hints = "", .ip = RECURSION_IP_BOTH, .hash = 9};

	v6_goes_off();
	assert_int_equal(recursor_configure(r, &both), 0);
	assert_int_equal(now().ipv6_off, 0);
	assert_null(strstr(library_double.config, "do-ip6"));
	beat(1000);
	assert_int_equal(now().ipv6_off, 0);
	assert_int_equal(recursor_configure(r, &set), 0);
	assert_true(is_without_v6()); // as it was known before
}
