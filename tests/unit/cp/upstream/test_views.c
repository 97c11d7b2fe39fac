// SPDX-License-Identifier: BSD-3-Clause

// Numbers and definitions of views: which stay together, and what never comes back.

#include "controlplane/upstream/upstream_internal.h"
#include "controlplane/upstream/views.h"
#include "tests/unit/unit.h"

static struct loop *loop;
static struct views *views;
static _Atomic uint32_t next;
static struct config config;
static struct config_group groups[CONFIG_GROUPS_MAX];
static struct config_upstream servers[CONFIG_GROUPS_MAX][CONFIG_UPSTREAMS_MAX];
static char names[CONFIG_GROUPS_MAX][16];

static unsigned views_live(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < VIEWS_MAX; i++)
		n += views_at(views, i) != NULL;
	return n;
}

static void views_start(void)
{
	assert_int_equal(views_new(&views, &(struct upstream_shared){.loop = loop},
				 &config.upstreams, &next),
		0);
}

static int setup(void **)
{
	memset(&config, 0, sizeof(config));
	memset(groups, 0, sizeof(groups));
	memset(servers, 0, sizeof(servers));
	atomic_store(&next, 5);
	config.groups = groups;
	assert_int_equal(loop_new("test", &loop), 0);
	views_start();
	return 0;
}

static int teardown(void **)
{
	views_free(views);
	loop_free(loop);
	return 0;
}

// Group i asks these servers, "" for none of its own.
static void group_set(unsigned i, const char *list)
{
	struct config_group *g = &groups[i];
	snprintf(names[i], sizeof(names[i]), "group%u", i);
	*g = (struct config_group){
		.name = names[i], .blocking = true, .inherits = true, .upstreams = servers[i]};
	while (*list) {
		size_t len = strcspn(list, " ");
		servers[i][g->upstream_count].address =
			socket_of_text(text_from("%.*s", (int)len, list), 53);
		servers[i][g->upstream_count++].name = names[i];
		list += len + strspn(list + len, " ");
	}
}

static void configure(unsigned count, uint64_t now_ms)
{
	config.group_count = count;
	assert_int_equal(views_configure(views, &config, now_ms), 0);
}

static unsigned number(unsigned group)
{
	return views_of_group(views, group)->number;
}

TEST_WITH(test_hash, setup, teardown)
{
	group_set(0, "192.0.2.1 192.0.2.2:5353 fd53::1");
	group_set(1, "fd53::1 192.0.2.1:53 192.0.2.2:5353");
	group_set(2, "192.0.2.1 192.0.2.2 fd53::1");
	group_set(3, "192.0.2.1 192.0.2.2:5353");
	uint64_t hash = view_hash(&config, &groups[0]);
	// On disk and in Redis of other boxes, so not to change without a new word in the text.
	assert_int_equal(hash, UINT64_C(0xda7f83b74a6c4820));
	assert_true(
		view_hash(&config, &groups[1]) == hash); // order is no part of it, nor is the name
	assert_true(view_hash(&config, &groups[2]) != hash);
	assert_true(view_hash(&config, &groups[3]) != hash);
	servers[0][1].trust_ad = true; // its answers are kept with AD
	uint64_t trusted = view_hash(&config, &groups[0]);
	assert_true(trusted != hash);
	servers[0][1].trust_ad = false;
	servers[0][0].trust_ad = true;
	assert_true(view_hash(&config, &groups[0]) != trusted);
	servers[0][0].trust_ad = false;
	config.dnssec.hash = 7; // what is validated is not for boxes that validate nothing
	assert_true(view_hash(&config, &groups[0]) != hash);
	config.dnssec.hash = 0;
	groups[0].disable_cache = groups[1].disable_cache = true;
	assert_true(view_hash(&config, &groups[0]) != hash);
	assert_true(view_hash(&config, &groups[0]) != view_hash(&config, &groups[1]));
}

