// SPDX-License-Identifier: BSD-3-Clause
#include "querylog_source.h"

#include <errno.h>

void querylog_sources_init(struct querylog_sources *s)
{
	pthread_mutex_init(&s->lock, NULL);
}

int querylog_sources_add(struct querylog_sources *s, const struct querylog_source *source)
{
	int rc = -ENOSPC;
	pthread_mutex_lock(&s->lock);
	if (s->added < QUERYLOG_SOURCES_MAX) {
		s->next[s->added++] = *source;
		rc = 0;
	}
	s->refused += rc < 0;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

uint64_t querylog_sources_refused(struct querylog_sources *s)
{
	pthread_mutex_lock(&s->lock);
	uint64_t refused = s->refused;
	pthread_mutex_unlock(&s->lock);
	return refused;
}

void querylog_sources_end_rings(struct querylog_sources *s)
{
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	for (unsigned i = 0; i < s->added; i++)
		s->next[i].has_ended |= s->next[i].region.base != NULL;
	pthread_mutex_unlock(&s->lock);
}

void querylog_sources_look(struct querylog_sources *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->ended)
		for (unsigned i = 0; i < s->count; i++)
			s->source[i].has_ended |= s->source[i].region.base != NULL;
	s->ended = false;
	unsigned taken = 0;
	while (taken < s->added && s->count < QUERYLOG_SOURCES_MAX)
		s->source[s->count++] = s->next[taken++];
	for (unsigned i = taken; i < s->added; i++)
		s->next[i - taken] = s->next[i];
	s->added -= taken;
	pthread_mutex_unlock(&s->lock);
}

void querylog_sources_drop(struct querylog_sources *s, unsigned i)
{
	s->anomalies += s->source[i].ring.anomalies;
	region_unmap(&s->source[i].region);
	region_unmap(&s->source[i].rings);
	s->source[i] = s->source[--s->count];
}

void querylog_sources_close(struct querylog_sources *s)
{
	querylog_sources_look(s);
	while (s->count)
		querylog_sources_drop(s, 0);
	pthread_mutex_destroy(&s->lock);
}

uint64_t querylog_sources_anomalies(const struct querylog_sources *s)
{
	uint64_t all = s->anomalies;
	for (unsigned i = 0; i < s->count; i++)
		all += s->source[i].ring.anomalies;
	return all;
}
