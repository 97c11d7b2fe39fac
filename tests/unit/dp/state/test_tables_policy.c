// SPDX-License-Identifier: BSD-3-Clause

// Policy images in real regions, taken into the workers' tables or refused.

#include "controlplane/policy/policy_build.h"
#include "dataplane/state/tables.h"
#include "tests/unit/unit.h"

static char dir[64], why[SHM_WHY_MAX];
static struct tables_source source = {.workers = 1, .incarnation = 0xd0};
static struct tables_set *set;

static int setup(void **)
{
	set = calloc(1, sizeof(*set));
	if (set)
		set->t.is_closed = true; // as the first tables of a life are
	return set && folder_make(dir, "tables") == 0
		       ? shm_paths_init(&source.paths, dir, "off", why)
		       : -1;
}

static int teardown(void **)
{
	tables_free(set, NULL, 0, &source);
	shm_paths_close(&source.paths);
	return folder_remove(source.paths.mem, dir);
}

static unsigned balancers; // in images that are made

// An image of so many groups that holds 198.18.0.0/16 in the last, as generation `generation` in
// the file of `name_generation`; `damage`: one byte is wrong.
static void make(uint64_t name_generation, uint64_t generation, unsigned groups,
	enum region_kind kind, bool damage)
{
	char name[SHM_NAME_MAX];
	struct ip_address client = {.version = 4, .prefix_len = 16, .bytes = {198, 18}};
	struct config_group list[4] = {0};
	struct policy_group what[5] = {0};
	struct config config = {.group_count = groups, .groups = list};
	config.proxy_protocol.from_count = balancers;
	config.proxy_protocol.from[0] = client;
	struct policy_image image;
	struct region r;
	if (groups)
		list[groups - 1] = (struct config_group){.client_count = 1, .clients = &client};
	assert_int_equal(policy_build(&config, what, &image), 0);
	const struct region_spec spec = {.name = name,
		.kind = kind,
		.generation = generation,
		.incarnation = 0xc0,
		.data_size = image.size};
	shm_name_generation(name, "policy", name_generation);
	assert_int_equal(region_create(&source.paths, &spec, &r, why), 0);
	memcpy(region_data(&r), image.head, image.size);
	((uint8_t *)region_data(&r))[image.size - 1] ^= damage;
	region_publish(&r);
	region_unmap(&r);
	free(image.head);
}

// As activate does it: into a copy, which then takes the old one's place.
static int take(uint64_t generation)
{
	struct tables_set *next = malloc(sizeof(*next));
	assert_non_null(next);
	memcpy(next, set, sizeof(*next));
	int rc = tables_take_policy(next, &source, generation << 1 | SHM_IN_MEM, why);
	tables_free(set, (const struct tables_set *[]){next}, 1, &source);
	set = next;
	return rc;
}

static unsigned group(void)
{
	static const uint8_t client[] = {198, 18, 7, 7};
	return policy_leaf_v4(&set->t.policy, client);
}

TEST_WITH(test_balancers_come_and_go, setup, teardown)
{
	assert_false(set->t.has_balancers);
	balancers = 1;
	make(1, 1, 0, REGION_POLICY, false);
	balancers = 0;
	assert_int_equal(take(1), 0);
	assert_true(set->t.has_balancers);
	assert_false(set->t.has_groups || set->t.has_access);
	make(2, 2, 0, REGION_POLICY, false);
	assert_int_equal(take(2), 0);
	assert_false(set->t.has_balancers);
}

TEST_WITH(test_come_change_and_go, setup, teardown)
{
	make(1, 1, 2, REGION_POLICY, false);
	assert_int_equal(take(1), 0);
	assert_true(set->t.has_groups);
	assert_int_equal(set->t.policy_generation, 1);
	assert_int_equal(group(), 2);
	assert_int_equal(take(1), 1); // the same file again
	assert_int_equal(group(), 2);
	make(2, 2, 3, REGION_POLICY, false);
	assert_int_equal(take(2), 0);
	assert_int_equal(group(), 3);
	make(3, 3, 0, REGION_POLICY, false);
	assert_int_equal(take(3), 0);
	assert_false(set->t.has_groups);
	assert_int_equal(set->t.policy_generation, 3);
}

TEST_WITH(test_refused, setup, teardown)
{
	make(1, 1, 2, REGION_POLICY, false);
	assert_int_equal(take(1), 0);
	make(2, 2, 3, REGION_POLICY, true);
	assert_int_equal(take(2), -EPROTO);
	assert_non_null(strstr(why, "policy.2: "));
	make(3, 7, 3, REGION_POLICY, false); // another generation under this name
	assert_int_equal(take(3), -EPROTO);
	make(4, 4, 3, REGION_RULE_IMAGE, false);
	assert_int_equal(take(4), -EPROTO);
	assert_int_equal(take(5), -ENOENT);
	assert_true(set->t.has_groups); // the old one, still mapped
	assert_int_equal(set->t.policy_generation, 1);
	assert_int_equal(group(), 2);
}

// Another process truncates the file, or writes zeros to it, while it is in use: it stays as it was
// read.
TEST_WITH(test_cut_off_in_use, setup, teardown)
{
	make(1, 1, 2, REGION_POLICY, false);
	assert_int_equal(take(1), 0);
	const char *path = text_from("%s/policy.1", source.paths.mem);
	assert_int_equal(truncate(path, SHM_PAGE), 0);
	assert_int_equal(group(), 2); // SIGBUS, were it mapped
	assert_int_equal(truncate(path, (off_t)set->policy.size), 0);
	assert_int_equal(group(), 2); // 0, were it mapped
	assert_int_equal(truncate(path, SHM_PAGE), 0);
	assert_int_equal(take(1), -EPROTO);
	assert_int_equal(group(), 2);
}

// Only an image that says who may ask opens the door.
TEST_WITH(test_closed_until_the_first, setup, teardown)
{
	make(1, 1, 2, REGION_POLICY, true);
	assert_int_equal(take(1), -EPROTO);
	assert_true(set->t.is_closed);
	make(2, 2, 0, REGION_POLICY, false);
	assert_int_equal(take(2), 0);
	assert_false(set->t.is_closed);
	make(3, 3, 0, REGION_POLICY, true);
	assert_int_equal(take(3), -EPROTO);
	assert_false(set->t.is_closed);
}
