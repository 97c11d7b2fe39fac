// SPDX-License-Identifier: BSD-3-Clause
// `weirctl config`: checks and reloads the configuration, and manages its versions (apply, history,
// show, diff, rollback).
// `weirctl fleet` shows the boxes that have one configuration, rolls a change out to them, makes a
// box the primary, or takes it out of the fleet.

#include "lib/config_prove.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "terminal/progress.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/config/shared.h>
#include <weir/config/versions.h>
#include <weir/hosts_file.h>

// Whether a build could read the file: 0 or -errno.
static int list_file_check(const char *path)
{
	struct stat st;
	if (stat(path, &st) || access(path, R_OK))
		return -errno;
	if (S_ISREG(st.st_mode))
		return 0;
	return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
}

static void warning_print(struct json_node *warnings, const char *text)
{
	char shown[1024];

	if (warnings)
		json_put_text(warnings, NULL, text);
	else
		printf("warning: %s\n", term_text(text, shown, sizeof(shown)));
}

// Warns of list files that cannot be read. That is no error, because a reload takes the other
// lists. Lists with a URL are not checked: weir fetches them once the configuration is in force.
// Returns the number of warnings.
static unsigned lists_check(const struct config *config, struct json_node *warnings)
{
	unsigned found = 0;
	for (unsigned i = 0; i < config->blocking.list_count; i++) {
		const struct config_list *l = &config->blocking.lists[i];
		int err = l->path ? list_file_check(l->path) : 0;
		if (!err)
			continue;
		found++;
		char text[640];
		snprintf(text, sizeof(text), "list \"%s\" cannot be read: %s: %s", l->name, l->path,
			strerror(-err));
		warning_print(warnings, text);
	}
	return found;
}

static int name_pass(
	void *, const struct ip_address *, const struct dns_name *, bool own, uint32_t line)
{
	(void)own, (void)line;
	return 0;
}

// Warns of hosts files, and lines in them, that a reload would leave out. Returns the number of
// warnings.
static unsigned hosts_check(const struct config *config, struct json_node *warnings)
{
	unsigned found = 0;
	for (unsigned i = 0; i < config->local.hosts_file_count; i++) {
		const char *path = config->local.hosts_files[i];
		struct hosts_counts n = {0};
		char text[CONFIG_WHY_MAX + 256] = "";
		const int err = hosts_file_read(path, name_pass, NULL, &n);
		if (err < 0)
			snprintf(text, sizeof(text), "hosts file %s cannot be read: %s", path,
				strerror(-err));
		else if (n.not_ascii)
			snprintf(text, sizeof(text),
				"hosts file %s line %u: weir ignores names outside ASCII (%" PRIu64
				" in the file): write them with xn--",
				path, n.not_ascii_line, n.not_ascii);
		else if (n.rejected)
			snprintf(text, sizeof(text),
				"hosts file %s line %u: weir ignores what is no address or no name "
				"(%" PRIu64 " in the file)",
				path, n.rejected_line, n.rejected);
		if (!text[0])
			continue;
		found++;
		warning_print(warnings, text);
	}
	return found;
}

// Warns of sections of the files that the shared part replaces. Returns the number of warnings.
static unsigned ignored_check(const struct config *config, struct json_node *warnings)
{
	char names[CONFIG_SHARED_NAMES_MAX], text[CONFIG_WHY_MAX];
	if (!config->sync.ignored)
		return 0;
	snprintf(text, sizeof(text),
		"weir ignores %s of these files: the shared part of the configuration replaces "
		"them (`sync.own` keeps sections)",
		config_shared_names(config->sync.ignored, names));
	warning_print(warnings, text);
	return 1;
}

// Prints all warnings, or adds them to `warnings`. Returns their number.
static unsigned warnings_find(
	const struct config *config, const char *unread, struct json_node *warnings)
{
	const bool is_unproven =
		config->upstreams.mode == UPSTREAM_FORWARD_FIRST && !config->dnssec.validate;

	if (is_unproven)
		warning_print(warnings, "upstreams.mode: `forward-first` without "
					"`dnssec.validate`: weir may answer "
					"from recursion what the servers refuse as bogus");
	if (*unread) {
		char text[CONFIG_WHY_MAX + 64];
		snprintf(text, sizeof(text), "the shared and the managed part are not checked: %s",
			unread);
		warning_print(warnings, text);
	}
	return lists_check(config, warnings) + hosts_check(config, warnings)
	       + ignored_check(config, warnings) + is_unproven + (*unread != '\0');
}