// Group i asks one server over TLS, whose key is one of two, or any for both 0.
static void group_pin(unsigned i, uint8_t first, uint8_t second)
{
	group_set(i, "192.0.2.1:853");
	struct config_upstream_tls *tls = &servers[i][0].tls;
	*tls = (struct config_upstream_tls){
		.is_on = true, .name = "dns.example", .pin_count = first ? 2 : 0};
	memset(tls->pin[0], first, CONFIG_PIN_LEN);
	memset(tls->pin[1], second, CONFIG_PIN_LEN);
}

// Neither a set of servers nor an answer in L1 is shared by those who trust other keys.
TEST_WITH(test_pins_keep_groups_apart, setup, teardown)
{
	group_pin(0, 1, 2);
	group_pin(1, 1, 3);
	group_pin(2, 2, 1); // another order
	group_pin(3, 0, 0);
	configure(4, 1000);
	assert_int_equal(number(2), number(0));
	assert_int_not_equal(number(1), number(0));
	assert_int_not_equal(number(3), number(0));
	assert_int_not_equal(number(3), number(1));
	assert_ptr_not_equal(
		views_of_group(views, 0)->upstreams, views_of_group(views, 1)->upstreams);
	const struct config_forward_zone zone[] = {{.server_count = 1, .servers = servers[0]},
		{.server_count = 1, .servers = servers[1]}};
	assert_true(views_zone_hash(&zone[0]) != views_zone_hash(&zone[1]));
	assert_true(views_servers_hash(&zone[0]) != views_servers_hash(&zone[1]));
}

static void safe_set(struct config_safe_search *s, enum safe_engine engine, enum safe_level level)
{
	memset(s, 0, sizeof(*s));
	s->level[engine] = (uint8_t)level;
}

static uint64_t safe_hash_of(unsigned group)
{
	return views_safe(views, group)->hash;
}

static void everyone_set(unsigned count, const char *const list[])
{
	config.upstreams.count = count;
	for (unsigned i = 0; i < count; i++)
		config.upstreams.server[i].address = socket_of_text(list[i], 53);
}

// A question that validation changed under is not kept, also if the change is taken back.
TEST_WITH(test_validation_changes, setup, teardown)
{
	group_set(0, "192.0.2.1");
	config.dnssec.hash = 7;
	configure(1, 1000);
	const struct view *proven = views_of_group(views, 0);
	const uint32_t turn = views_turn(views);
	assert_true(views_same_servers(views, proven, turn));
	config.dnssec.hash = 0;
	configure(1, 2000);
	const struct view *plain = views_of_group(views, 0);
	assert_ptr_not_equal(plain, proven);
	assert_false(views_same_servers(views, proven, views_turn(views)));
	assert_true(views_same_servers(views, plain, views_turn(views)));
	config.dnssec.hash = 7;
	configure(1, 3000);
	assert_ptr_equal(views_of_group(views, 0), proven);
	assert_false(views_same_servers(views, proven, turn));
	assert_true(views_same_servers(views, proven, views_turn(views)));
	config.dnssec.hash = 0;
}

// What asks everyone's servers is another view when they are others; what has its own is not.
TEST_WITH(test_everyone_is_keyed_by_servers, setup, teardown)
{
	everyone_set(2, (const char *const[]){"192.0.2.1", "192.0.2.2"});
	group_set(0, "192.0.2.2 192.0.2.1");
	group_set(1, "");
	groups[1].disable_cache = true;
	group_set(2, "");
	safe_set(&config.blocking.filter.safe_search, SAFE_ENGINE_BING, SAFE_LEVEL_STRICT);
	configure(3, 1000);
	const struct view *everyone = views_everyone(views);
	uint64_t hash = everyone->hash, safe = safe_hash_of(0),
		 bare = view_hash(&config, &groups[1]);
	uint32_t turn = views_turn(views);
	uint16_t own = views_of_group(views, 0)->number;
	assert_true(hash == view_hash(&config, &groups[0])); // whoever asks the same shares in L1
	assert_int_equal(everyone->number, 0);
	assert_true(views_same_servers(views, everyone, turn));

	everyone_set(2, (const char *const[]){"192.0.2.2", "192.0.2.1"}); // another order
	configure(3, 2000);
	assert_true(everyone->hash == hash && safe_hash_of(0) == safe);
	assert_int_equal(views_turn(views), turn);

	const struct view *left = views_of_group(views, 1), *own_view = views_of_group(views, 0);
	everyone_set(1, (const char *const[]){"192.0.2.2"});
	configure(3, 3000);
	assert_true(everyone->hash != hash && safe_hash_of(0) != safe);
	assert_true(view_hash(&config, &groups[1]) != bare);
	assert_int_equal(views_of_group(views, 0)->number, own);
	assert_int_equal(everyone->number, 0);
	assert_false(views_same_servers(views, everyone, turn));
	assert_true(views_same_servers(views, everyone, views_turn(views)));
	assert_true(views_same_servers(views, own_view, turn));
	assert_false(views_same_servers(views, left, views_turn(views)));
}

