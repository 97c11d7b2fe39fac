// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// For test_http_api: where metrics look for the data plane, which is not there, and what they say.

#include "controlplane/shm/publish.h"
#include "tests/unit/cp/http/http_client.h"

#include <weir/log.h>

const struct shm_paths *publisher_paths(const struct publisher *)
{
	return NULL;
}

bool publisher_closes(const struct publisher *, uint64_t)
{
	return false;
}

void publish_watch(struct publisher *, const struct dp_watch *)
{
}

void publish_status(const struct publisher *, struct publish_status *out)
{
	*out = (struct publish_status){.rule_image_generation = 3};
}

static inline void metrics_double_check(void)
{
	assert_reply("GET /metrics", 200, "\nweir_resolver_misses_total 7\n");
	assert_reply("GET /metrics", 200, "\nweir_tcp_connections 5\n");
	assert_reply("GET /metrics", 200, "\nweir_up{process=\"dataplane\"} 0\n");
	assert_reply("GET /metrics", 200, "Content-Type: text/plain; version=0.0.4");
	assert_reply("POST /metrics", 405, "use GET");
	assert_reply("GET /ready", 503, "no data plane, and no fallback");
	assert_reply("GET /ready", 503, "\"ready\":false");
	log_warning("of a kind: %s", "\"one\"");
	log_warning("of a kind: %s", "two");
	assert_reply("GET /errors", 200, "\"count\":2,");
	assert_reply("GET /errors", 200, "\"text\":\"of a kind: two\"");
}
