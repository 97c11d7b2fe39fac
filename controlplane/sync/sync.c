// SPDX-License-Identifier: BSD-3-Clause
#include "sync.h"

#include "base/rng.h"
#include "sync_sign.h"
#include "sync_thread.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/build.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

// Pauses between polls: the least one, and that while a version is being taken, which doubles
// twice: each poll is a TLS handshake, and all secondaries take a version at once.
enum { NEXT_MS = 100, PACE_MS = 1000, PENDING_MS = 1000 };
// A promotion goes above another box's epoch that is so much higher. One far above comes from no
// fleet, and would use up the epochs.
enum { EPOCH_LEAP_MAX = 1000 };
// The pause after a try without a verdict is that of so many failed polls, and more: 8 s to 60 s.
enum { SYNC_PUT_OFF_FROM = 4 };

const char *const sync_poll_names[SYNC_POLL_ENDS] = {
#define X(name, text) #name,
	SYNC_POLLS(X)
#undef X
};

struct settings {
	char url[SYNC_URL_MAX]; // sync.primary; "": this box is no secondary
	char token[SYNC_TOKEN_MAX], ca_file[PATH_MAX], box[SYNC_NAME_MAX + 1];
	unsigned server_count;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	bool has_key; // `key` is this box's private key
	uint8_t key[CONFIG_SYNC_KEY_LEN];
	unsigned trusted_count; // 0: versions need no signature
	uint8_t trusted[CONFIG_TRUSTED_KEYS_MAX][CONFIG_SYNC_KEY_LEN];
};

struct sync {
	struct loop *service;
	struct events *events;
	struct sync_hooks hooks;
	struct sync_thread *thread;
	struct event *timer;
	struct rng rng;
	struct settings set;
	unsigned generation; // raised with each change of the settings
	char path[PATH_MAX];
	struct sync_memory memory;
	char store_why[STATE_FILE_WHY_MAX];
	bool is_closing, is_promoting;
	unsigned jobs; // jobs that the thread has
	// The secondary's.
	bool is_polling, is_applying;
	bool is_confirmed; // a good reply since the settings changed had the digest in force
	bool is_clearing;  // an apply takes items of shared sections out of the managed part
	// Digests of this box's versions: of one that has none of them, and of the last one that
	// they were to go from, which may be in force again once its follower's health has fallen.
	uint64_t clear_of, clearing_of; // 0: unknown
	uint64_t poll_begun_ms, poll_due_ms, good_ms;
	uint32_t sections; // bits of enum config_shared_section that it takes
	int64_t good_unix_s;
	unsigned failures;      // polls in a row
	unsigned pending_polls; // good ones in a row while a version is being taken
	char why[SYNC_WHY_MAX];
	bool is_epoch_refused, is_untrusted;
	unsigned put_offs;                   // tries in a row that ended without a verdict
	uint64_t put_off_ms;                 // no version is taken before this time
	char waits_why[SYNC_REASON_MAX + 1]; // why the last of these tries ended
	struct sync_offer offer;             // the version that is being taken
	unsigned watched;   // number of this box's version whose health is watched; 0: no watch
	unsigned version;   // the primary's number of the version in force here; 0: unknown
	unsigned digest_of; // version of this box that `digest` is of
	char digest[SYNC_DIGEST_LEN + 1]; // digest of the shared part in force; "": no such part
	uint64_t polls[SYNC_POLL_ENDS], taken, refused, taken_back;
	// The primary's.
	struct sync_boxes *boxes;
	struct sync_offer out;
	unsigned out_of;            // version of this box that `out` and `out_why` are of
	char out_why[SYNC_WHY_MAX]; // why that version has no text to hand out; ""
	struct sync_waves *waves;
	char rival[SYNC_NAME_MAX + 1];
	uint64_t rival_epoch, rival_ms; // rival_ms: the last report about it
	void (*promoted)(void *arg, int err, const char *why);
	void *promoted_arg;
	struct sync_memory before; // the promotion
};

static bool is_secondary(const struct sync *s)
{
	return s->set.url[0] != '\0';
}

// A promotion's epoch is in use once it is on disk: without it a restart would hand out versions
// with an epoch that the boxes refuse.
static uint64_t own_epoch(const struct sync *s)
{
	const struct sync_memory *m = s->is_promoting ? &s->before : &s->memory;
	return m->epoch ? m->epoch : 1;
}

static void memory_free(struct sync *s)
{
	sync_offer_free(&s->offer);
	sync_offer_free(&s->out);
	explicit_bzero(&s->set, sizeof(s->set));
	FREE_AND_NULL(s->boxes);
	heap_free(s);
}

static int job_run(struct sync *s, struct sync_job *j)
{
	const int rc = s->is_closing ? -ECANCELED : sync_thread_run(s->thread, j);
	s->jobs += rc == 0;
	return rc;
}

