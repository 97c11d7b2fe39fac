// SPDX-License-Identifier: BSD-3-Clause
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <weir/config.h>
#include <weir/mem_plan_lists.h>

enum { PATH_LEN = 512, FIXED = 3 << 20, TEXT_PART = 2, IMAGE_PART = 4 };

static uint64_t size_of(const char *path)
{
	struct stat s;
	return stat(path, &s) == 0 && S_ISREG(s.st_mode) ? (uint64_t)s.st_size : 0;
}

// Lists as they were fetched, <state_directory>/lists/<id>.list; how many.
static unsigned fetched(const char *state_directory, uint64_t *text)
{
	char folder[PATH_LEN];
	unsigned n = 0;
	snprintf(folder, sizeof folder, "%s/lists", state_directory);
	DIR *d = opendir(folder);
	for (const struct dirent *e; d && (e = readdir(d));) {
		const char *end = strrchr(e->d_name, '.');
		struct stat s;
		if (!end || strcmp(end, ".list") != 0
			|| fstatat(dirfd(d), e->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0
			|| !S_ISREG(s.st_mode))
			continue;
		*text += (uint64_t)s.st_size;
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

void mem_plan_lists_read(struct mem_plan_lists *out, const struct config *c)
{
	const struct config_blocking *b = &c->blocking;
	const char *state = c->runtime.state_directory;
	struct mem_plan_lists l = {0};
	char image[PATH_LEN];
	unsigned urls = 0;
	for (unsigned i = 0; i < b->list_count; i++) {
		urls += b->lists[i].path == NULL;
		l.text += b->lists[i].path ? size_of(b->lists[i].path) : 0;
	}
	unsigned there = urls ? fetched(state, &l.text) : 0;
	l.unfetched = urls > there ? urls - there : 0;
	uint64_t cap = (uint64_t)b->update.max_mb << 20;
	uint64_t usual = l.unfetched * (cap < MEM_PLAN_LIST_USUAL ? cap : MEM_PLAN_LIST_USUAL);
	l.text += usual;
	l.guess = usual + usual / TEXT_PART;
	snprintf(image, sizeof image, "%s/rules.img", state);
	l.image = size_of(image);
	// Of other lists, perhaps: then the texts may say more.
	uint64_t of_text = l.text + l.text / TEXT_PART, of_image = l.image + l.image / IMAGE_PART;
	l.bytes = b->list_count ? FIXED + (l.image && !l.unfetched ? of_image : of_text) : 0;
	*out = l;
}