static int errors_print(const struct ctl *c, const struct config_errors *e)
{
	unsigned texts = e->count < CONFIG_ERRORS_MAX ? e->count : CONFIG_ERRORS_MAX;
	if (c->json) {
		struct json_doc *doc = json_doc_new();
		struct json_node *root = json_doc_root(doc), *list;
		json_put_text(root, "error", e->text[0]);
		json_put_count(root, "count", e->count);
		list = json_put_array(root, "errors");
		for (unsigned i = 0; i < texts; i++)
			json_put_text(list, NULL, e->text[i]);
		json_doc_end(doc);
		return CTL_FAILED;
	}
	for (unsigned i = 0; i < texts; i++)
		(void)ctl_fail(c, "%s", e->text[i]);
	if (e->count > texts)
		(void)ctl_fail(c, "and %u more errors", e->count - texts);
	return CTL_FAILED;
}

static void good_print_json(const struct config *config, bool has_managed, const char *unread)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc), *included;

	json_put_bool(root, "ok", true);
	json_put_text(root, "directory", config->runtime.directory);
	included = json_put_array(root, "included");
	for (unsigned i = 0; i < config->include.file_count; i++)
		json_put_text(included, NULL, config->include.files[i]);
	json_put_bool(root, "managed", has_managed);
	(void)warnings_find(config, unread, json_put_array(root, "warnings"));
	json_doc_end(doc);
}

static void good_print(
	const char *path, const struct config *config, bool has_managed, const char *unread)
{
	const unsigned warnings = warnings_find(config, unread, NULL),
		       files = config->include.file_count;
	char shown[1024], with[40] = "";

	if (files)
		snprintf(with, sizeof(with), " with %u included file%s", files,
			files == 1 ? "" : "s");
	printf("%s%s%s: good%s\n", term_text(path, shown, sizeof(shown)), with,
		has_managed ? " with the managed part" : "",
		warnings ? ", but see the warnings above" : "");
}

// Reads the files as an apply would, with the shared and the managed part of the version in force.
// `unread`: why these cannot be read, or "".
static int kept_load(struct ctl *c, const char *path, struct config_bundle *out,
	struct config_errors *errors, char unread[CONFIG_WHY_MAX])
{
	struct config_bundle kept;
	if (config_version_kept(path, &kept, unread) == 0)
		unread[0] = '\0';
	const int rc =
		config_bundle_read(path, &kept, CONFIG_SECRETS_FOUND, out, &c->config, errors);
	config_bundle_free(&kept);
	return rc;
}

static int cmd_config_check(struct ctl *c)
{
	const char *path = c->operand ? c->operand : c->config_path;
	struct config_errors errors;
	struct config_bundle texts = {0};
	char unread[CONFIG_WHY_MAX];
	const int rc = kept_load(c, path, &texts, &errors, unread);
	const bool has_managed = texts.managed.bytes != NULL;
	if (rc == 0) {
		const struct config_proof proof = {.texts = &texts, .errors = &errors};
		config_prove(c->config, &proof);
		config_prove_control(c->config, &proof);
	}
	config_bundle_free(&texts);
	if (errors.count > 0)
		return errors_print(c, &errors);
	if (c->json)
		good_print_json(c->config, has_managed, unread);
	else
		good_print(path, c->config, has_managed, unread);
	return CTL_OK;
}

static void reload_print(const struct json_node *root)
{
	printf("reloaded");
	say_if(root, "needs_restart", ", except for what needs a restart: {needs_restart}");
	printf("\n");
}

