// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// For test_verbs: applies that end here, and the configuration in force.

#include "controlplane/versions/apply.h"
#include "tests/unit/cp/http/api_rig.h"

#include <weir/config/managed.h>

static struct {
	char managed[CONFIG_MANAGED_MAX + 1]; // in force
	char what[CONFIG_VERSION_WHAT_MAX], why[CONFIG_VERSION_WHY_MAX];
	int rc, err; // of the apply
	unsigned applied;
	bool is_held; // the apply ends later
	bool is_kept; // without a health watch
	api_config_done held;
	void *held_arg;
} verbs_double;

static _Atomic bool is_held_now;

static int apply_double(void *, const struct apply_request *r, api_config_done done, void *arg)
{
	if (verbs_double.rc < 0)
		return verbs_double.rc;
	assert_false(r->from_disk || r->is_internal || r->rollback_to);
	assert_true(strncmp(r->who, "uid ", 4) == 0);
	snprintf(verbs_double.what, sizeof(verbs_double.what), "%s", r->what);
	snprintf(verbs_double.why, sizeof(verbs_double.why), "%s", r->why ? r->why : "");
	verbs_double.is_kept = r->is_kept;
	if (verbs_double.is_held) {
		verbs_double.held = done;
		verbs_double.held_arg = arg;
		atomic_store(&is_held_now, true);
		return 0;
	}
	if (verbs_double.err >= 0 && !r->is_trial) {
		snprintf(verbs_double.managed, sizeof(verbs_double.managed), "%s", r->managed);
		verbs_double.applied++;
	}
	done(arg, verbs_double.err,
		verbs_double.err ? "config: entries: bad (managed.yaml:1:1)" : "", "");
	return 0;
}

static struct versions_status versions_double;

static const struct versions_status *versions_of_double(void *)
{
	return &versions_double;
}

static const char *managed_text_double(void *)
{
	return verbs_double.managed;
}

static const struct config_bundle *bundle_double(void *)
{
	static char file[] = "/etc/weir/weir.yaml";
	static char text[] = "blocking:\n  deny: [filed.test]\n"
			     "  lists: [{name: filed, path: /a}]\n"
			     "  disabled_lists: [off]\n"
			     "local: {records: [{name: box.lan, type: A, value: 192.0.2.1}]}\n"
			     "groups: [{name: kids, clients: [192.0.2.9]}]\n"
			     "upstreams: {servers: [{address: 9.9.9.9}]}\n";
	static const struct config_bundle b = {
		.main = {.path = file, .bytes = text, .len = sizeof(text) - 1}};
	return &b;
}

// The managed part has these words, or not.
static inline void managed_has(const char *words, bool has)
{
	if ((strstr(verbs_double.managed, words) != NULL) != has)
		fail_msg("%s", verbs_double.managed);
}
