// SPDX-License-Identifier: BSD-3-Clause
#include "tables.h"

#include "worker_rings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/numa.h>
#include <weir/region_each.h>

enum { AGAIN_MS = 1000 };

bool tables_take_rings(struct tables_set *set, const struct tables_source *src, uint64_t now_ms,
	uint64_t *again_ms)
{
	char why[SHM_WHY_MAX] = "";
	const unsigned had = set->t.l0.resolvers;

	if (had == set->resolvers)
		return false;
	int rc = worker_rings_grow(src->rings, &src->paths, src->worker, set->resolvers, why);
	const unsigned have = src->rings->resolvers;
	set->t.l0.resolvers = (uint8_t)(have < set->resolvers ? have : set->resolvers);
	if (rc < 0 && *again_ms == 0)
		log_error("rings for %u of %u resolvers only: %s; names of the others are answered "
			  "but not cached; weir tries again",
			have, set->resolvers, why);
	*again_ms = rc < 0 ? now_ms + AGAIN_MS : 0;
	return set->t.l0.resolvers != had;
}

static void unmap_marks(struct region marks[SHM_WORKERS_MAX])
{
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++)
		region_unmap(&marks[i]);
}

// Deletes the file of a worker's marks.
static void tables_unlink_marks(
	const struct tables_source *src, unsigned worker, uint64_t generation)
{
	char name[SHM_NAME_MAX];
	shm_name_marks(name, worker, generation);
	(void)region_unlink(&src->paths, SHM_IN_MEM, name);
}

// What a set uses and another one uses too.
struct shared {
	bool names, policy, hops, l0;
	bool marks; // the files of its marks: the newer set may have made its own under their names
};

static struct shared shared_with(
	const struct tables_set *set, const struct tables_set *const *kept, unsigned count)
{
	struct shared s = {0};
	for (unsigned i = 0; i < count; i++) {
		s.names |= kept[i]->names.base == set->names.base;
		s.policy |= kept[i]->policy.base == set->policy.base;
		s.hops |= kept[i]->hops.base == set->hops.base;
		s.l0 |= kept[i]->l0.base == set->l0.base;
		s.marks |= kept[i]->t.l0_generation == set->t.l0_generation;
	}
	return s;
}

void tables_free(struct tables_set *set, const struct tables_set *const *kept, unsigned count,
	const struct tables_source *src)
{
	if (!set)
		return;
	const struct shared shared = shared_with(set, kept, count);
	if (!shared.names)
		region_unmap(&set->names);
	if (!shared.policy)
		region_unmap(&set->policy);
	if (!shared.hops)
		region_unmap(&set->hops);
	if (!shared.l0) {
		region_unmap(&set->l0);
		unmap_marks(set->marks);
		for (unsigned i = 0; set->t.has_l0 && !shared.marks && i < src->workers; i++) {
			tables_unlink_marks(src, i, set->t.l0_generation);
			FAULT_POINT(marks_unlinked);
		}
	}
	heap_free(set);
}

static uint64_t word_generation(uint64_t word)
{
	return word >> 1;
}

// Takes generation `word` of a kind and checks that the file is what its name says. The policy is a
// private copy: zeros in place of a file that was cut off would mean that everyone may ask. So are
// the hops, which are read once.
static int attach(struct region *out, const struct tables_source *src, const char *stem,
	enum region_kind kind, uint64_t word, char why[SHM_WHY_MAX])
{
	char name[SHM_NAME_MAX];
	enum shm_where where = (enum shm_where)(word & 1);
	shm_name_generation(name, stem, word_generation(word));
	struct region r = {0};
	int rc = kind == REGION_POLICY || kind == REGION_HOPS
			 ? region_load(&src->paths, where, name, kind, &r, why)
			 : region_attach(&src->paths, where, name, kind, false, &r, why);
	if (rc)
		return rc;
	if (region_header_of(&r)->generation != word_generation(word)) {
		snprintf(why, SHM_WHY_MAX, "%s: generation in its header is another", name);
		region_unmap(&r);
		return -EPROTO;
	}
	*out = r;
	return 0;
}

// After a restart of the control plane: the very file that we have mapped already?
static bool same_region(const struct region *a, const struct region *b)
{
	if (!a->base || !b->base || a->size != b->size || a->where != b->where)
		return false;
	const struct region_header *x = region_header_of(a), *y = region_header_of(b);
	return x->generation == y->generation && x->incarnation == y->incarnation
	       && x->sum == y->sum;
}

