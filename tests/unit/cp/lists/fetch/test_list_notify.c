// SPDX-License-Identifier: BSD-3-Clause
// Senders from which a NOTIFY is taken, and when its list is due after it.

#include "controlplane/base/loop.h"
#include "controlplane/lists/fetch/list_notify.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

static struct loop *loop;
static struct list_notify *notify;
static struct config_tsig_key key;
static unsigned calls, due[8];
static uint64_t due_ms[8];

static void on_due(void *)
{
	unsigned list;
	uint64_t at_ms;
	calls++;
	while (list_notify_next(notify, &list, &at_ms)) {
		due[list]++;
		due_ms[list] = at_ms;
	}
}

static void entries_set(const struct config_tsig_key *of_signed)
{
	const struct list_notify_entry entry[] = {
		{.zone = name_of_text("rpz.test"), .server = {4, 32, {192, 0, 2, 1}}, .list = 2},
		{.zone = name_of_text("rpz.test"),
			.server = {6, 128, {0x20, 1, 0xd, 0xb8}},
			.list = 3},
		{.zone = name_of_text("signed.test"),
			.server = {4, 32, {192, 0, 2, 1}},
			.key = of_signed,
			.list = 5}};
	assert_int_equal(list_notify_set(notify, entry, ARRAY_LEN(entry)), 0);
}

static size_t query_make(uint8_t msg[512])
{
	static const uint8_t query[] = {0x12, 0x34, 0x24, 0, 0, 1, 0, 0, 0, 0, 0, 0, 6, 's', 'i',
		'g', 'n', 'e', 'd', 4, 't', 'e', 's', 't', 0, 0, 6, 0, 1};
	memcpy(msg, query, sizeof(query));
	return sizeof(query);
}

// The verdict of a NOTIFY for signed.test without a signature.
static enum verdict answer(void)
{
	static uint8_t msg[512], out[DNS_MESSAGE_MAX];
	struct dns_query query;
	uint16_t len;
	const struct list_notify_message m = {.ip_version = 4,
		.client = (const uint8_t[]){192, 0, 2, 1},
		.msg = msg,
		.len = query_make(msg),
		.query = &query};
	assert_int_equal(dns_query_parse(msg, m.len, &query), DNS_QUERY_NOTIMP);
	return list_notify_answer(notify, &m, out, &len);
}

static int start(void **)
{
	assert_int_equal(loop_new("service", &loop), 0);
	assert_int_equal(list_notify_new(&notify, loop), 0);
	assert_int_equal(answer(), VERDICT_miss); // no list has a zone yet
	list_notify_on_due(notify, on_due, NULL);
	key = (struct config_tsig_key){.name = name_of_text("weir-key"), .secret_len = 32};
	memset(key.secret, 7, 32);
	entries_set(&key);
	calls = 0;
	memset(due, 0, sizeof(due));
	return 0;
}

static int stop(void **)
{
	loop_free(loop);
	list_notify_free(notify);
	return 0;
}

static void turn(void)
{
	for (unsigned i = 0; i < 3; i++)
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
}

static struct list_notify_reply reply;

static enum list_notify_outcome take(uint8_t last, const char *zone)
{
	const struct ip_address from = {4, 32, {192, 0, 2, last}};
	const struct dns_name name = name_of_text(zone);
	return list_notify_take(notify, &from, &name, (const uint8_t[12]){0}, 12, &reply);
}

