// SPDX-License-Identifier: BSD-3-Clause
// Verdicts of the validators on the answers of a signed zone, and their bounds.

#include "controlplane/base/table_registry.h"
#include "controlplane/validator/validator_library.h"
#include "validator_rig.h"

// Words of the library where its cryptography is nettle's, or OpenSSL's.
static bool says_that_a_signature_is_wrong(const char *why)
{
	return strstr(why, "signature verification failed")
	       || strstr(why, "signature crypto failed");
}

TEST_WITH(test_verdicts, rig_setup, rig_teardown)
{
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	assert_int_equal(get_u16(fx.msg + 6), 2); // the address and its signature
	expect("bad", VALIDATOR_BOGUS, DNS_EDE_DNSSEC_BOGUS);
	assert_true(says_that_a_signature_is_wrong(fx.why));
	assert_null(strstr(fx.why, "127.0.0.1"));
	expect("expired", VALIDATOR_BOGUS, DNS_EDE_SIGNATURE_EXPIRED);
	expect("early", VALIDATOR_BOGUS, DNS_EDE_SIGNATURE_NOT_YET_VALID);
	expect("unsigned", VALIDATOR_BOGUS, DNS_EDE_NSEC_MISSING);
	expect("none", VALIDATOR_BOGUS, fx.ede); // NXDOMAIN without a proof
	const struct validators_status s = status();
	assert_int_equal(s.secure, 1);
	assert_int_equal(s.bogus, 5);
	assert_int_equal(s.contexts, 1);
	assert_int_equal(s.questions, 0);
	assert_int_equal(fx.root.cd_queries, fx.root.queries);
}

// L0 keeps answers: a question that comes again is a renewal. Keys are kept.
TEST_WITH(test_asks_again, rig_setup, rig_teardown)
{
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	unsigned first = fx.root.queries;
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	assert_int_equal(fx.root.queries, first + 1);
}

// The wall clock was set back: no key is kept.
TEST_WITH(test_forget, rig_setup, rig_teardown)
{
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	unsigned first = fx.root.queries;
	validators_forget(fx.v);
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	assert_int_equal(fx.root.queries, 2 * first);
	validators_beat(fx.v);
	assert_int_equal(status().contexts, 1);
}

TEST_WITH(test_negative_anchor, rig_setup, rig_teardown)
{
	struct dns_name name = name_of_text("unsigned");
	expect("unsigned", VALIDATOR_BOGUS, DNS_EDE_NSEC_MISSING);
	fx.set.negative = &name;
	fx.set.negative_count = 1;
	VALIDATORS_CONFIGURE(hash, 2);
	expect("unsigned", VALIDATOR_INSECURE, DNS_EDE_NONE);
	assert_int_equal(status().contexts, 2);
	validators_beat(fx.v); // the retired one has no question
	assert_int_equal(status().contexts, 1);
	fx.set.negative_count = 0;
	VALIDATORS_CONFIGURE(hash, 3);
	expect("unsigned", VALIDATOR_BOGUS, DNS_EDE_NSEC_MISSING);
}

TEST_WITH(test_servers_fail, rig_setup, rig_teardown)
{
	fx.root.is_failing = true;
	expect("good", VALIDATOR_FAILED, DNS_EDE_NONE);
	fx.root.is_failing = false;
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	fx.has_view = false;
	expect("good", VALIDATOR_FAILED, DNS_EDE_NONE);
}

// It goes on without its caller, and its place is free afterwards. So it is with all of them.
TEST_WITH(test_stopped, rig_setup, rig_teardown)
{
	struct validation *slot[QUESTIONS + 1] = {0};

	fx.root.is_silent = true;
	for (unsigned i = 0; i < QUESTIONS; i++)
		assert_int_equal(ask("good", &slot[i]), 0);
	assert_int_equal(ask("good", &slot[QUESTIONS]), -EAGAIN);
	assert_null(slot[QUESTIONS]);
	assert_int_equal(status().refused, 1);
	for (unsigned i = 0; i < QUESTIONS; i++) {
		assert_non_null(slot[i]);
		validators_stop(&slot[i]);
		assert_null(slot[i]);
	}
	assert_int_equal(status().questions, QUESTIONS);
	fx.root.is_silent = false;
	WAIT_FOR(!status().questions, turn());
	assert_int_equal(fx.verdicts, 0);
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
}

// The library's question goes on, and ends without a caller.
TEST_WITH(test_deadline, rig_setup, rig_teardown)
{
	struct validation *slot = NULL;

	fx.root.is_silent = true;
	fx.life_ms = 50;
	assert_int_equal(ask("good", &slot), 0);
	verdicts_wait(1);
	assert_int_equal(fx.end, VALIDATOR_FAILED);
	assert_null(slot);
	assert_int_equal(status().late, 1);
	assert_int_equal(status().questions, 1);
	fx.root.is_silent = false;
	WAIT_FOR(!status().questions, turn());
	assert_int_equal(fx.verdicts, 1);
}

// Of a library that recursion made: its settings are that, and where it asks.
static struct library *library_beside(uint16_t port)
{
	struct library *l = NULL;
	char text[512];