TEST_WITH(test_who_shares, setup, teardown)
{
	group_set(0, "192.0.2.1 192.0.2.2");
	group_set(1, "192.0.2.2 192.0.2.1");
	group_set(2, "192.0.2.3");
	group_set(3, "");
	group_set(4, "");
	group_set(5, "192.0.2.3");
	groups[4].disable_cache = groups[5].disable_cache = true;
	configure(6, 1);
	assert_int_equal(number(0), 5);
	assert_int_equal(number(1), 5);
	assert_int_equal(number(2), 6);
	assert_int_equal(number(3), 0);
	assert_int_equal(number(4), 7);
	assert_int_equal(number(5), 8);
	assert_int_equal(number(6), 0); // no such group
	assert_int_equal(atomic_load(&next), 9);
	assert_true(views_find(views, 7)->no_cache && views_find(views, 8)->no_cache);
	assert_false(views_find(views, 5)->no_cache || views_find(views, 0)->no_cache);
	assert_ptr_equal(views_find(views, 7)->upstreams, views_everyone(views)->upstreams);
	assert_ptr_not_equal(views_find(views, 8)->upstreams, views_find(views, 6)->upstreams);
	assert_null(views_find(views, 4));
	assert_null(views_find(views, 9));
	assert_int_equal(view_asks_as(views_find(views, 5)), 5);
	assert_int_equal(view_asks_as(views_find(views, 7)), 0); // without cache, but of everyone
	assert_int_equal(view_asks_as(views_find(views, 8)), 8);
}

static unsigned safe_number(unsigned group)
{
	const struct view *v = views_safe(views, group);
	return v ? v->number : 0;
}

// Groups 0 and 1 and everyone share the safe view that `blocking` asks for, 2 has another level, 3
// other servers, 4 no cache, 5 none.
TEST_WITH(test_safe_views, setup, teardown)
{
	group_set(0, "");
	group_set(1, "");
	group_set(2, "");
	group_set(3, "192.0.2.1");
	group_set(4, "");
	group_set(5, "");
	safe_set(&config.blocking.filter.safe_search, SAFE_ENGINE_YOUTUBE, SAFE_LEVEL_STRICT);
	groups[2].has_safe_search = groups[5].has_safe_search = true;
	safe_set(&groups[2].filter.safe_search, SAFE_ENGINE_YOUTUBE, SAFE_LEVEL_MODERATE);
	groups[4].disable_cache = true;
	configure(6, 1);
	unsigned everyone = safe_number(0);
	assert_int_equal(everyone, 5);
	assert_int_equal(safe_number(1), everyone);
	assert_int_equal(safe_number(2), everyone);
	assert_int_equal(safe_number(3), 6);
	assert_int_equal(number(3), 7);
	assert_int_equal(safe_number(4), 8);
	assert_int_equal(number(4), 9);
	assert_int_equal(safe_number(5), 10);
	assert_null(views_safe(views, 6));
	assert_null(views_safe(views, POLICY_GROUPS_MAX));
	const struct view *v = views_find(views, safe_number(3));
	assert_true(v->is_safe && !v->no_cache && !v->own);
	assert_int_equal(v->safe.level[SAFE_ENGINE_YOUTUBE], SAFE_LEVEL_MODERATE);
	assert_ptr_equal(v->upstreams, views_everyone(views)->upstreams);
	assert_true(views_find(views, 8)->own && views_find(views, 8)->is_safe);
	assert_ptr_not_equal(views_find(views, 8)->upstreams, views_find(views, 7)->upstreams);
	assert_true(views_find(views, 10)->no_cache && views_find(views, 10)->is_safe);
	assert_false(views_find(views, 7)->is_safe || views_everyone(views)->is_safe);
	assert_ptr_equal(views_safe(views, 0), views_find(views, 5));

	// Off again: nobody has it, and it goes.
	safe_set(&config.blocking.filter.safe_search, SAFE_ENGINE_YOUTUBE, SAFE_LEVEL_OFF);
	configure(6, 1000);
	assert_int_equal(safe_number(0), 0);
	assert_int_equal(safe_number(3), 6);
	assert_non_null(views_find(views, 5));
	views_sweep(views, 1000 + VIEWS_GRACE_MS);
	assert_null(views_find(views, 5));
}

