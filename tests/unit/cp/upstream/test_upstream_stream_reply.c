// SPDX-License-Identifier: BSD-3-Clause
// What comes over TCP from upstreams: in pieces, or no reply, or no good one, and whom that costs
// what.

#include "stream_rig.h"
#include "tests/unit/unit.h"

// It was we who ended it: no sign that the server takes no more than those queries.
TEST_WITH(test_nonsense_is_no_limit, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q[2];

	for (unsigned i = 0; i < UPSTREAM_LIMIT_STRIKES; i++) {
		ask_over(2 * i + 1, 2);
		query_read(rig.conn[2 * i], &q[0]);
		query_read(rig.conn[2 * i], &q[1]);
		reply(rig.conn[2 * i], &q[0]);
		bytes_send(rig.conn[2 * i], (const uint8_t[]){0, 0}, 2);
		wait_conns(2 * i + 2);
		query_serve(rig.conn[2 * i + 1], &q[1]);
		wait_done(2 * i + 2);
		conn_end(rig.conn[2 * i + 1], false);
	}
	assert_int_equal(streams().bad, UPSTREAM_LIMIT_STRIKES);
	assert_int_equal(replied(0, rig.started), rig.started);
	assert_int_equal(server_status().tcp_limit, 0);
}

// Another id: whoever says that is not asked further on this connection; the others are sent again.
TEST_WITH(test_a_reply_to_no_query, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q[3];

	ask_over(1, 3);
	queries_read(rig.conn[0], q, 3);
	uint16_t id = get_u16(q[0].msg);
	while (id == get_u16(q[0].msg) || id == get_u16(q[1].msg) || id == get_u16(q[2].msg))
		id++;
	put_u16(q[0].msg, id);
	reply(rig.conn[0], &q[0]);
	wait_conns(2);
	for (unsigned i = 0; i < 3; i++) {
		query_serve(rig.conn[1], &q[0]);
	}
	wait_done(3);
	assert_int_equal(replied(0, 3), 3);
	assert_int_equal(streams().bad, 1);
	assert_int_equal(server_status().bad_replies, 1);
}

// RFC 7766 7: then the id is all there is. It fails, the others on the connection go on.
TEST_WITH(test_a_reply_without_a_question, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q[3];
	uint8_t bare[2 + DNS_HEADER_LEN] = {0, DNS_HEADER_LEN};

	ask_over(1, 3);
	queries_read(rig.conn[0], q, 3);
	put_u16(bare + 2, get_u16(q[1].msg));
	put_u16(bare + 4, DNS_FLAG_QR | DNS_RCODE_REFUSED);
	bytes_send(rig.conn[0], bare, sizeof(bare));
	wait_done(1);
	assert_true(rig.ended[q[1].number]);
	reply(rig.conn[0], &q[0]);
	reply(rig.conn[0], &q[2]);
	wait_done(3);
	assert_int_equal(replied(0, 3), 2);
	assert_int_equal(rig.conns, 1);
	assert_int_equal(streams().bad, 0);
	assert_int_equal(server_status().bad_replies, 1);
}

// It may be the keepalive option: the same server is asked without an OPT, on the same connection.
TEST_WITH(test_formerr_to_the_option, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q;
	uint8_t out[700];

	for (unsigned i = 0; i < 2; i++) { // with its question, and as a header alone
		ask_over(i + 1, 1);
		query_read(rig.conn[i], &q);
		assert_true(q.keepalive);
		size_t len = reply_write(&q, -1, out);
		put_u16(out + 4, DNS_FLAG_QR | DNS_RCODE_FORMERR);
		put_u16(out + 8, 0);
		len = i ? 2 + DNS_HEADER_LEN : len - 16;
		put_u16(out, (uint16_t)(len - 2));
		if (i)
			put_u16(out + 6, 0);
		bytes_send(rig.conn[i], out, len);
		query_read(rig.conn[i], &q);
		assert_false(q.edns);
		reply(rig.conn[i], &q);
		wait_done(i + 1);
		conn_end(rig.conn[i], false);
	}
	assert_int_equal(replied(0, 2), 2);
	assert_int_equal(server_status().bad_replies, 0);
}

