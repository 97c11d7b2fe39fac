// SPDX-License-Identifier: BSD-3-Clause
// Events of lists: each fetch that brought something new, the first of the tries in a row that
// failed, and each reading of files that failed.
#include "rules_fetch_set.h"
#include "rules_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <weir/url.h>

void rules_add_events(struct rules *r, struct events *events)
{
	r->events = events;
	rules_fetch_add_events(r->fetch, events);
}

void rules_event_fetched(
	struct events *e, const struct fetched *l, const struct list_update *update)
{
	char url[512], number[24];
	url_shown(l->url, url, sizeof(url));
	if (update->outcome == LIST_UPDATE_CHANGED) {
		(void)snprintf(number, sizeof(number), "%" PRIu64, update->bytes);
		events_add(e, EVENT_list_changed,
			EVENT_FIELDS({"list", l->title}, {"url", url}, {"bytes", number}),
			"list \"%s\" fetched: it has changed, %s bytes", l->title, number);
	} else if (update->outcome == LIST_UPDATE_FAILED && l->failures == 1) {
		events_add(e, EVENT_list_failed,
			EVENT_FIELDS({"list", l->title}, {"url", url}, {"why", update->why}),
			"list \"%s\" not fetched (%s); weir keeps the copy that it has, if any",
			l->title, update->why);
	}
}

// Nothing was read for a rollback, nor to publish an image again.
void rules_event_unread(const struct rules *r, const struct rules_job *j)
{
	char text[RULES_LIST_TEXT_MAX];
	if (j->rollback || (j->again && !j->rebuilt))
		return;
	for (unsigned i = 0; i < r->status.list_count; i++) {
		const struct rules_list_status *l = &r->list[i];
		// A fetched list has the event of its fetch.
		if (l->error && !j->sources->url[i])
			events_add(r->events, EVENT_list_failed,
				EVENT_FIELDS({"list", l->name}, {"path", l->path}), "%s",
				rules_list_text(l, text, sizeof(text)));
	}
}
