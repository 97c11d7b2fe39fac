// SPDX-License-Identifier: BSD-3-Clause
// The section `control`: where the control API is on the network, to whom, by which certificates.

#include "config_text.h"

#include <weir/config_tools.h>

#define CERTIFIED "certificates: [{cert: /c.pem, key: /k.pem}]"

TEST(test_off)
{
	struct config *c = config_text_load(MINIMAL);
	assert_int_equal(c->control.listen_count, 0);
	assert_string_equal(c->control.client_ca, "");
}

TEST(test_loopback_unless_said)
{
	struct config *c = config_text_load(
		MINIMAL "control: {listen: [127.0.0.1, '[::1]:99'], " CERTIFIED "}\n");
	assert_int_equal(c->control.listen_count, 2);
	assert_int_equal(c->control.listen[0].port, 9953);
	assert_int_equal(c->control.listen[1].port, 99);
	assert_int_equal(c->control.allow_count, 2);
	assert_int_equal(c->control.connections, 64);
	assert_int_equal(c->control.source_connections, 16);
	assert_string_equal(c->control.certificate[0].key, "/k.pem");
}

TEST(test_certificates_of_tls)
{
	struct config *c =
		config_text_load(MINIMAL "tls: {" CERTIFIED "}\ncontrol: {listen: [127.0.0.1]}\n");
	assert_int_equal(c->control.count, 0);
	config_text_refused(MINIMAL "control: {listen: [127.0.0.1]}\n", "control.listen");
}

TEST(test_restart)
{
	char keys[256];
	struct config *c = config_text_load(
		MINIMAL "control: {listen: [192.0.2.7], allow: [192.0.2.0/24], " CERTIFIED "}\n");
	struct config *other = config_text_load(
		MINIMAL "control: {listen: ['192.0.2.7:1'], allow: [192.0.2.9], connections: 9,"
			" certificates: [{cert: /d.pem, key: /k.pem}]}\n");
	assert_int_equal(config_needs_restart(c, c, keys, sizeof(keys)), 0);
	assert_int_equal(config_needs_restart(c, other, keys, sizeof(keys)), 3);
	assert_string_equal(keys, "control.connections, control.listen, control.allow");
}

TEST(test_clients)
{
	struct config *c = config_text_load(
		MINIMAL "control: {client_ca: /ca.pem, clients: [{name: a.example, role: read}, "
			"{name: b, role: operate}, {name: c, role: admin}]}\n");
	assert_int_equal(c->control.client_count, 3);
	assert_string_equal(c->control.client[0].name, "a.example");
	assert_int_equal(c->control.client[0].role, CONTROL_READ);
	assert_int_equal(c->control.client[1].role, CONTROL_OPERATE);
	assert_int_equal(c->control.client[2].role, CONTROL_ADMIN);
}

TEST(test_refused)
{
	static const struct refusal bad[] = {
		{"listen: [localhost], " CERTIFIED, "control.listen[0]"},
		{"listen: [127.0.0.1, '127.0.0.1:9953'], " CERTIFIED, "control.listen[1]"},
		{"allow: [192.0.2.9/24]", "control.allow[0]"},
		{"listen: [192.0.2.7], allow: ['fd53::/48'], " CERTIFIED, "control.allow"},
		{"certificates: [{cert: c.pem, key: /k.pem}]", "control.certificates[0].cert"},
		{"certificates: [{cert: /c.pem}]", "control.certificates[0].key"},
		{"client_ca: ca.pem", "control.client_ca"},
		{"clients: [{name: a, role: read}]", "control.clients"},
		{"client_ca: /ca.pem, clients: [{name: a, role: root}]",
			"control.clients \"a\": role"},
		{"client_ca: /ca.pem, clients: [{name: ops.example, role: read}, "
		 "{name: OPS.example, role: admin}]",
			"control.clients \"OPS.example\": name"},
		{"client_ca: /ca.pem, clients: [{name: 'a b', role: read}]",
			"control.clients \"a b\": name"},
	};
	EACH_REFUSED(config_text_refused, MINIMAL "control: {%s}\n", bad);
}
