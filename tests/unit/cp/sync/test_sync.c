// SPDX-License-Identifier: BSD-3-Clause
// The cycle of a secondary, with polls and writes of the state file that end as the test says, and
// what a primary hands out.

#include "controlplane/sync/sync.h"
#include "controlplane/sync/sync_sign.h"
#include "controlplane/sync/sync_thread.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

#include <weir/clock.h>
#include <weir/heap_site.h>

#define TEXT "blocking:\n  deny: [\"a.test\"]\n"

static char url[] = "https://box1.test:9953", other[] = "https://box3.test:9953", none[] = "";
static char token[] = "t", name[] = "box2", text[] = TEXT;
static struct loop *loop;
static struct events *events;
static struct sync *box;
static struct config config;
static struct config_bundle bundle;
static struct versions_status versions;
static struct sync_status status;
static struct sync_job *jobs[8];
static unsigned job_count, bundles_asked;
static char applied[256];
static int apply_rc;
static bool is_tried_again; // by the last apply
static void (*apply_done)(void *arg, int err, const char *why, const char *restart);
static void *apply_arg;

// A private key and its public one (RFC 8032 7.1, TEST 1).
static const uint8_t key[] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
	0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b,
	0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
static const uint8_t public[] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
	0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02,
	0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
static bool is_signed;

int __wrap_sync_thread_run(struct sync_thread *t, struct sync_job *j);
int __wrap_clock_gettime(clockid_t id, struct timespec *out);
int __real_clock_gettime(clockid_t id, struct timespec *out);

static int ahead_ms;

int __wrap_clock_gettime(clockid_t id, struct timespec *out)
{
	const int rc = __real_clock_gettime(id, out);
	out->tv_sec += id == CLOCK_BOOTTIME ? ahead_ms / 1000 : 0;
	return rc;
}

int __wrap_sync_thread_run(struct sync_thread *, struct sync_job *j)
{
	assert_true(job_count < sizeof(jobs) / sizeof(jobs[0]));
	jobs[job_count++] = j;
	return 0;
}

static int apply(void *, const struct apply_request *r,
	void (*done)(void *, int, const char *, const char *), void *arg)
{
	assert_string_equal(r->who, "sync");
	is_tried_again = r->is_tried_again;
	if (r->why) // a version of the primary
		assert_string_equal(r->why, "made there by token ops: config set");
	snprintf(applied, sizeof(applied), "%s", r->shared);
	apply_done = done;
	apply_arg = arg;
	return apply_rc;
}

static const struct versions_status *versions_of(void *)
{
	return &versions;
}

static const struct config_bundle *bundle_of(void *)
{
	bundles_asked++;
	return &bundle;
}

static bool is_ready(void *)
{
	return true;
}

static void took_back(void *, unsigned, unsigned, const char *)
{
}

static void open_again(void)
{
	const struct sync_hooks hooks = {apply, versions_of, bundle_of, is_ready, took_back, NULL};
	assert_int_equal(sync_open(&box, loop, events, own_folder, &hooks), 0);
	sync_configure(box, &config, NULL, 0);
}

static int start(void **state)
{
	assert_int_equal(own_folder_setup(state), 0);
	assert_int_equal(loop_new("test", &loop), 0);
	assert_int_equal(events_open(&events, "box"), 0);
	config = (struct config){
		.sync = {.primary = url, .token = token, .ca_file = none, .name = name}};
	versions = (struct versions_status){
		.in_force = {.number = 1, .result = CONFIG_VERSION_applied}};
	bundle = (struct config_bundle){0};
	applied[0] = '\0';
	apply_rc = 0;
	ahead_ms = 0;
	is_signed = false;
	open_again();
	return 0;
}

// Ends the oldest job.
static void job_end(void)
{
	struct sync_job *j = jobs[0];
	memmove(jobs, jobs + 1, --job_count * sizeof(jobs[0]));
	if (j->work == sync_save_work)
		j->work(j, NULL);
	j->done(j);
}

static int stop(void **state)
{
	sync_close(box);
	while (job_count)
		job_end();
	events_close(events);
	loop_free(loop);
	return own_folder_teardown(state);
}

// The next poll, and its form; the timer begins it.
static struct sync_poll *poll_next(void)
{
	while (job_count == 0 || jobs[0]->work == sync_save_work)
		if (job_count)
			job_end();
		else
			event_base_loop(loop_base(loop), EVLOOP_ONCE);
	assert_ptr_equal(jobs[0]->work, sync_poll_work);
	return (struct sync_poll *)jobs[0];
}

