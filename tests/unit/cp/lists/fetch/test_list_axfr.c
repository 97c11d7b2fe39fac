// SPDX-License-Identifier: BSD-3-Clause

#include "axfr_rig.h"
#include "tests/unit/unit.h"

TEST_WITH(test_a_zone_becomes_a_file, axfr_rig_start, axfr_rig_stop)
{
	assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
	assert_string_equal(body, whole);
	assert_string_equal(result.etag, "serial 7");
	assert_int_equal(result.bytes, strlen(whole));
	assert_true(result.wire_bytes > 400);
	assert_false(result.not_modified);
	assert_int_equal(primary.soa_asked, 0);
	assert_int_equal(fetch(FAKE_AXFR_ONE_RECORD_EACH), 0);
	assert_string_equal(body, whole);
}

TEST_WITH(test_a_zone_of_the_same_serial_is_left_alone, axfr_rig_start, axfr_rig_stop)
{
	request.etag = "serial 7";
	assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
	assert_true(result.not_modified);
	assert_string_equal(body, "");
	assert_string_equal(result.etag, "serial 7");
	assert_int_equal(primary.soa_asked, 1);
	assert_int_equal(primary.axfr_asked, 0);

	primary.serial = 6; // another one, not only a greater one
	assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
	assert_false(result.not_modified);
	assert_string_equal(result.etag, "serial 6");
	assert_int_equal(primary.soa_asked, 2);
	assert_int_equal(primary.axfr_asked, 1);

	request.etag = "";
}

TEST_WITH(test_what_is_no_whole_zone_is_an_error, axfr_rig_start, axfr_rig_stop)
{
	static const struct {
		enum fake_axfr_how how;
		int err;
		const char *why;
	} bad[] = {{FAKE_AXFR_REFUSED, -EPROTO, "the server replied REFUSED (5)"},
		{FAKE_AXFR_NOTAUTH, -EPROTO, "the server replied NOTAUTH (9)"},
		{FAKE_AXFR_WRONG_ID, -EPROTO, "no reply to the query"},
		{FAKE_AXFR_QUERY, -EPROTO, "no reply to the query"},
		{FAKE_AXFR_TC, -EPROTO, "truncated"},
		{FAKE_AXFR_OTHER_QUESTION, -EPROTO, "another question"},
		{FAKE_AXFR_NO_SOA, -EBADMSG, "does not begin with its SOA"},
		{FAKE_AXFR_NO_END, -EIO, "closed the connection before the end"},
		{FAKE_AXFR_OTHER_SERIAL, -EBADMSG, "serial 7, then 8"},
		{FAKE_AXFR_BEHIND_END, -EBADMSG, "records behind the end"},
		{FAKE_AXFR_CUT, -EIO, "closed the connection before the end"},
		{FAKE_AXFR_SHORT, -EBADMSG, "malformed record"},
		{FAKE_AXFR_CLASS, -EBADMSG, "class 3"},
		{FAKE_AXFR_HEADLESS, -EBADMSG, "less than a DNS header"}};
	for (unsigned i = 0; i < 2 * ARRAY_LEN(bad); i++) {
		unsigned k = i / 2;
		// Of those in front of NO_SOA the question for the serial fails as well.
		request.etag = i % 2 && bad[k].how < FAKE_AXFR_NO_SOA ? "serial 7" : "";
		int err = fetch(bad[k].how);
		if (err != bad[k].err || !strstr(result.why, bad[k].why))
			fail_msg("%u: %d, %s", bad[k].how, err, result.why);
	}
	assert_int_equal(primary.soa_asked, 6);
	request.etag = "";
}

