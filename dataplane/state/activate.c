// SPDX-License-Identifier: BSD-3-Clause
#include "activate.h"

#include "worker_rings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/shm_lost.h>

// Workers that are stuck while others run, and the tables that they keep.
//
// What a worker may use is the set that it says it uses, and the one that was handed to it last:
// it may be between its load of next_tables and its store of tables_in_use. So it is handed nothing
// else until it has taken that one, and both stay mapped.

// True if the worker's heartbeat has not moved for ACTIVATE_STUCK_MS of polls.
static bool is_silent(const struct activate_pulse *b, uint64_t now_ms)
{
	return b->beat_ms != 0 && now_ms - b->moved_ms >= ACTIVATE_STUCK_MS;
}

// A poll's look at the workers.
static void activate_pulses(struct activate *a, uint64_t now_ms)
{
	// This lcore itself did not run, or the machine was suspended: the workers need as long as
	// we do for their next heartbeat.
	const bool paused = now_ms - a->polled_ms >= ACTIVATE_STUCK_MS / 2;
	bool beats = false;

	a->polled_ms = now_ms;
	for (unsigned i = 0; i < a->src.workers; i++) {
		struct activate_pulse *b = &a->pulse[i];
		uint64_t beat_ms = atomic_load_explicit(
			&a->src.worker[i]->rings->heartbeat_ms, memory_order_relaxed);
		if (paused || beat_ms != b->beat_ms)
			*b = (struct activate_pulse){.beat_ms = beat_ms, .moved_ms = now_ms};
		beats |= beat_ms && now_ms - b->moved_ms < ACTIVATE_STUCK_MS / 2;
	}
	for (unsigned i = 0; i < a->src.workers; i++)
		a->pulse[i].stuck = beats && is_silent(&a->pulse[i], now_ms);
}

static bool has_taken_its_last(const struct worker *w)
{
	return atomic_load_explicit(&w->tables_in_use, memory_order_acquire)
	       == atomic_load_explicit(&w->next_tables, memory_order_relaxed);
}

static void activate_hand(struct activate *a, const struct tables_set *set)
{
	if (a->on_hops && set->hops.base != a->hops_base) {
		a->hops_base = set->hops.base;
		a->on_hops(a->on_hops_arg, &set->t.hops);
	}
	for (unsigned i = 0; i < a->src.workers; i++) {
		struct worker *w = a->src.worker[i];
		if (atomic_load_explicit(&w->next_tables, memory_order_relaxed) == &set->t
			|| !has_taken_its_last(w))
			continue;
		atomic_store_explicit(&w->next_tables, &set->t, memory_order_release);
		worker_wake(w);
	}
}

static bool is_held(const struct activate *a, const struct tables_set *set)
{
	for (unsigned i = 0; i < a->src.workers; i++) {
		const struct worker *w = a->src.worker[i];
		if (atomic_load_explicit(&w->tables_in_use, memory_order_acquire) == &set->t
			|| atomic_load_explicit(&w->next_tables, memory_order_relaxed) == &set->t)
			return true;
	}
	return false;
}

static void activate_let_go(struct activate *a, struct tables_set *set)
{
	const struct tables_set *others[ACTIVATE_KEPT_MAX + 2];
	unsigned count = 0;

	if (a->current && a->current != set)
		others[count++] = a->current;
	if (a->next)
		others[count++] = a->next;
	for (unsigned i = 0; i < a->kept_count; i++)
		others[count++] = a->kept[i];
	tables_free(set, others, count, &a->src);
}

// Retires a->current in favour of a->next. False: no room, come again.
static bool activate_retire(struct activate *a)
{
	struct tables_set *old = a->current;

	if (old && is_held(a, old)) {
		if (a->kept_count == ACTIVATE_KEPT_MAX)
			return false;
		a->kept[a->kept_count++] = old;
	} else if (old) {
		activate_let_go(a, old);
	}
	return true;
}

// Frees what is kept and no worker uses any more.
static void activate_sweep(struct activate *a)
{
	for (unsigned i = 0; i < a->kept_count;) {
		struct tables_set *set = a->kept[i];
		if (is_held(a, set)) {
			i++;
			continue;
		}
		a->kept[i] = a->kept[--a->kept_count];
		activate_let_go(a, set);
	}
}

static const struct directory *directory_of(const struct region *r)
{
	return region_data(r);
}