static void poll_says(const char *what)
{
	if (!strstr(poll_next()->form, what))
		fail_msg("no %s in %s", what, poll_next()->form);
}

static void reply(const char *from, uint64_t epoch, unsigned version, const char *yaml)
{
	struct sync_poll *p = poll_next();
	p->status = 200;
	p->offer = (struct sync_offer){.epoch = epoch, .version = version, .len = strlen(yaml)};
	snprintf(p->offer.box, sizeof(p->offer.box), "%s", from);
	assert_true(sync_digest(yaml, strlen(yaml), p->offer.digest));
	sync_author_set(&p->offer, "token ops", "config set");
	p->offer.text = heap_strdup(yaml);
	if (is_signed)
		assert_true(sync_sign(&p->offer, key));
	job_end();
}

// The version of the reply is saved, and is with the apply.
static void reply_is_applied(unsigned version)
{
	reply("box1", 1, version, TEXT);
	assert_string_equal(applied, ""); // not before the state is on disk
	assert_ptr_equal(jobs[0]->work, sync_save_work);
	job_end();
	assert_string_equal(applied, TEXT);
	applied[0] = '\0';
}

static void in_force(void)
{
	versions.in_force.number = 2;
	versions.in_force.result = CONFIG_VERSION_pending; // its watch begins a little later
	bundle.shared = (struct config_text){.bytes = text, .len = strlen(TEXT)};
	apply_done(apply_arg, 0, "", "");
}

static void watch_ends(enum config_version_result result)
{
	versions.watch_left_s = 0;
	versions.in_force.result = result;
}

// Another process: its memory is that of the state file.
static void restart(void)
{
	sync_close(box);
	while (job_count)
		job_end();
	open_again();
}

TEST_WITH(a_version_is_held_once_its_watch_ended, start, stop)
{
	poll_says("result=none");
	reply_is_applied(5);
	in_force();
	poll_says("version=5&result=pending");
	assert_null(strstr(poll_next()->url, "wait"));
	versions.watch_left_s = 10;
	reply("box1", 1, 5, TEXT);
	poll_says("version=5&result=pending");
	watch_ends(CONFIG_VERSION_applied);
	reply("box1", 1, 5, TEXT);
	poll_says("version=5&result=held");
	assert_non_null(strstr(poll_next()->url, "wait=30"));
	sync_status(box, &status);
	assert_int_equal(status.taken, 1);
	assert_string_equal(status.memory.primary, "box1");
	assert_string_equal(applied, "");
}

TEST_WITH(polls_while_a_version_is_taken_become_rarer, start, stop)
{
	reply_is_applied(5);
	in_force();
	versions.watch_left_s = 10;
	reply("box1", 1, 5, TEXT);
	reply("box1", 1, 5, TEXT); // after a second
	uint64_t since_ms = clock_mono_ms();
	(void)poll_next();
	assert_true(clock_mono_ms() - since_ms >= 1900);
	reply("box1", 1, 5, TEXT);
	since_ms = clock_mono_ms();
	watch_ends(CONFIG_VERSION_applied); // the verdict is reported at once
	poll_says("result=held");
	assert_true(clock_mono_ms() - since_ms < 2000);
}

TEST_WITH(a_refused_version_is_reported_and_not_taken_again, start, stop)
{
	reply_is_applied(5);
	apply_done(apply_arg, -EINVAL, "groups: list \"more\" is not defined", "");
	poll_says("version=5&result=refused&reason=groups");
	reply("box1", 1, 6, TEXT); // the same text as another version
	poll_says("result=refused");
	assert_string_equal(applied, "");
	reply("box1", 1, 7, "blocking:\n  deny: [\"b.test\"]\n");
	job_end();
	assert_string_not_equal(applied, "");
}

// The cause may be gone: the version is taken again, also after a restart.
TEST_WITH(another_configuration_of_the_box_forgets_a_refusal, start, stop)
{
	for (unsigned round = 0; round < 2; round++) {
		versions.in_force.digest = 7;
		reply_is_applied(5);
		apply_done(apply_arg, -EINVAL, "groups: list \"more\" is not defined", "");
		poll_says("result=refused");
		reply("box1", 1, 5, TEXT);
		poll_says("result=refused"); // which is held
		versions.in_force.digest = 8;
		if (round) {
			restart();
		} else {
			sync_version_changed(box);
			event_base_loop(loop_base(loop), EVLOOP_ONCE);
			job_end(); // it is cut
		}
		poll_says("digest=&version=0&result=none");
	}
	reply_is_applied(5);
}

