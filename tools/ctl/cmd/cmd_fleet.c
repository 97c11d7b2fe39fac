// SPDX-License-Identifier: BSD-3-Clause
// `weirctl fleet` shows the boxes that have one configuration, rolls a change out to them, makes a
// box the primary, or takes it out of the fleet.

#include "cmd_config.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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
	const bool has_waves = is_rolling || has_state(rollout, "stopped");
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

// Continues a roll-out that is stopped, or ends one that is taken back; with --all lets all boxes
// have the version.
static int rollout_continue(const struct ctl *c)
{
	const struct http_param params[] = {{"all", c->all ? "1" : NULL}, {NULL, NULL}};
	struct json_doc *doc = primary_get(c);
	if (!doc)
		return CTL_FAILED;
	const struct json_node *r = rollout_of(doc);
	const bool is_there = has_state(r, "stopped") || (c->all && has_state(r, "rolling"))
			      || (has_state(r, "taken_back") && !json_flag(r, "goes_back"));
	json_doc_free(doc);
	if (!is_there)
		return CTL_OK;
	doc = http_call_or_fail(c, true, "/fleet/apply", params, HTTP_SHORT_MS);
	const int rc = doc ? CTL_OK : CTL_FAILED;
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

static int cmd_fleet_stop(struct ctl *c)
{
	const struct http_param params[] = {{"back", c->back ? "1" : NULL}, {NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = http_call_or_fail(c, true, "/fleet/stop", params, HTTP_SHORT_MS);
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
		cmd_config_diff_print);
}

CTL_COMMANDS = {
	{"fleet", "status", 0, 0, 0, cmd_fleet_status, "",
		"Show this box's part in the fleet: of a primary, each box that takes its "
		"configuration; of a secondary, its primary."},
	{"fleet", "apply", 0, 0, CTL_OPT_DRY_RUN | CTL_OPT_KEEP | CTL_OPT_WHY | CTL_OPT_ALL,
		cmd_fleet_apply, "[--dry-run] [--keep] [--all] [--why TEXT]",
		"Run config apply on this primary and follow the roll-out, or continue a stopped "
		"one; --all: on all boxes at once."},
	{"fleet", "stop", 0, 0, CTL_OPT_BACK, cmd_fleet_stop, "[--back]",
		"Stop the roll-out; --back: take the version back from all boxes, and follow "
		"that."},
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
