// SPDX-License-Identifier: BSD-3-Clause
// Section events: where events go, what is refused, and what counts as a change.

#include "config_text.h"

#include <weir/config_tools.h>

TEST(the_journal_alone_is_the_default)
{
	struct config *c = config_text_load(MINIMAL);
	assert_int_equal(c->events.journal, EVENTS_JOURNAL_AUTO);
	assert_string_equal(c->events.syslog, "");
	assert_int_equal(c->events.webhook_count, 0);
}

TEST(each_place_is_taken)
{
	struct config *c = config_text_load(
		MINIMAL "events:\n  journal: off\n  syslog: '[2001:db8::7]'\n"
			"  syslog_transport: tcp\n  webhooks:\n"
			"  - {url: 'http://192.0.2.1/a'}\n"
			"  - {url: 'https://192.0.2.1/b', kinds: [upstream_down, alarm_raised],"
			" severity: warning, form: discord, per_minute: 3, ca_file: /etc/ca}\n");
	const struct config_events *e = &c->events;
	assert_int_equal(e->journal, EVENTS_JOURNAL_OFF);
	assert_int_equal(e->syslog_address.port, 514);
	assert_int_equal(e->syslog_address.ip.version, 6);
	assert_int_equal(e->syslog_transport, EVENTS_SYSLOG_TCP);
	assert_int_equal(e->webhook_count, 2);
	assert_int_equal(e->webhooks[0].kinds, EVENT_KINDS_ALL);
	assert_int_equal(e->webhooks[0].severity, EVENT_IS_info);
	assert_int_equal(e->webhooks[0].to.per_minute, 60);
	assert_int_equal(
		e->webhooks[1].kinds, (1 << EVENT_upstream_down) | (1 << EVENT_alarm_raised));
	assert_int_equal(e->webhooks[1].severity, EVENT_IS_warning);
	assert_int_equal(e->webhooks[1].to.form, WEBHOOK_DISCORD);
	assert_int_equal(e->webhooks[1].to.per_minute, 3);
	assert_string_equal(e->webhooks[1].to.ca_file, "/etc/ca");
}

TEST(what_cannot_be_is_refused)
{
	static const struct refusal bad[] = {
		{"journal: maybe", "events.journal"},
		{"syslog: logs.example", "events.syslog"},
		{"syslog: 224.0.0.1", "events.syslog"},
		{"syslog_transport: tls", "events.syslog_transport"},
		{"webhooks: [{severity: info}]", "events.webhooks[0].url"},
		{"webhooks: [{url: 'ftp://a'}]", "events.webhooks[0].url"},
		{"webhooks: [{url: 'http://a', on_block: true}]", "events.webhooks[0].on_block"},
		{"webhooks: [{url: 'http://a', severity: fatal}]", "events.webhooks[0].severity"},
		{"webhooks: [{url: 'http://a', per_minute: 0}]", "events.webhooks[0].per_minute"},
		{"webhooks: [{url: 'http://a', ca_file: /c}]", "events.webhooks[0].ca_file"},
		{"webhooks: [{url: 'http://a', kinds: [alarm_over, upstream_dawn]}]",
			"events.webhooks[0].kinds[1]"},
	};
	EACH_REFUSED(config_text_refused, MINIMAL "events:\n  %s\n", bad);
}

TEST(each_value_is_a_change_without_a_restart)
{
	static const char *const other[] = {"journal: on", "syslog: 192.0.2.1",
		"syslog_transport: tcp", "webhooks: [{url: 'http://b'}]",
		"webhooks: [{url: 'http://a', kinds: [alarm_over]}]",
		"webhooks: [{url: 'http://a', severity: error}]",
		"webhooks: [{url: 'http://a'}, {url: 'http://a'}]"};
	char keys[64];
	struct config *a = config_text_load(MINIMAL "events:\n  webhooks: [{url: 'http://a'}]\n");
	assert_false(config_events_differ(&a->events, &a->events));
	for (unsigned i = 0; i < ARRAY_LEN(other); i++) {
		struct config *b = config_text_load(text_from(MINIMAL "events:\n  %s\n", other[i]));
		assert_true(config_events_differ(&a->events, &b->events));
		assert_int_equal(config_needs_restart(a, b, keys, sizeof(keys)), 0);
	}
}
