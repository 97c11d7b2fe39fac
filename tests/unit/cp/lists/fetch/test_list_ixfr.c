// SPDX-License-Identifier: BSD-3-Clause
// Differences between a server's zone and the copy, and what takes their place.

#include "axfr_rig.h"
#include "tests/unit/unit.h"

static struct config_list_tls whom;

// A fetch with the zone of serial 7 as the copy; the server has `serial`, and `ixfr`.
static int fetch_since(uint32_t serial, const char *ixfr)
{
	static const char *const etag = "serial 7";
	by_ixfr = true;
	primary.serial = serial;
	primary.ixfr = ixfr;
	request.etag = request.key || request.tls ? request.etag : etag;
	request.copy = memfd_create("copy", MFD_CLOEXEC);
	assert_true(request.copy >= 0);
	assert_int_equal(write(request.copy, whole, strlen(whole)), strlen(whole));
	primary.axfr_asked = primary.ixfr_asked = primary.soa_asked = 0;
	int err = fetch(FAKE_AXFR_GOOD);
	close(request.copy);
	request.copy = -1;
	request.etag = request.key || request.tls ? request.etag : "";
	return err;
}

// The copy of serial 7 without a line, with `more`, as `serial`.
static void is_copy(uint32_t serial, const char *less, const char *more)
{
	static char want[AXFR_RIG_BODY];
	const char *rest = strchr(whole, '\n') + 1, *gone = less ? strstr(rest, less) : NULL;
	assert_true(!less || gone);
	int n = snprintf(want, sizeof(want),
		"rpz.test. 60 IN SOA ns.rpz.test. admin.rpz.test. %u 3600 3600 3600 3600\n"
		"%.*s%s%s",
		serial, less ? (int)(gone - rest) : 0, rest, less ? strchr(gone, '\n') + 1 : rest,
		more);
	assert_in_range(n, 1, sizeof(want) - 1);
	assert_string_equal(body, want);
}

#define NX "nx.example.rpz.test. 60 IN CNAME .\n"

TEST_WITH(test_a_difference, axfr_rig_start, axfr_rig_stop)
{
	assert_int_equal(fetch_since(8, "8 7 nx 8 new newer 8"), 0);
	is_copy(8, NX,
		"new.example.rpz.test. 60 IN CNAME .\nnewer.example.rpz.test. 60 IN CNAME .\n");
	assert_string_equal(result.etag, "serial 8");
	assert_int_equal(result.changes, 5); // both SOAs
	assert_int_equal(result.bytes, strlen(body));
	assert_int_equal(primary.ixfr_serial, 7);
	assert_int_equal(primary.ixfr_asked, 1);
	assert_int_equal(primary.soa_asked + primary.axfr_asked, 0);
	// One that only adds, and one that only deletes.
	assert_int_equal(fetch_since(8, "8 7 8 new 8"), 0);
	is_copy(8, NULL, "new.example.rpz.test. 60 IN CNAME .\n");
	assert_int_equal(fetch_since(8, "8 7 nx 8 8"), 0);
	is_copy(8, NX, "");
	assert_int_equal(primary.axfr_asked, 0);
}

TEST_WITH(test_differences_in_a_row, axfr_rig_start, axfr_rig_stop)
{
	// What joins may leave again, and what left may come back; serials may leave gaps.
	assert_int_equal(fetch_since(20, "20 7 nx 8 a b 8 a 9 c 9 c 12 nx 12 20 d 20"), 0);
	is_copy(20, NULL, "b.example.rpz.test. 60 IN CNAME .\nd.example.rpz.test. 60 IN CNAME .\n");
	// In messages, cut anywhere.
	assert_int_equal(fetch_since(9, "9 | 7 | nx | | 8 | a b | 8 | a | 9 c | | 9"), 0);
	is_copy(9, NX, "b.example.rpz.test. 60 IN CNAME .\nc.example.rpz.test. 60 IN CNAME .\n");
	assert_int_equal(primary.axfr_asked, 0);
}

TEST_WITH(test_an_unchanged_zone, axfr_rig_start, axfr_rig_stop)
{
	assert_int_equal(fetch_since(7, "7"), 0);
	assert_true(result.not_modified);
	assert_string_equal(body, "");
	assert_string_equal(result.etag, "serial 7");
	assert_int_equal(primary.ixfr_asked, 1);
	assert_int_equal(primary.soa_asked + primary.axfr_asked, 0);
}

