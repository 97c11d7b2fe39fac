// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The frontends' reply to the API, sent at once: the API asks on the loop that gets the reply.

#include "controlplane/frontend/frontends.h"
#include "tests/unit/cp/http/http_client.h"

int frontends_report(const struct frontends *, struct loop *,
	void (*done)(void *arg, const struct frontends_status *s), void *arg)
{
	static const struct frontends_status s = {
		.tcp = {.open = 5,
			.busiest = {.version = 4, .prefix_len = 32, .bytes = {198, 18, 0, 2}},
			.ended = {[FRONTEND_TCP_END_idle] = 9},
			.listener_count = 1,
			.tls = {.open = 3,
				.handshakes = 7,
				.failed = {[TLS_REFUSED_version] = 2},
				.certificates = 1,
				.certificate = {{"dns.example", 1800000000}}},
			.doh = {.connections = 2,
				.counts = {.requests = {[DOH_http2] = {[DOH_METHOD_post] = 11}},
					.responses = {[DOH_415] = 4},
					.goaways = 1}},
			.listener = {{FRONTEND_TCP_DOT, {{4, 32, {198, 18, 0, 53}}, 853},
				-EADDRINUSE}}}};

	done(arg, &s);
	return 0;
}

static inline void tcp_double_check(void)
{
	assert_reply("GET /tcp", 200, "\"open\":5,");
	assert_reply("GET /tcp", 200, "\"busiest\":\"198.18.0.2\"");
	assert_reply(
		"GET /tcp", 200, "\"ended\":{\"client\":0,\"error\":0,\"memory\":0,\"idle\":9,");
	assert_reply("GET /tcp", 200,
		"198.18.0.53:853\",\"kind\":\"dot\",\"error\":\"Address already in use\"");
	assert_reply("GET /tcp", 200, "\"tls\":{\"open\":3,");
	assert_reply("GET /tcp", 200, "\"version\":2,");
	assert_reply("GET /tcp", 200, "\"doh\":{\"connections\":2,");
	assert_reply("GET /tcp", 200, "\"http2\":{\"get\":0,\"post\":11,\"other\":0}");
	assert_reply("GET /tcp", 200, "\"415\":4,");
	assert_reply("GET /tcp", 200, "\"goaways\":1,");
	assert_reply(
		"GET /tcp", 200, "{\"names\":\"dns.example\",\"until\":1800000000,\"left_s\":");
}