// A job is back. True: `s` was closed meanwhile, and is freed with its last job.
static bool job_ended(struct sync *s)
{
	const bool is_closing = s->is_closing;
	if (--s->jobs == 0 && is_closing)
		memory_free(s);
	return is_closing;
}

// The state file. Its writes run one after the other; the last one has the latest memory.

static void try_saved(struct sync *s, const struct sync_save *save);

static void promote_end(struct sync *s, int err, const char *why)
{
	s->is_promoting = false;
	if (err < 0)
		s->memory = s->before;
	else
		sync_waves_forget(s->waves);
	s->promoted(s->promoted_arg, err, why);
}

static void save_done(struct sync_job *j)
{
	struct sync_save *save = (struct sync_save *)j;
	struct sync *s = j->arg;
	if (s->is_closing && save->of == SYNC_SAVE_PROMOTION)
		promote_end(s, -ECANCELED, "weir stops");
	if (job_ended(s)) {
		heap_free(save);
		return;
	}
	if (save->err < 0 && !*s->store_why)
		log_warning("sync: the state is not kept over a restart: %s", save->why);
	snprintf(s->store_why, sizeof(s->store_why), "%s", save->err < 0 ? save->why : "");
	if (save->of == SYNC_SAVE_PROMOTION)
		promote_end(s, save->err, save->why);
	else if (save->of == SYNC_SAVE_TRY)
		try_saved(s, save);
	heap_free(save);
}

static int save(struct sync *s, enum sync_save_of of)
{
	struct sync_save *j = heap_calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->job = (struct sync_job){.work = sync_save_work, .done = save_done, .arg = s};
	j->memory = s->memory;
	if (s->waves && of != SYNC_SAVE_PROMOTION) // which ends the roll-out
		j->memory.rollout = *sync_waves_kept(s->waves);
	j->of = of;
	j->generation = s->generation;
	snprintf(j->path, sizeof(j->path), "%s", s->path);
	const int rc = job_run(s, &j->job);
	if (rc < 0)
		heap_free(j);
	return rc;
}

static void save_soon(struct sync *s)
{
	const int rc = save(s, SYNC_SAVE_MEMORY);
	if (rc < 0)
		log_warning("sync: the state is not kept over a restart: %s", strerror(-rc));
}

static void waves_save(void *arg)
{
	save_soon(arg);
}

// The secondary: what it has in force.

static void timer_set(struct sync *s, uint64_t after_ms)
{
	const struct timeval tv = {
		.tv_sec = (time_t)(after_ms / 1000), .tv_usec = (long)(after_ms % 1000) * 1000};
	(void)event_add(s->timer, &tv);
}

static const struct config_version *version_of(const struct sync *s)
{
	return &s->hooks.versions(s->hooks.arg)->in_force;
}

// The version in force was found good: its watch has begun and ended well. Versions that cannot be
// stored have the number 0 and no result.
static bool is_good(const struct versions_status *v)
{
	return v->watch_left_s == 0
	       && (!v->in_force.number || v->in_force.result == CONFIG_VERSION_applied);
}

static bool has_fallen(const struct versions_status *v)
{
	return v->watch_left_s == 0 && v->in_force.result == CONFIG_VERSION_fallen;
}

static const char *digest_in_force(struct sync *s)
{
	const unsigned number = version_of(s)->number;
	const struct config_text *t = &s->hooks.bundle(s->hooks.arg)->shared;
	if (s->digest_of == number && number)
		return s->digest;
	if (!t->bytes || !sync_digest(t->bytes, t->len, s->digest))
		s->digest[0] = '\0';
	s->digest_of = number;
	return s->digest;
}

static bool is_pending(const struct sync *s)
{
	return s->offer.text || s->is_applying || s->watched;
}

static enum sync_result result_of(const struct sync *s)
{
	return is_pending(s)              ? SYNC_pending
	       : !*s->memory.refused      ? s->version ? SYNC_held : SYNC_none
	       : s->memory.was_taken_back ? SYNC_taken_back
					  : SYNC_refused;
}

static unsigned result_version(const struct sync *s)
{
	return is_pending(s)        ? s->offer.version
	       : *s->memory.refused ? s->memory.refused_version
				    : s->version;
}

// The digest of the version that this box has decided about: the primary holds the poll as long as
// it has no other one.
static const char *digest_known(struct sync *s)
{
	return is_pending(s)        ? s->memory.trying
	       : *s->memory.refused ? s->memory.refused
				    : digest_in_force(s);
}

// The end of a version that was taken.

static void offer_drop(struct sync *s)
{
	sync_offer_free(&s->offer);
	s->watched = 0;
	s->poll_due_ms = 0; // report it at once
	timer_set(s, 0);
}