// Hands `set` to the workers; finish_tables sees when all have taken it.
static void publish(struct activate *a, struct tables_set *set)
{
	a->next = set;
	activate_hand(a, set);
	FAULT_POINT(activate_tables_handed);
}

int activate_init(struct activate *a, const struct shm_paths *paths, struct worker *const *workers,
	struct worker_rings *rings, const struct dp_config *defaults, struct stats_region *stats)
{
	struct tables_set *first = heap_calloc(1, sizeof(*first));
	if (!first)
		return -ENOMEM;
	first->t.config = *defaults;
	first->t.is_closed = true;
	*a = (struct activate){
		.src = {.paths = *paths,
			.workers = rings->count,
			.worker = workers,
			.rings = rings,
			.incarnation = rings->incarnation},
		.stats = stats,
		.attach = true,
	};
	for (unsigned i = 0; i < rings->count; i++)
		a->src.lcores[i] = workers[i]->lcore;
	publish(a, first);
	return 0;
}

void activate_close(struct activate *a)
{
	// Marks stay on disk: the control plane may still read them, the next life sweeps them.
	struct tables_set *last = a->next ? a->next : a->current;
	while (a->kept_count > 0)
		activate_let_go(a, a->kept[--a->kept_count]);
	if (a->next && a->current)
		activate_let_go(a, a->current);
	if (last) {
		region_unmap(&last->l0);
		region_unmap(&last->names);
		region_unmap(&last->policy);
		region_unmap(&last->hops);
		for (unsigned i = 0; i < a->src.workers; i++)
			region_unmap(&last->marks[i]);
		heap_free(last);
	}
	region_unmap(&a->directory);
	region_unmap(&a->old_directory);
	*a = (struct activate){0};
}

// NULL: nothing. A stuck worker's words stay until it has taken `tables` too.
static void tell_activated(struct activate *a, const struct worker_tables *tables)
{
	static const struct worker_tables none;
	const struct worker_tables *t = tables ? tables : &none;
	for (unsigned i = 0; i < a->src.workers; i++) {
		const struct worker *w = a->src.worker[i];
		struct rings_dp_page *rings = w->rings;
		if (tables && atomic_load(&w->tables_in_use) != tables)
			continue;
		atomic_store_explicit(&rings->activated_l0, t->l0_generation, memory_order_release);
		FAULT_POINT(activated_l0_stored);
		atomic_store_explicit(
			&rings->activated_rules, t->rule_image_generation, memory_order_release);
		FAULT_POINT(activated_rules_stored);
		atomic_store_explicit(
			&rings->activated_config, t->config_generation, memory_order_release);
		FAULT_POINT(activated_config_stored);
		atomic_store_explicit(
			&rings->activated_policy, t->policy_generation, memory_order_relaxed);
		atomic_store_explicit(
			&rings->activated_hops, t->hops_generation, memory_order_relaxed);
	}
}

// The generations for the statistics; `tables` NULL writes zeros.
static void tell_generations(struct activate *a, const struct worker_tables *tables)
{
	static const struct worker_tables none;
	const struct worker_tables *t = tables ? tables : &none;
	struct stats_region *s = a->stats;
	atomic_store_explicit(&s->l0_generation, t->l0_generation, memory_order_relaxed);
	atomic_store_explicit(
		&s->rule_image_generation, t->rule_image_generation, memory_order_relaxed);
	atomic_store_explicit(&s->config_generation, t->config_generation, memory_order_relaxed);
	atomic_store_explicit(&s->policy_generation, t->policy_generation, memory_order_relaxed);
	atomic_store_explicit(&s->hops_generation, t->hops_generation, memory_order_relaxed);
}

void activate_link(struct activate *a, bool up)
{
	a->linked = up;
	if (up) {
		a->attach = true;
		a->next_attach_ms = 0;
		// The numbers of its predecessor may be those of its own regions, which no worker
		// uses yet.
		tell_generations(a, NULL);
	} else {
		// The next control plane may count from 1 again; it must not take the progress with
		// its predecessor as progress with its own regions.
		tell_activated(a, NULL);
	}
}

