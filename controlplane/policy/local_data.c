// SPDX-License-Identifier: BSD-3-Clause
#include "local_data.h"

#include "local_seed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

struct local_source {
	const struct local_data *data;
	struct local_book *seed; // without hosts files
	char title[RULE_TITLE_MAX];
	uint8_t first_voice, last_voice;
	bool hosts;
	bool unread; // a hosts file, at some reading: of the thread that reads rules
};

struct local_data {
	struct local_seed seed;
	unsigned count;
	struct local_source source[2 + CONFIG_GROUPS_MAX];
};

static bool has_own(const struct config_group *g)
{
	return g && (g->record_count > 0 || g->forward_count > 0);
}

// Does it speak of a special-use name itself?
static bool touches_special(const struct config *c, const struct config_group *g)
{
	const struct special_settings settings = special_settings_of(c);
	struct special_name s;
	bool touches = false;
	for (unsigned k = 0; special_name_at(&settings, k, &s) && !touches; k++) {
		for (unsigned i = 0; i < g->record_count && !touches; i++)
			touches = dns_name_equal(&g->records[i].name, &s.name);
		for (unsigned i = 0; i < g->forward_count && !touches; i++)
			touches = dns_name_equal(&g->forwards[i].name, &s.name);
	}
	return touches;
}

static int source_add(struct local_data *d, const struct config *c, const struct config_group *g,
	const char *title, unsigned first_voice, unsigned last_voice)
{
	struct local_source *s = &d->source[d->count];
	int rc = local_seed_make(&d->seed, c, g, &s->seed);
	if (rc < 0)
		return rc;
	d->count++;
	s->data = d;
	s->first_voice = (uint8_t)first_voice;
	s->last_voice = (uint8_t)last_voice;
	s->hosts = first_voice <= LOCAL_HOSTS;
	snprintf(s->title, sizeof(s->title), "%s%s%.40s", title, g ? " of " : "", g ? g->name : "");
	return 0;
}

// A source without rules is none, so that status does not show it.
static bool has_data(const struct config *c)
{
	const struct config_local *l = &c->local;
	return l->record_count || l->hosts_file_count || l->zone_count || c->forward_count;
}

static int data_fill(struct local_data *d, const struct config *c)
{
	int rc = local_seed_init(&d->seed, c);
	if (rc == 0 && (d->seed.special.names || d->seed.special.doh_canary))
		rc = source_add(d, c, NULL, LOCAL_TITLE_SPECIAL, LOCAL_SPECIAL, LOCAL_SPECIAL);
	if (rc == 0 && has_data(c))
		rc = source_add(d, c, NULL, LOCAL_TITLE_DATA, LOCAL_OWN_RECORD, LOCAL_FORWARD);
	for (unsigned i = 0; i < c->group_count && rc == 0; i++) {
		const struct config_group *g = &c->groups[i];
		if (has_own(g))
			rc = source_add(d, c, g, LOCAL_TITLE_DATA, LOCAL_OWN_RECORD,
				touches_special(c, g) ? LOCAL_SPECIAL : LOCAL_FORWARD);
	}
	return rc;
}

int local_data_new(const struct config *c, struct local_data **out)
{
	struct local_data *d = heap_calloc(1, sizeof(*d));
	int rc = d ? data_fill(d, c) : -ENOMEM;
	if (rc < 0) {
		local_data_free(d);
		return rc;
	}
	*out = d;
	return 0;
}

void local_data_free(struct local_data *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < d->count; i++)
		local_book_free(d->source[i].seed);
	local_seed_end(&d->seed);
	heap_free(d);
}

const char *local_data_hosts(const struct local_data *d, unsigned i)
{
	return i < d->seed.hosts_count ? d->seed.hosts[i] : NULL;
}

unsigned local_data_sources(const struct local_data *d)
{
	return d->count;
}

const char *local_data_title(const struct local_data *d, unsigned i)
{
	return d->source[i].title;
}

void *local_data_arg(const struct local_data *d, unsigned i)
{
	return (void *)(uintptr_t)&d->source[i];
}

bool local_data_applies(const struct config *c, const struct config_group *g, const char *title)
{
	static const char of[] = LOCAL_TITLE_DATA " of ";
	if (strcmp(title, LOCAL_TITLE_SPECIAL) == 0)
		return !has_own(g) || !touches_special(c, g);
	if (strcmp(title, LOCAL_TITLE_DATA) == 0)
		return !has_own(g);
	if (strncmp(title, of, strlen(of)) == 0)
		return has_own(g) && strcmp(title + strlen(of), g->name) == 0;
	return true;
}

bool local_data_unread(const struct local_data *d)
{
	bool unread = false;
	for (unsigned i = 0; d && i < d->count; i++)
		unread |= d->source[i].unread;
	return unread;
}

int local_data_rules(void *arg, list_rule_take take, void *take_arg)
{
	struct local_source *s = arg;
	struct local_book *b;
	int rc = local_book_copy(s->seed, &b);
	if (rc < 0)
		return rc;
	if (s->hosts)
		rc = local_seed_hosts(&s->data->seed, b, &s->unread);
	if (rc == 0) {
		local_book_settle(b);
		rc = local_book_rules(b, s->first_voice, s->last_voice, take, take_arg);
	}
	local_book_free(b);
	return rc;
}