TEST_WITH(test_recover_safe, setup, teardown)
{
	group_set(0, "");
	safe_set(&config.blocking.filter.safe_search, SAFE_ENGINE_BING, SAFE_LEVEL_STRICT);
	configure(1, 1);
	const struct policy_group last[] = {
		{.safe_view = 5, .safe_hash = views_find(views, 5)->hash}};
	views_free(views);
	views_start();
	views_recover(views, last, ARRAY_LEN(last));
	configure(1, 1);
	assert_int_equal(safe_number(0), 5);
	assert_int_equal(safe_number(1), 5);
	assert_int_equal(atomic_load(&next), 6);
}

// Another definition is another number, also when the first comes back after its grace.
TEST_WITH(test_numbers_are_not_reused, setup, teardown)
{
	group_set(0, "192.0.2.1");
	configure(1, 1000);
	assert_int_equal(number(0), 5);
	group_set(0, "192.0.2.2");
	configure(1, 2000);
	assert_int_equal(number(0), 6);
	assert_non_null(views_find(views, 5)); // workers may use it still
	group_set(0, "192.0.2.1");
	assert_int_not_equal(views_find(views, 5)->left_ms, 0); // but it is nobody's
	configure(1, 3000);
	assert_int_equal(number(0), 5); // the same definition, so its records are right
	views_sweep(views, 3000 + VIEWS_GRACE_MS - 1);
	assert_non_null(views_find(views, 6));
	views_find(views, 6)->users = 1;
	views_sweep(views, 3000 + VIEWS_GRACE_MS);
	assert_non_null(views_find(views, 6)); // a question runs
	views_find(views, 6)->users = 0;
	views_sweep(views, 3000 + VIEWS_GRACE_MS);
	assert_null(views_find(views, 6));
	group_set(0, "192.0.2.2");
	configure(1, 50000);
	assert_int_equal(number(0), 7);
	configure(0, 60000);
	views_sweep(views, 90000);
	assert_int_equal(views_live(), 1);
}

// The next life: what is defined as before keeps its number, all else gets one never used.
TEST_WITH(test_recover, setup, teardown)
{
	group_set(0, "192.0.2.1");
	group_set(1, "192.0.2.2");
	configure(2, 1000);
	const struct policy_group last[] = {
		{.view = 0}, {.view = 5, .view_hash = view_hash(&config, &groups[0])},
		{.view = 6, .view_hash = view_hash(&config, &groups[1])},
		{.view = 7, .view_hash = 77}, // a number that was never given: damaged
	};
	views_free(views);
	views_start();
	views_recover(views, last, ARRAY_LEN(last));
	group_set(0, "192.0.2.3");
	group_set(2, "192.0.2.1");
	configure(3, 1000);
	assert_int_equal(number(0), 7);
	assert_int_equal(number(1), 6);
	assert_int_equal(number(2), 5);
	assert_int_equal(atomic_load(&next), 8);
	views_free(views);
	views_start(); // without its image: new numbers for all
	configure(3, 1000);
	assert_int_equal(number(0), 8);
	assert_int_equal(number(2), 10);
}

