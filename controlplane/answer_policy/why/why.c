// SPDX-License-Identifier: BSD-3-Clause
#include "why.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/text.h>

const char *const why_state_name[WHY_STATES] = {
	[WHY_DECIDES] = "decides",
	[WHY_OVERRULED] = "overruled",
	[WHY_ADDS] = "adds",
	[WHY_EXCEPTS] = "excepts",
	[WHY_EXCEPTED] = "excepted",
	[WHY_NO_COVER] = "not_covered",
	[WHY_NO_TYPE] = "other_type",
	[WHY_NO_GROUP] = "not_in_group",
	[WHY_PAUSED] = "paused",
};

const char *const why_verdict_name[WHY_VERDICTS] = {
	[WHY_PASSED] = "passed",
	[WHY_ALLOWED] = "allowed",
	[WHY_BLOCKED] = "blocked",
	[WHY_BLOCKED_ANSWER] = "blocked_answer",
	[WHY_DROPPED] = "dropped",
	[WHY_LOCAL] = "local",
	[WHY_REWRITTEN] = "rewritten",
};

int why_new(const struct dns_name *name, uint16_t qtype, struct why **out)
{
	struct why *w = heap_calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->qtype = qtype;
	w->enabled = true;
	w->decider = w->next = -1;
	w->ede = -1;
	w->reply_ttl_s = WHY_NO_TTL;
	w->client.blocking = true;
	memset(w->lists, 0xff, sizeof(w->lists));
	w->name[w->names++] = *name;
	*out = w;
	return 0;
}

void why_free(struct why *w)
{
	heap_free(w);
}

int why_name_add(struct why *w, const struct dns_name *name)
{
	if (w->names == WHY_NAMES_MAX)
		return -ENOSPC;
	w->name[w->names] = *name;
	return (int)w->names++;
}

int why_address_add(struct why *w, const struct ip_address *address)
{
	if (w->addresses == WHY_ADDRESSES_MAX)
		return -ENOSPC;
	w->address[w->addresses] = *address;
	return (int)w->addresses++;
}

struct dns_name why_hit_name(const struct why *w, const struct why_hit *h)
{
	return rule_suffix(&w->name[h->name], h->labels);
}

void why_hit_add(struct why *w, const struct why_hit *hit)
{
	if (w->hits == WHY_HITS_MAX) {
		w->hits_left_out++;
		return;
	}
	w->hit[w->hits++] = *hit;
}

void why_source_add(struct why *w, unsigned number, uint64_t content_hash, const char *title)
{
	for (unsigned i = 0; i < w->sources; i++)
		if (w->source[i].number == number)
			return;
	if (w->sources == WHY_SOURCES_MAX)
		return;
	struct why_source *s = &w->source[w->sources++];
	*s = (struct why_source){.number = (uint16_t)number, .content_hash = content_hash};
	memcpy(s->title, title, sizeof(s->title));
}

void why_line_add(struct why *w, unsigned hit, uint32_t line, const char *text, size_t len)
{
	char copy[WHY_WORD_MAX];
	if (hit >= w->hits)
		return;
	if (w->lines == WHY_LINES_MAX || w->hit[hit].lines == WHY_HIT_LINES_MAX) {
		w->lines_left_out++;
		return;
	}
	if (len > sizeof(copy) - 1)
		len = sizeof(copy) - 1;
	memcpy(copy, text, len);
	copy[len] = 0;
	struct why_line *l = &w->line[w->lines++];
	*l = (struct why_line){.hit = (uint16_t)hit, .line = line};
	text_escape(copy, l->text, sizeof(l->text));
	w->hit[hit].lines++;
}