// The version waits for nothing any more.
static void wait_end(struct sync *s)
{
	s->put_off_ms = s->put_offs = 0;
	s->waits_why[0] = '\0';
}

// `what` became of the version: tells it, and keeps it.
static void verdict_end(struct sync *s, enum event_kind kind, const char *what)
{
	char version[24];
	snprintf(version, sizeof(version), "%u", s->offer.version);
	events_add(s->events, kind,
		EVENT_FIELDS({"version", version}, {"primary", s->memory.primary}),
		"version %s of %s %s", version, s->memory.primary, what);
	wait_end(s);
	save_soon(s);
	offer_drop(s);
}

static void refuse(struct sync *s, bool was_taken_back, const char *reason)
{
	char what[SYNC_REASON_MAX + 32];
	sync_try_refuse(&s->memory, s->offer.version, was_taken_back, reason);
	s->memory.refused_with = version_of(s)->digest;
	s->refused += !was_taken_back;
	s->taken_back += was_taken_back;
	snprintf(what, sizeof(what), "%s: %s", was_taken_back ? "was taken back" : "is refused",
		s->memory.reason);
	log_warning("sync: version %u of %s %s; not taken again until the primary has another, or "
		    "this box's configuration changes",
		s->offer.version, s->memory.primary, what);
	verdict_end(s, EVENT_sync_refused, what);
}

static void hold(struct sync *s)
{
	s->version = s->offer.version;
	s->taken++;
	sync_try_hold(&s->memory);
	log_info("sync: version %u of %s is taken", s->version, s->memory.primary);
	verdict_end(s, EVENT_sync_taken, "is taken");
}

// Ends the try without a verdict: the version is taken again after a pause.
static void put_off(struct sync *s, const char *why, uint64_t after_ms)
{
	snprintf(s->why, sizeof(s->why), "version %u of %s cannot be taken now: %s",
		s->offer.version, s->memory.primary, why);
	sync_try_undo(&s->memory);
	save_soon(s);
	offer_drop(s);
	s->put_off_ms = s->poll_due_ms = clock_mono_ms() + after_ms;
	timer_set(s, after_ms);
}

// Looks whether the watch of the version has ended.
static void verdict_look(struct sync *s)
{
	const struct versions_status *v = s->hooks.versions(s->hooks.arg);
	char why[SYNC_WHY_MAX];
	if (!s->watched)
		return;
	if (strcmp(digest_in_force(s), s->memory.trying) != 0) {
		snprintf(why, sizeof(why), "%s",
			v->last_taken_back >= s->watched
				? v->taken_back_why
				: "another change replaced it while its health was watched");
		refuse(s, true, why);
	} else if (has_fallen(v)) {
		snprintf(why, sizeof(why), "%s", v->in_force.reason);
		refuse(s, true, why);
	} else if (is_good(v)) {
		hold(s);
	}
}

static void watch(struct sync *s)
{
	// Number 0: versions cannot be stored, and a watch ends all the same.
	s->watched = version_of(s)->number ? version_of(s)->number : UINT_MAX;
	timer_set(s, PENDING_MS);
}

// The apply refused the configuration itself: a later try would end the same.
static bool is_verdict(int err)
{
	return err == -EINVAL || err == -EFBIG || err == -EPROTO;
}

// The box cannot take the version now, for a reason that is not the version's: it tries again
// later, and reports the reason until then.
static void try_later(struct sync *s, const char *why)
{
	char reason[SYNC_REASON_MAX + 1], what[SYNC_WHY_MAX];
	snprintf(what, sizeof(what), "version %u of %s cannot be taken now: %.*s", s->offer.version,
		s->memory.primary, SYNC_REASON_MAX, why);
	sync_reason_set(reason, what);
	if (strcmp(reason, s->waits_why) != 0)
		log_warning("sync: version %u of %s cannot be taken now: %s; weir tries again",
			s->offer.version, s->memory.primary, why);
	memcpy(s->waits_why, reason, sizeof(reason));
	s->put_offs++;
	put_off(s, why, sync_backoff_ms(SYNC_PUT_OFF_FROM + s->put_offs, rng_u16(&s->rng)));
}

static void applied(void *arg, int err, const char *why, const char *)
{
	struct sync *s = arg;
	s->is_applying = false;
	why = *why ? why : strerror(err < 0 ? -err : err);
	if (is_verdict(err)) {
		refuse(s, false, why);
		return;
	}
	if (err < 0) {
		try_later(s, why);
		return;
	}
	if (err > 0)
		log_warning("sync: version %u of %s is in force, but: %s", s->offer.version,
			s->memory.primary, why);
	wait_end(s);
	watch(s);
}