static void shared_is_in_force(void)
{
	static char main_text[] = "{}\n";
	bundle.main = (struct config_text){
		.path = main_text, .bytes = main_text, .len = strlen(main_text)};
	bundle.shared = (struct config_text){.path = text, .bytes = text, .len = strlen(TEXT)};
}

// The managed part has an item of a shared section, in a version with this digest.
static void item_is_managed(uint64_t digest)
{
	static char managed[] = "entries: [{name: m.test, verdict: deny}]\n";
	bundle.managed =
		(struct config_text){.path = managed, .bytes = managed, .len = strlen(managed)};
	versions.in_force.digest = digest;
}

// Items of sections that sync.own no longer keeps do not wait for the primary's next version.
TEST_WITH(items_of_shared_sections_go_at_once, start, stop)
{
	shared_is_in_force();
	reply("box1", 1, 5, TEXT);
	poll_says("result=held");
	item_is_managed(9);
	apply_rc = -EBUSY; // the change itself still runs
	sync_version_changed(box);
	while (!*applied)
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	apply_rc = 0;
	applied[0] = '\0';
	while (!*applied)
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	assert_string_equal(applied, TEXT); // the apply takes the items out
	applied[0] = '\0';
	bundle.managed = (struct config_text){0};
	versions.in_force.digest = 10;
	apply_done(apply_arg, 0, "", "");
	sync_version_changed(box);
	event_base_loop(loop_base(loop), EVLOOP_ONCE);
	assert_string_equal(applied, "");
	poll_says("result=held");
	item_is_managed(9); // health fell without the items: they stay
	sync_version_changed(box);
	event_base_loop(loop_base(loop), EVLOOP_ONCE);
	assert_string_equal(applied, "");
}

// `fleet leave` has moved items into the managed part: they stay until the primary has replied.
TEST_WITH(a_box_that_comes_back_keeps_its_items_while_the_primary_is_away, start, stop)
{
	shared_is_in_force();
	reply("box1", 1, 5, TEXT);
	config.sync.primary = none;
	sync_configure(box, &config, NULL, 0);
	item_is_managed(9);
	config.sync.primary = url;
	sync_configure(box, &config, NULL, 0);
	sync_version_changed(box);
	poll_next()->err = -ETIMEDOUT;
	job_end();
	event_base_loop(loop_base(loop), EVLOOP_ONCE);
	assert_string_equal(applied, "");
	reply("box1", 1, 5, TEXT);
	while (!*applied)
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	assert_string_equal(applied, TEXT);
}

// A box that leaves the fleet while it watches a version has nothing to report.
TEST_WITH(a_box_that_leaves_drops_its_try, start, stop)
{
	reply_is_applied(5);
	in_force();
	config.sync.primary = none;
	sync_configure(box, &config, NULL, 0);
	bundle.shared = (struct config_text){0};
	watch_ends(CONFIG_VERSION_applied);
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	sync_status(box, &status);
	assert_int_equal(status.taken_back + status.refused + status.taken, 0);
	assert_string_equal(status.memory.trying, "");
}

// A newer weir may know the key for which the older one refused the version.
TEST_WITH(another_weir_on_this_box_takes_a_refused_version, start, stop)
{
	char why[STATE_FILE_WHY_MAX];
	struct sync_memory m;
	reply_is_applied(5);
	apply_done(apply_arg, -EINVAL, "blocking.newer_key: unknown key (shared.yaml:3:3)", "");
	poll_says("result=refused");
	restart();
	poll_says("result=refused");
	const char *path = text_from("%s/sync", own_folder);
	assert_int_equal(sync_memory_read(&m, path), 0);
	m.software[0] = 'x';
	assert_int_equal(sync_memory_write(&m, path, why), 0);
	restart();
	poll_says("version=0&result=none");
	reply_is_applied(5);
}