TEST_WITH(test_who_may_notify, start, stop)
{
	struct list_notify_counts n;
	const struct ip_address v6 = {6, 128, {0x20, 1, 0xd, 0xb8}};
	const struct dns_name rpz = name_of_text("RPZ.test");
	assert_int_equal(take(1, "other.test"), LIST_NOTIFY_not_zone);
	assert_int_equal(take(1, "a.rpz.test"), LIST_NOTIFY_not_zone);
	assert_int_equal(take(2, "rpz.test"), LIST_NOTIFY_not_server);
	assert_int_equal(take(1, "signed.test"), LIST_NOTIFY_not_signed);
	turn();
	assert_int_equal(calls, 0);
	assert_int_equal(take(1, "rpz.test"), LIST_NOTIFY_taken);
	assert_false(reply.is_signed);
	turn();
	assert_int_equal(due[2], 1);
	assert_int_equal(due[3], 0);
	assert_int_equal(list_notify_take(notify, &v6, &rpz, (const uint8_t[12]){0}, 12, &reply),
		LIST_NOTIFY_taken);
	turn();
	assert_int_equal(due[3], 1);
	assert_int_equal(due[5], 0);
	list_notify_counts(notify, &n);
	assert_int_equal(n.taken, 2);
	assert_int_equal(n.soon, 0);
	assert_int_equal(n.not_zone, 2);
	assert_int_equal(n.not_server, 1);
	assert_int_equal(n.not_signed, 1);
}

TEST_WITH(test_a_flood_is_one_question_in_ten_seconds, start, stop)
{
	const uint64_t from_ms = clock_mono_ms();
	struct list_notify_counts n;
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(take(1, "rpz.test"), i ? LIST_NOTIFY_soon : LIST_NOTIFY_taken);
		if (i % 100 == 0)
			turn();
	}
	// The first one, and one for all others.
	assert_int_equal(calls, 2);
	assert_int_equal(due[2], 2);
	assert_in_range(due_ms[2], from_ms + 10000, clock_mono_ms() + 10000);
	// A reload is no way round it, and loses none.
	entries_set(&key);
	assert_int_equal(take(1, "rpz.test"), LIST_NOTIFY_soon);
	turn();
	assert_int_equal(due[2], 2);
	clock_pass_ms(20100);
	assert_int_equal(take(1, "rpz.test"), LIST_NOTIFY_taken);
	entries_set(&key);
	turn();
	assert_int_equal(due[2], 3);
	list_notify_counts(notify, &n);
	assert_int_equal(n.taken, 2);
	assert_int_equal(n.soon, 1000);
}

static enum list_notify_outcome take_signed(const uint8_t *msg, size_t len)
{
	const struct ip_address from = {4, 32, {192, 0, 2, 1}};
	const struct dns_name name = name_of_text("signed.test");
	return list_notify_take(notify, &from, &name, msg, len, &reply);
}

TEST_WITH(test_two_lists_of_one_zone, start, stop)
{
	const struct ip_address server = {4, 32, {192, 0, 2, 1}};
	struct config_tsig_key other = key;
	uint8_t msg[512];
	struct tsig t;
	other.name = name_of_text("other-key");
	const struct list_notify_entry entry[] = {
		{.zone = name_of_text("signed.test"), .server = server, .list = 1},
		{.zone = name_of_text("signed.test"), .server = server, .key = &other, .list = 2},
		{.zone = name_of_text("signed.test"), .server = server, .key = &key, .list = 3},
		{.zone = name_of_text("signed.test"), .server = server, .list = 4},
		{.zone = name_of_text("signed.test"),
			.server = {4, 32, {192, 0, 2, 2}},
			.list = 5}};
	assert_int_equal(list_notify_set(notify, entry, ARRAY_LEN(entry)), 0);
	assert_int_equal(take(1, "signed.test"), LIST_NOTIFY_taken);
	assert_false(reply.is_signed);
	turn();
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(due[i], i == 1 || i == 4);
	size_t len = tsig_begin(&t, &key, msg, query_make(msg), (uint64_t)time(NULL));
	assert_int_equal(take_signed(msg, len), LIST_NOTIFY_taken); // for the one of the key
	assert_true(reply.is_signed);
	assert_true(dns_name_equal(&reply.tsig.key->name, &key.name));
	turn();
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(due[i], i == 1 || i == 4 ? 2 : i == 3);
	assert_int_equal(take_signed(msg, len), LIST_NOTIFY_soon);
}