static void take_apply(struct sync *s)
{
	char what[CONFIG_VERSION_WHAT_MAX];
	snprintf(what, sizeof(what), "sync version %u of %.40s", s->offer.version, s->offer.box);
	char why[CONFIG_VERSION_WHY_MAX] = "";
	if (*s->offer.author)
		snprintf(why, sizeof(why), "made there by %s", s->offer.author);
	const struct apply_request r = {.who = "sync",
		.what = what,
		.why = why,
		.shared = s->offer.text,
		.is_tried_again = true};
	s->is_applying = true;
	const int rc = s->hooks.apply(s->hooks.arg, &r, applied, s);
	if (rc == 0)
		return;
	s->is_applying = false;
	put_off(s, rc == -EBUSY ? "another change runs" : strerror(-rc), PACE_MS);
}

// The state file names the version that is being taken: it is applied, unless the settings have
// changed meanwhile. On a full disk it waits: a restart would forget it.
static void try_saved(struct sync *s, const struct sync_save *save)
{
	if (is_secondary(s) && save->generation == s->generation) {
		if (save->err == -ENOSPC || save->err == -EDQUOT)
			try_later(s, save->why);
		else
			take_apply(s);
		return;
	}
	sync_try_undo(&s->memory);
	save_soon(s);
	offer_drop(s);
}

static void try_begin(struct sync *s)
{
	if (!sync_try_begin(&s->memory, &s->offer)) {
		refuse(s, true, "the control plane ended twice while it took this version");
	} else if (*s->offer.text_why) {
		refuse(s, false, s->offer.text_why);
	} else if (save(s, SYNC_SAVE_TRY) < 0) {
		sync_try_undo(&s->memory);
		offer_drop(s);
	}
}

// The primary's version is in force here already. After a restart its watch may go on.
static void take_in_force(struct sync *s, const struct sync_offer *o)
{
	const struct versions_status *v = s->hooks.versions(s->hooks.arg);
	s->version = o->version;
	s->is_confirmed = true;
	wait_end(s);
	if (*s->memory.trying && !is_good(v) && strcmp(o->digest, s->memory.trying) == 0) {
		s->offer.version = o->version;
		watch(s);
	} else if (is_good(v) && (*s->memory.refused || *s->memory.trying)) {
		sync_try_hold(&s->memory);
		save_soon(s);
	}
}

// Decides about the version of a good reply.
static void take(struct sync *s, struct sync_offer *o)
{
	bool is_new = sync_epoch_note(&s->memory, o);
	if (s->set.trusted_count)
		is_new = sync_newest_note(&s->memory, o) || is_new;
	if (strcmp(o->digest, digest_in_force(s)) == 0) {
		take_in_force(s, o);
	} else if (!o->is_unchanged && strcmp(o->digest, s->memory.refused) != 0
		   && clock_mono_ms() >= s->put_off_ms) {
		s->offer = *o;
		*o = (struct sync_offer){0};
		try_begin(s);
	}
	if (is_new && !is_pending(s)) // else the try saves it
		save_soon(s);
}

static bool is_trusted(const struct sync *s, const struct sync_offer *o, char why[SYNC_WHY_MAX])
{
	return !s->set.trusted_count
	       || (sync_signature_check(o, s->set.trusted, s->set.trusted_count, why)
		       && sync_newest_check(&s->memory, o, why));
}

static enum sync_poll_end poll_ended(struct sync *s, struct sync_poll *p)
{
	// The primary replies with a conflict if it has seen a higher epoch, or has a primary
	// itself.
	s->is_epoch_refused = p->err == -EACCES && p->status == 409;
	s->is_untrusted = false;
	if (s->is_epoch_refused)
		return SYNC_POLL_epoch;
	if (p->err < 0)
		return p->err == -EACCES                        ? SYNC_POLL_denied
		       : p->err == -EPROTO || p->err == -EINVAL ? SYNC_POLL_malformed
								: SYNC_POLL_failed;
	if (!sync_epoch_check(&s->memory, &p->offer, p->why)) {
		s->is_epoch_refused = true;
		return SYNC_POLL_epoch;
	}
	if (!is_trusted(s, &p->offer, p->why)) {
		s->is_untrusted = true;
		return SYNC_POLL_signature;
	}
	const enum sync_poll_end end =
		p->offer.is_unchanged ? SYNC_POLL_unchanged : SYNC_POLL_taken;
	s->good_ms = clock_mono_ms();
	s->good_unix_s = time(NULL);
	if (!is_pending(s))
		take(s, &p->offer);
	return end;
}

