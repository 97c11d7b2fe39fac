// SPDX-License-Identifier: BSD-3-Clause

// Host names as clients of groups: which addresses of the client book they are.

#include "controlplane/client_names/client_book.h"
#include "controlplane/policy/group_hosts.h"
#include "controlplane/policy/policy_build.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

enum { NOW_S = 1000 };

static char laptop[] = "laptop", console[] = "console.lan", tv[] = "tv";
static char *kids_hosts[] = {laptop, console}, *guests_hosts[] = {tv};
static char kids[] = "kids", guests[] = "guests";
static struct ip_address kids_clients[POLICY_PREFIXES_MAX];
static struct config_group groups[2];
static struct config config;
static struct client_book *book;
static struct group_hosts hosts;

static int setup(void **)
{
	groups[0] = (struct config_group){
		.name = kids, .clients = kids_clients, .hosts = kids_hosts, .host_count = 2};
	groups[1] = (struct config_group){.name = guests, .hosts = guests_hosts, .host_count = 1};
	config = (struct config){.groups = groups, .group_count = 2};
	return client_book_open(&book);
}

static int teardown(void **)
{
	client_book_close(book);
	return 0;
}

static struct ip_address address(const char *text)
{
	struct ip_address a;
	assert_int_equal(ip_address_parse(text, &a), 0);
	return a;
}

static void known_from(
	enum client_name_from from, const char *text, const char *name, int64_t ends_s)
{
	const struct ip_address a = address(text);
	struct client_entry e = {.address.version = a.version, .from = from, .ends_s = ends_s};
	memcpy(e.address.bytes, a.bytes, sizeof(a.bytes));
	snprintf(e.name, sizeof(e.name), "%s", name);
	client_book_put(book, &e, NOW_S);
}

static void known(const char *text, const char *name, int64_t ends_s)
{
	known_from(CLIENT_FROM_LEASE, text, name, ends_s);
}

static void entry_add(void *arg, const struct client_entry *e)
{
	struct ip_address a = {
		.version = e->address.version, .prefix_len = e->address.version == 4 ? 32 : 128};
	memcpy(a.bytes, e->address.bytes, sizeof(a.bytes));
	group_hosts_add(&config, &a, e->name, arg);
}

static void find(int64_t now_s, struct group_hosts *out)
{
	memset(out, 0, sizeof(*out));
	client_book_given(book, now_s, entry_add, out);
	group_hosts_sort(out);
}

static unsigned group_of(const char *text)
{
	const struct ip_address a = address(text);
	const struct group_host *h = group_hosts_at(&hosts, &a);
	return h ? h->group : 0;
}

TEST_WITH(test_names, setup, teardown)
{
	known("192.0.2.1", "Laptop", 0);
	known("2001:db8::1", "laptop.lan", NOW_S + 10);
	known("192.0.2.2", "laptop2", 0);
	known("192.0.2.3", "console.lan", 0);
	known("192.0.2.4", "console", 0);
	known("192.0.2.5", "console.lan.example", 0);
	known("192.0.2.6", "tv", NOW_S); // the lease has ended
	known("192.0.2.7", "tv", NOW_S + 10);
	known("127.0.0.1", "laptop", 0);
	known_from(CLIENT_FROM_HOSTS, "192.0.2.8", "tv", 0);
	known_from(CLIENT_FROM_PTR, "192.0.2.10", "tv", NOW_S + 60); // would come and go
	find(NOW_S, &hosts);
	assert_int_equal(hosts.count, 5);
	assert_int_equal(group_of("192.0.2.8"), 2);
	assert_int_equal(group_of("192.0.2.10"), 0);
	assert_int_equal(group_of("192.0.2.1"), 1);
	assert_int_equal(group_of("2001:db8::1"), 1);
	assert_int_equal(group_of("192.0.2.3"), 1);
	assert_int_equal(group_of("192.0.2.7"), 2);
	assert_int_equal(group_of("127.0.0.1"), 0);
	assert_int_equal(group_hosts_of(&hosts, 1), 3);
	static struct group_hosts later;
	find(NOW_S + 10, &later);
	assert_int_equal(later.count, 3);
	assert_false(group_hosts_same(&hosts, &later));
	find(NOW_S, &later);
	assert_true(group_hosts_same(&hosts, &later));
	assert_true(group_hosts_has_names(&config));
	client_book_use_ptr(book, true); // weir asks again before it ends
	find(NOW_S, &later);
	assert_int_equal(later.count, 6);
}

