// SPDX-License-Identifier: BSD-3-Clause

// Session tickets: which are taken, for how long, and by whom.
#include "controlplane/tls/tls_tickets.h"
#include "tests/unit/cp/rules/wall_ahead.h"
#include "tests/unit/unit.h"
#include "tls_accept.h"

TEST_WITH(test_tickets_of_one_process, NULL, tls_accept_end)
{
	t.server = good_server();
	peer_make("dns.example");
	assert_false(connects_resumed());
	assert_true(connects_resumed());
	wall_ahead_s = TLS_TICKET_PERIOD_S - 60; // the client keeps a ticket for a period
	assert_true(connects_resumed());
	wall_ahead_s += TLS_TICKET_PERIOD_S - 60;
	assert_true(connects_resumed());
	wall_ahead_s += 2 * TLS_TICKET_PERIOD_S;
	assert_false(connects_resumed());
	tls_server_free(t.server);
	t.server = good_server();
	assert_false(connects_resumed()); // another process
	wall_ahead_s = 0;
}

TEST_WITH(test_tickets_of_several_boxes, NULL, tls_accept_end)
{
	static const uint8_t secret[TLS_SECRET_LEN] = {1, 2, 3}, other[TLS_SECRET_LEN] = {4};
	const enum tls_rig_kind kind = TLS_RIG_GOOD;
	t.server = server_of(&kind, 1, &secret, NULL);
	peer_make("dns.example");
	assert_false(connects_resumed());
	tls_server_free(t.server);
	t.server = server_of(&kind, 1, &secret, NULL);
	assert_true(connects_resumed());
	tls_server_free(t.server);
	t.server = server_of(&kind, 1, &other, NULL);
	assert_false(connects_resumed());
}

// Boxes whose clocks are in neighbouring periods take each other's tickets.
TEST(test_keys_of_secrets)
{
	static const uint8_t secret[2][TLS_SECRET_LEN] = {{1}, {2}};
	struct tls_ticket_key made, found;
	struct tls_tickets *one, *two;
	assert_int_equal(tls_tickets_new(&one, secret, 1, NULL), 0);
	assert_int_equal(tls_tickets_new(&two, &secret[0], 2, NULL), 0);
	tls_tickets_now(one, &made);
	assert_int_equal(tls_tickets_find(two, made.name, &found), TLS_TICKET_GOOD);
	assert_memory_equal(&made, &found, sizeof(made));
	for (int periods = -2; periods <= 2; periods++) {
		wall_ahead_s = (time_t)periods * TLS_TICKET_PERIOD_S;
		const enum tls_ticket is = tls_tickets_find(two, made.name, &found);
		assert_int_equal(is, periods == 0                    ? TLS_TICKET_GOOD
				     : periods == -1 || periods == 1 ? TLS_TICKET_OLD
								     : TLS_TICKET_UNKNOWN);
	}
	wall_ahead_s = 0;
	tls_tickets_free(one);
	// A new secret in front: the other one's tickets are still good.
	assert_int_equal(tls_tickets_new(&one, &secret[1], 1, NULL), 0);
	tls_tickets_now(one, &made);
	assert_int_equal(tls_tickets_find(two, made.name, &found), TLS_TICKET_OLD);
	tls_tickets_now(two, &made);
	assert_int_equal(tls_tickets_find(one, made.name, &found), TLS_TICKET_UNKNOWN);
	tls_tickets_free(one);
	tls_tickets_free(two);
}

TEST(test_random_keys)
{
	struct tls_ticket_key made, next, found;
	struct tls_tickets *one, *same, *other;
	assert_int_equal(tls_tickets_new(&one, NULL, 0, NULL), 0);
	assert_int_equal(tls_tickets_new(&same, NULL, 0, one), 0);
	assert_int_equal(tls_tickets_new(&other, NULL, 0, NULL), 0);
	tls_tickets_now(one, &made);
	assert_int_equal(tls_tickets_find(same, made.name, &found), TLS_TICKET_GOOD);
	assert_int_equal(tls_tickets_find(other, made.name, &found), TLS_TICKET_UNKNOWN);
	wall_ahead_s = TLS_TICKET_PERIOD_S;
	tls_tickets_now(same, &next);
	assert_memory_not_equal(&made, &next, sizeof(made));
	assert_int_equal(tls_tickets_find(one, made.name, &found), TLS_TICKET_OLD);
	wall_ahead_s *= 2;
	assert_int_equal(tls_tickets_find(one, made.name, &found), TLS_TICKET_UNKNOWN);
	wall_ahead_s = 0;
	tls_tickets_free(one);
	tls_tickets_free(same);
	tls_tickets_free(other);
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)