TEST_WITH(a_version_that_is_taken_back_is_reported, start, stop)
{
	reply_is_applied(5);
	in_force();
	versions.in_force.number = 4; // version 3 was another change during the watch
	versions.last_taken_back = 3;
	watch_ends(CONFIG_VERSION_applied);
	snprintf(versions.taken_back_why, sizeof(versions.taken_back_why), "no answers");
	bundle.shared = (struct config_text){0};
	reply("box1", 1, 5, TEXT);
	poll_says("version=5&result=taken_back&reason=no");
	sync_status(box, &status);
	assert_int_equal(status.taken_back, 1);
}

TEST_WITH(a_version_waits_while_another_change_runs, start, stop)
{
	apply_rc = -EBUSY;
	reply_is_applied(5);
	apply_rc = 0;
	poll_says("result=none");
	reply_is_applied(5);
}

TEST_WITH(an_error_that_is_no_verdict_refuses_nothing, start, stop)
{
	reply_is_applied(5);
	apply_done(apply_arg, -ETIMEDOUT, "a thread hangs", "");
	assert_int_equal(job_count, 1); // no poll for now
	assert_ptr_equal(jobs[0]->work, sync_save_work);
	sync_status(box, &status);
	assert_int_equal(status.refused, 0);
	assert_string_equal(status.memory.refused, "");
	assert_string_equal(status.memory.trying, "");
	assert_non_null(strstr(status.why, "a thread hangs"));
}

static void waits_for(const char *what)
{
	sync_status(box, &status);
	assert_int_equal(status.refused, 0);
	assert_string_equal(status.memory.trying, "");
	if (!strstr(status.waits_why, what))
		fail_msg("%s", status.waits_why);
	ahead_ms += SYNC_BACKOFF_MAX_MS;
	sync_version_changed(box); // the timer rings
	poll_says("result=none&reason=version%205%20of%20box1%20cannot%20be%20taken%20now");
}

TEST_WITH(a_version_waits_while_the_disk_is_full, start, stop)
{
	reply("box1", 1, 5, TEXT);
	struct sync_save *save = (struct sync_save *)jobs[0];
	jobs[0]->work = NULL; // it is not written
	save->err = -ENOSPC;
	snprintf(save->why, sizeof(save->why), "/state/sync: No space left");
	job_end();
	assert_string_equal(applied, "");
	waits_for("/state/sync: No space left");
	reply_is_applied(5);
	assert_true(is_tried_again);
	apply_done(apply_arg, -ENOSPC, "/state/config: No space left", "");
	waits_for("/state/config: No space left");
	reply_is_applied(5);
	in_force();
	sync_status(box, &status);
	assert_string_equal(status.waits_why, "");
	poll_says("result=pending&reason=&");
	watch_ends(CONFIG_VERSION_applied);
	reply("box1", 1, 5, TEXT);
	poll_says("version=5&result=held&reason=&");
}

TEST_WITH(a_version_is_not_tried_again_at_once, start, stop)
{
	reply_is_applied(5);
	struct sync_poll *p = poll_next(); // it runs while the apply ends
	apply_done(apply_arg, -ENOMEM, "", "");
	assert_ptr_equal(poll_next(), p);
	reply("box1", 1, 5, TEXT);
	assert_string_equal(applied, "");
	sync_status(box, &status);
	assert_non_null(strstr(status.why, "memory"));
}

TEST_WITH(a_restart_goes_on_with_the_watch, start, stop)
{
	reply_is_applied(5);
	in_force();
	restart();
	versions.in_force.result = CONFIG_VERSION_watched_again;
	versions.watch_left_s = 10;
	reply("box1", 1, 5, TEXT);
	poll_says("version=5&result=pending");
	sync_status(box, &status);
	assert_int_equal(status.memory.tries, 1);
	watch_ends(CONFIG_VERSION_applied);
	reply("box1", 1, 5, TEXT);
	poll_says("version=5&result=held");
	sync_status(box, &status);
	assert_string_equal(status.memory.trying, "");
}

TEST_WITH(a_version_that_fell_and_stays_is_not_held, start, stop)
{
	reply_is_applied(5);
	in_force();
	watch_ends(CONFIG_VERSION_fallen);
	snprintf(versions.in_force.reason, sizeof(versions.in_force.reason), "no answers");
	reply("box1", 1, 5, TEXT);
	poll_says("version=5&result=taken_back&reason=no");
	versions.in_force.number++; // an edit by weir inherits that health fell
	versions.in_force.digest++;
	sync_version_changed(box);
	reply("box1", 1, 5, TEXT);
	poll_says("version=5&result=taken_back&reason=no");
}

