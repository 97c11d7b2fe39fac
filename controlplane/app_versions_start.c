// SPDX-License-Identifier: BSD-3-Clause
// The version that the process starts with, and what the run before left.
#include "app_versions.h"
#include "versions/version_store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/heap_site.h>
#include <weir/log.h>

// A control plane died twice while it watched the health of this version.
static int start_again(const char *path, struct config_start *start, char why[APP_WHY_MAX])
{
	char unsaid[CONFIG_WHY_MAX];
	if (version_store_settle(start->folder, start->version.number, CONFIG_VERSION_taken_back,
		    "the control plane died twice while it watched the health", unsaid)
		< 0)
		return 0;
	config_free(start->config);
	config_start_free(start);
	return config_start(path, CONFIG_SECRETS_ALL, start, why);
}

static int start_read(const char *path, struct config_start *start, char why[APP_WHY_MAX])
{
	int rc = config_start(path, CONFIG_SECRETS_ALL, start, why);
	if (rc == 0 && start->version.result == CONFIG_VERSION_watched_again && !start->was_stopped)
		rc = start_again(path, start, why);
	return rc;
}

int app_versions_read(struct app *a, const char *path, char why[APP_WHY_MAX])
{
	const time_t began_unix_s = time(NULL);
	struct config_start start;
	struct app_versions *v = heap_calloc(1, sizeof(*v));
	if (!v) {
		snprintf(why, APP_WHY_MAX, "no memory");
		return -ENOMEM;
	}
	int rc = start_read(path, &start, why);
	if (rc < 0) {
		heap_free(v);
		return rc;
	}
	a->versions = v;
	a->started = start.config;
	v->app = a;
	v->bundle = start.bundle;
	v->status.in_force = start.version;
	v->status.since_unix_s = began_unix_s;
	v->status.differs = start.differs;
	snprintf(v->status.skipped, sizeof(v->status.skipped), "%s", start.skipped);
	snprintf(v->status.disk_why, sizeof(v->status.disk_why), "%s", start.disk_why);
	v->status.last_taken_back = start.taken_back_as;
	if (start.taken_back_as)
		snprintf(v->status.taken_back_why, sizeof(v->status.taken_back_why),
			"the file on disk was taken back as version %u", start.taken_back_as);
	snprintf(v->folder, sizeof(v->folder), "%s", start.folder);
	v->start = start;
	v->start.bundle = (struct config_bundle){0}; // v->bundle
	v->start.config = NULL;                      // a->started
	snprintf(v->managed_path, sizeof(v->managed_path), "%s/managed.yaml", v->folder);
	v->status.folder = v->folder;
	if (!start.differs)
		config_files_note(&a->read_files, a->started, began_unix_s);
	return 0;
}

// How a version ended that was left without a result, by that of the one that `current` names.
static bool left_result(const struct config_version *current, unsigned in_force, unsigned number,
	enum config_version_result *out)
{
	*out = CONFIG_VERSION_not_taken;
	if (number > current->number)
		return true;
	// It was followed during a watch, which goes on, or ended with a death.
	*out = CONFIG_VERSION_taken_back;
	if (current->result == CONFIG_VERSION_taken_back)
		return number > in_force;
	*out = CONFIG_VERSION_applied;
	return !config_version_is_watched(current);
}

// What the previous run left: versions that never came into force, or were followed.
static void left_settle(struct app_versions *v)
{
	static const char *const reasons[CONFIG_VERSION_RESULT_COUNT] = {
		[CONFIG_VERSION_not_taken] = "the control plane ended before it was in force",
		[CONFIG_VERSION_taken_back] = "the version that followed it was taken back",
		[CONFIG_VERSION_applied] = "another version followed",
	};
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	const unsigned in_force = v->status.in_force.number;
	struct config_version current = {0}, one;
	enum config_version_result result;
	char why[CONFIG_WHY_MAX];
	unsigned number;
	// A version that is undamaged but did not load may load at the next start.
	if (v->start.is_held || config_version_current(v->folder, &number, why) < 0)
		return;
	if (number && config_version_read(v->folder, number, &current, NULL, why) < 0)
		current = (struct config_version){.number = number};
	int count = config_versions_list(v->folder, numbers);
	for (int i = 0; i < count; i++) {
		if (numbers[i] == number || numbers[i] == in_force
			|| config_version_read(v->folder, numbers[i], &one, NULL, why) < 0
			|| !config_version_is_watched(&one)
			|| !left_result(&current, in_force, numbers[i], &result))
			continue;
		if (version_store_settle(v->folder, numbers[i], result, reasons[result], why) < 0)
			log_warning("configuration: version %u: %s", numbers[i], why);
	}
}

// A number for the texts on disk: that of a start before that did not come to serve.
static unsigned number_take(struct app_versions *v, uint64_t digest)
{
	struct config_version last;
	char why[CONFIG_WHY_MAX];
	if (v->newest && config_version_read(v->folder, v->newest, &last, NULL, why) == 0
		&& last.digest == digest && last.result != CONFIG_VERSION_taken_back)
		return v->newest;
	return v->newest + 1;
}

static void start_store(struct app_versions *v)
{
	struct config_version *now = &v->status.in_force;
	char why[CONFIG_WHY_MAX];
	unsigned before = 0;
	(void)!config_version_current(v->folder, &before, why);
	*now = (struct config_version){
		.before = before,
		.unix_s = time(NULL),
		.who = "start",
		.what = "start",
		.digest = config_bundle_digest(&v->bundle),
		.disk_digest = config_bundle_disk_digest(&v->bundle),
	};
	now->number = number_take(v, now->digest);
	if (version_store_put(v->folder, now, &v->bundle, why) < 0) {
		app_versions_not_stored(v, why);
		now->number = 0;
		return;
	}
	v->newest = now->number;
}

void app_versions_begin(struct app *a)
{
	struct app_versions *v = a->versions;
	struct config_version *now = &v->status.in_force;
	char why[CONFIG_WHY_MAX];
	config_start_log(&v->start, a->started->path);
	if (version_store_open(v->folder, a->started->runtime.state_directory, why) < 0) {
		app_versions_not_stored(v, why);
		return;
	}
	v->newest = version_store_newest(v->folder);
	left_settle(v);
	v->health.good = health_good_find(v->folder, now->number ? now->number : UINT_MAX);
	if (now->number == 0)
		start_store(v);
}
