// SPDX-License-Identifier: BSD-3-Clause

// Clients of rules as groups: by name, address and prefix, and all but these.

#include "controlplane/policy/group_client.h"
#include "tests/unit/core/config/config_text.h"

static const char document[] =
	MINIMAL "groups:\n"
		"- {name: kids, clients: [192.0.2.64/26, 192.0.2.3]}\n"
		"- {name: tv, clients: [192.0.2.9]}\n"
		"- {name: lan, clients: [192.0.2.0/24]}\n"
		"- {name: both, clients: [198.51.100.1, '2001:db8::1']}\n"
		"- {name: mac, clients: [198.51.100.2, '02:00:00:00:00:01']}\n"
		"- {name: tagged, clients: [198.51.100.3], vlans: [5]}\n"
		"- {name: named, clients: [198.51.100.4], client_names: [pad]}\n"
		"- {name: six, clients: ['2001:db8:1::/64']}\n"
		"- {name: 203.0.113.7, clients: [203.0.113.8]}\n";

enum { KIDS = 1, TV, LAN, BOTH, MAC, TAGGED, NAMED, SIX, LIKE };
#define G(group) (UINT64_C(1) << (group))
#define BUT(set) (~(set))

static const struct {
	const char *client;
	uint64_t groups;
	const char *unknown; // terms by blanks, an address with a star behind
} cases[] = {
	{"kids", G(KIDS), ""},
	{"Kids", 0, "Kids "},
	{"nobody", 0, "nobody "},
	{"~kids", BUT(G(KIDS)), ""},
	{"~kids|~tv", BUT(G(KIDS) | G(TV)), ""},
	{"~nobody", UINT64_MAX, "nobody "},
	{"kids|~tv", G(KIDS), ""},
	{"kids|~kids", 0, ""},
	// The whole of a group's clients, and no part of them.
	{"192.0.2.9", G(TV), ""},
	{"~192.0.2.9", BUT(G(TV)), ""},
	{"192.0.2.3", 0, "192.0.2.3* "},
	{"~192.0.2.3", 0, "192.0.2.3* "},
	{"192.0.2.64/26", 0, "192.0.2.64/26* "},
	{"192.0.2.0/24", G(KIDS) | G(TV) | G(LAN), ""},
	{"192.0.2.0/24|~192.0.2.9", G(KIDS) | G(LAN), ""},
	{"192.0.2.0/24|~kids|~tv", G(LAN), ""},
	{"192.0.2.0/24|~192.0.2.3", 0, "192.0.2.3* "},
	{"~192.0.2.0/24", BUT(G(KIDS) | G(TV) | G(LAN)), ""},
	// A prefix that no group has as a whole: some of its addresses are in no group.
	{"192.0.0.0/16", 0, "192.0.0.0/16* "},
	{"192.0.2.8/29", 0, "192.0.2.8/29* "},
	{"203.0.113.9", 0, "203.0.113.9* "},
	// Groups whose clients are elsewhere, too.
	{"198.51.100.1", 0, "198.51.100.1* "},
	{"2001:db8::1", 0, "2001:db8::1* "},
	{"198.51.100.2", 0, "198.51.100.2* "},
	{"198.51.100.3", 0, "198.51.100.3* "},
	{"198.51.100.4", 0, "198.51.100.4* "},
	{"2001:db8:1::/64", G(SIX), ""},
	{"203.0.113.7", G(LIKE), ""},
	{"203.0.113.8", G(LIKE), ""},
	{"~nobody|~192.0.2.3|~tv", 0, "nobody 192.0.2.3* "},
};

static void note(void *arg, const char *term, bool address)
{
	char *text = arg;
	const size_t len = strlen(text);
	snprintf(text + len, 256 - len, "%s%s ", term, address ? "*" : "");
}

TEST(test_groups_of_clients)
{
	const struct config *config = config_text_load(document);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char unknown[256] = "";
		const uint64_t got = group_clients_of(config, cases[i].client);
		group_clients_each_unknown(config, cases[i].client, note, unknown);
		if (got != cases[i].groups)
			fail_msg("%s: groups %lx, not %lx", cases[i].client, (unsigned long)got,
				(unsigned long)cases[i].groups);
		assert_string_equal(unknown, cases[i].unknown);
	}
}
