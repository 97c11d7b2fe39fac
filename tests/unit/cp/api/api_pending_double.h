// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the control API lists as pending in its test: a question and a reload, beside the build and
// the fetch of api_rules_double.h. With the servers that questions wait for.

#include "api_upstreams_double.h"
#include "controlplane/api/api.h"
#include "tests/unit/cp/http/http_client.h"

#include <weir/log_msg.h>

int resolvers_pending(struct resolvers *, unsigned limit, struct loop *,
	void (*done)(void *arg, const struct resolver_pending *p), void *arg)
{
	static struct pending_question q = {.qtype = 28,
		.clients = 2,
		.attempts = 3,
		.step = PENDING_late,
		.server = LOG_NO_UPSTREAM,
		.age_ms = 2500};
	assert_int_equal(dns_name_from_text("slow.example", 12, &q.name), 0);
	if (limit == 3)
		return -EAGAIN;
	done(arg, &(struct resolver_pending){
			  .total = 40, .clients = 77, .count = limit > 1, .question = &q});
	return 0;
}

// Nobody watches.
int resolvers_watch(struct resolvers *, const struct dp_watch *, trace_put_fn, void *)
{
	return -EAGAIN;
}

static unsigned changes_double(void *, struct api_change out[API_CHANGES_MAX])
{
	out[0] = (struct api_change){"config reload", "the resolver", clock_mono_ms() - 2000};
	return 1;
}

static inline void pending_double_check(void)
{
	assert_reply("GET /pending", 200,
		"{\"questions_total\":40,\"clients_total\":77,\"questions\":[{\"name\":"
		"\"slow.example\",\"type\":\"AAAA\",\"view\":0,\"clients\":2,\"attempts\":3,"
		"\"age_ms\":2500,\"waited_ms\":0,\"renewal\":false,\"step\":\"late\","
		"\"server\":\"\"}],");
	assert_reply("GET /pending", 200,
		"\"jobs\":[{\"kind\":\"list fetch\",\"what\":\"https://lists.example/ads\","
		"\"step\":\"its server\",\"age_ms\":4");
	const char *reload = strstr(reply, "\"config reload\""),
		   *build = strstr(reply, "\"kind\":\"build\"");
	assert_true(reload && build && reload < build); // the oldest first
	assert_reply("GET /pending", 200, "\"tcp\":{\"open\":5,");
	assert_reply("GET /pending?limit=1", 200, "\"questions\":[],");
	assert_reply("GET /pending?limit=0", 400, "limit: must be 1 to 1000");
	assert_reply("GET /pending?limit=3", 503, "too busy: try again");
	upstreams_double_check();
}