// The reply to a query that is refused, and its TSIG: behind 29 bytes of header and question.
static size_t answer_refused(uint8_t *msg, size_t len, uint8_t out[2048])
{
	struct dns_query query;
	const struct list_notify_message m = {.ip_version = 4,
		.client = (const uint8_t[]){192, 0, 2, 1},
		.msg = msg,
		.len = len,
		.query = &query};
	uint16_t answer_len;
	assert_int_equal(dns_query_parse(msg, len, &query), DNS_QUERY_NOTIMP);
	memcpy(out, msg, DNS_HEADER_LEN + (size_t)query.question_len);
	assert_int_equal(list_notify_answer(notify, &m, out, &answer_len), VERDICT_refused);
	assert_int_equal(get_u16(out + 2) & DNS_FLAG_RCODE, 9);
	assert_true(answer_len >= query_make((uint8_t[512]){0}));
	return answer_len;
}

TEST_WITH(test_a_refusal_says_why, start, stop)
{
	static uint8_t msg[512], out[DNS_MESSAGE_MAX];
	const uint64_t now_s = (uint64_t)time(NULL);
	struct config_tsig_key other = key;
	struct tsig t;
	size_t bare = query_make(msg);
	assert_int_equal(answer_refused(msg, bare, out), bare); // as the query has no TSIG
	assert_int_equal(get_u16(out + 10), 0);

	other.secret[0]++;
	size_t n = answer_refused(msg, tsig_begin(&t, &other, msg, bare, now_s), out);
	assert_int_equal(tsig_take(&t, out, n, now_s), -EKEYREJECTED);
	assert_string_equal(t.why, "the server refused the TSIG: BADSIG");
	assert_int_equal(get_u16(out + 10), 1);

	other = key;
	other.name = name_of_text("other-key");
	query_make(msg);
	n = answer_refused(msg, tsig_begin(&t, &other, msg, bare, now_s), out);
	assert_int_equal(tsig_take(&t, out, n, now_s), -EKEYREJECTED); // of the key that it named
	assert_string_equal(t.why, "the server refused the TSIG: BADKEY");

	// A code that is cut short: 16 of its bytes behind the key's name and other fields.
	query_make(msg);
	size_t len = tsig_begin(&t, &key, msg, bare, now_s), mac = len - 6 - 32;
	memmove(msg + mac + 16, msg + mac + 32, 6);
	put_u16(msg + mac - 2, 16);
	put_u16(msg + mac - 10 - 13 - 2, 13 + 16 + 16);
	n = answer_refused(msg, len - 16, out);
	assert_int_equal(tsig_take(&t, out, n, now_s), -EKEYREJECTED);
	assert_string_equal(t.why, "the server refused the TSIG: BADTRUNC");

	// Signed by the key that both have, with our time.
	query_make(msg);
	n = answer_refused(msg, tsig_begin(&t, &key, msg, bare, now_s - 400), out);
	assert_int_equal(tsig_take(&t, out, n, now_s), -EKEYREJECTED);
	assert_string_equal(t.why, "the server refused the TSIG: BADTIME: do the clocks agree?");
	assert_int_equal(get_u16(out + n - 8), 6);
	assert_in_range(get_u32(out + n - 4), now_s, now_s + 10);
	out[n - 1] ^= 0x40; // is signed too
	query_make(msg);
	assert_true(tsig_begin(&t, &key, msg, bare, now_s - 400) > bare);
	assert_int_equal(tsig_take(&t, out, n, now_s), -EKEYREJECTED);
	assert_string_equal(t.why, "the server's TSIG does not verify");

	// A malformed one is no TSIG.
	query_make(msg);
	len = tsig_begin(&t, &key, msg, bare, now_s);
	assert_int_equal(answer_refused(msg, len - 1, out), bare);
}