// Keeps the visits of an earlier run: with both processes dead no other copy exists, and the hand
// would evict the most popular records first. A false mark only spares a record once. Refresh
// requests are dropped, because the control plane that had them is gone.
static void inherit_visits(const struct region *marks, const struct region *former, uint32_t units)
{
	if (region_header_of(former)->geometry[0] != units || region_data_size(former) < units)
		return;
	_Atomic uint8_t *to = region_data(marks);
	const _Atomic uint8_t *from = region_data(former);
	for (uint32_t i = 0; i < units; i++) {
		uint8_t mark = atomic_load_explicit(&from[i], memory_order_relaxed);
		atomic_store_explicit(&to[i], mark & MARK_VISITED, memory_order_relaxed);
	}
}

// Replaces a region of that name, which may be what leaves no room for two. Not published yet.
static int create_in_place(struct region *marks, const struct tables_source *src,
	const struct region_spec *spec, char why[SHM_WHY_MAX])
{
	struct region former = {0};
	(void)!region_attach(
		&src->paths, SHM_IN_MEM, spec->name, REGION_MARKS, false, &former, why);
	int rc = region_create(&src->paths, spec, marks, why);
	if (rc && former.base) {
		region_unmap(&former);
		rc = region_create(&src->paths, spec, marks, why);
	}
	if (rc)
		return rc;
	if (former.base)
		inherit_visits(marks, &former, (uint32_t)spec->geometry[0]);
	region_unmap(&former);
	return 0;
}

static bool is_marks_of(const char *name, unsigned workers, uint64_t generation)
{
	for (unsigned i = 0; i < workers; i++) {
		char marks[SHM_NAME_MAX];
		shm_name_marks(marks, i, generation);
		if (strcmp(name, marks) == 0)
			return true;
	}
	return false;
}

struct present {
	const struct tables_source *src;
	uint64_t generation;
};

static void unlink_former(void *arg, const char *name)
{
	const struct present *p = arg;
	if (strncmp(name, "marks.", 6) != 0 || is_marks_of(name, p->src->workers, p->generation))
		return;
	(void)region_unlink(&p->src->paths, SHM_IN_MEM, name);
	FAULT_POINT(former_marks_unlinked);
}

// Deletes unused marks of an earlier run: of another generation, or of a worker beyond the present
// number.
static void sweep_marks(const struct tables_source *src, uint64_t generation)
{
	struct present p = {src, generation};
	region_each(&src->paths, SHM_IN_MEM, unlink_former, &p);
}

// Published once all are there, or none is left: the control plane keeps what it has mapped, and
// would not see those that a later try makes.
static int create_marks(struct region marks[SHM_WORKERS_MAX], const struct tables_source *src,
	uint64_t generation, uint32_t units, char why[SHM_WHY_MAX])
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < src->workers; i++) {
		char name[SHM_NAME_MAX];
		shm_name_marks(name, i, generation);
		const struct region_spec spec = {
			.name = name,
			.kind = REGION_MARKS,
			.generation = generation,
			.incarnation = src->incarnation,
			.index = i,
			.data_size = units,
			.geometry = {units},
		};
		(void)numa_place(numa_nodes_of(NULL, &src->lcores[i], 1));
		rc = create_in_place(&marks[i], src, &spec, why);
		(void)numa_place(0);
	}
	for (unsigned i = 0; i < src->workers && marks[i].base; i++) {
		if (rc) {
			region_unmap(&marks[i]);
			tables_unlink_marks(src, i, generation);
			continue;
		}
		region_publish(&marks[i]);
		FAULT_POINT(marks_made);
	}
	return rc;
}

int tables_take_l0(struct tables_set *set, const struct tables_source *src, uint64_t word,
	char why[SHM_WHY_MAX])
{
	struct region l0 = {0}, marks[SHM_WORKERS_MAX] = {0};
	struct l0_reader reader;
	uint64_t generation = word_generation(word);
	int rc = attach(&l0, src, "l0", REGION_L0, word, why);
	if (rc)
		return rc;
	if (same_region(&l0, &set->l0)) {
		region_unmap(&l0);
		set->l0_word = word;
		return 1;
	}
	rc = l0_reader_init(&reader, l0.base, l0.size);
	if (rc) {
		snprintf(why, SHM_WHY_MAX, "l0.%llu: its geometry does not fit its size",
			(unsigned long long)generation);
		goto fail;
	}
	rc = create_marks(marks, src, generation, reader.unit_count, why);
	if (rc)
		goto fail;

	if (!set->t.has_l0)
		sweep_marks(src, generation);
	set->l0 = l0;
	memcpy(set->marks, marks, sizeof(marks));
	set->l0_word = word;
	set->resolvers = reader.resolvers;
	set->t.l0 = reader;
	set->t.l0.resolvers = 0; // tables_take_rings
	set->t.has_l0 = true;
	set->t.l0_generation = generation;
	for (unsigned i = 0; i < src->workers; i++)
		set->t.marks[i] = region_data(&marks[i]);
	return 0;

fail:
	region_unmap(&l0);
	return rc;
}