static void next_poll(struct sync *s, bool is_good)
{
	const uint64_t now_ms = clock_mono_ms();
	uint16_t random = rng_u16(&s->rng);
	s->failures = is_good ? 0 : s->failures + 1;
	s->pending_polls = is_good && is_pending(s) ? s->pending_polls + 1 : 0;
	uint64_t after_ms = NEXT_MS;
	if (!is_good)
		after_ms = sync_backoff_ms(s->failures, random);
	else if (s->pending_polls > 1)
		after_ms = PACE_MS << (s->pending_polls == 2 ? 1 : 2);
	else if (is_pending(s) || now_ms - s->poll_begun_ms < PACE_MS)
		after_ms = PACE_MS;
	if (now_ms + after_ms < s->put_off_ms)
		after_ms = s->put_off_ms - now_ms;
	s->poll_due_ms = now_ms + after_ms;
	timer_set(s, after_ms < PENDING_MS || !is_pending(s) ? after_ms : PENDING_MS);
}

static void poll_done(struct sync_job *j)
{
	struct sync_poll *p = (struct sync_poll *)j;
	struct sync *s = j->arg;
	if (job_ended(s)) {
		sync_offer_free(&p->offer);
		heap_free(p);
		return;
	}
	s->is_polling = false;
	if (p->generation != s->generation) {
		if (is_secondary(s))
			timer_set(s, 0);
	} else {
		const enum sync_poll_end end = poll_ended(s, p);
		const bool is_good = end == SYNC_POLL_taken || end == SYNC_POLL_unchanged;
		s->polls[end]++;
		if (!is_good && strcmp(s->why, p->why) != 0)
			log_warning("sync: %s: %s", s->set.url, p->why);
		else if (is_good && s->failures)
			log_info("sync: %s: good again", s->set.url);
		if (!is_good || clock_mono_ms() >= s->put_off_ms)
			snprintf(s->why, sizeof(s->why), "%s", is_good ? "" : p->why);
		next_poll(s, is_good);
	}
	sync_offer_free(&p->offer);
	heap_free(p);
}

static void report_make(struct sync *s, struct sync_report *r)
{
	*r = (struct sync_report){.epoch = s->memory.epoch,
		.version = result_version(s),
		.result = result_of(s),
		.is_ready = s->hooks.is_ready(s->hooks.arg),
		.unix_ms = (int64_t)clock_ms_of(CLOCK_REALTIME)};
	memcpy(r->box, s->set.box, sizeof(r->box));
	memcpy(r->primary, s->memory.primary, sizeof(r->primary));
	snprintf(r->digest, sizeof(r->digest), "%s", digest_known(s));
	if (r->result == SYNC_refused || r->result == SYNC_taken_back)
		memcpy(r->reason, s->memory.reason, sizeof(r->reason));
	else
		memcpy(r->reason, s->waits_why, sizeof(r->reason));
	snprintf(r->software, sizeof(r->software), "%s", build_this()->version);
}

// The first poll, one after a failure and those while a version is being taken have a reply at
// once.
static int poll_begin(struct sync *s)
{
	struct sync_report r;
	struct sync_poll *p = heap_calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->job = (struct sync_job){.work = sync_poll_work, .done = poll_done, .arg = s};
	p->generation = s->generation;
	snprintf(p->url, sizeof(p->url), "%.*s/v1/sync", SYNC_URL_MAX - 32, s->set.url);
	if (!is_pending(s) && !s->failures && s->good_unix_s)
		snprintf(p->url + strlen(p->url), 32, "?wait=%d", SYNC_WAIT_S);
	memcpy(p->token, s->set.token, sizeof(p->token));
	memcpy(p->ca_file, s->set.ca_file, sizeof(p->ca_file));
	p->server_count = s->set.server_count;
	memcpy(p->server, s->set.server, sizeof(p->server));
	report_make(s, &r);
	int rc = sync_form_write(&r, p->form) ? 0 : -E2BIG;
	rc = rc < 0 ? rc : job_run(s, &p->job);
	s->is_polling = rc == 0;
	s->poll_begun_ms = clock_mono_ms();
	if (rc < 0)
		heap_free(p);
	return rc;
}

// This box's own configuration.

// Drops what the poll that runs finds, and polls again.
static void poll_again(struct sync *s)
{
	s->generation++;
	if (s->is_polling)
		sync_thread_cut(s->thread);
	s->poll_due_ms = 0;
	timer_set(s, 0);
}

static void cleared(void *arg, int err, const char *why, const char *)
{
	struct sync *s = arg;
	s->is_clearing = false;
	if (err < 0)
		log_warning("sync: what the managed part has of sections of the primary goes with "
			    "its next version: %s",
			*why ? why : strerror(-err));
}

