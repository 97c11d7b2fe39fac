// SPDX-License-Identifier: BSD-3-Clause
#include "mapped_rules.h"

#include <string.h>
#include <weir/heap_site.h>
#include <weir/rule_class.h>

static void take(struct mapped_rules *fr, const struct rule_reader *reader, uint64_t word)
{
	fr->reader = *reader;
	fr->word = word;
	memset(fr->allowing, 0, sizeof(fr->allowing));
	for (unsigned class = 0; class < RULE_CLASSES; class ++)
		for (unsigned w = 0; w < 4 && RULE_MASK_ALLOWING >> class & 1; w++)
			fr->allowing[w] |= reader->of_class[class][w];
}

// Maps the image of `word`. Its file may be gone: then there is a newer image, which the next look
// finds. The sums of its body are not checked: they take 0.1 ms a MiB, and this process or its last
// life has made the file.
static bool map(struct mapped_rules *fr, const struct shm_paths *paths, uint64_t word)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX], detail[128] = "";
	struct region region = {0};
	struct rule_reader *reader = heap_malloc(sizeof(*reader));

	shm_name_generation(name, "rule_image", word >> 1);
	bool is_good = reader
		       && region_attach_lazily(paths, (enum shm_where)(word & 1), name,
				  REGION_RULE_IMAGE, &region, why)
				  == 0
		       && rule_reader_init(reader, region_data(&region), region_data_size(&region),
				  false, detail)
				  == 0;
	if (is_good) {
		publish_rules_unmap(&fr->region);
		fr->region = region;
		take(fr, reader, word);
	} else {
		region_unmap(&region);
	}
	heap_free(reader);
	return is_good;
}

void mapped_rules_look(struct mapped_rules *fr, struct publisher *publisher, uint64_t now_ms)
{
	uint64_t word = atomic_load_explicit(
		&publisher_directory(publisher)->current[REGION_RULE_IMAGE], memory_order_acquire);

	if (word == 0 || word == fr->word || now_ms - fr->tried_ms < MAPPED_RULES_RETRY_MS)
		return;
	if (!map(fr, publisher_paths(publisher), word))
		fr->tried_ms = now_ms;
}

void mapped_rules_close(struct mapped_rules *fr)
{
	region_unmap(&fr->region);
	fr->word = 0;
}