TEST_WITH(settings_that_change_while_the_state_is_saved_drop_the_version, start, stop)
{
	reply("box1", 1, 5, TEXT);
	config.sync.primary = none;
	sync_configure(box, &config, NULL, 0);
	while (job_count)
		job_end();
	assert_string_equal(applied, "");
	sync_status(box, &status);
	assert_int_equal(status.result, SYNC_none);
}

TEST_WITH(a_text_that_is_no_shared_part_is_refused, start, stop)
{
	struct sync_poll *p = poll_next();
	p->offer = (struct sync_offer){.box = "box1",
		.epoch = 1,
		.version = 5,
		.text = heap_strdup("x"),
		.text_why = "no section"};
	assert_true(sync_digest("x", 1, p->offer.digest));
	job_end();
	poll_says("result=refused&reason=no");
	assert_string_equal(applied, "");
}

TEST_WITH(a_primary_with_an_older_epoch_is_not_followed, start, stop)
{
	reply("box1", 3, 5, TEXT);
	job_end();
	in_force();
	watch_ends(CONFIG_VERSION_applied);
	reply("box3", 2, 9, "blocking:\n  enabled: false\n");
	sync_status(box, &status);
	assert_true(status.is_epoch_refused);
	assert_non_null(strstr(status.why, "box1"));
	assert_non_null(strstr(status.why, "box3"));
	assert_string_equal(applied, TEXT);
}

static void trust(void)
{
	config.sync.trusted_count = 1;
	memcpy(config.sync.trusted[0], public, sizeof(public));
	sync_configure(box, &config, NULL, 0);
}

static void is_untrusted(const char *what)
{
	assert_string_equal(applied, "");
	sync_status(box, &status);
	assert_true(status.is_untrusted);
	assert_non_null(strstr(status.why, what));
}

TEST_WITH(an_unsigned_primary_changes_nothing, start, stop)
{
	trust();
	reply("box9", 7, 5, TEXT);
	is_untrusted("version 5 of box9 is not signed");
	struct sync_poll *p = poll_next(); // it says that nothing has changed
	p->offer = (struct sync_offer){.box = "box9", .epoch = 7, .is_unchanged = true};
	memset(p->offer.digest, 'a', SYNC_DIGEST_LEN);
	job_end();
	is_untrusted("is not signed");
	assert_int_equal(status.memory.epoch, 0);
	assert_string_equal(status.memory.primary, "");
	assert_int_equal(status.polls[SYNC_POLL_signature], 2);
	assert_int_equal(status.good_unix_s, 0);
	is_signed = true;
	reply_is_applied(5);
	sync_status(box, &status);
	assert_false(status.is_untrusted);
}

TEST_WITH(an_older_version_is_not_taken_after_a_restart_either, start, stop)
{
	is_signed = true;
	trust();
	reply_is_applied(5);
	in_force();
	watch_ends(CONFIG_VERSION_applied);
	restart();
	reply("box1", 1, 4, "blocking:\n  enabled: false\n");
	is_untrusted("version 4 of box1 is older than version 5");
	reply("box1", 1, 6, "blocking:\n  enabled: false\n");
	job_end();
	assert_string_not_equal(applied, "");
}

TEST_WITH(new_settings_drop_the_reply_of_the_primary_before, start, stop)
{
	struct sync_poll *p = poll_next();
	config.sync.primary = other;
	sync_configure(box, &config, NULL, 0);
	assert_ptr_equal(poll_next(), p);
	reply("box1", 1, 5, TEXT);
	assert_non_null(strstr(poll_next()->url, "box3.test"));
	sync_status(box, &status);
	assert_string_equal(status.memory.primary, "");
}

static int promoted_err = 1;

static void promoted(void *, int err, const char *)
{
	promoted_err = err;
}

static void primary_make(void)
{
	config.sync.primary = none;
	sync_configure(box, &config, NULL, 0);
	while (job_count)
		job_end();
}