// Takes the items of shared sections out of the managed part, which it has from the time when
// `sync.own` kept these sections. The shared part has them as the primary does, once the primary
// has confirmed it: a box that comes back to a fleet has items in its managed part alone.
static void managed_clear(struct sync *s)
{
	const struct config_bundle *b = s->hooks.bundle(s->hooks.arg);
	const uint64_t digest = version_of(s)->digest;
	if (!s->is_confirmed || !b->shared.bytes || s->clear_of == digest
		|| s->clearing_of == digest)
		return;
	if (config_shared_is_clear(b)) {
		s->clear_of = digest;
		return;
	}
	const struct apply_request r = {.who = "sync",
		.what = "sync of sections that sync.own no longer keeps",
		.shared = b->shared.bytes};
	s->is_clearing = true;
	const int rc = s->hooks.apply(s->hooks.arg, &r, cleared, s);
	if (rc == 0) {
		s->clearing_of = digest; // an error is not tried again
		return;
	}
	s->is_clearing = false;
	timer_set(s, PACE_MS);
}

static void own_look(struct sync *s)
{
	if (!is_secondary(s) || is_pending(s) || s->is_clearing)
		return;
	if (*s->memory.refused && s->memory.refused_with != version_of(s)->digest
		&& !has_fallen(s->hooks.versions(s->hooks.arg))) {
		log_info("sync: version %u of %s is tried again: this box has another "
			 "configuration",
			s->memory.refused_version, s->memory.primary);
		sync_refusal_forget(&s->memory);
		save_soon(s);
		poll_again(s);
	}
	managed_clear(s);
}

void sync_version_changed(struct sync *s)
{
	if (s && is_secondary(s))
		timer_set(s, 0);
}

static void on_timer(evutil_socket_t, short, void *arg)
{
	struct sync *s = arg;
	const uint64_t now_ms = clock_mono_ms();
	verdict_look(s);
	own_look(s);
	if (is_secondary(s) && !s->is_polling && now_ms >= s->poll_due_ms) {
		const int rc = poll_begin(s);
		if (rc < 0) {
			log_warning("sync: no poll: %s", strerror(-rc));
			next_poll(s, false);
			return;
		}
	}
	if (is_pending(s))
		timer_set(s, PENDING_MS);
	else if (is_secondary(s) && !s->is_polling)
		timer_set(s, s->poll_due_ms > now_ms ? s->poll_due_ms - now_ms : 0);
}

// The module as a whole.

// The secondaries, if this box hands a version out.
static struct sync_boxes *waves_look(void *arg)
{
	struct sync *s = arg;
	if (!s->boxes)
		return NULL;
	sync_boxes_expire(s->boxes, clock_mono_ms());
	return sync_offered(s) ? s->boxes : NULL;
}

static int waves_open(struct sync *s)
{
	const struct sync_waves_hooks hooks = {.apply = s->hooks.apply,
		.versions = s->hooks.versions,
		.took_back = s->hooks.took_back,
		.arg = s->hooks.arg,
		.look = waves_look,
		.save = waves_save,
		.look_arg = s};
	return sync_waves_open(&s->waves, s->service, s->events, &hooks, &s->memory.rollout);
}