// True: some worker still uses the old directory's epoch.
static bool finish_directory(struct activate *a)
{
	if (!a->moving)
		return false;
	const _Atomic uint64_t *epoch = &directory_of(&a->directory)->epoch;
	for (unsigned i = 0; i < a->src.workers; i++) {
		if (atomic_load_explicit(&a->src.worker[i]->epoch_in_use, memory_order_acquire)
			!= epoch)
			return true;
	}
	region_unmap(&a->old_directory);
	a->moving = false;
	return false;
}

static bool finish_tables(struct activate *a)
{
	if (!a->next)
		return false;
	for (unsigned i = 0; i < a->src.workers; i++) {
		if (atomic_load_explicit(&a->src.worker[i]->tables_in_use, memory_order_acquire)
				!= &a->next->t
			&& !a->pulse[i].stuck)
			return true;
	}
	if (!activate_retire(a))
		return true;
	a->current = a->next;
	a->next = NULL;
	return false;
}

static int map_directory(struct activate *a, struct region *out, char why[SHM_WHY_MAX])
{
	struct region r = {0};
	int rc = region_attach(
		&a->src.paths, SHM_IN_MEM, "directory", REGION_DIRECTORY, false, &r, why);
	if (rc == 0 && region_data_size(&r) < sizeof(struct directory))
		rc = -EPROTO;
	if (rc)
		region_unmap(&r);
	else
		*out = r;
	return rc;
}

static void attach_directory(struct activate *a, uint64_t now_ms)
{
	char why[SHM_WHY_MAX] = "";
	struct region r = {0};
	a->next_attach_ms = now_ms + ACTIVATE_RETRY_MS;
	int rc = map_directory(a, &r, why);
	if (rc) {
		if (rc != -ENOENT && a->linked)
			log_warning("directory: %s", why[0] ? why : strerror(-rc));
		return;
	}
	// Before any worker reads the directory's regions: a control plane that does not know these
	// worker rings (it is stopped, or just starts) then reuses nothing (shm_epoch.h).
	worker_rings_announce(a->src.rings);
	const bool is_same = a->directory.base
			     && region_header_of(&r)->incarnation
					== region_header_of(&a->directory)->incarnation;
	if (!is_same && !worker_rings_is_seen(a->src.rings, &a->src.paths, directory_of(&r))) {
		region_unmap(&r);
		return;
	}
	a->attach = false;
	// The words of a new directory may name other files than before: generations may have
	// restarted.
	a->current->l0_word = a->current->rules_word = 0;
	a->current->policy_word = a->current->hops_word = a->current->config_word = 0;
	if (is_same) {
		region_unmap(&r);
		return;
	}
	a->old_directory = a->directory;
	a->directory = r;
	a->moving = true;
	for (unsigned i = 0; i < a->src.workers; i++)
		atomic_store_explicit(&a->src.worker[i]->next_epoch, &directory_of(&r)->epoch,
			memory_order_release);
	FAULT_POINT(activate_directory_handed);
}

// Is there reason to try `word` now?
static bool wanted(
	uint64_t word, uint64_t have, const struct activate_refusal *refused, uint64_t now_ms)
{
	if (word == 0 || (word == refused->word && now_ms < refused->until_ms))
		return false;
	return word != have;
}

// Keeps the outcome of one part; whether the set changed.
static bool judge(
	struct activate_refusal *refused, int rc, uint64_t word, const char *why, uint64_t now_ms)
{
	if (rc >= 0) {
		*refused = (struct activate_refusal){0};
		return rc == 0;
	}
	if (word != refused->word)
		log_error("data plane refused new state: %s; the previous one stays active",
			why[0] ? why : strerror(-rc));
	*refused =
		(struct activate_refusal){.word = word, .until_ms = now_ms + ACTIVATE_REFUSED_MS};
	return false;
}

