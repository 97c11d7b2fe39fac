// SPDX-License-Identifier: BSD-3-Clause

// From a list of made-up domains to the image that the data plane has mapped: parse and build, the
// peak of its memory, bytes a domain, and a warm start. bench_image [DOMAINS]

#include "controlplane/base/file_write.h"
#include "controlplane/rules/rules_job.h"
#include "tests/unit/cp/lists/listgen.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { WARM_STARTS = 7 };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_image: %s\n", what);
	exit(1);
}

static double now_ms(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void write_list(const char *path, size_t domains)
{
	struct listgen g = {.state = 1};
	char text[LISTGEN_NAME_MAX];
	FILE *f = fopen(path, "w");
	if (!f)
		die("cannot write the list");
	for (size_t i = 0; i < domains; i++) {
		listgen_name(&g, text);
		fprintf(f, "%zu%s\n", i % 10, text);
	}
	if (fclose(f))
		die("cannot write the list");
}

static void build(const char *list, const char *image_path)
{
	const struct rule_source source[] = {{.title = "allow entries"}, {.title = "deny entries"},
		{.title = "list", .path = list}};
	static struct rule_source_result result[3];
	static struct rule_known known[3];
	struct rule_compile_options options = {.created_unix_s = 1};
	struct rule_arena image;
	size_t peak;
	char why[RULE_COMPILE_WHY_MAX];
	if (keyhash_secret_make(&options.secret))
		die("no random numbers");
	double hash_ms = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	(void)rule_compile_hash(source, 3, result, known, NULL);
	double start_ms = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	if (rule_compile(source, 3, &options, result, &image, &peak, why))
		die(why);
	double end_ms = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	const struct rule_image_head *h = image.base;
	double path = (double)(h->bloom_blocks * sizeof(struct rule_bloom_block)
			       + h->table_buckets * sizeof(struct rule_bucket)
			       + h->set_count * sizeof(struct rule_set));
	printf("%llu domains (%llu lines): look %.1f ms, parse and build %.1f ms of CPU\n",
		(unsigned long long)h->names, (unsigned long long)result[2].counts.lines,
		start_ms - hash_ms, end_ms - start_ms);
	printf("  %.2f bytes a domain in the packet path; image %llu bytes, peak %zu, %.2f "
	       "times\n",
		path / (double)h->names, (unsigned long long)h->size, peak,
		(double)peak / (double)h->size);
	if (file_write(image_path, image.base, image.size, why))
		die(why);
	rule_arena_free(&image);
}

// What rules_open does with the stored image, and what the data plane does when it sees the new
// one.
static void warm_start(struct publisher *p, const char *image_path, double *load_ms, double *cpu_ms,
	double *map_ms)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct publish_status status;
	struct region region;
	struct rule_reader reader;
	struct rules_job *j = calloc(1, sizeof(*j));
	if (!j)
		die("no memory");
	j->publisher = p;
	j->image_path = image_path;
	double start_ms = now_ms(CLOCK_MONOTONIC), start_cpu_ms = now_ms(CLOCK_THREAD_CPUTIME_ID);
	if (rules_job_load(j))
		die("no image");
	rules_job_publish(j);
	*load_ms = now_ms(CLOCK_MONOTONIC) - start_ms;
	*cpu_ms = now_ms(CLOCK_THREAD_CPUTIME_ID) - start_cpu_ms;
	if (j->outcome != RULES_PUBLISHED)
		die(j->error);
	rules_job_free(j);
	publish_status(p, &status);
	shm_name_generation(name, "rule_image", status.rule_image_generation);
	start_ms = now_ms(CLOCK_MONOTONIC);
	if (region_attach(publisher_paths(p), status.rule_image_where, name, REGION_RULE_IMAGE,
		    false, &region, why)
		|| rule_reader_init(
			&reader, region_data(&region), region_data_size(&region), true, why))
		die(why);
	*map_ms = now_ms(CLOCK_MONOTONIC) - start_ms;
	region_unmap(&region);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void warm_starts(const char *folder, const char *image_path)
{
	static struct config config = {.cache.l0_mb = 2, .limits.udp_reply_size = 1232};
	struct shm_paths paths;
	struct publisher *p;
	char run[96], why[SHM_WHY_MAX];
	double load_ms[WARM_STARTS], cpu_ms[WARM_STARTS], map_ms[WARM_STARTS];
	snprintf(run, sizeof(run), "%s/run", folder);
	if (shm_paths_init(&paths, run, "off", why) || publisher_open(&p, &paths, &config, why))
		die(why);
	for (unsigned i = 0; i < WARM_STARTS; i++)
		warm_start(p, image_path, &load_ms[i], &cpu_ms[i], &map_ms[i]);
	publisher_close(p);
	qsort(load_ms, WARM_STARTS, sizeof(*load_ms), compare);
	qsort(cpu_ms, WARM_STARTS, sizeof(*cpu_ms), compare);
	qsort(map_ms, WARM_STARTS, sizeof(*map_ms), compare);
	printf("  warm start: %.1f ms (%.1f to %.1f), %.1f ms of CPU; the data plane's map and "
	       "check "
	       "%.1f ms more\n",
		load_ms[WARM_STARTS / 2], load_ms[0], load_ms[WARM_STARTS - 1],
		cpu_ms[WARM_STARTS / 2], map_ms[WARM_STARTS / 2]);
	shm_paths_remove(&paths);
}

int main(int argc, char **argv)
{
	size_t domains = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	char folder[] = "/tmp/weir-bench-image-XXXXXX", list[64], image[64], command[80];
	if (!mkdtemp(folder))
		die("no folder");
	snprintf(list, sizeof(list), "%s/list", folder);
	snprintf(image, sizeof(image), "%s/rules.img", folder);
	write_list(list, domains);
	build(list, image);
	warm_starts(folder, image);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command) != 0;
}
