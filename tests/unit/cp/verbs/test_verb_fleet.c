// SPDX-License-Identifier: BSD-3-Clause
// Verbs that end that a box is a secondary, over the real socket and state file. The applies end
// here.

#include "controlplane/api/api_server.h"
#include "tests/unit/clock_shift.h"
#include "verbs_double.h"

static struct sync *box;
static struct events *events;
static bool is_next; // another version is in force
static char url[] = "https://box1.test:9953", none[] = "";

// A promotion whose state file is not written yet; and calls that read the box.
static bool holds;
static void (*_Atomic promoted)(void *arg, int err, const char *why);
static void *promoted_arg;
static unsigned looks, promotions;

int __real_sync_promote(struct sync *, void (*)(void *, int, const char *), void *);
int __wrap_sync_promote(struct sync *, void (*)(void *, int, const char *), void *);
int __wrap_sync_promote(
	struct sync *s, void (*done)(void *arg, int err, const char *why), void *arg)
{
	promotions++;
	if (!holds)
		return __real_sync_promote(s, done, arg);
	promoted_arg = arg;
	promoted = done;
	return 0;
}

void __real_sync_status(const struct sync *, struct sync_status *);
void __wrap_sync_status(const struct sync *, struct sync_status *);
void __wrap_sync_status(const struct sync *s, struct sync_status *out)
{
	looks++;
	__real_sync_status(s, out);
}

// A version that falls would name the old primary again, with the epoch of the promotion.
TEST(clients_get_the_same_without_a_health_watch)
{
	assert_reply("POST /fleet/promote", 200, "\"epoch\":2");
	managed_has("sync.primary", true);
	assert_string_equal(verbs_double.what, "fleet promote");
	assert_true(verbs_double.is_kept);
	verbs_double.managed[0] = '\0';
	assert_reply("POST /fleet/leave", 200, "\"epoch\":2");
	assert_string_equal(verbs_double.what, "fleet leave");
	assert_true(verbs_double.is_kept);
	verbs_double.managed[0] = '\0';
}

TEST(health_is_watched_with_own_files)
{
	assert_reply("POST /fleet/leave?own_files=1", 200, "\"ok\":true");
	assert_string_equal(verbs_double.what, "fleet leave --own-files");
	assert_false(verbs_double.is_kept);
}

TEST(the_version_that_was_seen)
{
	versions_double.in_force.number = 3;
	assert_reply("POST /fleet/promote?if_version=2", 409, "version 3 is in force");
	assert_reply("POST /fleet/leave?if_version=2", 409, "version 3 is in force");
	versions_double.in_force.number = 0;
}

static void box_polls(void)
{
	static const char form[] = "protocol=2&box=box3&epoch=0&primary=&digest=&version=0&"
				   "result=none&reason=&ready=1&unix_ms=1&software=x";
	const int fd = client_connect();
	client_send(fd, text_from("POST /sync HTTP/1.1\r\nHost: a\r\nContent-Type: "
				  "application/x-www-form-urlencoded\r\nContent-Length: "
				  "%zu\r\n\r\n%s",
				sizeof(form) - 1, form));
	stream_wait(fd, "\"unchanged\"");
	close(fd);
}

// An operator decides whether all boxes get the version or none does.
TEST(a_primary_that_rolls_out_is_not_promoted)
{
	config.sync.primary = none;
	versions_double.in_force =
		(struct config_version){.number = 1, .result = CONFIG_VERSION_applied};
	box_polls();
	assert_reply("GET /fleet", 200, "\"state\":\"done\"");
	is_next = true;
	versions_double.in_force =
		(struct config_version){.number = 2, .result = CONFIG_VERSION_pending};
	versions_double.watch_left_s = 7;
	assert_reply("POST /fleet/promote", 409, "try again in 9 s");
	versions_double.in_force.result = CONFIG_VERSION_applied;
	versions_double.watch_left_s = 0;
	box_polls();
	assert_reply("GET /fleet", 200, "\"state\":\"rolling\"");
	assert_reply("POST /fleet/promote", 409, "version 2 is being rolled out");
	assert_reply("POST /fleet/stop?if_version=1", 409, "version 2 is the one of the roll-out");
	assert_reply("POST /fleet/stop?if_state=stopped", 409, "version 2 is rolling, not stopped");
	assert_reply(
		"POST /fleet/stop?if_version=2&if_state=rolling", 200, "\"state\":\"stopped\"");
	assert_reply("POST /fleet/apply?if_version=2&if_state=taken_back", 409, "is stopped by uid",
		"not taken_back: look again");
	assert_reply("POST /fleet/stop?if_version=0", 400, "if_version: must be 1 to");
	assert_reply("POST /fleet/promote", 409, "weirctl fleet stop --back");
	clock_ahead_by_ms(SYNC_BOX_AWAY_MS); // nobody is left whose waves would end
	assert_reply("POST /fleet/promote", 200, "\"epoch\":");
	assert_reply("GET /fleet", 200, "\"state\":\"done\"");
	versions_double.in_force = (struct config_version){0};
	config.sync.primary = url;
}

