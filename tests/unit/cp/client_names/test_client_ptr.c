// SPDX-License-Identifier: BSD-3-Clause
// PTR questions: names of addresses, what replies are taken, and hostile replies.

#include "controlplane/client_names/client_ptr.h"
#include "controlplane/client_names/ptr_message.h"
#include "ptr_server.h"

static _Atomic bool stop;
static char name[CLIENT_NAME_MAX];
static uint32_t ttl_s;

static const struct client_ip laptop = {.version = 4, .bytes = {192, 168, 0, 7}};

TEST(test_reverse_names)
{
	struct client_ip six = {.version = 6, .bytes = {0xfd, 0x53, [15] = 0x2a}};
	struct dns_name out;
	char text[DNS_NAME_TEXT_MAX];
	ptr_message_name(&laptop, &out);
	(void)dns_name_to_text(&out, text);
	assert_string_equal(text, "7.0.168.192.in-addr.arpa");
	ptr_message_name(&six, &out);
	(void)dns_name_to_text(&out, text);
	assert_string_equal(text, "a.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
				  "3.5.d.f.ip6.arpa");
}

static int ask(enum ptr_mode mode)
{
	struct ptr_server s;
	const struct socket_address at = ptr_server_start(&s, mode);
	int rc = client_ptr_ask(&at, &laptop, &stop, name, &ttl_s);
	ptr_server_stop(&s);
	assert_int_equal(s.asked, 1);
	return rc;
}

TEST(test_replies)
{
	assert_int_equal(ask(PTR_NAME), 0);
	assert_string_equal(name, "box.lan");
	assert_int_equal(ttl_s, 90);
	assert_int_equal(ask(PTR_NXDOMAIN), -ENOENT);
	assert_int_equal(ask(PTR_SERVFAIL), -EAGAIN);
	assert_int_equal(ask(PTR_SILENT), -ETIMEDOUT);
	assert_int_equal(ask(PTR_FORGED), -ETIMEDOUT);
}

// Servers turn the order of records round: the name stays the same.
TEST(test_two_names_of_one_address)
{
	static const uint8_t question[] = {1, '7', 0, 0, 12, 0, 1};
	static const char *const second[] = {"abc", "fox"}, *const chosen[] = {
								    "abc.lan", "box.lan"};
	for (unsigned i = 0; i < ARRAY_LEN(second); i++) {
		uint8_t msg[128] = {0x12, 0x34, 1, 0, 0, 1};
		memcpy(msg + 12, question, sizeof(question));
		size_t len = ptr_reply(PTR_NAME, msg, 12 + sizeof(question));
		msg[7] = 2;
		memcpy(msg + len, ptr_record, sizeof(ptr_record));
		memcpy(msg + len + 13, second[i], 3);
		len += sizeof(ptr_record);
		assert_int_equal(ptr_message_read(msg, len, name, &ttl_s), 0);
		assert_string_equal(name, chosen[i]);
		assert_int_equal(ttl_s, 90);
	}
}

TEST(test_nobody_there)
{
	struct ptr_server s;
	const struct socket_address at = ptr_server_start(&s, PTR_NAME);
	ptr_server_stop(&s); // the kernel says that no socket is there
	assert_int_equal(client_ptr_ask(&at, &laptop, &stop, name, &ttl_s), -ECONNREFUSED);
}

// Every beginning of a reply, and one with any byte changed, is read within its bounds.
TEST(test_any_bytes)
{
	uint8_t whole[128] = {0x12, 0x34, 1, 0, 0, 1};
	const uint8_t question[] = {1, '7', 0, 0, 12, 0, 1};
	memcpy(whole + 12, question, sizeof(question));
	const size_t len = ptr_reply(PTR_NAME, whole, 12 + sizeof(question));
	for (size_t cut = 0; cut <= len; cut++) {
		uint8_t *msg = malloc(cut ? cut : 1);
		assert_non_null(msg);
		memcpy(msg, whole, cut);
		int rc = ptr_message_read(msg, cut, name, &ttl_s);
		assert_true(cut == len ? rc == 0 : rc < 0);
		for (size_t i = 0; i < cut; i++) {
			msg[i] ^= 0xff;
			(void)!ptr_message_read(msg, cut, name, &ttl_s);
			msg[i] ^= 0xff;
		}
		free(msg);
	}
}
