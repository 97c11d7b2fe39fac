// SPDX-License-Identifier: BSD-3-Clause

// What the resolver's own records of the query log say of the client: of each family, and of an
// IPv4 client that came to a socket of IPv6.
#include "controlplane/querylog/querylog.h"
#include "controlplane/querylog/querylog_row.h"
#include "controlplane/resolver/resolver_internal.h"
#include "controlplane/resolver/resolver_log.h"
#include "tests/unit/unit.h"

enum { ROWS = 8, CLIENT_MAX = 64, MESSAGE_MAX = 65535 };

static struct {
	_Atomic unsigned rows;
	char client[ROWS][CLIENT_MAX];
	uint16_t port[ROWS], rcode[ROWS];
	uint8_t validation[ROWS];
	bool has_whole[ROWS];
	struct querylog_whole whole[ROWS];
	uint16_t query_len[ROWS], reply_len[ROWS];
	uint8_t query[ROWS][MESSAGE_MAX], reply[ROWS][MESSAGE_MAX];
} kept;

// The bytes die with the batch.
static void keep_whole(unsigned n, const struct querylog_row *row)
{
	kept.has_whole[n] = row->whole != NULL;
	if (!row->whole)
		return;
	kept.whole[n] = *row->whole;
	kept.query_len[n] = row->query_len;
	kept.reply_len[n] = row->reply_len;
	if (row->whole->query)
		memcpy(kept.query[n], row->whole->query, row->query_len);
	if (row->whole->reply)
		memcpy(kept.reply[n], row->whole->reply, row->reply_len);
}

static bool take(void *, const struct querylog_batch *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		const unsigned n = kept.rows++;
		if (n >= ROWS)
			continue;
		snprintf(kept.client[n], CLIENT_MAX, "%s", b->row[i].client.at);
		kept.port[n] = b->row[i].client_port;
		kept.rcode[n] = b->row[i].rcode;
		kept.validation[n] = b->row[i].validation;
		keep_whole(n, &b->row[i]);
	}
	return true;
}

static struct resolver_logged logged(void)
{
	return (struct resolver_logged){.ede = DNS_EDE_NONE,
		.arrival_us = clock_mono_us(),
		.verdict = LOG_VERDICT_UNANSWERED,
		.list = LOG_NO_LIST,
		.upstream = LOG_NO_UPSTREAM};
}