// Copies what is in use, replaces what is newer, and hands it out if that changed anything.
static void look(struct activate *a, uint64_t now_ms)
{
	const struct directory *dir = directory_of(&a->directory);
	uint64_t l0 = atomic_load_explicit(&dir->current[REGION_L0], memory_order_acquire);
	uint64_t names =
		atomic_load_explicit(&dir->current[REGION_RULE_IMAGE], memory_order_acquire);
	uint64_t policy = atomic_load_explicit(&dir->current[REGION_POLICY], memory_order_acquire);
	uint64_t hops = atomic_load_explicit(&dir->current[REGION_HOPS], memory_order_acquire);
	uint64_t config = atomic_load_explicit(&dir->config_generation, memory_order_acquire);
	struct tables_set *cur = a->current;
	bool want_l0 = wanted(l0, cur->l0_word, &a->refused_l0, now_ms);
	bool want_rings = a->rings_again_ms != 0 && now_ms >= a->rings_again_ms;
	bool want_rules = wanted(names, cur->rules_word, &a->refused_rules, now_ms);
	bool want_policy = wanted(policy, cur->policy_word, &a->refused_policy, now_ms);
	bool want_hops = wanted(hops, cur->hops_word, &a->refused_hops, now_ms);
	bool want_config = wanted(config, cur->config_word, &a->refused_config, now_ms);
	if (!want_l0 && !want_rings && !want_rules && !want_policy && !want_hops && !want_config)
		return;

	struct tables_set *set = heap_malloc(sizeof(*set));
	if (!set)
		return; // the next poll tries again
	memcpy(set, cur, sizeof(*set));
	bool changed = false;
	char why[SHM_WHY_MAX] = "";
	if (want_l0)
		changed |= judge(
			&a->refused_l0, tables_take_l0(set, &a->src, l0, why), l0, why, now_ms);
	if (want_l0 || want_rings)
		changed |= tables_take_rings(set, &a->src, now_ms, &a->rings_again_ms);
	if (want_rules)
		changed |= judge(&a->refused_rules, tables_take_rules(set, &a->src, names, why),
			names, why, now_ms);
	if (want_policy)
		changed |= judge(&a->refused_policy, tables_take_policy(set, &a->src, policy, why),
			policy, why, now_ms);
	if (want_hops)
		changed |= judge(&a->refused_hops, tables_take_hops(set, &a->src, hops, why), hops,
			why, now_ms);
	if (want_config) {
		int rc = tables_take_config(set, dir, config, why);
		if (rc != -EAGAIN)
			changed |= judge(&a->refused_config, rc, config, why, now_ms);
	}
	// A part that failed its second check is tried again although its word is the same.
	set->l0_word = a->refused_l0.word ? 0 : set->l0_word;
	set->rules_word = a->refused_rules.word ? 0 : set->rules_word;
	set->policy_word = a->refused_policy.word ? 0 : set->policy_word;
	set->hops_word = a->refused_hops.word ? 0 : set->hops_word;
	set->config_word = a->refused_config.word ? 0 : set->config_word;
	cur->l0_word = set->l0_word;
	cur->rules_word = set->rules_word;
	cur->policy_word = set->policy_word;
	cur->hops_word = set->hops_word;
	cur->config_word = set->config_word;
	if (changed)
		publish(a, set);
	else
		heap_free(set);
}

static void tell(struct activate *a)
{
	const struct worker_tables *t = &a->current->t;
	if (a->linked)
		tell_activated(a, t);
	tell_generations(a, t);
}

void activate_poll(struct activate *a, uint64_t now_ms)
{
	activate_pulses(a, now_ms);
	activate_hand(a, a->next ? a->next : a->current);
	activate_sweep(a);
	if (finish_directory(a) || finish_tables(a))
		return;
	if (a->attach && now_ms >= a->next_attach_ms)
		attach_directory(a, now_ms);
	if (a->moving || !a->directory.base)
		return;
	worker_rings_announce(a->src.rings);
	look(a, now_ms);
	if (!a->next && !a->attach)
		tell(a);
}

bool activate_is_settled(const struct activate *a)
{
	return !a->moving && !a->next;
}

void activate_check(const struct activate *a)
{
	char name[SHM_NAME_MAX];
	// Where there are two users the other process may have cut them off, and this one need not
	// end: it gets zeros in their place.
	for (unsigned i = 0; !a->src.paths.two_users && a->current && i < a->src.workers; i++) {
		shm_name_marks(name, i, a->current->t.l0_generation);
		if (region_is_cut(&a->src.paths, &a->current->marks[i], name))
			region_lost_end(name);
	}
}

const struct directory *activate_directory(const struct activate *a)
{
	return a->directory.base ? directory_of(&a->directory) : NULL;
}

uint64_t activate_heartbeat_age_ms(const struct activate *a, uint64_t now_ms)
{
	if (!a->directory.base)
		return UINT64_MAX;
	uint64_t beat = atomic_load_explicit(
		&directory_of(&a->directory)->heartbeat_ms, memory_order_relaxed);
	return now_ms > beat ? now_ms - beat : 0;
}
