// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// For test_http_api: what a reload of the configuration and the setting of a toggle come to.

#include "controlplane/api/api.h"
#include "controlplane/memory/toggles.h"
#include "tests/unit/cp/http/http_client.h"

static int apply(void *arg, const struct apply_request *r, api_config_done done, void *done_arg)
{
	assert_true(r->from_disk && r->who && r->what);
	if (*(int *)arg < 0)
		fail_msg("reloaded");
	else if (*(int *)arg == 0)
		done(done_arg, -EINVAL, "weir.yaml:1:1: bad", "");
	else if (*(int *)arg == 1)
		done(done_arg, 0, "", "dataplane.ports");
	else if (*(int *)arg == 3)
		done(done_arg, ENOENT, "reloaded; list \"gone\": no such file", "");
	else
		return -EBUSY;
	return 0;
}
static int reload_outcome;

// The replies to changes of the configuration.
TEST(test_config_changes)
{
	reload_outcome = 1;
	assert_reply("POST /config/reload", 200, "\"needs_restart\":\"dataplane.ports\"");
	reload_outcome = 0;
	assert_reply("POST /config/reload", 400, "\"error\":\"weir.yaml:1:1: bad\"");
	reload_outcome = 2;
	assert_reply("POST /config/reload", 503, "\"error\"");
	reload_outcome = 3;
	assert_reply("POST /config/apply", 200,
		"\"warning\":\"reloaded; list \\\"gone\\\": no such file\"");
	// No number comes round to a version that nobody asked for.
	reload_outcome = -1;
	assert_reply("POST /config/rollback?version=4294967297", 400, "version: must be 1 to");
	assert_reply("POST /config/rollback?version=18446744073709551617", 400, "version: must be");
}

static struct api_reload last_reload;

static const struct api_reload *last_reload_double(void *)
{
	return &last_reload;
}

// What came of reloads is in the status, in the metrics and in ready.
TEST(test_last_reload)
{
	assert_reply("GET /metrics", 200, "\nweir_config_last_reload_successful 1\n",
		"\nweir_config_restart_pending 0\n");
	last_reload = (struct api_reload){.tried_unix_s = 1700000100,
		.loaded_unix_s = 1700000000,
		.err = -EINVAL,
		.why = "weir.yaml:1:1: bad",
		.restart_count = 2,
		.restart = "dataplane.mbufs, dataplane.ports"};
	assert_reply("GET /status", 200, "\"restart_pending\":2",
		"\"needs_restart\":\"dataplane.mbufs, dataplane.ports\"",
		"\"why\":\"weir.yaml:1:1: bad\"");
	assert_reply("GET /ready", 503, "the last reload of the configuration failed: weir.yaml");
	assert_reply("GET /ready?strict=2", 400, "strict: must be 0 or 1");
	assert_reply("GET /metrics", 200, "\nweir_config_last_reload_successful 0\n",
		"\nweir_config_last_reload_timestamp_seconds 1700000100\n",
		"\nweir_config_loaded_timestamp_seconds 1700000000\n",
		"\nweir_config_restart_pending 2\n");
	last_reload = (struct api_reload){0};
	assert_reply("GET /status", 200, "\"ok\":true");
}

static struct toggles toggles;
static struct {
	struct toggles wanted;
	int rc, err;
} set_double;

static int toggles_set(void *, const struct toggles *wanted, api_config_done done, void *done_arg)
{
	set_double.wanted = *wanted;
	if (set_double.rc == 0)
		done(done_arg, set_double.err, set_double.err ? "no memory" : "", "");
	return set_double.rc;
}

// A toggle reads no file, and is in force only once the application says so.
TEST(test_toggles)
{
	reload_outcome = -1; // fails the test
	assert_reply("GET /toggles", 200, "{\"name\":\"refresh\",");
	assert_reply("POST /set?toggle=upstream.recycle&value=7", 200, "{\"ok\":true}");
	assert_int_equal(set_double.wanted.value[TOGGLE_UPSTREAM_RECYCLE], 7);
	assert_int_equal(set_double.wanted.value[TOGGLE_REFRESH], toggle_usual(TOGGLE_REFRESH));
	assert_int_equal(
		toggles.value[TOGGLE_UPSTREAM_RECYCLE], toggle_usual(TOGGLE_UPSTREAM_RECYCLE));
	toggles = set_double.wanted;
	assert_reply("POST /set?toggle=refresh&value=off", 200, "{\"ok\":true}");
	assert_int_equal(set_double.wanted.value[TOGGLE_REFRESH], 0);
	assert_int_equal(set_double.wanted.value[TOGGLE_UPSTREAM_RECYCLE], 7);
	set_double.err = -ENOMEM;
	assert_reply("POST /set?toggle=refresh&value=off", 500, "no memory");
	set_double.rc = -EBUSY;
	assert_reply("POST /set?toggle=refresh&value=off", 503, "\"error\"");
	set_double.rc = set_double.err = 0;
	assert_reply("POST /set?toggle=refresh&value=7", 400, "refresh: takes on, off, or default");
	assert_reply("POST /set?toggle=none&value=off", 404, "no toggle \\\"none\\\"");
	assert_reply("POST /set?toggle=query-log&value=off", 404,
		"no toggle \\\"query-log\\\"; did you mean \\\"query_log\\\"?");
	toggles_reset(&toggles);
}
