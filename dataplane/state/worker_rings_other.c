// SPDX-License-Identifier: BSD-3-Clause

// Where the two processes' files meet: the control plane's half of the rings, which this one maps
// as it appears, and the word of this one that the control plane maps.

#include "worker_rings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <weir/fault.h>
#include <weir/log.h>

enum { ANSWERS_LOOK_MS = 100 };

static const char READER_NAME[] = "reader";

static void refused_tell(struct worker_rings *l, const char *why)
{
	if (!l->refused_told)
		log_error("answers of the control plane not taken: %s; weir tries again", why);
	l->refused_told = true;
}

static void answers_map(
	struct worker_rings *l, const struct shm_paths *paths, unsigned worker, unsigned resolver)
{
	const uint64_t geometry[SHM_GEOMETRY_WORDS] = {
		0, RINGS_ANSWER_UNITS, 0, resolver, l->incarnation};
	struct rings *rings = &l->rings[worker];
	struct region *at = &rings->answers[resolver];
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];

	shm_name_answers(name, worker, resolver);
	const int rc = region_attach_over(paths, name, REGION_ANSWERS, geometry, at, why);
	// -EPROTO: still being made, or of another version, which the link says.
	if (rc < 0 && rc != -ENOENT && rc != -EPROTO && rc != -EAGAIN)
		refused_tell(l, why);
	struct rings_dp_page *dp = (void *)(rings->region[resolver].base + RINGS_DP_PAGE);
	if (rc < 0 && !at->inode) {
		l->missing = true;
		atomic_store_explicit(&dp->answers, 0, memory_order_release);
	}
	if (rc <= 0)
		return;
	FAULT_POINT(answers_mapped);
	atomic_store_explicit(
		&dp->answers, region_header_of(at)->incarnation, memory_order_release);
	FAULT_POINT(answers_told);
	l->refused_told = false;
}

void worker_rings_link(struct worker_rings *l, const struct shm_paths *paths)
{
	l->missing = false;
	for (unsigned i = 0; i < l->count * l->resolvers; i++)
		answers_map(l, paths, i / l->resolvers, i % l->resolvers);
}

void worker_rings_look(struct worker_rings *l, const struct shm_paths *paths, uint64_t now_ms)
{
	if (!l->missing || now_ms < l->next_answers_ms)
		return;
	l->next_answers_ms = now_ms + ANSWERS_LOOK_MS;
	l->missing = false;
	for (unsigned i = 0; i < l->count * l->resolvers; i++)
		if (!l->rings[i / l->resolvers].answers[i % l->resolvers].inode)
			answers_map(l, paths, i / l->resolvers, i % l->resolvers);
}

static struct reader_page *reader_page(const struct worker_rings *l)
{
	return region_data(&l->reader);
}

static void huge_tell(const struct region *reader, const struct shm_paths *paths)
{
	struct reader_page *page = region_data(reader);
	atomic_store_explicit(&page->huge, shm_huge_place(paths), memory_order_release);
}

// Each file has a number of its own, by which the control plane says which one it has mapped.
static int reader_make(
	struct region *out, const struct shm_paths *paths, uint64_t life, char why[SHM_WHY_MAX])
{
	const struct region_spec spec = {
		.name = READER_NAME,
		.kind = REGION_READER,
		.generation = 1,
		.incarnation = incarnation_new(),
		.data_size = sizeof(struct reader_page),
	};
	int rc = region_create(paths, &spec, out, why);
	if (rc)
		return rc;
	struct reader_page *page = region_data(out);
	atomic_store_explicit(&page->life, life, memory_order_relaxed);
	huge_tell(out, paths);
	FAULT_POINT(reader_filled);
	region_publish(out);
	return 0;
}

int worker_rings_reader_open(
	struct worker_rings *l, const struct shm_paths *paths, char why[SHM_WHY_MAX])
{
	int rc =
		region_attach(paths, SHM_IN_MEM, READER_NAME, REGION_READER, true, &l->reader, why);
	if (rc && rc != -ENOENT)
		log_warning("reader of an earlier run not usable (%s); creating a new one", why);
	if (rc)
		return reader_make(&l->reader, paths, 0, why);
	huge_tell(&l->reader, paths);
	return 0;
}

void worker_rings_reader_check(struct worker_rings *l, const struct shm_paths *paths)
{
	char path[SHM_PATH_MAX + SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct stat st;
	struct region made;
	huge_tell(&l->reader, paths);
	snprintf(path, sizeof(path), "%s/%s", paths->mem, READER_NAME);
	if (lstat(path, &st) == 0 && st.st_ino == l->reader.inode
		&& st.st_size == (off_t)l->reader.size)
		return;
	// What a control plane has mapped goes on saying that this run reads.
	if (reader_make(&made, paths, l->incarnation, why) < 0) {
		log_warning("%s", why);
		return;
	}
	log_warning("%s: deleted while in use; created again", path);
	region_unmap(&l->reader);
	l->reader = made;
}

void worker_rings_announce(const struct worker_rings *l)
{
	_Atomic uint64_t *life = &reader_page(l)->life;
	if (atomic_load_explicit(life, memory_order_relaxed) == l->incarnation)
		return;
	atomic_store_explicit(life, l->incarnation, memory_order_release);
	FAULT_POINT(directory_reader_stored);
}

bool worker_rings_is_seen(const struct worker_rings *l, const struct shm_paths *paths,
	const struct directory *directory)
{
	char path[SHM_PATH_MAX + SHM_NAME_MAX];
	const uint64_t file = region_header_of(&l->reader)->incarnation;
	if (atomic_load_explicit(&directory->reader_file, memory_order_acquire) == file)
		return true;
	snprintf(path, sizeof(path), "%s/" SHM_NAME_CONTROL_LOCK, paths->run);
	// One that starts after this finds the file, which is there already.
	return process_lock_probe(path) == 0;
}