// A later version that stays although its health fell: a way back from the one before never ends.
TEST(a_way_back_that_waits_for_ever_stops_no_promotion)
{
	config.sync.primary = none;
	versions_double.in_force =
		(struct config_version){.number = 4, .result = CONFIG_VERSION_applied};
	box_polls();
	assert_reply("GET /fleet", 200, "\"state\":\"done\"");
	is_next = false;
	versions_double.in_force.number = 5;
	box_polls();
	assert_reply("GET /fleet", 200, "\"state\":\"rolling\"");
	versions_double.in_force =
		(struct config_version){.number = 6, .result = CONFIG_VERSION_fallen};
	assert_reply("POST /fleet/stop?back=1", 200, "\"state\":\"taken_back\"");
	assert_reply("POST /fleet/promote", 200, "\"epoch\":");
	versions_double.in_force = (struct config_version){0};
	config.sync.primary = url;
}

// A version that was taken back stays the last one of the waves, and nothing is to be rolled out.
TEST(a_version_that_was_taken_back_stops_no_promotion)
{
	config.sync.primary = none;
	versions_double.in_force =
		(struct config_version){.number = 7, .result = CONFIG_VERSION_applied};
	box_polls();
	is_next = true;
	versions_double.in_force.number = 8;
	box_polls();
	assert_reply("GET /fleet", 200, "\"state\":\"rolling\"");
	assert_reply("POST /fleet/stop?back=1", 200, "\"state\":\"taken_back\"");
	is_next = false;
	versions_double.in_force.number = 9; // as version 7
	box_polls();
	assert_reply("POST /fleet/promote", 200, "\"epoch\":");
	versions_double.in_force = (struct config_version){0};
	config.sync.primary = url;
}

static int promote_send(void)
{
	int fd = client_connect();
	client_send(fd, "POST /fleet/promote HTTP/1.1\r\nHost: a\r\n\r\n");
	return fd;
}

// One waits for its state file, one for its apply: the service loop brings both outcomes after the
// API has been closed.
TEST(promotions_end_after_the_api)
{
	holds = true;
	const int first = promote_send();
	WAIT_FOR(promoted);
	verbs_double.is_held = true;
	const int second = promote_send();
	WAIT_FOR(is_held_now);
	api_rig_end();
	api = NULL;
	looks = promotions = 0;
	promoted(promoted_arg, 0, "");
	verbs_double.held(verbs_double.held_arg, 0, "", "");
	assert_int_equal(looks, 0);
	assert_int_equal(promotions, 0);
	close(first);
	close(second);
}

static bool is_ready(void *)
{
	return true;
}

static void took_back(void *, unsigned, unsigned, const char *)
{
}

static const struct config_bundle *bundle_now(void *arg)
{
	static char text[] = "blocking:\n  deny: [next.test]\n";
	static struct config_bundle next;
	next = *bundle_double(arg);
	if (is_next)
		next.main = (struct config_text){
			.path = next.main.path, .bytes = text, .len = sizeof(text) - 1};
	return &next;
}

static int setup(void **)
{
	const struct sync_hooks hooks = {
		apply_double, versions_of_double, bundle_now, is_ready, took_back, NULL};
	config.sync.primary = url;
	if (api_rig_begin() < 0 || events_open(&events, "box") < 0
		|| sync_open(&box, service, events, api_folder, &hooks) < 0)
		return -1;
	sync_configure(box,
		&(struct config){.sync = {.primary = none,
					 .token = none,
					 .ca_file = none,
					 .name = none,
					 .waves = {.count = 1, .one = {{1, false}}}}},
		NULL, 0);
	return api_rig_open((struct api_deps){.config_apply = apply_double,
		.managed_text = managed_text_double,
		.versions = versions_of_double,
		.config_bundle = bundle_double,
		.sync = box});
}

static int teardown(void **)
{
	if (api)
		api_rig_end();
	sync_close(box);
	events_close(events);
	return api_rig_close(NULL);
}

TEST_GROUP(setup, teardown)