static int cmd_config_reload(struct ctl *c)
{
	c->service_reads_file = true;
	const struct http_param params[] = {{"keep", c->keep ? "1" : NULL}, {NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = http_call_or_fail(c, true, "/config/reload", params, HTTP_BUILD_MS);
	const bool is_whole = doc && !show_warning(json_doc_root(doc));
	const int rc = show_doc(c, doc, is_whole ? reload_print : NULL);
	return is_whole ? rc : CTL_FAILED;
}

enum { POLL_MS = 500, VERDICT_MS = 60000 };

static void line_print(const char *text)
{
	char shown[8192];
	printf("%s\n", term_text(text, shown, sizeof(shown)));
}

// Prints the keys that a change affects, and when.
static void keys_print(const struct json_node *root)
{
	say_if(root, "live", "in force at once: {live}\n");
	say_if(root, "restart_controlplane",
		"in force after a restart of weir-controlplane: {restart_controlplane}\n");
	say_if(root, "restart_dataplane",
		"in force after a restart of weir-dataplane: {restart_dataplane}\n");
}

// Prints all errors of a refused change.
static int refused(
	const struct ctl *c, enum http_outcome outcome, struct json_doc *doc, const char *why)
{
	const struct json_node *root = doc ? json_doc_root(doc) : NULL;
	const struct json_node *errors = json_get(root, "errors");
	if (outcome != HTTP_REFUSED || json_length(errors) == 0) {
		http_fail(c, outcome, why);
	} else if (c->json) {
		json_doc_print(doc);
	} else {
		for (size_t i = 0; i < json_length(errors); i++)
			(void)ctl_fail(c, "%s", json_item_text(errors, i));
	}
	json_doc_free(doc);
	return CTL_FAILED;
}

static const struct json_node *version_find(const struct json_node *root, uint64_t number)
{
	const struct json_node *list = json_get(root, "versions");
	for (size_t i = 0; i < json_length(list); i++)
		if (json_count(json_at(list, i), "number") == number)
			return json_at(list, i);
	return NULL;
}

static bool is_watched(const struct json_node *version)
{
	const char *result = json_text(version, "result");
	return strcmp(result, "pending") == 0 || strcmp(result, "watched_again") == 0;
}

// Waits until the health watch of the version has ended. NULL: its result is not known, and the
// error is printed.
static struct json_doc *verdict_wait(const struct ctl *c, uint64_t number, unsigned watch_s)
{
	struct progress p = progress_begin("watching the health", watch_s);
	const uint64_t until_ms = clock_mono_ms() + VERDICT_MS;
	const struct timespec space = {.tv_nsec = POLL_MS * 1000000L};
	char text[24];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	const struct http_param params[] = {{"version", text}, {NULL, NULL}};
	while (clock_mono_ms() < until_ms) {
		struct json_doc *doc;
		char why[HTTP_WHY_MAX];
		enum http_outcome outcome =
			http_call(c, false, "/config/history", params, HTTP_FLUSH_MS, &doc, why);
		// If no whole reply comes, asks again: the control plane may be busy with the
		// version, or the machine was suspended.
		if (outcome == HTTP_SILENT || outcome == HTTP_BROKEN
			|| (outcome == HTTP_OK
				&& is_watched(version_find(json_doc_root(doc), number)))) {
			progress_step(&p);
			json_doc_free(doc);
			nanosleep(&space, NULL);
			continue;
		}
		progress_end(&p);
		if (outcome == HTTP_OK)
			return doc;
		json_doc_free(doc);
		http_fail(c, outcome, why);
		return NULL;
	}
	progress_end(&p);
	(void)ctl_fail(c, "no verdict on the health of version %llu after %d s",
		(unsigned long long)number, VERDICT_MS / 1000);
	return NULL;
}

static int verdict_print(const struct ctl *c, struct json_doc *doc, uint64_t number)
{
	const struct json_node *version = version_find(json_doc_root(doc), number);
	const char *result = json_text(version, "result");
	const bool is_back = strcmp(result, "taken_back") == 0;
	const bool has_fallen = strcmp(result, "fallen") == 0;
	if (c->json)
		json_print_line(version);
	else if (is_back)
		say(version, "TAKEN BACK, as health fell: {reason}\n");
	else if (has_fallen)
		say(version, "STAYS IN FORCE, though health fell: {reason}\n");
	else
		say(version, "version {number:u} is {result}\n");
	json_doc_free(doc);
	return is_back || has_fallen ? CTL_FAILED : CTL_OK;
}

// Prints the reply of an apply or a rollback, and the result of the health watch.
static int change_show(struct ctl *c, struct json_doc *doc)
{
	const struct json_node *root = json_doc_root(doc);
	const uint64_t number = json_count(root, "version");
	const unsigned watch_s = (unsigned)json_count(root, "watch_left_s");
	const bool waits = watch_s > 0;
	if (c->json && (c->dry_run || !waits)) {
		json_doc_end(doc);
		return CTL_OK;
	}
	if (!c->json) {
		if (c->dry_run)
			printf("good\n");
		else if (waits || c->keep)
			say(root, "version {version:u} is in force\n");
		else
			say(root, "nothing has changed: version {version:u} stays in force\n");
		keys_print(root);
		if (waits)
			say(root, "watching the health for {watch_left_s:u} s\n");
		fflush(stdout);
	}
	json_doc_free(doc);
	if (c->dry_run || !waits)
		return CTL_OK;
	struct json_doc *history = verdict_wait(c, number, watch_s);
	return history ? verdict_print(c, history, number) : CTL_FAILED;
}

static int change(struct ctl *c, const char *path, const struct http_param *params)
{
	struct json_doc *doc = NULL;
	char why[HTTP_WHY_MAX] = "";
	c->service_reads_file = true;
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	enum http_outcome outcome = http_call(c, true, path, params, HTTP_BUILD_MS, &doc, why);
	if (outcome != HTTP_OK)
		return refused(c, outcome, doc, why);
	(void)show_warning(json_doc_root(doc));
	return change_show(c, doc);
}

static int cmd_config_apply(struct ctl *c)
{
	const struct http_param params[] = {{"dry_run", c->dry_run ? "1" : NULL},
		{"keep", c->keep ? "1" : NULL}, {"why", c->reason}, {NULL, NULL}};
	return change(c, "/config/apply", params);
}

static int cmd_config_rollback(struct ctl *c)
{
	const struct http_param params[] = {{"version", c->operand}, {"keep", c->keep ? "1" : NULL},
		{"why", c->reason}, {NULL, NULL}};
	return change(c, "/config/rollback", params);
}

static void history_row(struct table *t, const struct json_node *v)
{
	const char *reason = json_text(v, "reason"), *why = json_text(v, "why");
	const time_t unix_s = (time_t)json_signed(v, "unix_s");
	char when[32] = "-";
	struct tm tm;
	if (localtime_r(&unix_s, &tm))
		(void)strftime(when, sizeof(when), "%F %T", &tm);
	table_cell(t, "%s%llu", json_flag(v, "in_force") ? "* " : "", json_count(v, "number"));
	table_cell(t, "%s", when);
	table_cell(t, "%s", json_text(v, "who"));
	table_cell(t, "%s", json_text(v, "what"));
	table_cell(t, "%s", json_text(v, "result"));
	table_cell(t, "%s%s%s", why, *why && *reason ? "; " : "", reason);
	table_row_end(t);
}

static void history_print(const struct json_node *root)
{
	static const char *const heads[] = {
		">version", "time", "who", "what", "result", "why", NULL};
	const struct json_node *list = json_get(root, "versions");
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(list); i++)
		history_row(t, json_at(list, i));
	table_print(t);
	show_texts(json_get(root, "damaged"), "cannot be used: ");
	if (json_flag(root, "differs"))
		printf("the file on disk is another text (weirctl config diff)\n");
}

static int cmd_config_history(struct ctl *c)
{
	return show_call(c, false, "/config/history", NULL, HTTP_FLUSH_MS, history_print);
}

// Prints the lines of a text, made safe for the terminal.
static void lines_print(const char *text)
{
	while (*text) {
		const size_t len = strcspn(text, "\n");
		char *line = strndup(text, len);
		if (line)
			line_print(line);
		free(line);
		text += len + (text[len] == '\n');
	}
}

static void show_print(const struct json_node *root)
{
	const struct json_node *files = json_get(root, "files");
	for (size_t i = 0; i < json_length(files); i++) {
		say(json_at(files, i), "### {path}\n");
		lines_print(json_text(json_at(files, i), "text"));
	}
}

static int cmd_config_show(struct ctl *c)
{
	const struct http_param params[] = {{"version", c->operand}, {NULL, NULL}};
	return show_call(c, false, "/config/show", params, HTTP_FLUSH_MS, show_print);
}

static void config_diff_print(const struct json_node *root)
{
	const char *diff = json_text(root, "diff");
	lines_print(diff);
	if (!*diff)
		printf(json_flag(root, "same") ? "no difference\n"
					       : "no difference but in secrets\n");
	keys_print(root);
}

static int cmd_config_diff(struct ctl *c)
{
	const struct http_param params[] = {{"from", c->operand}, {"to", c->type}, {NULL, NULL}};
	return show_call(c, false, "/config/diff", params, HTTP_FLUSH_MS, config_diff_print);
}

// The fleet: the boxes that have one configuration.

#define NO_BOX "no box has polled this one since its start, or in seven days"

// The words of docs/how-to/fleet.md; `is_rolling`: boxes of wave 0 may not have the version yet.
static const char *state_of(const struct json_node *box, bool is_rolling)
{
	const char *result = json_text(box, "result");
	if (json_flag(box, "away"))
		return "away";
	if (strcmp(result, "refused") == 0)
		return "refused";
	if (strcmp(result, "taken_back") == 0)
		return "taken back";
	if (json_flag(box, "current"))
		return "current";
	if (strcmp(result, "pending") == 0)
		return "watched";
	return is_rolling && json_count(box, "wave") == 0 ? "waiting" : "behind";
}

static bool has_state(const struct json_node *rollout, const char *state)
{
	return strcmp(json_text(rollout, "state"), state) == 0;
}

static void boxes_print(const struct json_node *list, const struct json_node *rollout)
{
	const bool is_rolling = has_state(rollout, "rolling");
	const bool has_waves = (is_rolling && json_count(rollout, "waits_ms") == 0)
			       || has_state(rollout, "stopped");
	static const char *const heads[] = {"box", "address", "state", ">version", ">seen", "ready",
		">clock", "weir", ">wave", "reason", NULL};
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *box = json_at(list, i);
		table_cell(t, "%s%s", json_text(box, "name"),
			json_flag(box, "twin") ? " (one of two with this name)" : "");
		cell_text(t, box, "from");
		table_cell(t, "%s", state_of(box, is_rolling));
		cell_count(t, box, "version");
		cell_duration(t, box, "seen_ms");
		table_cell(t, "%s", json_flag(box, "ready") ? "yes" : "no");
		table_cell(t, "%+.1f s", (double)json_signed(box, "clock_ms") / 1e3);
		cell_text(t, box, "software");
		if (has_waves)
			cell_count(t, box, "wave");
		else
			table_cell(t, "-");
		cell_text(t, box, "reason");
		table_row_end(t);
	}
	table_print(t);
}

