// SPDX-License-Identifier: BSD-3-Clause
#include "event_outs.h"

#include "event_journal.h"
#include "event_webhook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

struct event_outs {
	struct event_outs_settings settings;
	bool is_on[EVENT_OUTS];
	int err[EVENT_OUTS]; // of giving the output the last settings; 0: it has them
	struct event_sink *sink[EVENT_OUTS]; // NULL: the output was never on, or could not start
	bool is_journal;                     // stderr is a stream of the journal
};

int event_outs_open(struct event_outs **out, const struct event_outs_settings *s)
{
	struct event_outs *o = heap_calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->settings = *s;
	o->is_journal = event_journal_has_stderr();
	*out = o;
	return 0;
}

static int sink_start(
	struct event_outs *o, enum event_out which, const struct event_sink_settings *s)
{
	const struct event_outs_settings *own = &o->settings;
	struct event_sink **sink = &o->sink[which];
	if (which == EVENT_OUT_JOURNAL)
		return event_journal_start(sink, own->events, own->journal_socket, s);
	if (which == EVENT_OUT_SYSLOG)
		return event_syslog_start(sink, own->events, own->box, s);
	return event_webhook_start(sink, own->events, own->box, own->single, s);
}

int event_outs_configure(struct event_outs *o, bool is_changed, const struct config_events *c,
	const struct socket_address *servers, unsigned count)
{
	struct event_sink_settings s = {.config = *c,
		.has_journal = c->journal == EVENTS_JOURNAL_ON
			       || (c->journal == EVENTS_JOURNAL_AUTO && o->is_journal),
		.newest = events_newest(o->settings.events)};
	int first = 0;
	for (unsigned i = 0; i < count && i < CONFIG_UPSTREAMS_MAX; i++)
		s.server[s.server_count++] = servers[i];
	o->is_on[EVENT_OUT_JOURNAL] = s.has_journal;
	o->is_on[EVENT_OUT_SYSLOG] = *c->syslog != '\0';
	o->is_on[EVENT_OUT_WEBHOOKS] = c->webhook_count > 0;
	for (unsigned i = 0; i < EVENT_OUTS; i++) {
		if (!is_changed && o->err[i] == 0)
			continue;
		o->err[i] = 0;
		if (o->sink[i])
			o->err[i] = event_sink_configure(o->sink[i], &s);
		else if (o->is_on[i])
			o->err[i] = sink_start(o, (enum event_out)i, &s);
		first = first ? first : o->err[i];
	}
	return first;
}

void event_outs_close(struct event_outs *o)
{
	if (!o)
		return;
	for (unsigned i = 0; i < EVENT_OUTS; i++)
		event_sink_stop(o->sink[i]);
	heap_free(o);
}

// An output that does not run, or with former settings.
static void behind_status(const struct event_outs *o, unsigned i, struct sink_status *out)
{
	static const char *const names[EVENT_OUTS] = {"journal", "syslog", "webhooks"};
	*out = (struct sink_status){.name = names[i]};
	if (o->sink[i])
		event_sink_status(o->sink[i], out);
	out->failing = true;
	snprintf(out->why, sizeof(out->why), "%s: %s; weirctl config reload tries again",
		o->sink[i] ? "it runs with its former settings" : "it could not start",
		strerror(-o->err[i]));
}

unsigned event_outs_status(struct event_outs *o, struct sink_status out[EVENT_OUTS])
{
	unsigned n = 0;
	for (unsigned i = 0; o && i < EVENT_OUTS; i++) {
		if (o->err[i])
			behind_status(o, i, &out[n++]);
		else if (o->is_on[i] && o->sink[i])
			event_sink_status(o->sink[i], &out[n++]);
	}
	return n;
}

void event_outs_tables(struct event_outs *o, struct table_registry *tables)
{
	uint64_t bytes = sizeof(*o), descriptors = 0;
	unsigned used = 0;
	for (unsigned i = 0; i < EVENT_OUTS; i++) {
		struct sink_status s;
		if (!o->sink[i])
			continue;
		event_sink_status(o->sink[i], &s);
		used++;
		bytes += event_sink_bytes(o->sink[i]);
		descriptors += s.sockets;
	}
	table_register(tables, &(struct table_info){.name = "event_outputs",
				       .owner = "events",
				       .eviction = "the ring overwrites the oldest, counted",
				       .lifetime = "life of the process",
				       .kind = TABLE_FIXED,
				       .cap = EVENT_OUTS,
				       .used = used,
				       .high = used,
				       .descriptors = descriptors,
				       .bytes = bytes});
}
