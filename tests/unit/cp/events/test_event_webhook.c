// SPDX-License-Identifier: BSD-3-Clause
// Webhooks of events: which events a target gets, how many messages, and that a failed message is
// sent again.

#include "controlplane/events/out/event_outs.h"
#include "tests/unit/cp/http/fake_post.h"
#include "tests/unit/unit.h"

enum { BODIES_MAX = 16 };

static struct fake_post server;
static char url[64], none[] = "";
static struct events *events;
static struct event_outs *outs;
static struct config_event_webhook target;
static struct config_event_webhook two[2];
static const char *only; // `status` is for messages with this text alone; NULL: for all
static _Atomic uint64_t first_ms, second_ms; // when these messages came
static _Atomic int status;
static _Atomic unsigned received;
static char body[BODIES_MAX][16384];

static int answer(void *, const struct fake_post_request *r, char *)
{
	const int now = status; // the test may change it once it sees the request
	if (received < 2)
		*(received == 0 ? &first_ms : &second_ms) = clock_mono_ms();
	if (received < BODIES_MAX)
		snprintf(body[received], sizeof(body[0]), "%.*s", (int)r->len,
			(const char *)r->body);
	received++;
	return only && !memmem(r->body, r->len, only, strlen(only)) ? 204 : now;
}

static int fresh(void **)
{
	server = (struct fake_post){.answer = answer};
	fake_post_start(&server);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/secret", server.port);
	target = (struct config_event_webhook){
		.to = {.url = url, .per_minute = 600}, .kinds = EVENT_KINDS_ALL};
	status = 204;
	received = 0;
	only = NULL;
	if (events_open(&events, "box") < 0)
		return -1;
	const struct event_outs_settings s = {.events = events, .box = "box"};
	return event_outs_open(&outs, &s);
}

static int gone(void **)
{
	event_outs_close(outs);
	events_close(events);
	fake_post_stop(&server);
	return 0;
}

static void configure(void)
{
	const struct config_events c = {.journal = EVENTS_JOURNAL_OFF,
		.syslog = none,
		.webhook_count = 1,
		.webhooks = &target};
	assert_int_equal(event_outs_configure(outs, true, &c, NULL, 0), 0);
}

static void received_wait(unsigned count)
{
	WAIT_FOR(received >= count);
}

static struct sink_status sink(void)
{
	struct sink_status s[EVENT_OUTS];
	assert_int_equal(event_outs_status(outs, s), 1);
	return s[0];
}

static void written_wait(uint64_t count)
{
	WAIT_FOR(sink().written >= count);
	assert_int_equal(sink().written, count);
}