static void secondary_print(const struct json_node *s)
{
	char good[CELL_TIME_MAX];
	say(s, "primary      {url}");
	say_if(s, "primary", ", {primary}");
	printf("\nlast reply   %s\n",
		cell_time_text(json_signed(s, "good_unix_s"), "none so far", good));
	say_if(s, "why", "now          {why}\n");
	say(s, "version      {version:u}, {result}");
	say_if(s, "reason", ": {reason}");
	printf("\n");
}

static void progress_print(const struct json_node *r)
{
	const bool has_boxes = json_count(r, "boxes") > 0;
	if (has_state(r, "rolling")) {
		say(r, "version {version:u}, wave {wave:u} of {waves:u}: ");
		if (say_if(r, "waits_ms",
			    "no further box gets it for {waits_ms:t}: this primary has started and "
			    "waits for its boxes to poll, {boxes:u} so far\n"))
			return;
		say(r, has_boxes ? "{held:u} of {released:u} boxes that may have it hold it, "
				   "{boxes:u} boxes in all\n"
				 : "no box polls this one now, weir waits for one\n");
		return;
	}
	say(r, "version {version:u} may be on all boxes: ");
	say(r, has_boxes ? "{held:u} of {boxes:u} hold it\n" : "no box polls this one now\n");
}