TEST_WITH(test_a_whole_zone_in_the_reply, axfr_rig_start, axfr_rig_stop)
{
	assert_int_equal(fetch_since(9, "9 nx new 9"), 0);
	assert_string_equal(body,
		"rpz.test. 60 IN SOA ns.rpz.test. admin.rpz.test. 9 3600 3600 3600 3600\n"
		"nx.example.rpz.test. 60 IN CNAME .\nnew.example.rpz.test. 60 IN CNAME .\n");
	assert_string_equal(result.etag, "serial 9");
	assert_int_equal(result.changes, 0);
	assert_int_equal(fetch_since(9, "9 | nx | 9"), 0);
	assert_int_equal(fetch_since(9, "9 9"), 0); // an empty one
	assert_int_equal(primary.axfr_asked, 0);
	// One that breaks off is an error, as by AXFR.
	assert_int_equal(fetch_since(9, "9 nx"), -EIO);
	assert_int_equal(fetch_since(9, "9 nx 8"), -EBADMSG);
	assert_int_equal(fetch_since(9, "9 nx 9 new"), -EBADMSG);
	assert_int_equal(primary.axfr_asked, 0);
}

// The file is the whole zone by AXFR.
TEST_WITH(test_what_makes_weir_ask_for_the_whole_zone, axfr_rig_start, axfr_rig_stop)
{
	static const char *const bad[] = {NULL, // the server knows no differences
		"6", "6 8 nx 6",                // an older zone
		"8",                            // then it closes
		"8 7 nx 8 new",                 // no end
		"8 7 nx 8 new 7", "8 6 nx 8 new 8", "9 7 nx 8 new 9", "9 7 nx 8 new 7 9 9",
		"8 7 nx 9 new 8", "8 7 nx 7 new 8 8", "8 7 nx 6 new 8", // broken chains
		"9 7 8 a 8 a 8 9 9",                                    // one that stands still
		"8 7 nx 8 new 8 more", "7 nx",                          // records behind the end
		"nx 8 7 8", "8 7 8 new new 8",                          // twice
		"8 7 nx nx 8 8", "9 7 nx 8 8 nx 9 9",
		"8 7 gone 8 8", // the copy has no such record
		"8 7 8 nx 8",   // has it already
		"9 7 8 nx 8 nx 9 9"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		int err = fetch_since(i == 1 || i == 2 ? 6 : 8, bad[i]);
		if (err || primary.axfr_asked != 1 || primary.ixfr_asked != 1 || result.changes
			|| primary.soa_asked > 1)
			fail_msg("%s: %d, %s", bad[i], err, result.why);
		is_copy(i == 1 || i == 2 ? 6 : 8, NULL, "");
		assert_int_equal(result.bytes, strlen(body));
	}
	// Without a copy, or one that another key signed, there is no such question.
	by_ixfr = true;
	assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
	assert_int_equal(primary.ixfr_asked, 1);
	assert_int_equal(primary.axfr_asked, 2);
	request.etag = "serial 7"; // and no file
	assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
	assert_int_equal(primary.ixfr_asked, 1);
	assert_int_equal(primary.soa_asked, 1);
	request.etag = "";
}

// A server that knows no differences need not send the zone again that weir has.
TEST_WITH(test_the_same_serial_where_there_are_no_differences, axfr_rig_start, axfr_rig_stop)
{
	assert_int_equal(fetch_since(7, NULL), 0);
	assert_true(result.not_modified);
	assert_string_equal(body, "");
	assert_int_equal(primary.ixfr_asked, 1);
	assert_int_equal(primary.soa_asked, 1);
	assert_int_equal(primary.axfr_asked, 0);
}

static unsigned opened;
static int files_fd, files_copy;

static int files_open(void *, int *fd, int *copy)
{
	opened++;
	*fd = files_fd;
	*copy = files_copy;
	return 0;
}