// What is said of the option is said of nothing else: EDNS stays, over TCP too.
TEST_WITH(test_formerr_to_the_option_is_remembered, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q;
	uint8_t out[700];
	unsigned i = 0;

	for (; i <= UPSTREAM_STRIKES; i++) {
		ask_over(i + 1, 1);
		query_read(rig.conn[i], &q);
		assert_true(q.edns && q.keepalive == (i < UPSTREAM_STRIKES));
		if (q.keepalive) {
			size_t len = reply_write(&q, -1, out) - 16;
			put_u16(out, (uint16_t)(len - 2));
			put_u16(out + 4, DNS_FLAG_QR | DNS_RCODE_FORMERR);
			put_u16(out + 8, 0);
			bytes_send(rig.conn[i], out, len);
			query_read(rig.conn[i], &q);
		}
		reply(rig.conn[i], &q);
		wait_done(i + 1);
		conn_end(rig.conn[i], false);
	}
	assert_int_equal(replied(0, i), i);
	assert_true(server_status().edns);
}

// RFC 7828 3.5: what stands before the server resets each connection that begins with the option,
// whoever's queries are on it. Three that went through without it are enough to leave it out.
TEST_WITH(test_reset_for_the_option, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q;
	unsigned conns = 0;

	for (unsigned i = 0; i < UPSTREAM_STRIKES; i++) {
		ask_over(++conns, 1);
		query_read(rig.conn[conns - 1], &q);
		assert_true(q.keepalive);
		conn_end(rig.conn[conns - 1], true);
		wait_conns(++conns);
		query_read(rig.conn[conns - 1], &q);
		assert_true(q.edns && !q.keepalive);
		reply(rig.conn[conns - 1], &q);
		wait_done(i + 1);
		conn_end(rig.conn[conns - 1], false);
	}
	ask_over(++conns, 1);
	query_read(rig.conn[conns - 1], &q);
	assert_true(q.edns && !q.keepalive);
	reply(rig.conn[conns - 1], &q);
	wait_done(UPSTREAM_STRIKES + 1);
	assert_int_equal(replied(0, rig.started), rig.started);
	assert_true(server_status().edns);
}

// One accident, as a server's restart, is one sign and not as many as there were queries.
TEST_WITH(test_one_end_under_many, stream_rig_setup, stream_rig_teardown)
{
	enum { MANY = 2 * UPSTREAM_STRIKES };
	struct stream_query q;

	ask_over(1, MANY);
	for (unsigned i = 0; i < MANY; i++)
		query_read(rig.conn[0], &q);
	conn_end(rig.conn[0], true);
	wait_conns(2);
	for (unsigned i = 0; i < MANY; i++) {
		query_read(rig.conn[1], &q);
		assert_true(q.edns && !q.keepalive);
		reply(rig.conn[1], &q);
	}
	wait_done(MANY);
	assert_int_equal(replied(0, MANY), MANY);
	conn_end(rig.conn[1], false);
	ask_over(3, 1);
	query_read(rig.conn[2], &q);
	assert_true(q.keepalive);
	reply(rig.conn[2], &q);
	wait_done(MANY + 1);
}

TEST_WITH(test_a_reply_to_another_question, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q[2];

	ask_over(1, 2);
	queries_read(rig.conn[0], q, 2);
	uint16_t id = get_u16(q[0].msg);
	put_u16(q[0].msg, get_u16(q[1].msg));
	put_u16(q[1].msg, id);
	reply(rig.conn[0], &q[0]);
	reply(rig.conn[0], &q[1]);
	wait_conns(2);
	assert_int_equal(replied(0, 2), 0);
	assert_int_equal(streams().bad, 1);
}

TEST_WITH(test_messages_of_no_bytes, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q;

	ask_over(1, 1);
	query_read(rig.conn[0], &q);
	bytes_send(rig.conn[0], (const uint8_t[]){0, 0}, 2);
	wait_done(1);
	assert_int_equal(replied(0, 1), 0);
	assert_int_equal(streams().bad, 1);
}

// The id of a query that was given up belongs to it until its reply comes.
TEST_WITH(test_a_late_reply_is_dropped, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q;

	ask_over(1, 1);
	query_read(rig.conn[0], &q);
	upstream_ask_stop(&rig.ask[0]);
	reply(rig.conn[0], &q);
	answer_one(0, -1);
	assert_int_equal(streams().late, 1);
	assert_int_equal(streams().opened, 1);
	assert_int_equal(streams().queries, 0);
	assert_false(rig.replied[0]);
}

TEST_WITH(test_replies_in_any_pieces, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q[3];
	uint8_t out[3 * 700];
	size_t len = 0;

	ask_over(1, 3);
	for (unsigned i = 0; i < 3; i++) {
		query_read(rig.conn[0], &q[i]);
		len += reply_write(&q[i], -1, out + len);
	}
	for (size_t i = 0; i < len; i++) {
		bytes_send(rig.conn[0], out + i, 1);
		turn();
	}
	wait_done(3);
	assert_int_equal(replied(0, 3), 3);
}