TEST_WITH(test_a_signed_zone, axfr_rig_start, axfr_rig_stop)
{
	static const enum fake_tsig_how how[] = {FAKE_TSIG_ALL, FAKE_TSIG_ENDS};
	for (unsigned i = 0; i < 4; i++) {
		key_set(i / 2 ? CONFIG_TSIG_SHA512 : CONFIG_TSIG_SHA256);
		primary.sign = how[i % 2];
		assert_int_equal(fetch(FAKE_AXFR_ONE_RECORD_EACH), 0);
		assert_string_equal(body, whole);
		assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
		char etag[LIST_FETCH_ETAG_MAX];
		request.etag = strcpy(etag, result.etag);
		assert_memory_equal(etag, "serial 7, signed by weir-key ", 29);
		assert_int_equal(strlen(etag), 29 + 16);
		assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
		assert_true(result.not_modified);
		assert_string_equal(result.etag, etag);
		request.etag = "";
	}
	assert_int_equal(primary.signed_asked, 12);
	assert_int_equal(primary.wrong_asked, 0);
	primary.sign = FAKE_TSIG_ALL;
	assert_int_equal(fetch(FAKE_AXFR_MANY), 0);
}

// A serial says nothing of a copy that anyone may have made.
TEST_WITH(test_a_copy_that_the_key_has_not_signed, axfr_rig_start, axfr_rig_stop)
{
	static const char *const etag[] = {"serial 7", "serial 7, signed by weir-key",
		"serial 7, signed by weir-key2 0123456789abcdef",
		"serial 7, signed by weir-key 0123456789abcdef"};
	char good[LIST_FETCH_ETAG_MAX];
	key_set(CONFIG_TSIG_SHA256);
	primary.sign = FAKE_TSIG_ALL;
	for (unsigned i = 0; i < ARRAY_LEN(etag); i++) {
		request.etag = etag[i];
		assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
		assert_false(result.not_modified);
		strcpy(good, result.etag);
	}
	assert_int_equal(primary.soa_asked, 0);
	// Another secret, and another algorithm, of the same name.
	struct config_tsig_key other = *request.key;
	request.etag = good;
	request.key = &other;
	other.secret[0]++;
	primary.tsig.secret[0]++;
	assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
	assert_string_not_equal(result.etag, good);
	key_set(CONFIG_TSIG_SHA512);
	assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
	assert_string_not_equal(result.etag, good);
	assert_int_equal(primary.soa_asked, 0);
	request.key = NULL; // better than needed
	assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
	assert_true(result.not_modified);
	request.etag = "";
}

TEST_WITH(test_what_is_not_signed_right_is_an_error, axfr_rig_start, axfr_rig_stop)
{
	static const struct {
		enum fake_axfr_how how;
		enum fake_tsig_how sign;
		int err;
		const char *why;
	} bad[] = {{FAKE_AXFR_GOOD, FAKE_TSIG_NONE, -EKEYREJECTED, "did not sign its reply"},
		{FAKE_AXFR_GOOD, FAKE_TSIG_FIRST, -EKEYREJECTED, "did not sign its last message"},
		{FAKE_AXFR_GOOD, FAKE_TSIG_LAST, -EKEYREJECTED, "did not sign its reply"},
		{FAKE_AXFR_GOOD, FAKE_TSIG_BAD, -EKEYREJECTED, "TSIG does not verify"},
		{FAKE_AXFR_GOOD, FAKE_TSIG_CHANGED, -EKEYREJECTED, "TSIG does not verify"},
		{FAKE_AXFR_GOOD, FAKE_TSIG_SHORT, -EKEYREJECTED, "TSIG does not verify"},
		{FAKE_AXFR_GOOD, FAKE_TSIG_KEY, -EKEYREJECTED, "signs with another key"},
		{FAKE_AXFR_GOOD, FAKE_TSIG_OLD, -EKEYREJECTED, "of another time"},
		{FAKE_AXFR_GOOD, FAKE_TSIG_BADKEY, -EKEYREJECTED, "refused the TSIG: BADKEY"},
		{FAKE_AXFR_GOOD, FAKE_TSIG_BADTIME, -EKEYREJECTED, "refused the TSIG: BADTIME"},
		{FAKE_AXFR_GOOD, FAKE_TSIG_NOT_LAST, -EKEYREJECTED, "did not sign its reply"},
		{FAKE_AXFR_GOOD, FAKE_TSIG_CUT, -EBADMSG, "malformed TSIG"},
		{FAKE_AXFR_MANY, FAKE_TSIG_ENDS, -EKEYREJECTED, "signs too few messages"},
		{FAKE_AXFR_REFUSED, FAKE_TSIG_NONE, -EPROTO, "the server replied REFUSED (5)"},
		{FAKE_AXFR_REFUSED, FAKE_TSIG_ALL, -EPROTO, "the server replied REFUSED (5)"}};
	for (unsigned i = 0; i < 2 * ARRAY_LEN(bad); i++) {
		unsigned k = i / 2;
		key_set(i % 2 ? CONFIG_TSIG_SHA512 : CONFIG_TSIG_SHA256);
		primary.sign = bad[k].sign;
		int err = fetch(bad[k].how);
		if (err != bad[k].err || !strstr(result.why, bad[k].why))
			fail_msg("%u %u: %d, %s", bad[k].how, bad[k].sign, err, result.why);
	}
	assert_int_equal(primary.wrong_asked, 0);
}