// Only for a body.
TEST_WITH(test_files_are_opened_late, axfr_rig_start, axfr_rig_stop)
{
	opened = 0;
	files_fd = memfd_create("files", MFD_CLOEXEC);
	files_copy = -1; // it was not good
	request.open = files_open;
	assert_int_equal(fetch_since(7, "7"), 0);
	assert_int_equal(opened, 0);
	assert_int_equal(fetch_since(8, "8 7 nx 8 8"), 0);
	assert_int_equal(opened, 1);
	assert_int_equal(primary.axfr_asked, 1);
	assert_string_equal(body, "");
	assert_int_equal(lseek(files_fd, 0, SEEK_END), result.bytes);
	close(files_fd);
}

TEST_WITH(test_axfr_never_asks_for_differences, axfr_rig_start, axfr_rig_stop)
{
	by_ixfr = false;
	request.etag = "serial 6";
	assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
	assert_string_equal(body, whole);
	assert_int_equal(primary.ixfr_asked, 0);
	request.etag = "";
}

TEST_WITH(test_a_signed_difference, axfr_rig_start, axfr_rig_stop)
{
	char etag[LIST_FETCH_ETAG_MAX];
	static const enum fake_tsig_how good[] = {FAKE_TSIG_ALL, FAKE_TSIG_ENDS},
					bad[] = {FAKE_TSIG_NONE, FAKE_TSIG_FIRST, FAKE_TSIG_LAST,
						FAKE_TSIG_BAD, FAKE_TSIG_CHANGED, FAKE_TSIG_KEY,
						FAKE_TSIG_OLD};
	static const char parts[] = "8 | 7 nx | 8 | new 8";
	key_set(CONFIG_TSIG_SHA256);
	primary.sign = FAKE_TSIG_ALL;
	by_ixfr = true;
	assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
	request.etag = strcpy(etag, result.etag);
	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		primary.sign = good[i];
		assert_int_equal(fetch_since(8, parts), 0);
		is_copy(8, NX, "new.example.rpz.test. 60 IN CNAME .\n");
		assert_memory_equal(result.etag, "serial 8, signed by weir-key ", 29);
		assert_int_equal(fetch_since(7, "7"), 0);
		assert_true(result.not_modified);
	}
	// A reply that is not signed right is no reason to ask for another one.
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		primary.sign = bad[i];
		assert_int_equal(fetch_since(8, parts), -EKEYREJECTED);
		assert_int_equal(primary.axfr_asked, 0);
	}
	assert_int_equal(primary.wrong_asked, 0);
	request.etag = "";
}

TEST_WITH(test_a_difference_over_tls, axfr_rig_start, axfr_rig_stop)
{
	char etag[LIST_FETCH_ETAG_MAX];
	primary.context = tls_rig_context(TLS_RIG_GOOD);
	strcpy(whom.name, "dns.example");
	snprintf(whom.ca_file, sizeof(whom.ca_file), "%s", tls_rig_ca);
	request.tls = &whom;
	by_ixfr = true;
	assert_int_equal(fetch(FAKE_AXFR_GOOD), 0);
	request.etag = strcpy(etag, result.etag);
	assert_int_equal(fetch_since(8, "8 7 nx 8 8"), 0);
	is_copy(8, NX, "");
	assert_int_equal(primary.axfr_asked, 0);
	assert_int_equal(primary.dot, 2);
	request.tls = NULL;
	request.etag = "";
	tls_rig_context_free(primary.context);
	primary.context = NULL;
}

TEST_WITH(test_bounds, axfr_rig_start, axfr_rig_stop)
{
	// Text of the copy counts, and messages of each question.
	request.max_bytes = strlen(whole) + 20;
	assert_int_equal(fetch_since(8, "8 7 8 new 8"), -EFBIG);
	request.max_bytes = 1 << 20;
	request.timeout_ms = 300;
	by_ixfr = true;
	request.etag = "serial 7";
	request.copy = memfd_create("copy", MFD_CLOEXEC);
	assert_int_equal(fetch(FAKE_AXFR_MUTE), -ETIMEDOUT);
	close(request.copy);
	request.timeout_ms = 60000;
	request.etag = "";
	request.copy = -1;
}

FIXTURE(certificates_make, tls_rig_start())

FIXTURE(certificates_drop, tls_rig_stop())

static int no_pipe_signal(void **state)
{
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	return certificates_make(state);
}
TEST_GROUP(no_pipe_signal, certificates_drop)
