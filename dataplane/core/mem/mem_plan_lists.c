// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <sys/stat.h>
#include <weir/config.h>
#include <weir/list_file.h>
#include <weir/mem_plan.h>

enum { PATH_LEN = 512, FIXED = 3 << 20, TEXT_PART = 2, IMAGE_PART = 4 };

static uint64_t size_of(const char *path)
{
	struct stat s;
	return stat(path, &s) == 0 && S_ISREG(s.st_mode) ? (uint64_t)s.st_size : 0;
}

// Adds the size of the last fetched copy of a list; false: it was never fetched.
static bool fetched_add(const char *state_directory, const char *url, uint64_t *text)
{
	char path[PATH_LEN];
	struct stat s;
	if (!list_file_path(path, sizeof(path), state_directory, list_file_id(url), ".list")
		|| lstat(path, &s) != 0 || !S_ISREG(s.st_mode))
		return false;
	*text += (uint64_t)s.st_size;
	return true;
}

void mem_plan_lists_read(struct mem_plan_lists *out, const struct config *c)
{
	const struct config_blocking *b = &c->blocking;
	const char *state = c->runtime.state_directory;
	struct mem_plan_lists l = {0};
	char image[PATH_LEN];
	for (unsigned i = 0; i < b->list_count; i++) {
		const struct config_list *list = &b->lists[i];
		if (list->path)
			l.text += size_of(list->path);
		else
			l.unfetched += !fetched_add(state, list->url, &l.text);
	}
	uint64_t cap = (uint64_t)b->update.max_mb << 20;
	uint64_t usual = l.unfetched * (cap < MEM_PLAN_LIST_USUAL ? cap : MEM_PLAN_LIST_USUAL);
	l.text += usual;
	l.guess = usual + usual / TEXT_PART;
	snprintf(image, sizeof(image), "%s/rules.img", state);
	l.image = size_of(image);
	// The stored image may be of other lists: then the texts may say more.
	uint64_t of_text = l.text + l.text / TEXT_PART, of_image = l.image + l.image / IMAGE_PART;
	l.bytes = b->list_count ? FIXED + (l.image && !l.unfetched ? of_image : of_text) : 0;
	*out = l;
}
