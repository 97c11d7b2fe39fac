// SPDX-License-Identifier: BSD-3-Clause

// Entries end by the machine's clock, whatever it does. The applies end here.

#include "controlplane/api/api.h"
#include "controlplane/verbs/verb_ends.h"
#include "controlplane/versions/apply.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

static struct {
	char managed[1024], what[CONFIG_VERSION_WHAT_MAX], text[1024];
	bool has_text;
	int rc, err;
	unsigned applied;
} apply;

static struct config_dated_entry entry;
static struct config config = {.dated = {.entries = &entry}};
static struct api_deps deps;
static struct versions_status versions;

static const struct versions_status *versions_of(void *)
{
	return &versions;
}

static const char *managed_text(void *)
{
	return apply.managed;
}

static int config_apply(void *a, const struct apply_request *r, api_config_done done, void *arg)
{
	assert_ptr_equal(a, &deps);
	assert_string_equal(r->who, "timer");
	assert_true(r->is_internal && !r->from_disk);
	apply.applied++;
	snprintf(apply.what, sizeof(apply.what), "%s", r->what);
	apply.has_text = r->managed != NULL;
	snprintf(apply.text, sizeof(apply.text), "%s", r->managed ? r->managed : "");
	if (apply.rc < 0)
		return apply.rc;
	if (apply.err >= 0 && r->managed)
		snprintf(apply.managed, sizeof(apply.managed), "%s", r->managed);
	if (apply.err >= 0 && config.dated.count && entry.until
		&& entry.until <= (int64_t)(clock_ms_of(CLOCK_REALTIME) / 1000))
		entry.ended = true;
	done(arg, apply.err, apply.err ? "no" : "", "");
	return 0;
}

// The loop runs for so many looks, and less than one more.
static void looks(unsigned count)
{
	const struct timeval wait = {.tv_sec = count, .tv_usec = 300000};
	struct event_base *base = loop_base(deps.service);
	assert_int_equal(event_base_loopexit(base, &wait), 0);
	assert_int_equal(event_base_dispatch(base), 0);
}

static int64_t now(void)
{
	return (int64_t)(clock_ms_of(CLOCK_REALTIME) / 1000);
}

// An entry of the managed part, in force, that ends so many seconds from now.
static void entry_set(int64_t left_s)
{
	char until[CONFIG_TIME_TEXT_MAX];
	memset(&apply, 0, sizeof(apply));
	entry = (struct config_dated_entry){.until = now() + left_s, .allow = true};
	entry.name = name_of_text("a.test");
	config.dated.count = 1;
	snprintf(apply.managed, sizeof(apply.managed),
		"entries: [{name: a.test, verdict: allow, until: '%s'}, {name: b, verdict: "
		"deny}]\n",
		config_time_text(entry.until, until));
}

static struct verb_ends *ends;

FIXTURE_OF(ends_open, verb_ends_open(&ends, &deps))

FIXTURE(ends_close, verb_ends_close(ends))

TEST_WITH(test_steps, ends_open, ends_close)
{
	entry_set(3600);
	looks(1);
	assert_int_equal(apply.applied, 0);
	clock_step_ms(-7200 * 1000); // it lasts longer then
	looks(1);
	assert_int_equal(apply.applied, 0);
	clock_step_ms((7200 + 3601) * 1000);
	looks(1);
	assert_int_equal(apply.applied, 1);
	assert_string_equal(apply.what, "end of allow a.test");
	assert_string_equal(
		apply.text, APP_MANAGED_HEAD "entries:\n  - {name: \"b\", verdict: \"deny\"}\n");
	clock_step_ms(-3600 * 1000); // it stays away
	looks(1);
	assert_int_equal(apply.applied, 1);
}

TEST_WITH(test_file, ends_open, ends_close)
{
	entry_set(0);
	strcpy(apply.managed, "");
	looks(1);
	assert_int_equal(apply.applied, 1);
	assert_false(apply.has_text); // the texts stay, and are read again
	looks(1);
	assert_int_equal(apply.applied, 1);
}

TEST_WITH(test_again, ends_open, ends_close)
{
	entry_set(0);
	apply.rc = -EBUSY; // at the next look
	looks(2);
	assert_int_equal(apply.applied, 2);
	apply.rc = 0;
	apply.err = -EINVAL; // later
	looks(2);
	assert_int_equal(apply.applied, 3);
	apply.err = 0;
	clock_suspend_ms(11000);
	looks(1);
	assert_int_equal(apply.applied, 4);
}

// What has ended is gone, though a list is not there.
TEST_WITH(test_warning, ends_open, ends_close)
{
	entry_set(0);
	apply.err = EIO;
	looks(1);
	assert_int_equal(apply.applied, 1);
	apply.err = 0;
	entry.ended = false; // the next one is at once: no wait remains of a failure
	entry.until = now();
	looks(1);
	assert_int_equal(apply.applied, 2);
}

// What ended while no control plane ran has no effect since the start, and goes.
TEST(test_start)
{
	struct verb_ends *d = NULL;
	entry_set(-5);
	entry.ended = true;
	assert_int_equal(verb_ends_open(&d, &deps), 0);
	looks(2);
	assert_int_equal(apply.applied, 1);
	assert_string_equal(apply.what, "end of entries while weir was down");
	assert_null(strstr(apply.managed, "a.test"));
	// A rollback brings it back, and its health is watched first.
	entry_set(-5);
	entry.ended = true;
	config.text_hash = 7;
	versions.watch_left_s = 10;
	looks(2);
	assert_int_equal(apply.applied, 0);
	versions.watch_left_s = 0;
	looks(1);
	assert_int_equal(apply.applied, 1);
	assert_string_equal(apply.what, "end of entries that came back");
	assert_null(strstr(apply.managed, "a.test"));
	looks(1);
	assert_int_equal(apply.applied, 1);
	verb_ends_close(d);
	verb_ends_close(NULL);
}

static const struct config *current(void *)
{
	return &config;
}

static int setup(void **)
{
	deps = (struct api_deps){.config_current = current,
		.managed_text = managed_text,
		.versions = versions_of,
		.config_apply = config_apply,
		.reload_arg = &deps};
	return loop_new("service", &deps.service);
}

FIXTURE(teardown, loop_free(deps.service))

TEST_GROUP(setup, teardown)
