// SPDX-License-Identifier: BSD-3-Clause
// The sections `tls` and `dot`: certificates by name, secrets of tickets, and what is refused.

#include "config_text.h"

#define ONE   "tls: {certificates: [{cert: /a/cert.pem, key: /a/key.pem}]}\n"
#define HEX16 "00112233445566778899aabbccddeeff"

TEST(test_defaults)
{
	struct config *c = config_text_load(MINIMAL);
	assert_int_equal(c->tls.count, 0);
	assert_false(c->tls.only_1_3);
	assert_string_equal(c->tls.client_ca, "");
	assert_false(c->tls.client_required);
	assert_false(c->dot.enabled);
	assert_int_equal(c->dot.port, 853);
}

// The files need not be there.
TEST(test_certificates)
{
	struct config *c = config_text_load(
		MINIMAL "tls:\n  min_version: 1.3\n  certificates:\n"
			"  - {cert: /a/cert.pem, key: /a/key.pem}\n  - {cert: /b, key: /c}\n"
			"dot: {enabled: true, port: 8853}\n");
	assert_int_equal(c->tls.count, 2);
	assert_string_equal(c->tls.certificate[0].cert, "/a/cert.pem");
	assert_string_equal(c->tls.certificate[1].key, "/c");
	assert_true(c->tls.only_1_3 && c->dot.enabled);
	assert_int_equal(c->dot.port, 8853);
}

TEST(test_name)
{
	struct config *c = config_text_load(MINIMAL);
	assert_string_equal(c->tls.name, "");
	c = config_text_load(MINIMAL "tls: {name: DNS.Example.}\n");
	assert_string_equal(c->tls.name, "dns.example");
}

TEST(test_clients)
{
	struct config *c = config_text_load(MINIMAL "tls: {client_ca: /a/ca.pem}\n");
	assert_string_equal(c->tls.client_ca, "/a/ca.pem");
	assert_false(c->tls.client_required);
	c = config_text_load(MINIMAL "tls: {client_ca: /a/ca.pem, client_required: true}\n");
	assert_true(c->tls.client_required);
}

TEST(test_refused)
{
	static const struct refusal bad[] = {
		{"dot: {enabled: true}", "dot.enabled: needs a certificate"},
		{ONE "dot: {enabled: true, port: 53}", "dot.port: is that of"},
		{ONE "dot: {port: 0}", "dot.port"},
		{"tls: {min_version: 1.1}", "tls.min_version"},
		{"tls: {certificates: [{cert: /a/cert.pem}]}",
			"tls.certificates[0].key: is missing"},
		{"tls: {certificates: [{cert: a.pem, key: /k}]}",
			"tls.certificates[0].cert: must be an absolute path"},
		{"tls: {name: a..example}", "tls.name: is not the name"},
		{"tls: {name: a b}", "tls.name: is not the name"},
		{"tls: {name: .}", "tls.name: is not the name"},
		{"tls: {client_ca: ca.pem}", "tls.client_ca: must be an absolute path"},
		{"tls: {client_required: true}", "tls.client_required: needs tls.client_ca"},
	};
	EACH_REFUSED(config_text_refused, MINIMAL "%s\n", bad);
}

#define OF_ZONE(server, dot)                                                    \
	PORTS "  service_addresses: [203.0.113.53/25, 192.0.2.1]\n" SERVERS ONE \
	      "forward_zones: [{name: a.example, servers: [\"" server "\"]}]\n" \
	      "dot: {enabled: " dot ", port: 8853}\n"

// weir would ask itself.
TEST(test_own_port_is_no_upstream)
{
	static const char why[] = "is an address of this service";
	config_text_refused(OF_ZONE("tls://x.example@192.0.2.1:8853", "true"), why);
	config_text_refused(OF_ZONE("tls://203.0.113.53:8853", "true"), why);
	config_text_load(OF_ZONE("tls://192.0.2.1:8853", "false"));
	config_text_load(OF_ZONE("tls://192.0.2.1", "true"));
}

static void tickets_are(const char *content, const char *why)
{
	const char *path = file_with(content);
	const char *text = text_from(MINIMAL "tls: {tickets_file: %s}\n", path);
	if (why) {
		config_text_refused(text, why);
	} else {
		struct config *c = config_text_load(text);
		assert_int_equal(c->tls.secret_count, 2);
		assert_int_equal(c->tls.secret[1][31], 0xfe);
	}
	assert_int_equal(unlink(path), 0);
	config_text_refused(text, "tls.tickets_file: cannot be read");
}

TEST(test_tickets_file)
{
	tickets_are(HEX16 HEX16 "\n00112233445566778899AABBCCDDEEFF"
				"00112233445566778899aabbccddeefe\n",
		NULL);
	tickets_are("\n", "tls.tickets_file: has no secret");
	tickets_are(HEX16 "\n", "a secret is 64 hexadecimal digits");
	tickets_are(HEX16 "g0112233445566778899aabbccddeeff\n", "64 hexadecimal digits");
	tickets_are(HEX16 HEX16 " " HEX16 HEX16 " " HEX16 HEX16 " " HEX16 HEX16 " " HEX16 HEX16,
		"more than 4 secrets");
}
