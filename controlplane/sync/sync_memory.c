// SPDX-License-Identifier: BSD-3-Clause
#include "sync_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIND "weir-sync"
enum { VERSION = 1 };

static bool rollout_read(const struct state_file *f, struct sync_rollout_kept *k)
{
	const uint64_t state = state_file_get_number(f, "rollout_state");
	k->state = state < SYNC_ROLLOUT_STATES ? (enum sync_rollout_state)state : 0;
	k->wave = (unsigned)state_file_get_number(f, "rollout_wave");
	k->version = (unsigned)state_file_get_number(f, "rollout_version");
	k->base_version = (unsigned)state_file_get_number(f, "rollout_base_version");
	k->goes_back = state_file_get_number(f, "rollout_goes_back") != 0;
	return state_file_get(f, "rollout_target", k->target, sizeof(k->target))
	       && state_file_get(f, "rollout_base", k->base, sizeof(k->base))
	       && state_file_get(f, "rollout_box", k->box, sizeof(k->box))
	       && state_file_get(f, "rollout_reason", k->reason, sizeof(k->reason));
}

static void rollout_write(struct state_file *f, const struct sync_rollout_kept *k)
{
	state_file_number(f, "rollout_state", k->state);
	state_file_number(f, "rollout_wave", k->wave);
	state_file_number(f, "rollout_version", k->version);
	state_file_number(f, "rollout_base_version", k->base_version);
	state_file_number(f, "rollout_goes_back", k->goes_back);
	state_file_text(f, "rollout_target", k->target);
	state_file_text(f, "rollout_base", k->base);
	state_file_text(f, "rollout_box", k->box);
	state_file_text(f, "rollout_reason", k->reason);
}

int sync_memory_read(struct sync_memory *out, const char *path)
{
	struct state_file f;
	*out = (struct sync_memory){0};
	const int rc = state_file_read(&f, path, KIND, VERSION);
	if (rc < 0)
		return rc;
	struct sync_memory m = {.epoch = state_file_get_number(&f, "epoch"),
		.newest = (unsigned)state_file_get_number(&f, "newest"),
		.tries = (unsigned)state_file_get_number(&f, "tries"),
		.refused_version = (unsigned)state_file_get_number(&f, "refused_version"),
		.refused_with = state_file_get_number(&f, "refused_with"),
		.was_taken_back = state_file_get_number(&f, "taken_back") != 0};
	if (!state_file_get(&f, "primary", m.primary, sizeof(m.primary))
		|| !state_file_get(&f, "trying", m.trying, sizeof(m.trying))
		|| !state_file_get(&f, "refused", m.refused, sizeof(m.refused))
		|| !state_file_get(&f, "reason", m.reason, sizeof(m.reason))
		|| !rollout_read(&f, &m.rollout))
		return -EPROTO;
	(void)state_file_get(&f, "software", m.software, sizeof(m.software));
	*out = m;
	return 0;
}

int sync_memory_write(const struct sync_memory *m, const char *path, char why[STATE_FILE_WHY_MAX])
{
	struct state_file f;
	state_file_begin(&f, KIND, VERSION);
	state_file_number(&f, "epoch", m->epoch);
	state_file_text(&f, "primary", m->primary);
	state_file_number(&f, "newest", m->newest);
	state_file_text(&f, "trying", m->trying);
	state_file_number(&f, "tries", m->tries);
	state_file_text(&f, "refused", m->refused);
	state_file_number(&f, "refused_version", m->refused_version);
	state_file_number(&f, "refused_with", m->refused_with);
	state_file_number(&f, "taken_back", m->was_taken_back);
	state_file_text(&f, "reason", m->reason);
	rollout_write(&f, &m->rollout);
	state_file_text(&f, "software", m->software);
	return state_file_write(&f, path, why);
}

bool sync_epoch_check(
	const struct sync_memory *m, const struct sync_offer *o, char why[SYNC_WHY_MAX])
{
	if (o->epoch > m->epoch || (o->epoch == m->epoch && strcmp(o->box, m->primary) == 0))
		return true;
	if (o->epoch < m->epoch)
		snprintf(why, SYNC_WHY_MAX,
			"%s has epoch %" PRIu64 ", but this box follows %s with epoch %" PRIu64
			": %s was the primary before a promotion",
			o->box, o->epoch, *m->primary ? m->primary : "itself", m->epoch, o->box);
	else
		snprintf(why, SYNC_WHY_MAX,
			"%s and %s both are primaries with epoch %" PRIu64
			": run weirctl fleet promote on the one that is to be the primary",
			o->box, m->primary, m->epoch);
	return false;
}

bool sync_epoch_note(struct sync_memory *m, const struct sync_offer *o)
{
	if (m->epoch == o->epoch && strcmp(m->primary, o->box) == 0)
		return false;
	m->epoch = o->epoch;
	m->newest = 0;
	snprintf(m->primary, sizeof(m->primary), "%s", o->box);
	return true;
}

bool sync_newest_check(
	const struct sync_memory *m, const struct sync_offer *o, char why[SYNC_WHY_MAX])
{
	if (o->epoch != m->epoch || o->version >= m->newest)
		return true;
	snprintf(why, SYNC_WHY_MAX,
		"version %u of %s is older than version %u, which this box took with epoch %" PRIu64
		": if %s has lost its versions, run weirctl fleet promote there",
		o->version, o->box, m->newest, m->epoch, o->box);
	return false;
}

bool sync_newest_note(struct sync_memory *m, const struct sync_offer *o)
{
	const bool differs = m->newest != o->version;
	m->newest = o->version;
	return differs;
}

bool sync_try_begin(struct sync_memory *m, const struct sync_offer *o)
{
	const bool again = strcmp(m->trying, o->digest) == 0;
	m->tries = again ? m->tries + 1 : 1;
	snprintf(m->trying, sizeof(m->trying), "%s", o->digest);
	return m->tries <= SYNC_TRIES_MAX;
}

void sync_software_note(struct sync_memory *m, const char *software)
{
	if (strcmp(m->software, software) == 0)
		return;
	sync_try_hold(m);
	snprintf(m->software, sizeof(m->software), "%s", software);
}

void sync_try_undo(struct sync_memory *m)
{
	m->trying[0] = '\0';
	m->tries = 0;
}

void sync_reason_set(char out[SYNC_REASON_MAX + 1], const char *text)
{
	snprintf(out, SYNC_REASON_MAX + 1, "%s", text);
	for (char *c = out; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = *c == '\n' ? ' ' : '?';
}

void sync_try_refuse(
	struct sync_memory *m, unsigned version, bool was_taken_back, const char *reason)
{
	memcpy(m->refused, m->trying, sizeof(m->refused));
	m->refused_version = version;
	m->was_taken_back = was_taken_back;
	sync_reason_set(m->reason, reason);
	sync_try_undo(m);
}

void sync_refusal_forget(struct sync_memory *m)
{
	m->refused[0] = m->reason[0] = '\0';
	m->refused_version = 0;
	m->refused_with = 0;
}

void sync_try_hold(struct sync_memory *m)
{
	sync_refusal_forget(m);
	sync_try_undo(m);
}

unsigned sync_backoff_ms(unsigned failures, uint16_t random)
{
	unsigned ms = SYNC_BACKOFF_MS;
	for (unsigned i = 1; i < failures && ms < SYNC_BACKOFF_MAX_MS; i++)
		ms *= 2;
	ms = ms < SYNC_BACKOFF_MAX_MS ? ms : SYNC_BACKOFF_MAX_MS;
	return ms / 2 + (unsigned)((uint64_t)ms / 2 * random / UINT16_MAX);
}