// One line about the roll-out.
static void rollout_print(const struct json_node *r)
{
	if (json_count(r, "wave") == 0) {
		printf("no version has been rolled out so far\n");
		return;
	}
	if (has_state(r, "done") || has_state(r, "rolling")) {
		progress_print(r);
		return;
	}
	if (has_state(r, "stopped"))
		say(r, "version {version:u} STOPPED in wave {wave:u} of {waves:u}: ");
	else
		say(r, json_flag(r, "goes_back")
				? "version {version:u} is being TAKEN BACK to version "
				  "{base_version:u}: "
				: "version {version:u} TAKEN BACK to version {base_version:u}: ");
	say_if(r, "box", "{box}: ");
	say(r, "{reason}\n");
}

static void primary_print(const struct json_node *p)
{
	say_if(p, "rival",
		"NOT the primary any more: {rival} has epoch {rival_epoch:u}. Point sync.primary "
		"of this box at it, or run weirctl fleet promote here.\n");
	const struct json_node *rollout = json_get(p, "rollout"), *boxes = json_get(p, "boxes");
	if (json_count(p, "version") > 0)
		say(p, "handing out  version {version:u}\n");
	say_if(p, "why", "the version in force is not handed out: {why}\n");
	printf("roll-out     ");
	rollout_print(rollout);
	if (json_length(boxes) == 0) {
		printf(NO_BOX "\n");
		return;
	}
	printf("\n");
	boxes_print(boxes, rollout);
}

