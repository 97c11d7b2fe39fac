// SPDX-License-Identifier: BSD-3-Clause

// The data plane's word that says which of its runs reads the cache (struct reader_page). The
// writers of L0 have a pointer to it for their whole life; the file behind it may come later, or
// be replaced.
//
// Until there is a file the word is 0, since a data plane that makes one uses nothing of our
// directory before directory.reader_file names that file. If one runs already whose file is gone,
// the word is one that no run has, and everything waits until the file is back.
#include "publish_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <weir/fault.h>
#include <weir/log.h>
#include <weir/shm_lost.h>

static const char READER_NAME[] = "reader";
enum { READER_SIZE = 2 * SHM_PAGE };

const _Atomic uint64_t *publish_reader_life(const struct publisher *p)
{
	const struct reader_page *page = region_data(&p->reader);
	return &page->life;
}

// In place of a file that is not there.
static int unknown_store(struct publisher *p, char why[SHM_WHY_MAX])
{
	struct reader_page *page = region_data(&p->reader);
	int rc = mprotect(p->reader.base, p->reader.size, PROT_READ | PROT_WRITE) < 0 ? -errno : 0;
	if (rc < 0)
		snprintf(why, SHM_WHY_MAX, "reader: %s", strerror(-rc));
	else
		atomic_store(&page->life, UINT64_MAX);
	return rc;
}

void publisher_reader_look(struct publisher *p)
{
	char why[SHM_WHY_MAX];
	const bool was_there = p->reader.inode != 0;
	const int rc =
		region_attach_over(&p->paths, READER_NAME, REGION_READER, NULL, &p->reader, why);
	if (rc < 0 && rc != -ENOENT && !p->reader_told)
		log_error("data plane not used: %s; weir tries again", why);
	p->reader_told = rc < 0 && rc != -ENOENT;
	if (was_there && !p->reader.inode && unknown_store(p, why) < 0)
		region_lost_end(why); // or its zeros would say that nobody reads
	if (rc != 1)
		return;
	FAULT_POINT(reader_mapped);
	// After the mapping, which all threads use from then on.
	atomic_store_explicit(&p->dir->reader_file, region_header_of(&p->reader)->incarnation,
		memory_order_release);
	FAULT_POINT(reader_file_stored);
}

static uint64_t huge_of_reader(const struct publisher *p)
{
	const struct reader_page *page = region_data(&p->reader);
	return atomic_load_explicit(&page->huge, memory_order_acquire);
}

bool publish_sees_huge(const struct publisher *p)
{
	const uint64_t theirs = huge_of_reader(p);
	return theirs == 0 || theirs == shm_huge_place(&p->paths);
}

bool publisher_huge_apart(const struct publisher *p, char why[SHM_WHY_MAX])
{
	if (!p->paths.huge[0] || publish_sees_huge(p))
		return false;
	snprintf(why, SHM_WHY_MAX,
		"the control plane sees the hugetlbfs of %.150s, the data plane %s", p->paths.huge,
		huge_of_reader(p) == SHM_HUGE_NONE ? "sees none that it may use"
						   : "looks at another one");
	return true;
}

void publish_huge_look(struct publisher *p)
{
	char why[SHM_WHY_MAX];
	const bool is_apart = publisher_huge_apart(p, why);
	if (is_apart && !p->huge_apart)
		log_warning("%s: cache and rules go to a tmpfs", why);
	else if (!is_apart && p->huge_apart)
		log_info("the data plane sees the hugetlbfs of %s again", p->paths.huge);
	p->huge_apart = is_apart;
}

int publish_reader_open(struct publisher *p, char why[SHM_WHY_MAX])
{
	char path[SHM_PATH_MAX + 32];
	int rc = region_place(READER_SIZE, &p->reader, why);
	if (rc < 0)
		return rc;
	publisher_reader_look(p);
	if (p->reader.inode)
		return 0;
	// In this order: a data plane that finds its file named here was seen.
	atomic_store(&p->dir->reader_file, 0);
	snprintf(path, sizeof(path), "%s/dataplane.lock", p->paths.run);
	return process_lock_probe(path) == 1 ? unknown_store(p, why) : 0;
}