// An address that the operator has put into a group stays there; a prefix does not hold it.
TEST_WITH(test_given_addresses, setup, teardown)
{
	kids_clients[0] = address("192.0.2.9");
	kids_clients[1] = address("198.51.100.0/24");
	groups[0].client_count = 2;
	known("192.0.2.9", "tv", 0);
	known("198.51.100.7", "tv", 0);
	find(NOW_S, &hosts);
	assert_int_equal(hosts.count, 1);
	assert_int_equal(group_of("198.51.100.7"), 2);
	struct config joined;
	struct policy_image image;
	static struct policy_reader reader;
	static const struct policy_group what[3];
	char why[128];
	assert_int_equal(group_hosts_join(&config, &hosts, &joined), 0);
	assert_int_equal(joined.groups[1].client_count, 1);
	assert_int_equal(groups[1].client_count, 0);
	assert_int_equal(policy_build(&joined, what, &image), 0);
	group_hosts_end(&joined);
	assert_int_equal(policy_reader_init(&reader, image.head, image.size, why), 0);
	assert_int_equal(policy_leaf_v4(&reader, address("192.0.2.9").bytes), 1);
	assert_int_equal(policy_leaf_v4(&reader, address("198.51.100.7").bytes), 2);
	assert_int_equal(policy_leaf_v4(&reader, address("198.51.100.8").bytes), 1);
	free(image.head);
}

// A name with too many addresses pushes out no other name, of its group or another.
TEST_WITH(test_cap_of_name, setup, teardown)
{
	char text[32];
	for (unsigned i = 1; i <= 200; i++) {
		snprintf(text, sizeof(text), "10.0.0.%u", i);
		known(text, "console.lan", 0);
	}
	known("192.0.2.1", "laptop", 0);
	known("192.0.2.2", "tv", 0);
	find(NOW_S, &hosts);
	assert_int_equal(group_hosts_of(&hosts, 1), GROUP_HOST_EACH_MAX + 1);
	assert_int_equal(hosts.left_out, 200 - GROUP_HOST_EACH_MAX);
	assert_int_equal(group_of("192.0.2.1"), 1);
	assert_int_equal(group_of("192.0.2.2"), 2);
}

TEST_WITH(test_caps, setup, teardown)
{
	enum { NAMES = 22, EACH = 50 };
	static char name[NAMES][8];
	static char *names[NAMES];
	char text[32];
	for (unsigned i = 0; i < NAMES * EACH; i++) {
		names[i / EACH] = name[i / EACH];
		snprintf(name[i / EACH], sizeof(name[0]), "pad%u", i / EACH);
		snprintf(text, sizeof(text), "10.0.%u.%u", i / 250, 1 + i % 250);
		known(text, name[i / EACH], 0);
	}
	groups[1].hosts = names;
	groups[1].host_count = NAMES;
	find(NOW_S, &hosts);
	assert_int_equal(hosts.count + hosts.left_out, NAMES * EACH);
	assert_int_equal(hosts.count, GROUP_HOSTS_MAX);
	for (unsigned i = 0; i < POLICY_PREFIXES_MAX - 3; i++) {
		snprintf(text, sizeof(text), "172.%u.%u.0/24", i / 256, i % 256);
		kids_clients[i] = address(text);
	}
	groups[0].client_count = POLICY_PREFIXES_MAX - 3;
	find(NOW_S, &hosts);
	assert_int_equal(hosts.count, 3);
}

TEST_GROUP(NULL, NULL)