static void fleet_print(const struct json_node *root)
{
	const struct json_node *secondary = json_get(root, "secondary");
	say(root, "box          {box}, ");
	printf(secondary ? "a secondary" : "a primary");
	say(root, " with epoch {epoch:u}\n");
	say_if(root, "store_why", "NOT STORED   {store_why}\n");
	if (secondary)
		secondary_print(secondary);
	else
		primary_print(json_get(root, "primary"));
}

static int cmd_fleet_status(struct ctl *c)
{
	return show_call(c, false, "/fleet", NULL, HTTP_SHORT_MS, fleet_print);
}

static void moved_print(const struct json_node *root)
{
	if (json_count(root, "moved") > 0)
		say(root, "{moved:u} items that came from the primary can be changed here now\n");
	say_if(root, "stays",
		"{stays} stays as the primary has it, where verbs do not edit it: the managed part "
		"has no room\n");
}

static void promoted_print(const struct json_node *root)
{
	(void)show_warning(root);
	say(root,
		"{box} is a primary with epoch {epoch:u}; point sync.primary of the other boxes at "
		"it\n");
	moved_print(root);
}

static int cmd_fleet_promote(struct ctl *c)
{
	const struct http_param params[] = {{"why", c->reason}, {NULL, NULL}};
	return show_call(c, true, "/fleet/promote", params, HTTP_BUILD_MS, promoted_print);
}

static void left_print(const struct json_node *root)
{
	(void)show_warning(root);
	say_if(root, "note", "nothing changed: {note}\n");
	say_if(root, "box", "{box} stands alone: it takes its configuration from no primary\n");
	moved_print(root);
}

static int cmd_fleet_leave(struct ctl *c)
{
	const struct http_param params[] = {
		{"own_files", c->own_files ? "1" : NULL}, {"why", c->reason}, {NULL, NULL}};
	return show_call(c, true, "/fleet/leave", params, HTTP_BUILD_MS, left_print);
}

// Follows a roll-out.

enum {
	FOLLOW_LOOKS = 300, // looks, one a second, without a step
	TAKE_MS = 3 * 60 * 1000,
};

// The reply of GET /fleet. NULL, after a message: no reply came, or this box is a secondary.
static struct json_doc *primary_get(const struct ctl *c)
{
	struct json_doc *doc = http_call_or_fail(c, false, "/fleet", NULL, HTTP_SHORT_MS);
	const struct json_node *root = doc ? json_doc_root(doc) : NULL;
	if (!doc || json_get(root, "primary"))
		return doc;
	ctl_fail(c, "this box is a secondary: its primary, %s, rolls versions out",
		json_text(json_get(root, "secondary"), "url"));
	json_doc_free(doc);
	return NULL;
}

static const struct json_node *primary_of(const struct json_doc *doc)
{
	return json_get(json_doc_root(doc), "primary");
}

static const struct json_node *rollout_of(const struct json_doc *doc)
{
	return json_get(primary_of(doc), "rollout");
}

static void step_print(const struct ctl *c, const struct json_node *rollout)
{
	if (c->json)
		json_print_line(rollout);
	else
		rollout_print(rollout);
	fflush(stdout);
}

// A number that each step changes.
static uint64_t step_of(const struct json_node *r)
{
	return json_count(r, "wave") << 48 | json_count(r, "released") << 32
	       | json_count(r, "held") << 16 | (uint64_t)json_flag(r, "goes_back") << 9
	       | (uint64_t)(json_count(r, "boxes") > 0) << 8 | (uint8_t)*json_text(r, "state");
}

// May a box without the version still take it, now that all may have it? The control plane looks
// at none of them any more.
static bool may_take(const struct json_node *primary)
{
	const struct json_node *r = json_get(primary, "rollout"),
			       *list = json_get(primary, "boxes");
	if (json_count(r, "boxes") == 0)
		return json_count(r, "wave") > 0;
	if (json_count(r, "since_ms") >= TAKE_MS)
		return false;
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *box = json_at(list, i);
		const char *result = json_text(box, "result");
		const bool is_refused =
			strcmp(result, "refused") == 0 || strcmp(result, "taken_back") == 0;
		const bool is_of_it = json_count(box, "version") == json_count(r, "version");
		if (!json_flag(box, "away") && !json_flag(box, "current")
			&& !(is_refused && is_of_it))
			return true;
	}
	return false;
}

static bool goes_on(const struct json_node *primary, bool back)
{
	const struct json_node *r = json_get(primary, "rollout");
	if (json_flag(r, "goes_back"))
		return true;
	return !back && (has_state(r, "rolling") || (has_state(r, "done") && may_take(primary)));
}