static unsigned count_of(const char *text, const char *part)
{
	unsigned n = 0;
	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

TEST_WITH(a_target_gets_what_it_chose, fresh, gone)
{
	target.kinds = (1 << EVENT_list_failed) | (1 << EVENT_config_reloaded);
	target.severity = EVENT_IS_warning;
	configure();
	events_add(events, EVENT_upstream_down, NULL, "of another kind");
	events_add(events, EVENT_config_reloaded, NULL, "less severe");
	events_add(events, EVENT_list_failed, EVENT_FIELDS({"list", "a\"b"}), "wanted");
	received_wait(1);
	written_wait(1);
	assert_non_null(strstr(body[0], "\"kind\":\"events\",\"box\":\"box\",\"missed\":0"));
	assert_non_null(strstr(body[0], "\"text\":\"wanted\""));
	assert_non_null(strstr(body[0], "\"fields\":{\"list\":\"a\\\"b\"}"));
	assert_int_equal(count_of(body[0], "\"number\""), 1);
}

TEST_WITH(a_flood_is_few_messages, fresh, gone)
{
	status = 500; // the first message, of whatever had come by then, comes again
	configure();
	for (unsigned i = 0; i < 12; i++)
		events_add(events, EVENT_alarm_raised, NULL, "event %u", i);
	received_wait(1);
	status = 204;
	received_wait(3);
	written_wait(2);
	assert_int_equal(count_of(body[1], "\"number\""), 8);
	assert_int_equal(count_of(body[2], "\"number\""), 4);
	assert_non_null(strstr(body[1], "\"event 0\""));
	assert_non_null(strstr(body[2], "\"event 11\""));
	assert_int_equal(sink().failures, 1);
}

TEST_WITH(what_is_overwritten_is_said, fresh, gone)
{
	status = 503;
	configure();
	events_add(events, EVENT_alarm_raised, NULL, "lost");
	received_wait(1);
	assert_true(sink().failing || sink().failures == 0);
	for (unsigned i = 0; i < EVENTS_MAX; i++)
		events_add(events, EVENT_alarm_over, NULL, "kept");
	status = 204;
	received_wait(2);
	written_wait(1);
	assert_non_null(strstr(body[1], "\"missed\":1"));
	assert_null(strstr(body[1], "lost"));
	assert_int_equal(sink().lost, 1);
	assert_string_equal(sink().target, "1 targets");
}

TEST_WITH(discord_gets_lines_without_its_own_marks, fresh, gone)
{
	target.to.form = WEBHOOK_DISCORD;
	configure();
	events_add(events, EVENT_list_failed, NULL, "list `ads` @everyone");
	received_wait(1);
	assert_non_null(strstr(body[0], "warning list_failed: `list 'ads' @everyone`"));
	assert_non_null(strstr(body[0], "\"allowed_mentions\":{\"parse\":[]}"));
	written_wait(1);
}

// A target that stays in the settings goes on where it was.
TEST_WITH(other_settings_lose_nothing, fresh, gone)
{
	status = 500;
	configure();
	events_add(events, EVENT_alarm_raised, NULL, "before");
	received_wait(1);
	status = 204;
	target.severity = EVENT_IS_warning;
	configure();
	received_wait(2);
	assert_non_null(strstr(body[1], "\"before\""));
	written_wait(1);
}

static void configure_two(void)
{
	const struct config_events c = {
		.journal = EVENTS_JOURNAL_OFF, .syslog = none, .webhook_count = 2, .webhooks = two};
	assert_int_equal(event_outs_configure(outs, true, &c, NULL, 0), 0);
}

// Each goes on at its own position, whatever their order.
TEST_WITH(two_targets_of_one_url_are_two, fresh, gone)
{
	two[0] = two[1] = target;
	two[0].kinds = 1 << EVENT_config_reloaded;
	two[1].kinds = 1 << EVENT_list_failed;
	status = FAKE_POST_CLOSE; // the server has one connection at a time
	only = "\"waits\"";
	configure_two();
	events_add(events, EVENT_list_failed, NULL, "waits");
	received_wait(1);
	events_add(events, EVENT_config_reloaded, NULL, "taken");
	written_wait(1);
	configure_two();
	status = 204;
	written_wait(2);
	assert_non_null(strstr(body[received - 1], "\"waits\""));
}

// A waiting event is sent by the one of the two targets that chose its kind.
TEST_WITH(a_target_split_in_two_loses_nothing, fresh, gone)
{
	status = 500;
	configure();
	events_add(events, EVENT_list_failed, NULL, "waits");
	received_wait(1);
	two[0] = two[1] = target;
	two[0].kinds = 1 << EVENT_config_reloaded;
	two[1].kinds = 1 << EVENT_list_failed;
	status = 204;
	configure_two();
	written_wait(1);
	assert_non_null(strstr(body[received - 1], "\"waits\""));
}

TEST_WITH(other_settings_end_no_wait, fresh, gone)
{
	status = 500;
	configure();
	events_add(events, EVENT_alarm_raised, NULL, "refused");
	WAIT_FOR(sink().failures == 1);
	configure();
	received_wait(2);
	assert_true(second_ms - first_ms >= SINK_RETRY_MIN_MS);
}

TEST_WITH(at_the_end_what_waits_is_sent, fresh, gone)
{
	configure();
	events_add(events, EVENT_alarm_raised, NULL, "first");
	received_wait(1);
	written_wait(1);
	events_add(events, EVENT_alarm_over, NULL, "last"); // within a second of the other
	event_outs_close(outs);
	outs = NULL;
	assert_int_equal(received, 2);
	assert_non_null(strstr(body[1], "\"last\""));
}