TEST_WITH(test_a_signed_one, start, stop)
{
	uint8_t msg[512], answer[512];
	struct tsig t;
	const uint64_t now_s = (uint64_t)time(NULL);
	size_t bare = query_make(msg), len = tsig_begin(&t, &key, msg, bare, now_s);
	assert_true(len > bare);
	assert_int_equal(take_signed(msg, len), LIST_NOTIFY_taken);
	assert_true(reply.is_signed);
	// The reply is one for the query's signer.
	memcpy(answer, msg, bare);
	answer[2] |= 0x80;
	put_u16(answer + 10, 0);
	size_t n = tsig_sign_reply(&reply.tsig, answer, bare, now_s);
	assert_true(n > bare);
	assert_int_equal(tsig_take(&t, answer, n, now_s), 0);
	assert_true(tsig_is_closed(&t));

	for (size_t i = 0; i < len; i++) { // a bit of any byte but the id, which is in the TSIG too
		if (i < 2)
			continue;
		msg[i] ^= 1;
		assert_int_equal(take_signed(msg, len), LIST_NOTIFY_not_signed);
		msg[i] ^= 1;
	}
	assert_int_equal(take_signed(msg, len - 1), LIST_NOTIFY_not_signed);
	len = tsig_begin(&t, &key, msg, query_make(msg), now_s - 400);
	assert_int_equal(take_signed(msg, len), LIST_NOTIFY_not_signed);
	struct config_tsig_key other = key;
	other.secret[0]++;
	len = tsig_begin(&t, &other, msg, query_make(msg), now_s);
	assert_int_equal(take_signed(msg, len), LIST_NOTIFY_not_signed);
	other = key;
	other.name = name_of_text("other-key");
	len = tsig_begin(&t, &other, msg, query_make(msg), now_s);
	assert_int_equal(take_signed(msg, len), LIST_NOTIFY_not_signed);
	assert_false(reply.is_signed);
}

// As a worker hands one over: the question, a cookie, the message.
TEST_WITH(test_one_from_a_worker, start, stop)
{
	static uint8_t behind[DNS_NAME_MAX + DNS_COOKIE_LEN + 600], out[DNS_MESSAGE_MAX];
	struct msg_answer head;
	struct tsig t;
	uint8_t *whole = behind + 17 + DNS_COOKIE_LEN;
	const uint64_t now_s = (uint64_t)time(NULL);
	size_t bare = query_make(whole), len = tsig_begin(&t, &key, whole, bare, now_s);
	struct msg_miss m = {.dp_incarnation = 9,
		.path = {.ip_version = 4, .client_ip = {192, 0, 2, 1}, .worker = 3},
		.kind = MISS_NOTIFY,
		.has_opt = DNS_OPT_COOKIE,
		.question_len = 17,
		.whole_len = (uint16_t)len};
	memcpy(behind, whole + DNS_HEADER_LEN, 17);
	assert_true(list_notify_of_worker(notify, &m, behind, out, &head));
	assert_int_equal(tsig_take(&t, out, head.dns_len, now_s), 0);
	assert_int_equal(head.dp_incarnation, 9);
	assert_memory_equal(&head.path, &m.path, sizeof(m.path));
	assert_true(csum_agree(head.sum, csum_partial(out, head.dns_len)));
	turn();
	assert_int_equal(due[5], 1);
	m.path.client_ip[3] = 2;
	assert_true(list_notify_of_worker(notify, &m, behind, out, &head));
	assert_int_equal(out[3] & DNS_FLAG_RCODE, DNS_RCODE_REFUSED);
	assert_true(list_notify_of_worker(NULL, &m, behind, out, &head)); // or a list that left
	assert_int_equal(out[3] & DNS_FLAG_RCODE, DNS_RCODE_NOTIMP);
	m.path.ip_version = 5;
	assert_false(list_notify_of_worker(notify, &m, behind, out, &head));
	m.path.ip_version = 4;
	whole[2] = 0; // opcode QUERY
	assert_false(list_notify_of_worker(notify, &m, behind, out, &head));
	m.whole_len = 0;
	assert_false(list_notify_of_worker(notify, &m, behind, out, &head));
}