// Prints the boxes that have another version than the one that is handed out. Returns how many.
static unsigned differ_list(const struct json_node *primary)
{
	const struct json_node *list = json_get(primary, "boxes");
	unsigned shown = 0;
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *box = json_at(list, i);
		if (json_flag(box, "current"))
			continue;
		say(box, json_flag(box, "away") ? "{name}: version {version:u}, away"
						: "{name}: version {version:u}, {result}");
		say_if(box, "reason", ": {reason}");
		printf("\n");
		shown++;
	}
	return shown;
}

// The exit status of a roll-out that has ended; `back`: by its way back.
static int verdict(const struct ctl *c, const struct json_node *primary, bool back)
{
	const struct json_node *r = json_get(primary, "rollout");
	if (back || !has_state(r, "done"))
		return back && has_state(r, "taken_back") ? CTL_OK : CTL_FAILED;
	if (json_count(r, "held") == json_count(r, "boxes"))
		return CTL_OK;
	if (!c->json)
		(void)differ_list(primary);
	return CTL_FAILED;
}

// Prints each step until no more come; `back`: until this box has gone back. weir stops a roll-out
// on which a box hangs.
static int follow(const struct ctl *c, bool back)
{
	const struct timespec space = {.tv_sec = 1};
	uint64_t shown = UINT64_MAX;
	for (unsigned looks = 0; looks < FOLLOW_LOOKS; looks++) {
		struct json_doc *doc = primary_get(c);
		if (!doc)
			return CTL_FAILED;
		const uint64_t step = step_of(rollout_of(doc));
		if (step != shown) {
			step_print(c, rollout_of(doc));
			looks = 0;
		}
		const bool is_over = !goes_on(primary_of(doc), back);
		const int rc = is_over ? verdict(c, primary_of(doc), back) : CTL_FAILED;
		json_doc_free(doc);
		if (is_over)
			return rc;
		shown = step;
		nanosleep(&space, NULL);
	}
	return ctl_fail(c, "the roll-out has made no step for 5 minutes: see weirctl fleet status");
}

// The version of a roll-out, as a change of it names the one that it is for; NULL: no roll-out.
static const char *version_of(const struct json_node *rollout, char out[24])
{
	const uint64_t version = json_count(rollout, "version");
	snprintf(out, 24, "%" PRIu64, version);
	return version ? out : NULL;
}

// Continues a roll-out that is stopped, or ends one that is taken back; with --all lets all boxes
// have the version.
static int rollout_continue(const struct ctl *c)
{
	char version[24];
	struct json_doc *doc = primary_get(c), *reply = NULL;
	if (!doc)
		return CTL_FAILED;
	const struct json_node *r = rollout_of(doc);
	const bool is_there = has_state(r, "stopped") || (c->all && has_state(r, "rolling"))
			      || (has_state(r, "taken_back") && !json_flag(r, "goes_back"));
	const struct http_param params[] = {{"all", c->all ? "1" : NULL},
		{"if_version", version_of(r, version)}, {"if_state", json_text(r, "state")},
		{NULL, NULL}};
	if (is_there)
		reply = http_call_or_fail(c, true, "/fleet/apply", params, HTTP_SHORT_MS);
	const int rc = reply || !is_there ? CTL_OK : CTL_FAILED;
	json_doc_free(reply);
	json_doc_free(doc);
	return rc;
}

static int cmd_fleet_apply(struct ctl *c)
{
	c->service_reads_file = true;
	struct json_doc *doc = ctl_open(c) == CTL_OK ? primary_get(c) : NULL;
	const bool is_primary = doc != NULL;
	json_doc_free(doc);
	if (!is_primary || cmd_config_apply(c) != CTL_OK)
		return CTL_FAILED;
	if (c->dry_run)
		return CTL_OK;
	return rollout_continue(c) == CTL_OK ? follow(c, false) : CTL_FAILED;
}

static void stopped_print(const struct json_node *root)
{
	rollout_print(json_get(root, "rollout"));
}

// Stops the roll-out of the version that the operator names, or of the one that is there.
static int cmd_fleet_stop(struct ctl *c)
{
	char version[24];
	struct json_doc *seen = NULL;
	if (ctl_open(c) != CTL_OK || (!c->operand && !(seen = primary_get(c))))
		return CTL_FAILED;
	const struct http_param params[] = {{"back", c->back ? "1" : NULL},
		{"if_version", seen ? version_of(rollout_of(seen), version) : c->operand},
		{NULL, NULL}};
	struct json_doc *doc = http_call_or_fail(c, true, "/fleet/stop", params, HTTP_SHORT_MS);
	json_doc_free(seen);
	if (!doc || !c->back)
		return show_doc(c, doc, stopped_print);
	json_doc_free(doc);
	return follow(c, true);
}