int tables_take_rules(struct tables_set *set, const struct tables_source *src, uint64_t word,
	char why[SHM_WHY_MAX])
{
	struct region names = {0};
	struct rule_reader reader;
	char detail[128] = "";
	int rc = attach(&names, src, "rule_image", REGION_RULE_IMAGE, word, why);
	if (rc)
		return rc;
	if (same_region(&names, &set->names)) {
		region_unmap(&names);
		set->rules_word = word;
		return 1;
	}
	rc = rule_reader_init(&reader, region_data(&names), region_data_size(&names), true, detail);
	if (rc) {
		snprintf(why, SHM_WHY_MAX, "rule_image.%llu: %s",
			(unsigned long long)word_generation(word), detail);
		region_unmap(&names);
		return rc;
	}
	set->names = names;
	set->rules_word = word;
	set->t.rules = reader;
	set->t.has_rules = true;
	set->t.rule_image_generation = word_generation(word);
	return 0;
}

int tables_take_policy(struct tables_set *set, const struct tables_source *src, uint64_t word,
	char why[SHM_WHY_MAX])
{
	struct region policy = {0};
	char detail[128] = "";
	int rc = attach(&policy, src, "policy", REGION_POLICY, word, why);
	if (rc)
		return rc;
	if (same_region(&policy, &set->policy)) {
		region_unmap(&policy);
		set->policy_word = word;
		return 1;
	}
	struct policy_reader reader;
	rc = policy_reader_init(&reader, region_data(&policy), region_data_size(&policy), detail);
	if (rc) {
		snprintf(why, SHM_WHY_MAX, "policy.%llu: %s",
			(unsigned long long)word_generation(word), detail);
		region_unmap(&policy);
		return rc;
	}
	set->policy = policy;
	set->policy_word = word;
	set->t.policy = reader;
	set->t.has_groups = policy_has_groups(&reader);
	set->t.has_access = reader.has_access;
	set->t.has_balancers = reader.balancer_count > 0;
	set->t.is_closed = false;
	set->t.policy_generation = word_generation(word);
	return 0;
}

int tables_take_hops(struct tables_set *set, const struct tables_source *src, uint64_t word,
	char why[SHM_WHY_MAX])
{
	struct region hops = {0};
	char detail[128] = "";
	int rc = attach(&hops, src, "hops", REGION_HOPS, word, why);
	if (rc)
		return rc;
	if (same_region(&hops, &set->hops)) {
		region_unmap(&hops);
		set->hops_word = word;
		return 1;
	}
	struct hops_reader reader;
	rc = hops_reader_init(&reader, region_data(&hops), region_data_size(&hops), detail);
	if (rc) {
		snprintf(why, SHM_WHY_MAX, "hops.%llu: %s",
			(unsigned long long)word_generation(word), detail);
		region_unmap(&hops);
		return rc;
	}
	set->hops = hops;
	set->hops_word = word;
	set->t.hops = reader;
	set->t.hops_generation = word_generation(word);
	return 0;
}

static bool config_sane(const struct dp_config *c)
{
	return c->udp_limit >= 512 && c->udp_limit <= 4096 && c->block.mode < DNS_BLOCK_MODES
	       && c->stale_mode <= STALE_IMMEDIATE && c->cookies.count <= DNS_COOKIE_SECRETS_MAX
	       && c->cookies.require <= DNS_COOKIE_REQUIRE_OVER_LIMIT
	       && (c->log_level == 0 || c->log_level >= LOG_LEVEL_ERROR)
	       && c->log_level <= LOG_LEVEL_DEBUG && c->log_format <= LOG_FORMAT_JSON;
}

static void log_follow(const struct dp_config *c)
{
	if (!c->log_level)
		return;
	log_set_level((enum log_level)c->log_level);
	log_set_format((enum log_format)c->log_format);
}

int tables_take_config(struct tables_set *set, const struct directory *dir, uint64_t generation,
	char why[SHM_WHY_MAX])
{
	struct dp_config copy;
	memcpy(&copy, &dir->config[generation % DIRECTORY_CONFIG_SLOTS], sizeof(copy));
	atomic_thread_fence(memory_order_acquire);
	uint64_t now = atomic_load_explicit(&dir->config_generation, memory_order_relaxed);
	// The slot is written again while generation + SLOTS is being made, that is as soon as
	// generation + SLOTS - 1 is out.
	if (now - generation >= DIRECTORY_CONFIG_SLOTS - 1) {
		snprintf(why, SHM_WHY_MAX, "settings changed while they were copied");
		return -EAGAIN;
	}
	if (!config_sane(&copy)) {
		snprintf(why, SHM_WHY_MAX, "settings %llu are out of range",
			(unsigned long long)generation);
		return -EPROTO;
	}
	set->t.config = copy;
	set->t.config_generation = generation;
	set->config_word = generation;
	log_follow(&copy);
	return 0;
}