static union client_address client_of(const char *address, uint16_t port)
{
	union client_address client = {0};
	if (strchr(address, ':')) {
		client.v6 =
			(struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
		assert_int_equal(inet_pton(AF_INET6, address, &client.v6.sin6_addr), 1);
	} else {
		client.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
		assert_int_equal(inet_pton(AF_INET, address, &client.v4.sin_addr), 1);
	}
	return client;
}

static void log_frontend(struct resolver_log *l, const char *address, uint16_t port)
{
	const struct resolver_logged what = logged();
	const union client_address client = client_of(address, port), service = {0};
	resolver_log_client(l, &client, &service, &what);
}

static void log_rings(struct resolver_log *l, const char *address, uint16_t port)
{
	const bool is_six = strchr(address, ':') != NULL;
	const struct resolver_logged what = logged();
	struct return_path path = {.ip_version = is_six ? 6 : 4, .client_udp = htons(port)};
	assert_int_equal(inet_pton(is_six ? AF_INET6 : AF_INET, address, path.client_ip), 1);
	resolver_log_rings(l, &path, &what);
}

// Every query is logged; what is not read yet waits in the ring.
static struct resolver_log *begin_with(
	struct querylog **q, enum log_detail detail, enum log_clients anonymize)
{
	const struct config config = {.query_log.anonymize = anonymize};
	const struct querylog_sink sink = {.name = "kept", .take = take};
	struct resolver_log *l;
	kept.rows = 0;
	assert_int_equal(resolver_log_open(&l), 0);
	resolver_log_set(l, 1, detail);
	assert_int_equal(querylog_open(q, &(struct querylog_settings){.box = "box"}), 0);
	assert_int_equal(querylog_add(*q, &sink), 0);
	struct querylog_names *n = querylog_names_new(&config, NULL, 0, NULL);
	assert_non_null(n);
	querylog_set_names(*q, n);
	assert_int_equal(resolver_log_source(l, *q), 0);
	return l;
}

static struct resolver_log *begin(struct querylog **q)
{
	return begin_with(q, LOG_DETAIL_NONE, LOG_CLIENTS_WHOLE);
}

TEST(test_clients)
{
	static const char *const expected[] = {"198.18.0.1", "198.18.255.2", "2001:db8::3",
		"::fffe:198.18.0.4", "198.18.0.5", "2001:db8::6"};
	struct querylog *q;
	struct resolver_log *l = begin(&q);
	log_frontend(l, "198.18.0.1", 5301);
	log_frontend(l, "::ffff:198.18.255.2", 5302);
	log_frontend(l, "2001:db8::3", 5303);
	log_frontend(l, "::fffe:198.18.0.4", 5304); // is no such address
	log_rings(l, "198.18.0.5", 5305);
	log_rings(l, "2001:db8::6", 5306);
	assert_int_equal(querylog_start(q), 0);
	querylog_stop(q);
	assert_int_equal(kept.rows, ARRAY_LEN(expected));
	for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
		uint8_t is[16] = {0}, wanted[16] = {0};
		const int family = strchr(expected[i], ':') ? AF_INET6 : AF_INET;
		assert_int_equal(inet_pton(family, expected[i], wanted), 1);
		if (inet_pton(family, kept.client[i], is) != 1)
			fail_msg("%s in the place of %s", kept.client[i], expected[i]);
		assert_memory_equal(is, wanted, sizeof(is));
		assert_int_equal(kept.port[i], 5301 + i);
	}
	querylog_close(q);
	resolver_log_close(l);
}

static uint8_t longest[2][MESSAGE_MAX];

// Two exchanges: of a worker's rings over IPv6, and of a client of the sockets with messages of any
// length.
static void log_exchanges(struct resolver_log *l)
{
	static const uint8_t asked[] = "a query of a worker's rings'", told[] = "what it got";
	struct resolver_logged what = logged();
	struct return_path path = {
		.ip_version = 6, .client_udp = htons(5306), .service_udp = htons(53)};
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::6", path.client_ip), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::53", path.service_ip), 1);
	what.asked = asked;
	what.query_len = sizeof(asked);
	what.reply = told;
	what.reply_len = sizeof(told);
	resolver_log_rings(l, &path, &what);
	path.via.ip_version = 4; // the balancer asked over IPv4
	memset(path.service_ip, 0, sizeof(path.service_ip));
	assert_int_equal(inet_pton(AF_INET, "198.18.0.54", path.service_ip), 1);
	resolver_log_rings(l, &path, &what);
	const union client_address client = client_of("198.18.0.1", 5301),
				   service = client_of("::ffff:198.18.0.53", 5353);
	memset(longest[0], 'q', MESSAGE_MAX);
	memset(longest[1], 'r', MESSAGE_MAX);
	what.asked = longest[0];
	what.reply = longest[1];
	what.query_len = what.reply_len = MESSAGE_MAX;
	resolver_log_client(l, &client, &service, &what);
}

static void expect_service(unsigned n, const char *text, uint16_t port)
{
	uint8_t bytes[16] = {0};
	assert_int_equal(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, bytes), 1);
	assert_true(kept.has_whole[n]);
	assert_memory_equal(kept.whole[n].service_bytes, bytes, 16);
	assert_int_equal(kept.whole[n].service_port, port);
	assert_int_equal(kept.whole[n].service_version, strchr(text, ':') ? 6 : 4);
}

