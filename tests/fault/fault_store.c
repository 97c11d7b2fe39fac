// SPDX-License-Identifier: BSD-3-Clause

// The rule image on disk: whenever its writer dies, the old image or the new one loads, whole, and
// the next write succeeds.

#include "controlplane/base/file_write.h"
#include "controlplane/rule_image/rule_store.h"
#include "fault_run.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"

enum { WRITES = 60 };

struct ledger {
	unsigned done, trying; // number of the write, 0: none
};

static struct ledger *ledger;
static char path[SHM_PATH_MAX + 32];
static struct rule_arena image[2]; // of odd and even writes

static void prepare(void)
{
	memset(ledger, 0, sizeof(*ledger));
	snprintf(path, sizeof(path), "%s/rules.img", fault_folders()->run);
}

static void write_next(void)
{
	char why[RULE_STORE_WHY_MAX];
	unsigned n = ++ledger->trying;
	FAULT_CHECK(file_write(path, image[n % 2].base, image[n % 2].size, why) == 0);
	ledger->done = n;
}

static void work(void)
{
	for (unsigned i = 0; i < WRITES; i++)
		write_next();
}

static bool is_image(const struct rule_arena *a, unsigned n)
{
	const struct rule_arena *want = &image[n % 2];
	return n > 0 && a->size == want->size && memcmp(a->base, want->base, a->size) == 0;
}

static void load(void)
{
	char why[RULE_STORE_WHY_MAX], bad[SHM_PATH_MAX + 64];
	struct rule_arena a;
	struct rule_reader r;
	int rc = rule_store_load(path, NULL, NULL, &a, &r, why);
	FAULT_CHECK(rc == 0 || (rc == -ENOENT && ledger->done == 0));
	if (rc == 0) {
		FAULT_CHECK(is_image(&a, ledger->done) || is_image(&a, ledger->trying));
		rule_arena_free(&a);
	}
	snprintf(bad, sizeof(bad), "%s.bad", path);
	FAULT_CHECK(access(bad, F_OK) != 0);
}

static void audit(enum fault_site)
{
	char temporary[SHM_PATH_MAX + 64];
	load();
	for (unsigned i = 0; i < 2; i++) {
		write_next();
		FAULT_CHECK(ledger->done == ledger->trying);
		load();
	}
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	FAULT_CHECK(access(temporary, F_OK) != 0);
}

static void tables_make(void)
{
	static const char *const few[] = {"", "one.example"};
	static const char *const more[] = {"", "one.example two.example three.example"};
	(void)fixture_image(few, 2, &image[0]);
	(void)fixture_image(more, 2, &image[1]);
	ledger = fault_shared(sizeof(*ledger));
}

FAULT_MAIN("store", 1u << FAULT_GROUP_STORE, tables_make())