TEST_WITH(a_higher_epoch_refuses_the_box_that_has_it, start, stop)
{
	struct sync_report r = {.box = "box3", .epoch = 1, .primary = "box2"};
	char why[SYNC_WHY_MAX];
	assert_int_equal(sync_noted(box, &r, "192.0.2.3", "token x", why), -EPERM); // a secondary
	primary_make();
	assert_int_equal(sync_noted(box, &r, "192.0.2.3", "token x", why), 0);
	r.epoch = 4;
	snprintf(r.primary, sizeof(r.primary), "box9");
	assert_int_equal(sync_noted(box, &r, "192.0.2.3", "token x", why), -EPERM);
	assert_non_null(strstr(why, "box9"));
	sync_status(box, &status);
	assert_string_equal(status.rival, "box9");
	const struct sync_report same = {.box = "box4", .epoch = 1, .primary = "box2"};
	assert_int_equal(sync_noted(box, &same, "192.0.2.4", "token x", why), 0);
	assert_int_equal(sync_promote(box, promoted, NULL), 0);
	assert_int_equal(sync_promote(box, promoted, NULL), -EBUSY);
	job_end();
	assert_int_equal(promoted_err, 0);
	sync_status(box, &status);
	assert_int_equal(status.epoch, 5);
	assert_string_equal(status.rival, "");
	assert_int_equal(sync_noted(box, &r, "192.0.2.3", "token x", why), 0);
}

TEST_WITH(a_higher_epoch_is_forgotten_when_its_box_stays_away, start, stop)
{
	const struct sync_report r = {.box = "box3", .epoch = 7, .primary = "box9"};
	char why[SYNC_WHY_MAX];
	primary_make();
	assert_int_equal(sync_noted(box, &r, "192.0.2.3", "token x", why), -EPERM);
	ahead_ms = SYNC_BOX_AWAY_MS;
	sync_status(box, &status);
	assert_string_equal(status.rival, "");
	assert_int_equal(sync_noted(box, &r, "192.0.2.3", "token x", why), -EPERM);
	sync_status(box, &status);
	assert_string_equal(status.rival, "box9");
}

// A report alone must not use up the epochs.
TEST_WITH(an_epoch_far_above_is_not_gone_beyond, start, stop)
{
	static const struct {
		uint64_t epoch, promoted;
	} cases[] = {{SYNC_EPOCH_MAX, 2}, {SYNC_EPOCH_MAX - 1, 3}, {1004, 4}, {1004, 1005}};
	struct sync_report r = {.box = "box3", .primary = "box9"};
	char why[SYNC_WHY_MAX];
	primary_make();
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		ahead_ms += SYNC_BOX_AWAY_MS; // the report before counts no more
		r.epoch = cases[i].epoch;
		assert_int_equal(sync_noted(box, &r, "192.0.2.3", "token x", why), -EPERM);
		assert_int_equal(sync_promote(box, promoted, NULL), 0);
		job_end();
		sync_status(box, &status);
		assert_int_equal(status.epoch, cases[i].promoted);
	}
}

static void main_is_good(void)
{
	static char good[] = TEXT, path[] = "weir.yaml";
	bundle.main = (struct config_text){
		.path = path, .shown = path, .bytes = good, .len = strlen(good)};
}

// A promotion that the disk refuses leaves no box with its epoch.
TEST_WITH(an_epoch_is_on_disk_before_a_box_has_it, start, stop)
{
	primary_make();
	main_is_good();
	assert_int_equal(sync_promote(box, promoted, NULL), 0);
	assert_int_equal(sync_offered(box)->epoch, 1);
	sync_status(box, &status);
	assert_int_equal(status.epoch, 1);
	job_end();
	assert_int_equal(sync_offered(box)->epoch, 2);
}

// A roll-out that no box has begun goes to all at once, as the versions of a new primary do.
TEST_WITH(a_promotion_ends_the_waves, start, stop)
{
	static char next[] = "blocking:\n  deny: [\"b.test\"]\n";
	const struct sync_report r = {.box = "box3", .epoch = 1, .primary = "box2"};
	char why[SYNC_WHY_MAX];
	config.sync.waves = (struct config_waves){.count = 1, .one = {{1, false}}};
	primary_make();
	main_is_good();
	assert_non_null(sync_offered(box));
	bundle.main.bytes = next;
	versions.in_force.number++;
	assert_int_equal(sync_noted(box, &r, "192.0.2.3", "token x", why), 0);
	assert_false(sync_may_have(box, sync_offered(box), "box3", "192.0.2.3"));
	while (job_count)
		job_end();
	assert_int_equal(sync_promote(box, promoted, NULL), 0);
	assert_false(sync_may_have(box, sync_offered(box), "box3", "192.0.2.3"));
	job_end();
	assert_true(sync_may_have(box, sync_offered(box), "box3", "192.0.2.3"));
}