	snprintf(text, sizeof(text),
		"server:\nverbosity: 0\nuse-syslog: no\nchroot: \"\"\nusername: \"\"\n"
		"directory: \"\"\ndo-ip6: no\ndo-not-query-localhost: no\n"
		"edns-buffer-size: 1232\nmodule-config: \"iterator\"\n"
		"local-zone: \"" LIBRARY_OWN_NAME "\" always_nxdomain\n"
		"forward-zone:\nname: \".\"\nforward-addr: 127.0.0.1@%u\n",
		port);
	assert_int_equal(library_open(&l, loop_base(fx.loop), text, strlen(text)), 0);
	assert_int_equal(library_apply(l), 0);
	return l;
}

// libunbound keeps the shortest wait of a query for the whole process: as the last library has it.
TEST_WITH(test_patience_beside_another_library, rig_setup, rig_teardown)
{
	struct validation *slot = NULL;

	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	struct library *l = library_beside(fx.root.port);
	for (unsigned i = 0; i < 12; i++) // each makes the wait shorter
		expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	fx.root.is_silent = true;
	fx.verdicts = 0;
	assert_int_equal(ask("good", &slot), 0);
	STAYS_SO((turn(), fx.verdicts == 0), 150);
	fx.root.is_silent = false;
	verdicts_wait(1);
	assert_int_equal(fx.end, VALIDATOR_SECURE);
	library_close(l);
}

static void ignored(void *, const struct library_answer *)
{
}

// So it is with the size that a query allows its reply.
TEST_WITH(test_replies_of_another_library_fit_a_packet, rig_setup, rig_teardown)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t own_len = sizeof(own);
	uint8_t query[512];
	ssize_t len = -1;
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &own_len), 0);
	struct library *l = library_beside(ntohs(own.sin_port));
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	assert_int_equal(library_ask(l, "good", DNS_TYPE_A, ignored, NULL), 0);
	WAIT_FOR((len = recv(fd, query, sizeof(query), MSG_DONTWAIT)) > 0, turn());
	assert_in_range(len, DNS_HEADER_LEN + 10 + DNS_OPT_FIXED_LEN, sizeof(query));
	assert_int_equal(get_u16(query + DNS_HEADER_LEN + 10 + 3), 1232);
	library_close(l);
	close(fd);
}

// A context that is retired keeps its questions, and ends with them.
TEST_WITH(test_retired, rig_setup, rig_teardown)
{
	struct validation *slot = NULL;
	struct table_registry tables = {0};

	fx.root.is_silent = true;
	assert_int_equal(ask("good", &slot), 0);
	VALIDATORS_CONFIGURE(hash, 9);
	validators_beat(fx.v);
	assert_int_equal(status().contexts, 1);
	fx.root.is_silent = false;
	verdicts_wait(1);
	assert_int_equal(fx.end, VALIDATOR_SECURE);
	validators_beat(fx.v);
	assert_int_equal(status().contexts, 0);
	validators_tables(fx.v, &tables);
	assert_int_equal(tables.count, 3);
	assert_int_equal(tables.table[0].used + tables.table[1].used + tables.table[2].used, 0);
	assert_int_equal(tables.table[0].high, 1);
}

// With reloads in a row retired ones have all places, and one of them ends early.
TEST_WITH(test_retired_give_way, rig_setup, rig_teardown)
{
	struct validation *slot[VALIDATOR_CONTEXTS + 1] = {0};

	fx.root.is_silent = true;
	for (unsigned i = 0; i <= VALIDATOR_CONTEXTS; i++) {
		assert_int_equal(fx.verdicts, 0);
		VALIDATORS_CONFIGURE(hash, 100 + i);
		assert_int_equal(ask("good", &slot[i]), 0);
		assert_non_null(slot[i]);
	}
	assert_int_equal(fx.verdicts, 1);
	assert_int_equal(fx.end, VALIDATOR_FAILED);
	assert_int_equal(status().refused, 0);
	assert_int_equal(status().contexts, VALIDATOR_CONTEXTS);
	fx.root.is_silent = false;
	verdicts_wait(VALIDATOR_CONTEXTS + 1);
	assert_int_equal(fx.end, VALIDATOR_SECURE);
}

// The end of the process while a question runs.
TEST_WITH(test_abandoned, rig_setup, rig_teardown)
{
	struct validation *slot = NULL;

	fx.root.is_silent = true;
	assert_int_equal(ask("good", &slot), 0);
	WAIT_FOR(fx.held > 0, turn());
	assert_int_equal(fx.verdicts, 0);
}

// Keys in the settings: no file is read.
TEST_WITH(test_keys, rig_setup, rig_teardown)
{
	char record[512];
	FILE *f = fopen(fx.anchors, "re");

	assert_non_null(f);
	assert_non_null(fgets(record, sizeof(record), f));
	fclose(f);
	record[strcspn(record, ";\n")] = '\0';
	const char *keys = text_from("other. IN DNSKEY 257 3 13 AAAA\n%.400s\n", record);
	fx.set.anchors = "/nonexistent/anchors";
	fx.set.keys = keys;
	VALIDATORS_CONFIGURE(hash, 5);
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
}

TEST_WITH(test_no_anchors, rig_setup, rig_teardown)
{
	struct validation *slot = NULL;

	fx.set.anchors = "/nonexistent/anchors";
	VALIDATORS_CONFIGURE(hash, 5);
	assert_int_equal(ask("good", &slot), -EINVAL);
	assert_null(slot);
	assert_int_equal(status().questions, 0);
	assert_true(status().broken > 0);
}
