// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The upstream servers that the control API lists, drains and tries in its test.

#include "controlplane/resolver/resolvers.h"
#include "controlplane/route/host_board.h"
#include "controlplane/route/route_board.h"
#include "tests/unit/cp/http/http_client.h"

int resolvers_upstreams(struct resolvers *, struct loop *,
	void (*done)(void *arg, const struct resolvers_upstreams *u), void *arg)
{
	static struct resolvers_upstream row[] = {{.status = {.name = "near",
							   .address = "192.0.2.53:53",
							   .up = true,
							   .share = 65535 / 4 * 3,
							   .srtt_us = 1500,
							   .way = ROUTE_port,
							   .sent = 7,
							   .sent_port = 5}},
		{.is_safe = true, .status = {.name = "far", .up = true, .suspect = true}},
		{.status = {.name = "zone's", .up = false, .checks = 4, .checks_failed = 3}},
		{.status = {.name = "away", .up = false, .drained = true}}};
	assert_int_equal(dns_name_from_text("corp.example", 12, &row[2].zone), 0);
	// 99 round trips below 1 ms, one of a second.
	if (row[0].status.took.sum_ns == 0) {
		for (unsigned i = 0; i < 99; i++)
			took_add(&row[0].status.took, 900000);
		took_add(&row[0].status.took, 1000000000);
	}
	done(arg, &(struct resolvers_upstreams){.count = 4, .left_out = 2, .row = row});
	return 0;
}

int resolvers_drain(struct resolvers *, const char *server, bool is_drained, struct loop *,
	void (*done)(void *arg, unsigned sets), void *arg)
{
	if (strcmp(server, "busy") == 0)
		return -EAGAIN;
	done(arg, strcmp(server, "near") == 0 ? 2 + is_drained : 0);
	return 0;
}

int resolvers_try(struct resolvers *, const char *server, struct loop *,
	void (*done)(void *arg, const struct resolvers_tried *t), void *arg)
{
	struct resolvers_tried t = {.err = strcmp(server, "near") == 0   ? 0
					   : strcmp(server, "busy") == 0 ? -EBUSY
									 : -ENOENT,
		.tried = {{.is_sent = true,
				  .is_answered = true,
				  .flags = 0x8203,
				  .bytes = 40,
				  .took_us = 1234},
			{.is_sent = true}}};
	done(arg, &t);
	return 0;
}

// A server given by a host name.
static inline void hosts_double_check(void)
{
	const struct config_upstream s = {.host = "dns.example", .address.port = 853}, *one = &s;
	struct host_state h;

	host_board_configure(&one, 1, 1);
	assert_reply("GET /upstreams", 200,
		"\"hosts\":[{\"host\":\"dns.example:853\",\"resolved\":false,\"addresses\":[],"
		"\"drained\":false,");
	assert_true(host_board_get(&s, &h));
	h.count = 1;
	h.failures = 3;
	snprintf(h.why, sizeof(h.why), "no bootstrap server answers");
	assert_int_equal(ip_address_parse("192.0.2.7", &h.address[0]), 0);
	host_board_put(&h);
	assert_reply("GET /upstreams", 200, "\"resolved\":true,\"addresses\":[\"192.0.2.7\"],");
	assert_reply("GET /upstreams", 200, "\"failures\":3,");
	assert_reply("GET /upstreams", 200, "\"error\":\"no bootstrap server answers\"}]}");
	host_board_configure(NULL, 0, 0);
}

static inline void upstreams_double_check(void)
{
	assert_reply("GET /upstreams", 200,
		"{\"upstreams\":[{\"set\":\"everyone\",\"name\":\"near\",\"address\":"
		"\"192.0.2.53:53\",\"state\":\"up\",\"via\":\"port\",\"via_kernel_why\":\"\","
		"\"share_percent\":75,\"srtt_us\":1500,\"p50_us\":1048,\"p99_us\":1048,\"sent\":7,"
		"\"sent_port\":5,");
	assert_reply("GET /upstreams", 200,
		"\"rtt\":[{\"below_us\":1048,\"count\":99},{\"below_us\":1073741,\"count\":1}]}");
	assert_reply("GET /upstreams", 200,
		"{\"set\":\"everyone, safe search\",\"name\":\"far\",\"address\":\"\",\"state\":"
		"\"suspect\",\"via\":\"kernel\",\"via_kernel_why\":\"upstreams.via is kernel\"");
	assert_reply("GET /upstreams", 200,
		"{\"set\":\"zone corp.example\",\"name\":\"zone's\",\"address\":\"\",\"state\":"
		"\"down\"");
	assert_reply("GET /upstreams", 200, "\"state\":\"drained\"");
	assert_reply("GET /upstreams", 200, "\"left_out\":2,\"hosts\":[]}");
	hosts_double_check();
	assert_reply("POST /upstream/drain?server=near", 200,
		"{\"server\":\"near\",\"drained\":true,\"sets\":3}");
	assert_reply("POST /upstream/undrain?server=near", 200,
		"{\"server\":\"near\",\"drained\":false,\"sets\":2}");
	assert_reply("POST /upstream/drain?server=none", 404, "no server \\\"none\\\"");
	assert_reply("POST /upstream/drain", 400, "server: is missing");
	assert_reply("POST /upstream/drain?server=busy", 503, "too busy: try again");
	assert_reply("GET /upstream/drain?server=near", 405, "");
	assert_reply("POST /upstream/test?server=near", 200,
		"{\"server\":\"near\",\"udp\":{\"sent\":true,\"answered\":true,\"rcode\":"
		"\"NXDOMAIN\",\"truncated\":true,\"bytes\":40,\"took_us\":1234},\"tcp\":{\"sent\":"
		"true,\"answered\":false}}");
	assert_reply("POST /upstream/test?server=none", 404, "no server");
	assert_reply("POST /upstream/test?server=busy", 503, "");
}
