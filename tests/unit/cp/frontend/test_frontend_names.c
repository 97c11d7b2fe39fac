// SPDX-License-Identifier: BSD-3-Clause

// Groups by the names that clients use for this box.

#include "controlplane/frontend/frontend_names.h"
#include "tests/unit/unit.h"

static char server[] = "dns.example", kid[] = "kid", tablet[] = "tablet", guest[] = "guest";
static char *kids_names[] = {tablet, kid}, *guests_names[] = {guest};
static struct config_group groups[3] = {
	{.client_names = kids_names, .client_name_count = 2},
	{.name = NULL},
	{.client_names = guests_names, .client_name_count = 1},
};
static struct config config = {.tls = {.name = server}, .groups = groups, .group_count = 3};
static struct frontend_names names;

static unsigned find(const char *label)
{
	return frontend_names_find(&names, label, strlen(label));
}

TEST(test_labels)
{
	char longest[CONFIG_CLIENT_NAME_MAX + 2];

	frontend_names_of(&config, &names);
	assert_int_equal(names.count, 3);
	assert_int_equal(find("kid"), 1);
	assert_int_equal(find("tablet"), 1);
	assert_int_equal(find("GUEST"), 3);
	assert_int_equal(find("kids"), 0);
	assert_int_equal(find("ki"), 0);
	assert_int_equal(find(""), 0);
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(frontend_names_find(&names, longest, sizeof(longest) - 1), 0);
	assert_int_equal(frontend_names_find(&names, longest, sizeof(longest)), 0);
}

TEST(test_servers)
{
	frontend_names_of(&config, &names);
	assert_int_equal(frontend_names_find_server(&names, "kid.dns.example"), 1);
	assert_int_equal(frontend_names_find_server(&names, "Guest.DNS.Example"), 3);
	assert_int_equal(frontend_names_find_server(&names, "dns.example"), 0);
	assert_int_equal(frontend_names_find_server(&names, "kid"), 0);
	assert_int_equal(frontend_names_find_server(&names, "kid."), 0);
	assert_int_equal(frontend_names_find_server(&names, "kid.dns.example.net"), 0);
	assert_int_equal(frontend_names_find_server(&names, "x.kid.dns.example"), 0);
	assert_int_equal(frontend_names_find_server(&names, ".dns.example"), 0);
	assert_int_equal(frontend_names_find_server(&names, ""), 0);
	assert_int_equal(frontend_names_find_server(&names, NULL), 0);
	config.tls.name = NULL;
	frontend_names_of(&config, &names);
	assert_int_equal(frontend_names_find_server(&names, "kid.dns.example"), 0);
	assert_int_equal(find("kid"), 1); // of a path
	config.tls.name = server;
}

// A label, or a name below that of the server.
TEST(test_certified)
{
	frontend_names_of(&config, &names);
	assert_int_equal(frontend_names_find_certified(&names, "Kid"), 1);
	assert_int_equal(frontend_names_find_certified(&names, "guest.dns.example"), 3);
	assert_int_equal(frontend_names_find_certified(&names, "nobody"), 0);
	assert_int_equal(frontend_names_find_certified(&names, "kid.other.example"), 0);
	assert_int_equal(frontend_names_find_certified(&names, "kid."), 0);
	assert_int_equal(frontend_names_find_certified(&names, NULL), 0);
}

// The table has room for what a configuration may have.
TEST(test_full)
{
	static char label[CONFIG_CLIENT_NAMES_MAX + 1][8], *all[CONFIG_CLIENT_NAMES_MAX + 1];
	const struct config_group kept = groups[1];

	for (unsigned i = 0; i <= CONFIG_CLIENT_NAMES_MAX; i++) {
		(void)snprintf(label[i], sizeof(label[i]), "n%u", i);
		all[i] = label[i];
	}
	groups[1].client_names = all;
	groups[1].client_name_count = CONFIG_CLIENT_NAMES_MAX + 1;
	frontend_names_of(&config, &names);
	assert_int_equal(names.count, CONFIG_CLIENT_NAMES_MAX);
	assert_int_equal(find("n0"), 2);
	assert_int_equal(find("n253"), 2);
	assert_int_equal(find("n254"), 0); // two places are others'
	groups[1] = kept;
}