// Another resolver takes the number that the first one gave the definition meanwhile, while its own
// view of before still answers.
TEST_WITH(test_the_known_number_counts, setup, teardown)
{
	group_set(0, "192.0.2.1");
	configure(1, 1000);
	assert_int_equal(number(0), 5);
	atomic_store(&next, 20);
	const struct policy_group first = {.view = 9, .view_hash = view_hash(&config, &groups[0])};
	for (uint64_t ms = 2000; ms < 4000; ms += 1000) {
		views_recover(views, &first, 1);
		configure(1, ms);
		assert_int_equal(number(0), 9);
		assert_int_equal(views_find(views, 9)->left_ms, 0);
		assert_int_equal(views_find(views, 5)->left_ms, 2000);
		assert_int_equal(atomic_load(&next), 20);
	}
}

TEST_WITH(test_full, setup, teardown)
{
	char server[32];
	for (unsigned round = 0; round < 6; round++) {
		for (unsigned i = 0; i < CONFIG_GROUPS_MAX; i++) {
			snprintf(server, sizeof(server), "192.0.%u.%u", round, i + 1);
			group_set(i, server);
		}
		configure(CONFIG_GROUPS_MAX, 1000);
	}
	unsigned before = number(0), used = atomic_load(&next);
	for (unsigned i = 0; i < CONFIG_GROUPS_MAX; i++) {
		snprintf(server, sizeof(server), "198.18.0.%u", i + 1);
		group_set(i, server);
	}
	assert_int_equal(views_configure(views, &config, 2000), -EBUSY);
	assert_int_equal(number(0), before); // nothing has changed
	assert_int_equal(atomic_load(&next), used);
	views_sweep(views, 2000 + VIEWS_GRACE_MS);
	assert_int_equal(views_live(), 1 + CONFIG_GROUPS_MAX);
	configure(CONFIG_GROUPS_MAX, 30000);
}

static const struct forward_set *forwards_of(const char *name)
{
	struct dns_name asked = name_of_text(name);
	const struct forward_zone *zone = views_zone(views, views_everyone(views), &asked);
	assert_non_null(zone);
	return zone->set;
}

// Servers of zones are asked as `upstreams` says, also by what a toggle says; not as a refused
// configuration does.
TEST_WITH(test_forwards_follow, setup, teardown)
{
	struct config_upstream server = {.name = names[0]};
	server.address = socket_of_text("192.0.2.9", 53);
	struct config_forward_zone zone = {.server_count = 1, .servers = &server};
	zone.name = name_of_text("lan.test");
	config.forwards = &zone;
	config.forward_count = 1;
	config.upstreams.first_timeout_ms = 300;
	config.upstreams.max_sends = 5;
	config.upstreams.socket_uses = 1;
	configure(0, 1000);
	const struct forward_set *set = forwards_of("a.lan.test");
	assert_int_equal(set->upstreams->first_timeout_ms, 300);
	assert_int_equal(set->upstreams->max_sends, 5);
	assert_int_equal(set->config.socket_uses, 1);

	atomic_store(&next, VIEW_NUMBER_MAX + 1);
	group_set(0, "192.0.2.1");
	config.group_count = 1;
	config.upstreams.first_timeout_ms = 400;
	config.upstreams.max_sends = 6;
	assert_int_equal(views_configure(views, &config, 2000), -EOVERFLOW);
	assert_ptr_equal(forwards_of("a.lan.test"), set);
	assert_int_equal(set->upstreams->first_timeout_ms, 300);
	assert_int_equal(set->upstreams->max_sends, 5);
	configure(0, 3000);
	assert_int_equal(set->upstreams->first_timeout_ms, 400);
	views_sweep(views, 4000);
}

TEST_WITH(test_numbers_run_out, setup, teardown)
{
	atomic_store(&next, VIEW_NUMBER_MAX - 1);
	group_set(0, "192.0.2.1");
	group_set(1, "192.0.2.2");
	configure(2, 1000);
	assert_int_equal(number(1), VIEW_NUMBER_MAX);
	group_set(0, "192.0.2.3");
	assert_int_equal(views_configure(views, &config, 2000), -EOVERFLOW);
	assert_int_equal(number(0), VIEW_NUMBER_MAX - 1);
	group_set(0, "192.0.2.2"); // needs none
	configure(2, 3000);
	assert_int_equal(number(0), VIEW_NUMBER_MAX);
}