TEST_WITH(only_its_own_save_ends_a_promotion, start, stop)
{
	reply("box1", 1, 5, TEXT);
	config.sync.primary = none;
	sync_configure(box, &config, NULL, 0);
	promoted_err = 1;
	assert_int_equal(sync_promote(box, promoted, NULL), 0);
	job_end();
	job_end(); // the version is dropped
	assert_int_equal(promoted_err, 1);
	job_end();
	assert_int_equal(promoted_err, 0);
	assert_string_equal(applied, "");
}

TEST_WITH(a_version_goes_out_after_its_watch, start, stop)
{
	primary_make();
	main_is_good();
	versions.watch_left_s = 3;
	assert_null(sync_offered(box));
	watch_ends(CONFIG_VERSION_pending); // it has not begun
	assert_null(sync_offered(box));
	watch_ends(CONFIG_VERSION_fallen);
	assert_null(sync_offered(box));
	watch_ends(CONFIG_VERSION_applied);
	assert_non_null(sync_offered(box));
}

TEST_WITH(a_secondary_hands_nothing_out, start, stop)
{
	primary_make();
	main_is_good();
	assert_non_null(sync_offered(box));
	config.sync.primary = url;
	sync_configure(box, &config, NULL, 0);
	assert_null(sync_offered(box));
	reply("box1", 2, 5, TEXT);
	assert_null(sync_offered(box));
}

TEST_WITH(a_primary_signs_with_the_key_of_the_moment, start, stop)
{
	char why[SYNC_WHY_MAX];
	main_is_good();
	config.sync.primary = none;
	sync_configure(box, &config, NULL, 0);
	assert_string_equal(sync_offered(box)->signature, "");
	config.sync.has_sign_key = true;
	memcpy(config.sync.sign_key, key, sizeof(key));
	sync_configure(box, &config, NULL, 0);
	const struct sync_offer *o = sync_offered(box);
	assert_true(sync_signature_check(o, &public, 1, why));
	versions.in_force.number++;
	o = sync_offered(box);
	assert_int_equal(o->version, 2);
	assert_true(sync_signature_check(o, &public, 1, why));
}

static void box3_polls(void)
{
	const struct sync_report r = {.box = "box3", .epoch = 1, .primary = "box2"};
	char why[SYNC_WHY_MAX];
	assert_int_equal(sync_noted(box, &r, "192.0.2.3", "token x", why), 0);
	assert_int_equal(sync_boxes_of(box)->count, 1);
}

// No poll comes that would drop it.
TEST_WITH(the_row_of_the_last_box_goes, start, stop)
{
	primary_make();
	main_is_good();
	box3_polls();
	ahead_ms = SYNC_BOX_LIFE_MS;
	for (unsigned i = 0; i < 3 && sync_boxes_of(box)->count > 0; i++)
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	assert_int_equal(sync_boxes_of(box)->count, 0);
}

TEST_WITH(a_secondary_has_no_boxes, start, stop)
{
	primary_make();
	box3_polls();
	config.sync.primary = url;
	sync_configure(box, &config, NULL, 0);
	assert_null(sync_boxes_of(box));
	assert_false(sync_may_have(box, &(struct sync_offer){0}, "box3", "192.0.2.3"));
	primary_make();
	box3_polls();
}

TEST_WITH(the_version_to_go_back_to_is_known_to_the_store, start, stop)
{
	static char good[] = TEXT, path[] = "weir.yaml";
	assert_int_equal(sync_base_version(NULL), 0);
	assert_int_equal(sync_base_version(box), 0);
	bundle.main = (struct config_text){
		.path = path, .shown = path, .bytes = good, .len = strlen(good)};
	primary_make();
	versions.in_force.number = 12;
	assert_non_null(sync_offered(box));
	assert_int_equal(sync_base_version(box), 12);
}

TEST_WITH(a_text_that_cannot_be_made_is_tried_once, start, stop)
{
	static char bad[] = "a: [", path[] = "weir.yaml";
	bundle.main =
		(struct config_text){.path = path, .shown = path, .bytes = bad, .len = strlen(bad)};
	primary_make();
	assert_null(sync_offered(box));
	sync_status(box, &status);
	assert_string_not_equal(status.out_why, "");
	const unsigned before = bundles_asked;
	assert_null(sync_offered(box));
	assert_int_equal(bundles_asked, before);
}
