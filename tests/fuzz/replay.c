// SPDX-License-Identifier: BSD-3-Clause

// Runs a fuzz body without a fuzzer: replay BODY [-n MUTATIONS] [-s SEED] PATH...
//
// BODY is that of fuzz_BODY.c; without arguments, replay lists what it has. Each PATH is an input,
// or a folder of them. The body sees every input as it is, then MUTATIONS seeded mutations of each
// and as many random inputs, each in memory of exactly its size so that ASan sees any byte read
// beyond. A failure names input and round; the same arguments repeat it. WEIR_FUZZ_SHARE=N: one in
// N of the mutations.

#include "fuzz.h"
#include "tests/unit/core/dns/dns_rand.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

enum { INPUT_MAX = 1 << 16, RANDOM_MAX = 600, PATH_LEN_MAX = 4096 };

struct replay {
	struct dns_rand rnd;
	unsigned long mutations;
	unsigned long inputs; // files seen
	unsigned long runs;
};

static struct fuzz_part *parts;
static int (*body)(const uint8_t *data, size_t len);
static const char *current_path = ""; // for the message of a body that aborts
static unsigned long current_round;

void fuzz_add(struct fuzz_part *p)
{
	p->next = parts;
	parts = p;
}

static const char *name_of(const struct fuzz_part *p)
{
	return strrchr(p->file, '/') + strlen("/fuzz_");
}

static int list(void)
{
	for (const struct fuzz_part *p = parts; p; p = p->next)
		if (p->body)
			printf("%.*s\n", (int)strlen(name_of(p)) - 2, name_of(p));
	return 0;
}

// False: there is no such body.
static bool begin(const char *name)
{
	char file[64];
	snprintf(file, sizeof(file), "%s.c", name);
	for (const struct fuzz_part *p = parts; p; p = p->next) {
		if (strcmp(name_of(p), file) != 0)
			continue;
		if (p->body)
			body = p->body;
		else
			(void)p->begin(NULL, NULL);
	}
	return body;
}

static void run(struct replay *r, const uint8_t *data, size_t len)
{
	uint8_t *copy = dns_exact_copy(data, len);
	(void)body(copy, len);
	free(copy);
	r->runs++;
}

static int replay_file(struct replay *r, const char *path)
{
	static uint8_t data[INPUT_MAX], mutated[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return 1;
	}
	size_t len = fread(data, 1, sizeof(data), f);
	fclose(f);
	current_path = path;
	current_round = 0;
	r->inputs++;
	run(r, data, len);
	for (unsigned long i = 0; i < r->mutations; i++) {
		current_round = i + 1;
		memcpy(mutated, data, len);
		run(r, mutated, dns_rand_mutate(&r->rnd, mutated, len, sizeof(mutated)));
		size_t n = dns_rand_below(&r->rnd, RANDOM_MAX);
		for (size_t k = 0; k < n; k++)
			mutated[k] = (uint8_t)dns_rand_next(&r->rnd);
		run(r, mutated, n);
	}
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); // the order must not hang on the locale
}

static int replay_path(struct replay *r, const char *path)
{
	struct stat st;
	if (stat(path, &st)) {
		perror(path);
		return 1;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(r, path);
	struct dirent **entry;
	int n = scandir(path, &entry, NULL, by_name), failed = n < 0;
	for (int i = 0; i < n; i++) {
		char child[PATH_LEN_MAX];
		bool fits = snprintf(child, sizeof(child), "%s/%s", path, entry[i]->d_name)
			    < (int)sizeof(child);
		if (entry[i]->d_name[0] != '.')
			failed |= fits ? replay_file(r, child) : 1;
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
	return failed;
}

static void on_abort(int)
{
	fprintf(stderr, "in %s, round %lu\n", current_path, current_round);
}

int main(int argc, char **argv)
{
	struct replay r = {.rnd = {1}};
	int option, failed = 0;
	if (argc == 1)
		return list();
	if (!begin(argv[1])) {
		fprintf(stderr, "%s: no body %s\n", argv[0], argv[1]);
		return 2;
	}
	optind = 2;
	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == 'n')
			r.mutations = strtoul(optarg, NULL, 0);
		else if (option == 's')
			r.rnd.state = strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	const char *share = getenv("WEIR_FUZZ_SHARE");
	if (share && strtoul(share, NULL, 10) > 1)
		r.mutations =
			(r.mutations + strtoul(share, NULL, 10) - 1) / strtoul(share, NULL, 10);
	signal(SIGABRT, on_abort);
	for (int i = optind; i < argc; i++)
		failed |= replay_path(&r, argv[i]);
	printf("%lu inputs, %lu runs\n", r.inputs, r.runs);
	return failed || r.inputs == 0;
}