int sync_open(struct sync **out, struct loop *service, struct events *events,
	const char *state_directory, const struct sync_hooks *hooks)
{
	struct sync *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->service = service;
	s->events = events;
	s->hooks = *hooks;
	snprintf(s->path, sizeof(s->path), "%s/sync", state_directory);
	s->timer = event_new(loop_base(service), -1, 0, on_timer, s);
	if (!s->timer || sync_thread_open(&s->thread, service) < 0) {
		sync_close(s);
		return -ENOMEM;
	}
	const int rc = sync_memory_read(&s->memory, s->path);
	if (rc < 0 && rc != -ENOENT)
		log_warning("sync: %s cannot be used: %s", s->path, strerror(-rc));
	sync_software_note(&s->memory, build_this()->version);
	if (waves_open(s) < 0) {
		sync_close(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void sync_stop(struct sync *s)
{
	if (!s || s->is_closing)
		return;
	s->is_closing = true;
	sync_waves_close(s->waves);
	s->waves = NULL;
	s->jobs++; // keeps `s` while the thread's jobs end
	sync_thread_close(s->thread);
	loops_settle(&s->service, 1); // jobs on their way back
}

void sync_close(struct sync *s)
{
	if (!s)
		return;
	sync_stop(s);
	if (s->timer)
		event_free(s->timer);
	(void)job_ended(s);
}

// The host name without characters that a name may not have.
static void name_default(char out[SYNC_NAME_MAX + 1])
{
	if (gethostname(out, SYNC_NAME_MAX + 1) < 0)
		out[0] = '\0';
	out[SYNC_NAME_MAX] = '\0';
	if (!sync_name_is_good(out))
		snprintf(out, SYNC_NAME_MAX + 1, "weir");
}

static void settings_make(const struct config *c, const struct socket_address *servers,
	unsigned server_count, struct settings *out)
{
	const struct config_sync *from = &c->sync;
	*out = (struct settings){.server_count = server_count};
	snprintf(out->url, sizeof(out->url), "%s", from->primary);
	snprintf(out->token, sizeof(out->token), "%s", from->token);
	snprintf(out->ca_file, sizeof(out->ca_file), "%s", from->ca_file);
	snprintf(out->box, sizeof(out->box), "%s", from->name);
	if (!*out->box)
		name_default(out->box);
	out->has_key = from->has_sign_key;
	memcpy(out->key, from->sign_key, sizeof(out->key));
	out->trusted_count = from->trusted_count;
	memcpy(out->trusted, from->trusted, from->trusted_count * sizeof(out->trusted[0]));
	if (server_count)
		memcpy(out->server, servers, server_count * sizeof(out->server[0]));
}

void sync_configure(struct sync *s, const struct config *c, const struct socket_address *servers,
	unsigned server_count)
{
	struct settings n;
	settings_make(c, servers, server_count, &n);
	const bool was_secondary = is_secondary(s);
	const bool is_same = memcmp(&n, &s->set, sizeof(n)) == 0;
	s->set = n;
	sync_waves_configure(s->waves, &c->sync.waves, !is_secondary(s));
	s->sections = ~c->sync.own;
	explicit_bzero(&n, sizeof(n));
	if (is_secondary(s))
		FREE_AND_NULL(s->boxes);
	if (is_same)
		return;
	s->out.signature[0] = '\0';
	s->good_unix_s = 0;
	wait_end(s);
	s->is_confirmed = false;
	s->clearing_of = 0;
	if (!is_secondary(s) || !was_secondary) {
		s->good_ms = clock_mono_ms();
		s->why[0] = s->rival[0] = '\0';
		s->is_epoch_refused = s->is_untrusted = false;
		s->failures = 0;
	}
	if (!is_secondary(s) && is_pending(s)) {
		sync_try_undo(&s->memory);
		save_soon(s);
		offer_drop(s);
	}
	poll_again(s);
}

// A box that polls this one has seen a higher epoch, and polled lately.
static bool rival_is_there(const struct sync *s)
{
	return *s->rival && s->rival_epoch > own_epoch(s)
	       && clock_mono_ms() - s->rival_ms < SYNC_BOX_AWAY_MS;
}

void sync_status(const struct sync *s, struct sync_status *out)
{
	*out = (struct sync_status){.box = s->set.box,
		.is_secondary = is_secondary(s),
		.url = s->set.url,
		.sections = is_secondary(s) ? s->sections : 0,
		.memory = s->memory,
		.epoch = own_epoch(s),
		.version = result_version(s),
		.result = result_of(s),
		.good_unix_s = s->good_unix_s,
		.silent_ms = is_secondary(s) ? clock_mono_ms() - s->good_ms : 0,
		.is_epoch_refused = s->is_epoch_refused,
		.is_untrusted = s->is_untrusted,
		.why = s->why,
		.waits_why = s->waits_why,
		.store_why = s->store_why,
		.out_why = s->out_why,
		.rival = rival_is_there(s) ? s->rival : "",
		.rival_epoch = rival_is_there(s) ? s->rival_epoch : 0,
		.taken = s->taken,
		.refused = s->refused,
		.taken_back = s->taken_back,
		.bytes = sizeof(*s) + (s->boxes ? sizeof(*s->boxes) : 0) + s->out.len
			 + s->offer.len};
	memcpy(out->polls, s->polls, sizeof(out->polls));
	sync_waves_status(s->waves, s->boxes, &out->rollout);
}

bool sync_is_secondary(const struct sync *s)
{
	return is_secondary(s);
}

const struct sync_boxes *sync_boxes_of(const struct sync *s)
{
	return s->boxes;
}

// The primary.

// Refuses the poll of a box with a higher epoch. Only that poll: a report must not keep versions
// from other boxes.
static int rival_refuse(struct sync *s, const struct sync_report *r, char why[SYNC_WHY_MAX])
{
	const char *name = *r->primary ? r->primary : r->box;
	if (!rival_is_there(s) || r->epoch > s->rival_epoch) {
		s->rival_epoch = r->epoch;
		snprintf(s->rival, sizeof(s->rival), "%s", name);
		log_warning("sync: %s follows %s with epoch %" PRIu64
			    ", this box has epoch %" PRIu64 ": it gets no version here",
			r->box, name, r->epoch, own_epoch(s));
	}
	if (r->epoch == s->rival_epoch)
		s->rival_ms = clock_mono_ms();
	snprintf(why, SYNC_WHY_MAX,
		"%s has epoch %" PRIu64 ", but %s has epoch %" PRIu64 ": %s is the primary",
		s->set.box, own_epoch(s), name, r->epoch, name);
	return -EPERM;
}

int sync_noted(struct sync *s, const struct sync_report *r, const char *from, const char *who,
	char why[SYNC_WHY_MAX])
{
	if (is_secondary(s)) {
		snprintf(why, SYNC_WHY_MAX, "%s is a secondary of %.300s: point sync.primary there",
			s->set.box, s->set.url);
		return -EPERM;
	}
	if (!s->boxes)
		s->boxes = heap_calloc(1, sizeof(*s->boxes));
	if (!s->boxes)
		return -ENOMEM;
	sync_boxes_note(
		s->boxes, r, from, who, clock_mono_ms(), (int64_t)clock_ms_of(CLOCK_REALTIME));
	return r->epoch > own_epoch(s) ? rival_refuse(s, r, why) : 0;
}

// Makes the text of the version in force. An error other than no memory lasts as long as the
// version.
static void out_make(struct sync *s, const struct config_version *v)
{
	struct sync_offer *o = &s->out;
	char *text = NULL;
	int rc = config_shared_text(s->hooks.bundle(s->hooks.arg), &text);
	if (rc == 0 && !sync_digest(text, strlen(text), o->digest))
		rc = -ENOMEM;
	if (rc == 0) {
		FREE_AND_NULL(o->text);
		o->text = text;
		o->len = strlen(text);
		o->version = v->number;
		sync_author_set(o, v->who, v->what);
		o->signature[0] = '\0';
	} else {
		heap_free(text);
		log_warning("sync: version %u is not handed out: %s", v->number, strerror(-rc));
	}
	if (rc == -ENOMEM)
		return;
	s->out_of = v->number;
	snprintf(s->out_why, sizeof(s->out_why), "%s",
		rc == -EFBIG ? "its shared part is over 3 MiB"
		: rc < 0     ? strerror(-rc)
			     : "");
}

const struct sync_offer *sync_offered(struct sync *s)
{
	const struct versions_status *v = s->hooks.versions(s->hooks.arg);
	struct sync_offer *o = &s->out;
	if (is_secondary(s))
		return NULL;
	if (is_good(v) && (s->out_of != v->in_force.number || (!o->text && !*s->out_why)))
		out_make(s, &v->in_force);
	if (o->epoch != own_epoch(s))
		o->signature[0] = '\0';
	o->epoch = own_epoch(s);
	memcpy(o->box, s->set.box, sizeof(o->box));
	if (o->text && s->set.has_key && !*o->signature && !sync_sign(o, s->set.key))
		return NULL;
	if (!o->text)
		return NULL;
	sync_waves_epoch(s->waves, o->epoch);
	sync_waves_target(s->waves, s->boxes, o);
	return o;
}

bool sync_may_have(
	const struct sync *s, const struct sync_offer *o, const char *box, const char *from)
{
	const struct sync_box *b = sync_boxes_find(s->boxes, box, from);
	return b && sync_waves_may_have(s->waves, b, o);
}

int sync_rollout_halt(struct sync *s, bool back, const char *who)
{
	if (is_secondary(s))
		return -EPERM;
	return sync_waves_stop(s->waves, back, who) ? 0 : -ENOENT;
}

unsigned sync_base_version(const struct sync *s)
{
	return s && s->waves ? sync_waves_kept(s->waves)->base_version : 0;
}

int sync_rollout_resume(struct sync *s, bool all)
{
	if (is_secondary(s))
		return -EPERM;
	return sync_waves_continue(s->waves, s->boxes, all) ? 0 : -ENOENT;
}

static uint64_t promoted_epoch(const struct sync *s)
{
	const uint64_t own = own_epoch(s);
	if (!rival_is_there(s))
		return own + 1;
	if (s->rival_epoch - own <= EPOCH_LEAP_MAX && s->rival_epoch < SYNC_EPOCH_MAX)
		return s->rival_epoch + 1;
	log_warning("sync: %s has epoch %" PRIu64 ", too far above this box's epoch %" PRIu64
		    ": the promotion does not go above it",
		s->rival, s->rival_epoch, own);
	return own + 1;
}

int sync_promote(struct sync *s, void (*done)(void *arg, int err, const char *why), void *arg)
{
	if (is_secondary(s))
		return -EPERM;
	if (s->is_promoting)
		return -EBUSY;
	const uint64_t epoch = promoted_epoch(s);
	if (epoch > SYNC_EPOCH_MAX)
		return -ERANGE;
	sync_try_undo(&s->memory);
	offer_drop(s);
	s->before = s->memory;
	s->memory = (struct sync_memory){.epoch = epoch};
	snprintf(s->memory.primary, sizeof(s->memory.primary), "%s", s->set.box);
	s->promoted = done;
	s->promoted_arg = arg;
	s->is_promoting = true;
	const int rc = save(s, SYNC_SAVE_PROMOTION);
	if (rc == 0)
		return 0;
	s->is_promoting = false;
	s->memory = s->before;
	return rc;
}