TEST_WITH(test_an_endless_zone_is_cut_off, axfr_rig_start, axfr_rig_stop)
{
	request.max_bytes = 200000;
	assert_int_equal(fetch(FAKE_AXFR_ENDLESS), -EFBIG);
	assert_string_equal(result.why, "larger than 0 MiB");
	assert_true(result.wire_bytes < 300000);
	assert_int_equal(fetch(FAKE_AXFR_EMPTY), -EFBIG);
	request.max_bytes = 500; // the text is longer than the messages
	assert_int_equal(fetch(FAKE_AXFR_ENDLESS), -EFBIG);
	request.max_bytes = 1 << 20;
}

TEST_WITH(test_no_wait_is_without_an_end, axfr_rig_start, axfr_rig_stop)
{
	uint64_t from_ms = clock_mono_ms();
	request.low_speed_s = 1;
	assert_int_equal(fetch(FAKE_AXFR_MUTE), -ETIMEDOUT);
	assert_string_equal(result.why, "too slow: stopped after 1 s without a byte");
	assert_int_equal(fetch(FAKE_AXFR_STALL), -ETIMEDOUT);
	request.low_speed_s = 60;
	request.timeout_ms = 300;
	assert_int_equal(fetch(FAKE_AXFR_STALL), -ETIMEDOUT);
	request.max_bytes = UINT64_C(1) << 40;
	assert_int_equal(fetch(FAKE_AXFR_EMPTY), -ETIMEDOUT);
	request.max_bytes = 1 << 20;
	request.timeout_ms = 60000;
	assert_in_range(clock_mono_ms() - from_ms, 2600, 40000);

	static const _Atomic bool stopped = true;
	request.stop = &stopped;
	assert_int_equal(fetch(FAKE_AXFR_MUTE), -ECANCELED);
	request.stop = NULL;
}

TEST_WITH(test_where_it_may_connect, axfr_rig_start, axfr_rig_stop)
{
	assert_int_equal(fetch_at("127.0.0.1", 1), -EIO); // nobody listens
	assert_string_equal(result.why, "cannot connect: Connection refused");
	primary.how = FAKE_AXFR_GOOD;
	assert_int_equal(fetch_at("primary.example", primary.port), 0);
	assert_string_equal(body, whole);
	request.allow_private = false;
	assert_int_equal(fetch(FAKE_AXFR_GOOD), -EACCES);
	assert_string_equal(
		result.why, "127.0.0.1 is not a public address (blocking.update.allow_private)");
	assert_int_equal(fetch_at("primary.example", primary.port), -EACCES);
	assert_int_equal(primary.axfr_asked, 1);
	request.allow_private = true;
	request.server_count = 0;
	assert_int_equal(fetch_at("primary.example", primary.port), -ETIMEDOUT);
	request.server_count = 1;
}