static void expect_exchanges(enum log_detail detail, enum log_clients anonymize, bool has_messages)
{
	struct querylog *q;
	struct resolver_log *l = begin_with(&q, detail, anonymize);
	log_exchanges(l);
	assert_int_equal(querylog_start(q), 0);
	querylog_stop(q);
	assert_int_equal(kept.rows, 3);
	expect_service(0, "2001:db8::53", 53);
	expect_service(1, "198.18.0.54", 53);
	expect_service(2, "198.18.0.53", 5353);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(kept.whole[i].query != NULL, has_messages);
		assert_int_equal(kept.whole[i].reply != NULL, has_messages);
	}
	if (has_messages) {
		assert_string_equal((const char *)kept.query[0], "a query of a worker's rings'");
		assert_string_equal((const char *)kept.reply[0], "what it got");
		assert_int_equal(kept.query_len[2], MESSAGE_MAX);
		assert_memory_equal(kept.query[2], longest[0], MESSAGE_MAX);
		assert_memory_equal(kept.reply[2], longest[1], MESSAGE_MAX);
	}
	querylog_close(q);
	resolver_log_close(l);
}

TEST(test_both_ends_and_messages)
{
	expect_exchanges(LOG_DETAIL_MESSAGES, LOG_CLIENTS_WHOLE, true);
	expect_exchanges(LOG_DETAIL_ENDS, LOG_CLIENTS_WHOLE, false);
}

// Records that were written before clients were hidden are read after it.
TEST(test_no_messages_of_hidden_clients)
{
	expect_exchanges(LOG_DETAIL_MESSAGES, LOG_CLIENTS_TRUNCATED, false);
	expect_exchanges(LOG_DETAIL_MESSAGES, LOG_CLIENTS_HASHED, false);
}

// Of an answer's source; a query without a reply has none.
TEST(test_validation)
{
	static const uint8_t reply[DNS_HEADER_LEN] = {[3] = DNS_RCODE_SERVFAIL};
	const struct return_path path = {.ip_version = 4};
	struct querylog *q;
	struct resolver_log *l = begin(&q);
	for (uint8_t v = 0; v < LOG_VALIDATIONS; v++) {
		const struct answer_source source = {
			.kind = ANSWER_SERVFAIL, .list = LOG_NO_LIST, .validation = v};
		struct resolver_logged what = logged();
		resolver_log_answer(&what, &source);
		what.upstream = LOG_NO_UPSTREAM;
		resolver_log_rings(l, &path, &what);
		what.reply = reply;
		what.reply_len = sizeof(reply);
		resolver_log_rings(l, &path, &what);
	}
	assert_int_equal(querylog_start(q), 0);
	querylog_stop(q);
	assert_int_equal(kept.rows, 2 * LOG_VALIDATIONS);
	for (unsigned i = 0; i < 2 * LOG_VALIDATIONS; i++) {
		assert_int_equal(kept.validation[i], i % 2 ? i / 2 : LOG_VALIDATION_NONE);
		assert_int_equal(kept.rcode[i], i % 2 ? DNS_RCODE_SERVFAIL : 0);
	}
	querylog_close(q);
	resolver_log_close(l);
}

// As many as there is room for, and no byte behind it.
TEST(test_a_full_ring)
{
	enum { ASKED = 40000, LEAST = 16000, MOST = 32768 };
	struct querylog *q;
	struct resolver_log *l = begin(&q);
	for (unsigned i = 0; i < ASKED; i++)
		log_frontend(l, "198.18.0.1", 5301);
	assert_int_equal(querylog_start(q), 0);
	querylog_stop(q);
	assert_in_range(kept.rows, LEAST, MOST);
	querylog_close(q);
	resolver_log_close(l);
}

// A refusal's row says which bound the client met; one that no server answered has none.
TEST(test_verdict_of_a_bound)
{
	static const char *const expected[BOUNDS] = {"servfail", "servfail_inflight",
		"servfail_zone", "servfail_suffix", "servfail_waiters", "servfail_waiters",
		"servfail_waiters", "servfail_client"};
	for (unsigned met = 0; met < BOUNDS; met++) {
		struct resolver_logged what = logged();
		const struct answer_source source = {
			.kind = ANSWER_SERVFAIL, .bound = (uint8_t)met, .list = LOG_NO_LIST};
		resolver_log_answer(&what, &source);
		assert_string_equal(querylog_row_verdict(VERDICT_COUNT + 1 + what.verdict
							 - LOG_VERDICT_RESOLVED),
			expected[met]);
	}
}
