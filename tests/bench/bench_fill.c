// SPDX-License-Identifier: BSD-3-Clause

// Fills a cache and writes a block list, before the processes of a benchmark start.
//
// With -n it takes the control plane's place for a moment: opens the regions by its publisher, puts
// the first NAMES names of the corpus into L0 by its writer, makes that current and leaves. The
// control plane that starts next takes the cache over as after any restart. Fails when a name is
// not found again, as when the cache is too small to keep all without evicting. With -b it writes
// the first LISTED listed names, one a line, for blocking.lists.

#include "controlplane/shm/publish.h"
#include "controlplane/upstream/views.h"
#include "corpus_l0.h"
#include "tools/loadgen/corpus.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>

enum { ROUNDS_MAX = 16 };

// Puts those that are not there; how many that were, UINT32_MAX after saying why.
static uint32_t put_absent(struct l0_writer *l0, uint32_t names)
{
	uint64_t now_ms = clock_mono_ms();
	uint32_t absent = 0;
	for (uint32_t id = 0; id < names; id++) {
		if (corpus_l0_has(l0_writer_reader(l0), id))
			continue;
		absent++;
		int rc = corpus_l0_put(l0, id, now_ms);
		if (rc) {
			log_error("name %u: %s", id, strerror(-rc));
			return UINT32_MAX;
		}
	}
	return absent;
}

// A name whose two buckets are full takes the place of another, which is put again in the next
// round: of a million some two in the first.
static bool put_names(struct l0_writer *l0, uint32_t names)
{
	uint32_t absent = names;
	for (unsigned round = 0; absent && round < ROUNDS_MAX; round++) {
		absent = put_absent(l0, names);
		if (absent == UINT32_MAX)
			return false;
	}
	if (absent)
		log_error("%u of %u names find no place: cache.l0_mb is too small", absent, names);
	return absent == 0;
}

static bool fill_published(struct publisher *p, const struct config *config, uint32_t names)
{
	struct region region;
	struct l0_writer *l0;
	bool fresh;
	publisher_l0(p, &region, &fresh);
	if (l0_writer_open(&l0, region.base, region.size, 0, fresh, publisher_epoch(p, 0),
		    clock_mono_ms())) {
		log_error("the cache cannot be opened");
		return false;
	}
	bool ok = put_names(l0, names);
	// Else the control plane takes it for what other servers said, and empties it.
	atomic_store(&publisher_directory(p)->filled_by, view_everyone_hash(config));
	if (ok)
		publish_l0(p);
	l0_writer_close(l0);
	return ok;
}

static bool fill(const char *config_path, uint32_t names)
{
	struct config *config;
	struct shm_paths paths;
	struct publisher *p;
	char why[CONFIG_WHY_MAX] = "";
	bool ok = false;
	if (config_load(config_path, &config, why)) {
		log_error("%s", why);
		return false;
	}
	if (shm_paths_init(&paths, config->runtime.directory, config->runtime.hugepages, why)
		|| publisher_open(&p, &paths, config, why)) {
		log_error("%s", why);
	} else {
		ok = fill_published(p, config, names);
		publisher_close(p);
		shm_paths_close(&paths);
	}
	config_free(config);
	return ok;
}

static bool write_list(const char *path, uint32_t listed)
{
	FILE *f = fopen(path, "w");
	if (!f) {
		perror(path);
		return false;
	}
	for (uint32_t id = 0; id < listed; id++) {
		struct corpus_name name;
		corpus_listed(id, &name);
		fprintf(f, "%s\n", name.text);
	}
	bool ok = !ferror(f);
	if (fclose(f) != 0 || !ok) {
		perror(path);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	const char *config = NULL, *list = NULL;
	uint32_t names = 0, listed = 1000000;
	log_init("bench_fill", LOG_LEVEL_WARNING);
	for (int c; (c = getopt(argc, argv, "c:n:b:k:")) != -1;) {
		if (c == 'c')
			config = optarg;
		else if (c == 'n')
			names = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'b')
			list = optarg;
		else if (c == 'k')
			listed = (uint32_t)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind != argc || (!config && !list) || (names != 0) != (config != NULL)) {
		fputs("usage: bench_fill [-c FILE -n NAMES] [-b LIST [-k LISTED]]\n", stderr);
		return 2;
	}
	return (list && !write_list(list, listed)) || (config && !fill(config, names));
}
