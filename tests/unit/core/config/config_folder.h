// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A folder with a configuration in two files, and a state directory with versions of it.

#include "config_text.h"

#include <limits.h>
#include <weir/config/versions.h>

static char folder[FOLDER_MAX], file[FOLDER_MAX + 16], state[FOLDER_MAX + 16];
static struct config_errors errors;

static inline void write_bytes(const char *path, const void *bytes, size_t len)
{
	bytes_to_file(path, bytes, len);
	assert_int_equal(chmod(path, 0640), 0);
}

static inline void write_text(const char *name, const char *text)
{
	write_bytes(text_from("%s/%s", folder, name), text, strlen(text));
}

// More of the included file.
static const char *more = "";

// The main file, with a rule for `name` in a file that it includes.
static inline void write_config(const char *name)
{
	write_text("weir.yaml", text_from("include: [conf.d/*.yaml]\n"
					  "runtime: {state_directory: %s}\n"
					  "dataplane: {ports: [{device: net_null0}], "
					  "service_addresses: [198.18.0.53/24]}\n"
					  "upstreams: {servers: [{address: 9.9.9.9}]}\n",
					state));
	write_text("conf.d/a.yaml", text_from("blocking: {deny: [%s]}\n%s", name, more));
}

static inline void bundle_read(struct config_bundle *b)
{
	struct config *c = NULL;
	if (config_bundle_read(file, NULL, CONFIG_SECRETS_ALL, b, &c, &errors) != 0)
		fail_msg("%s", errors.text[0]);
	config_free(c);
}

static inline bool denies(const struct config *c, const char *name)
{
	struct dns_name want = name_of_text(name);
	for (unsigned i = 0; i < c->blocking.deny_count; i++)
		if (c->blocking.deny[i].len == want.len
			&& memcmp(c->blocking.deny[i].wire, want.wire, want.len) == 0)
			return true;
	return false;
}

// Stores what is on disk now as version `number`.
static inline void store(unsigned number, enum config_version_result result)
{
	struct config_version v = {.number = number,
		.before = number - 1,
		.unix_s = 1000 + number,
		.who = "uid 0",
		.what = "config apply",
		.why = "a test",
		.result = result};
	struct config_bundle b;
	size_t len = 0;
	bundle_read(&b);
	char *text = config_version_text(&v, &b, &len);
	assert_non_null(text);
	write_bytes(text_from("%s/config/%u.version", state, number), text, len);
	free(text);
	config_bundle_free(&b);
}

static inline void current(const char *text)
{
	write_text("state/config/current", text);
}

static inline int setup(void **)
{
	if (folder_make(folder, "config_versions"))
		return -1;
	snprintf(file, sizeof(file), "%s/weir.yaml", folder);
	snprintf(state, sizeof(state), "%s/state", folder);
	static const char *const below[] = {"conf.d", "state", "state/config"};
	for (unsigned i = 0; i < ARRAY_LEN(below); i++)
		if (mkdir(text_from("%s/%s", folder, below[i]), 0750))
			return -1;
	write_config("one.test");
	return 0;
}

static inline int teardown(void **)
{
	return folder_remove(folder, "");
}