static void differ_print(const struct json_node *root)
{
	const struct json_node *primary = json_get(root, "primary");
	if (json_length(json_get(primary, "boxes")) == 0)
		printf("no version is being rolled out, and " NO_BOX "\n");
	else if (!differ_list(primary))
		printf("no version is being rolled out, and all boxes have one configuration\n");
}

// Compares the version that is rolled out with the one before.
static int cmd_fleet_diff(struct ctl *c)
{
	char from[24], to[24];
	const struct http_param params[] = {{"from", from}, {"to", to}, {NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = primary_get(c);
	if (!doc)
		return CTL_FAILED;
	const struct json_node *r = rollout_of(doc);
	if (!has_state(r, "rolling") && !has_state(r, "stopped"))
		return show_doc(c, doc, differ_print);
	snprintf(from, sizeof(from), "%llu", (unsigned long long)json_count(r, "base_version"));
	snprintf(to, sizeof(to), "%llu", (unsigned long long)json_count(r, "version"));
	json_doc_free(doc);
	return show_doc(c, http_call_or_fail(c, false, "/config/diff", params, HTTP_FLUSH_MS),
		config_diff_print);
}

CTL_COMMANDS = {
	{"config", "check", 0, 1, CTL_OPT_LOCAL, cmd_config_check, "[FILE]",
		"Check FILE (or the configuration in use); needs no running weir."},
	{"config", "reload", 0, 0, CTL_OPT_KEEP, cmd_config_reload, "[--keep]",
		"Activate the changed configuration; name the keys that need a restart.",
		.alias = "reload"},
	{"config", "apply", 0, 0, CTL_OPT_DRY_RUN | CTL_OPT_KEEP | CTL_OPT_WHY, cmd_config_apply,
		"[--dry-run] [--keep] [--why TEXT]",
		"Activate the files on disk as a new version, watch the health, go back if it "
		"falls; --keep: never go back."},
	{"config", "diff", 0, 2, 0, cmd_config_diff, "[FROM [TO]]",
		"Compare versions; FROM: the one in force, TO: the files on disk."},
	{"config", "history", 0, 0, 0, cmd_config_history, "",
		"List the versions of the configuration: who, when, what, and the result."},
	{"config", "show", 0, 1, 0, cmd_config_show, "[VERSION]",
		"Print the texts of a version, without secrets."},
	{"config", "rollback", 1, 1, CTL_OPT_KEEP | CTL_OPT_WHY, cmd_config_rollback,
		"[--keep] [--why TEXT] VERSION",
		"Activate the texts of an earlier version, as a new one."},
	{"fleet", "status", 0, 0, 0, cmd_fleet_status, "",
		"Show this box's part in the fleet: of a primary, each box that takes its "
		"configuration; of a secondary, its primary."},
	{"fleet", "apply", 0, 0, CTL_OPT_DRY_RUN | CTL_OPT_KEEP | CTL_OPT_WHY | CTL_OPT_ALL,
		cmd_fleet_apply, "[--dry-run] [--keep] [--all] [--why TEXT]",
		"Run config apply on this primary and follow the roll-out, or continue a stopped "
		"one; --all: on all boxes at once."},
	{"fleet", "stop", 0, 1, CTL_OPT_BACK, cmd_fleet_stop, "[--back] [VERSION]",
		"Stop the roll-out, if it is the one of VERSION; --back: take the version back "
		"from all boxes, and follow that."},
	{"fleet", "diff", 0, 0, 0, cmd_fleet_diff, "",
		"Show what the roll-out changes; while none runs, the boxes that differ."},
	{"fleet", "promote", 0, 0, CTL_OPT_WHY, cmd_fleet_promote, "[--why TEXT]",
		"Make this box the primary: unset sync.primary, make what came from the primary "
		"before editable here, and raise the epoch."},
	{"fleet", "leave", 0, 0, CTL_OPT_OWN_FILES | CTL_OPT_WHY, cmd_fleet_leave,
		"[--own-files] [--why TEXT]",
		"Take this box out of the fleet: unset sync.primary, and keep the configuration "
		"that the box has, or with --own-files go back to its own files."},
};
