// SPDX-License-Identifier: BSD-3-Clause
// Verbs over the real socket, loop and HTTP server: what each request makes of the managed part,
// and which ones are refused. The applies end here.

#include "controlplane/api/api_clients.h"
#include "controlplane/api/api_server.h"
#include "controlplane/versions/apply.h"
#include "tests/unit/clock_shift.h"
#include "verbs_double.h"

#include <weir/config/managed.h>

static _Atomic bool has_ended;
static char kids[] = "kids";
static struct config_group group_double = {.name = kids};

#define LONG_LABEL "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"
TEST(test_entries)
{
	assert_reply("POST /entries/add?name=Ads.Test.&verdict=deny&why=f%C3%BCr+Anna", 200,
		"{\"ok\":true,\"name\":\"ads.test\",\"verdict\":\"deny\",\"group\":\"\","
		"\"invert\":false,\"type\":\"\","
		"\"reply\":\"\",\"until\":\"\",\"until_unix_s\":0,\"replaced\":false,\"replaced_"
		"permanent\":false,\"needs_"
		"restart\":\"\",\"version\":0}");
	assert_string_equal(verbs_double.what, "deny ads.test");
	assert_string_equal(verbs_double.why, "für Anna");
	managed_has("# weirctl edits", true);
	managed_has("{name: \"ads.test\", verdict: \"deny\", why: \"für Anna\"}", true);
	assert_reply("POST /entries/add?name=ads.test&verdict=allow&seconds=60", 200,
		"\"replaced\":true,\"replaced_permanent\":true");
	assert_reply("POST /entries/add?name=ads.test&verdict=allow&seconds=60", 200,
		"\"replaced\":true,\"replaced_permanent\":false");
	assert_reply("POST /entries/add?name=ads.test&verdict=deny&type=AAAA,HTTPS&reply=nodata",
		200, "\"type\":\"AAAA,HTTPS\",\"reply\":\"nodata\"");
	assert_string_equal(verbs_double.what, "deny --type AAAA,HTTPS --reply nodata ads.test");
	managed_has("verdict: \"deny\", types: [\"AAAA\", \"HTTPS\"], reply: \"nodata\"}", true);
	assert_reply("POST /entries/add?name=ads.test&verdict=allow&seconds=60", 200,
		"\"replaced\":true,\"replaced_permanent\":true");
	managed_has("verdict: \"allow\", until: \"20", true);
	managed_has("deny", false);
	assert_reply("POST /entries/add?name=%2F%5Ea%2F&verdict=deny", 200, "\"name\":\"/^a/\"");
	assert_reply("POST /entries/remove?name=ads.test&verdict=deny", 200,
		"no deny entry \\\"ads.test\\\" of everyone");
	assert_reply("POST /entries/remove?name=filed.test", 409,
		"that entry stands in /etc/weir/weir.yaml:2:10, which weirctl does not edit");
	assert_reply("POST /entries/remove?name=ads.test&verdict=allow", 200, "\"ok\":true");
	assert_reply("POST /entries/remove?name=%2F%5Ea%2F&group=everyone", 200, "\"ok\":true");
	assert_string_equal(verbs_double.managed, "");
	assert_reply("POST /entries/add?name=" LONG_LABEL "." LONG_LABEL
		     ".test&verdict=deny&group=kids",
		200, "\"ok\":true");
	assert_string_equal(verbs_double.what,
		"deny --group kids abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuv...");
	assert_reply("POST /entries/remove?name=" LONG_LABEL "." LONG_LABEL ".test&group=kids", 200,
		"\"ok\":true");
	assert_string_equal(verbs_double.what,
		"entry --remove --group kids abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl...");
	static const struct {
		const char *request, *part;
	} bad[] = {
		{"POST /entries/add?verdict=deny", "name: is missing"},
		{"POST /entries/add?name=a..b&verdict=deny", "name: "},
		{"POST /entries/add?name=.&verdict=deny", "name: the root"},
		{"POST /entries/add?name=%2Fa&verdict=deny", "name: a pattern begins"},
		{"POST /entries/add?name=*.a.test&verdict=deny", "leave out"},
		{"POST /entries/add?name=https://a.test/b&verdict=deny",
			"did you mean \\\"a.test\\\"?"},
		{"POST /entries/add?name=a.test", "verdict: is missing"},
		{"POST /entries/add?name=a.test&verdict=block", "verdict: must be allow or deny"},
		{"POST /entries/add?name=a.test&verdict=deny&seconds=0", "seconds: must be 1 to"},
		{"POST /entries/add?name=a.test&verdict=deny&why=%1b", "why: must be text"},
		{"POST /entries/add?name=a.test&verdict=deny&group=none", "no group"},
	};
	const unsigned applied = verbs_double.applied;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_reply(bad[i].request, 400, bad[i].part);
	assert_int_equal(verbs_double.applied, applied);
}

TEST(test_inverted_entry)
{
	assert_reply(
		"POST /entries/add?name=%2F%5Ea%2F&verdict=deny&invert=0", 200, "\"invert\":false");
	assert_reply("POST /entries/add?name=%2F%5Ea%2F&verdict=deny&invert=1&type=A", 200,
		"\"invert\":true", "\"replaced\":true");
	assert_string_equal(verbs_double.what, "deny --invert --type A /^a/");
	managed_has("{name: \"/^a/\", verdict: \"deny\", invert: \"true\", types: [\"A\"]}", true);
	assert_reply("POST /entries/add?name=%2F%5Ea%2F&verdict=deny&invert=yes", 400,
		"invert: must be 0 or 1");
	assert_reply("POST /entries/remove?name=%2F%5Ea%2F", 200, "\"ok\":true");
	assert_string_equal(verbs_double.managed, "");
}

TEST(test_lists)
{
	assert_reply("POST /lists/add?name=new&place=https://lists.test/a", 200, "\"ok\":true");
	managed_has("{name: \"new\", url: \"https://lists.test/a\"}", true);
	assert_reply("POST /lists/add?name=new&place=https://lists.test/b", 409,
		"list \\\"new\\\" already exists");
	assert_reply("POST /lists/add?name=filed&place=https://lists.test/b", 409,
		"a list \\\"filed\\\" stands in /etc/weir/weir.yaml:3:11");
	assert_reply("POST /lists/add?name=a&place=lists/a", 400, "must be a URL or an absolute");
	assert_reply("POST /lists/add?name=a&place=/nowhere", 400, "No such file");
	assert_reply("POST /lists/add?place=/nowhere", 400, "name: is missing");
	assert_reply("POST /lists/add?name=&place=/nowhere", 400, "name: must have 1 to 63 bytes");
	assert_reply("POST /lists/remove?name=filed", 409, "weirctl list disable");
	assert_reply("POST /lists/remove?name=new", 200, "\"ok\":true");
	assert_string_equal(verbs_double.what, "list remove new");
	assert_reply("POST /lists/remove?name=new", 200,
		"\"note\":\"no list \\\"new\\\"; weirctl list show names "
		"them\",\"unchanged\":true");
	assert_reply("POST /lists/disable?name=none", 404, "no list \\\"none\\\"");
	assert_reply("POST /lists/enable?name=none", 404, "no list \\\"none\\\"");
	assert_reply("GET /lists", 200, "{\"lists\":[");
	assert_string_equal(verbs_double.managed, "");
}

TEST(test_lists_use)
{
	static char on[] = "on", off[] = "off", filed[] = "/a", url[] = "https://lists.test/a";
	static struct config_list used = {.name = on, .path = filed},
				  disabled = {.name = off, .path = filed, .allow = true};
	config.blocking.lists = &used;
	config.blocking.disabled = &disabled;
	config.blocking.list_count = config.blocking.disabled_count = 1;
	assert_reply("GET /lists", 200,
		"{\"lists\":[{\"name\":\"on\",\"source\":\"/"
		"a\",\"format\":\"auto\",\"allow\":false,\"enabled\":true,"
		"\"switchable\":true,\"removable\":false},"
		"{\"name\":\"off\",\"source\":\"/"
		"a\",\"format\":\"auto\",\"allow\":true,\"enabled\":false,"
		"\"switchable\":false,\"removable\":false}],"
		"\"known\":[{\"name\":\"oisd-small\",\"url\":\"https://");
	assert_reply("POST /lists/disable?name=onn", 404, "did you mean \\\"on\\\"?");
	assert_reply("POST /lists/disable?name=off", 200, "\"unchanged\":true");
	assert_reply("POST /lists/enable?name=on", 200, "\"unchanged\":true");
	assert_reply("POST /lists/enable?name=off", 409, "/etc/weir/weir.yaml:4:20");
	disabled.url = used.url = url;
	assert_reply("POST /lists/add?name=off&place=https://lists.test/a&allow=1", 409,
		"list \\\"off\\\" is off: weirctl list enable off");
	assert_reply(
		"POST /lists/add?name=on&place=https://lists.test/a", 200, "\"unchanged\":true");
	assert_reply("POST /lists/add?name=on&place=https://lists.test/a&format=auto", 200,
		"\"unchanged\":true");
	disabled.url = used.url = NULL;
	assert_reply("POST /lists/disable?name=on", 200, "\"ok\":true");
	managed_has("disabled_lists:\n    - \"on\"", true);
	assert_reply("POST /lists/enable?name=on", 200, "\"ok\":true");
	assert_string_equal(verbs_double.managed, "");
	config.blocking.list_count = config.blocking.disabled_count = 0;
}

// What stands in a file cannot be removed here, and a reply says so before anybody tries.
TEST(test_removable)
{
	static char name[] = "new", none[] = "", url[] = "https://lists.test/a";
	static struct config_list list = {.name = name, .url = url};
	static uint8_t data[2][4] = {{192, 0, 2, 1}, {192, 0, 2, 7}};
	static struct config_record records[] = {
		{.type = 1, .rdata_len = 4, .rdata = data[0], .ttl_s = 60},
		{.type = 1, .rdata_len = 4, .rdata = data[1], .ttl_s = 60}};
	static struct config_dated_entry entries[] = {{.why = none}, {.why = none, .allow = true}};
	assert_int_equal(dns_name_from_text("box.lan", 7, &records[0].name), 0);
	records[1].name = records[0].name;
	assert_int_equal(dns_name_from_text("a.test", 6, &entries[0].name), 0);
	entries[1].name = entries[0].name;
	assert_reply("POST /lists/add?name=new&place=https://lists.test/a", 200, "\"ok\":true");
	assert_reply("POST /local/add?name=box.lan&type=A&value=192.0.2.7", 200, "\"ok\":true");
	assert_reply("POST /entries/add?name=a.test&verdict=allow", 200, "\"ok\":true");
	config.blocking.lists = &list;
	config.blocking.list_count = 1;
	assert_reply("POST /lists/add?name=new&place=https://lists.test/a&format=hosts", 409,
		"already exists; to replace it, remove it first: weirctl list remove new");
	config.local.records = records;
	config.local.record_count = ARRAY_LEN(records);
	config.dated = (struct config_dated){ARRAY_LEN(entries), entries};
	assert_reply("GET /lists", 200, "\"switchable\":true,\"removable\":true}");
	assert_reply("GET /local", 200,
		"\"192.0.2.1\",\"ttl_s\":60,\"group\":\"\",\"removable\":false}",
		"\"192.0.2.7\",\"ttl_s\":60,\"group\":\"\",\"removable\":true}");
	assert_reply("GET /entries", 200,
		"\"verdict\":\"deny\",\"group\":\"\",\"invert\":false,\"type\":\"\","
		"\"reply\":\"\",\"why\":\"\","
		"\"until\":\"\","
		"\"until_unix_s\":0,\"left_s\":0,\"ended\":false,\"removable\":false}",
		"\"verdict\":\"allow\",\"group\":\"\",\"invert\":false,\"type\":\"\","
		"\"reply\":\"\",\"why\":\"\","
		"\"until\":\"\","
		"\"until_unix_s\":0,\"left_s\":0,\"ended\":false,\"removable\":true}");
	config.blocking.disabled = &list;
	config.blocking.disabled_count = 1;
	config.blocking.list_count = config.local.record_count = config.dated.count = 0;
	assert_reply("POST /lists/disable?name=new", 200, "\"unchanged\":true");
	assert_reply("GET /lists", 200, "\"switchable\":false,\"removable\":true}");
	config.blocking.disabled_count = 0;
	assert_reply("POST /lists/remove?name=new", 200, "\"ok\":true");
	assert_reply("POST /local/remove?name=box.lan&value=192.0.2.7", 200, "\"removed\":1");
	assert_reply("POST /entries/remove?name=a.test", 200, "\"ok\":true");
	assert_string_equal(verbs_double.managed, "");
}

TEST(test_others)
{
	assert_reply("POST /local/add?name=NAS.lan&type=a&value=192.0.2.7", 200, "\"type\":\"A\"");
	managed_has("{name: \"nas.lan\", type: \"A\", value: \"192.0.2.7\"}", true);
	assert_reply(
		"POST /local/add?name=nas.lan&type=A&value=192.0.2.7", 200, "\"unchanged\":true");
	assert_reply("POST /local/add?name=nas.lan&type=A&value=192.0.2.7&ttl=60", 409,
		"that record has another TTL: weirctl local remove nas.lan A 192.0.2.7");
	assert_reply("POST /local/add?name=nas.lan&type=A&value=x", 400, "value: ");
	assert_reply("POST /local/add?name=nas.lan&type=X&value=x", 400, "type: must be one of");
	assert_reply("POST /local/add?name=&type=A&value=x", 400, "name: is not a domain name");
	assert_reply("POST /local/remove?name=box.lan", 409, "/etc/weir/weir.yaml:5:19");
	assert_reply("POST /local/remove?name=nas.lan&type=MX", 200, "of type MX");
	assert_reply("POST /local/remove?name=nas.lan", 200, "\"removed\":1");
	assert_reply("POST /upstreams/add?server=1.1.1.1", 200, "\"ok\":true");
	managed_has("{address: \"1.1.1.1\"}", true);
	assert_reply("POST /upstreams/add?server=1.1.1.1", 200, "\"unchanged\":true");
	assert_reply("POST /upstreams/add?server=1.1.1.1&name=one.test", 409,
		"that server has another name: weirctl upstream remove 1.1.1.1");
	assert_reply("POST /upstreams/remove?server=9.9.9.9", 409, "/etc/weir/weir.yaml:7:23");
	assert_reply("POST /upstreams/remove?server=2.2.2.2", 200, "no server");
	assert_reply("POST /upstreams/remove?server=1.1.1.1", 200, "\"ok\":true");
	assert_reply("POST /upstreams/add", 400, "server: is missing");
	assert_reply("POST /upstreams/add?server=", 400, "server: must have 1 to 511 bytes");
	assert_string_equal(verbs_double.managed, "");
}

TEST(test_servers)
{
	static char name[] = "9.9.9.9:53";
	config.upstreams.server[0].name = name;
	config.upstreams.count = 1;
	assert_reply("GET /upstreams/servers", 200,
		"{\"servers\":[{\"server\":\"9.9.9.9\",\"name\":\"9.9.9.9:53\",\"removable\":false}"
		"],"
		"\"known\":[{\"name\":\"quad9\",\"ipv4\":[\"tls://dns.quad9.net@9.9.9.9\",");
	assert_reply("POST /upstreams/add?server=9.9.9.9", 200, "\"ok\":true");
	assert_reply("GET /upstreams/servers", 200, "\"removable\":true");
	assert_reply("POST /upstreams/remove?server=9.9.9.9", 200, "\"ok\":true");
	config.upstreams.count = 0;
}

TEST(test_values)
{
	config.cache.stale_immediate = true;
	config.cache.stale_window_s = 604800;
	config.query_log.store.hours = 8760;
	assert_reply("GET /config/values?path=cache.stale", 200,
		"{\"values\":[{\"path\":\"cache.stale\",\"value\":\"immediate\",\"words\":["
		"\"on-failure\",\"immediate\"],\"min\":0,\"max\":0,\"live\":true}]}");
	assert_reply("GET /config/values?path=cache.stale_window", 200,
		"\"value\":\"604800\",\"words\":[],\"min\":0,\"max\":604800,\"live\":true}");
	assert_reply("GET /config/values?path=dnssec.validate", 200,
		"\"value\":\"false\",\"words\":[\"true\",\"false\"]");
	assert_reply("GET /config/values", 200,
		"{\"path\":\"query_log.store.hours\",\"value\":\"8760\",\"words\":[],\"min\":1,"
		"\"max\":8760,\"live\":false}");
	assert_reply("GET /config/values?path=redis.password_file", 404, "no key");
	assert_reply("GET /config/values?path=cache", 404, "no key \\\"cache\\\"");
	config.cache.stale_immediate = false;
}

static const struct config_mac device = {{2, 0, 0x5e, 0x10, 0, 1}};

// The device 02:00:5e:10:00:01 has 192.0.2.7 and 2001:db8::7, and a lease of 192.0.2.8.
enum api_mac_from __wrap_api_client_mac(
	const struct api *, const struct ip_address *, struct config_mac *);
enum api_mac_from __wrap_api_client_mac(
	const struct api *, const struct ip_address *ip, struct config_mac *out)
{
	const uint8_t last = ip->bytes[ip->version == 4 ? 3 : 15];
	*out = device;
	return last == 7 ? API_MAC_NEIGHBOUR : last == 8 ? API_MAC_LEASE : API_MAC_UNKNOWN;
}

// The MAC address decides first: an address beside it would change nothing.
TEST(test_members_by_mac)
{
	static char other[] = "other", name[] = "kids";
	struct config_mac mac = device;
	struct config_group groups[] = {
		{.name = other, .macs = &mac, .mac_count = 1}, {.name = name}};
	config.groups = groups;
	config.group_count = 2;
	assert_reply("POST /groups/move?client=192.0.2.7&group=kids", 409,
		"192.0.2.7 is the device 02:00:5e:10:00:01, which is in group \\\"other\\\" by "
		"that "
		"MAC address; weirctl group move 02:00:5e:10:00:01 kids");
	assert_reply("POST /groups/add?client=2001:db8::7&group=kids", 409, "is the device");
	assert_string_equal(verbs_double.managed, "");
	assert_reply("POST /groups/move?client=192.0.2.8&group=kids", 200, "\"ok\":true");
	assert_reply("POST /groups/remove?client=192.0.2.8", 200, "\"ok\":true");
	config.groups = &group_double;
	config.group_count = 1;
}

TEST(test_members)
{
	static const char group[] = "kids";
	const char *request = text_from("POST /groups/add?client=192.0.2.5/32&group=%s", group);
	const char *words = text_from("{group: \"%s\", client: \"192.0.2.5\"}", group);
	assert_reply(request, 200, "\"client\":\"192.0.2.5\"");
	managed_has(words, true);
	assert_reply(request, 200, "\"unchanged\":true");
	request = text_from("POST /groups/move?client=192.0.2.5&group=%s", group);
	assert_reply(request, 200, "\"unchanged\":true");
	request = text_from("POST /groups/add?client=192.0.2.9&group=%s", group);
	assert_reply(request, 409, "the group of that client stands in /etc/weir/weir.yaml:6:33");
	assert_reply("POST /groups/add?client=192.0.2.5", 400, "group: is missing");
	assert_reply("POST /groups/move?client=192.0.2.5&group=everyone", 400,
		"everyone is no group: weirctl group remove");
	assert_reply("POST /groups/add?group=x", 400, "client: is missing");
	assert_reply("POST /groups/add?client=&group=x", 400, "client: must have");
	assert_reply("POST /groups/move?client=192.0.2.5&group=none", 400, "no group");
	assert_reply("POST /groups/remove?client=192.0.2.6", 200,
		"no group has the client \\\"192.0.2.6\\\"; weirctl config show prints the groups");
	assert_reply("POST /groups/remove?client=192.0.2.5", 200, "\"before\":\"");
	assert_string_equal(verbs_double.managed, "");
}

TEST(test_members_that_are_set)
{
	static char other[] = "other";
	struct config_group groups[] = {group_double, {.name = other}};
	static const char stands[] = "192.0.2.77 stands in groups[kids].clients, which config set "
				     "has set: weirctl group set kids clients CLIENT,...";
	config.groups = groups;
	config.group_count = 2;
	assert_reply("POST /config/set?path=groups%5Bkids%5D.clients&yaml=192.0.2.77/32,tv", 200,
		"\"ok\":true");
	assert_reply("POST /groups/remove?client=192.0.2.77", 409, stands);
	assert_reply("POST /groups/remove?client=192.0.2.77&group=kids", 409, stands);
	assert_reply("POST /groups/remove?client=TV&group=other", 200,
		"TV is in group \\\"kids\\\", not in group \\\"other\\\"");
	assert_reply("POST /groups/move?client=192.0.2.77&group=other", 409, stands);
	assert_reply("POST /groups/add?client=192.0.2.77&group=other", 409, stands);
	assert_reply("POST /groups/move?client=192.0.2.77&group=kids", 200, "\"unchanged\":true");
	assert_reply("POST /config/clear?path=groups%5Bkids%5D.clients", 200, "\"ok\":true");
	assert_string_equal(verbs_double.managed, "");
	config.groups = &group_double;
	config.group_count = 1;
}

// The history says what a person would say.
TEST(test_words_of_a_change)
{
	static const struct {
		const char *request, *what;
	} changes[] = {
		{"override?yaml=groups:%20%5B%7Bname:%20kids,schedules:%20%5B%7Bname:%20bed,from:%"
		 "20'21:00',"
		 "to:%20'07:00',days:%20%5Bmon%5D,block_all:%20true%7D%5D%7D%5D",
			"group kids: schedule bed set"},
		{"override?yaml=groups:%20%5B%7Bname:%20kids,safe_search:%20%7Ball:%20true%7D%7D%"
		 "5D",
			"group kids: safe search set"},
		{"override?yaml=cache:%20%7Bmin_ttl:%209,stale:%20immediate%7D",
			"cache.min_ttl, cache.stale set"},
		{"override?yaml=blocking:%20%7Bsafe_search:%20%7Ball:%20true%7D%7D",
			"everyone: safe search set"},
		{"set?path=forward_zones%5Bcorp.example%5D.servers&yaml=192.0.2.1",
			"zone corp.example: servers set"},
		{"clear?path=forward_zones%5Bcorp.example%5D",
			"zone corp.example as the file says"},
		{"clear?path=groups%5Bkids%5D.schedules%5Bbed%5D",
			"group kids: schedule bed as the file says"},
		{"clear?path=groups", "groups as the file says"},
		{"clear?path=cache", "cache as the file says"},
		{"clear?path=blocking", "blocking as the file says"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(changes); i++) {
		assert_reply(text_from("POST /config/%s", changes[i].request), 200, "\"ok\":true");
		assert_string_equal(verbs_double.what, changes[i].what);
	}
	assert_string_equal(verbs_double.managed, "");
}

TEST(test_settings)
{
	assert_reply("POST /config/set?path=blocking.mode&yaml=nodata", 200,
		"\"path\":\"blocking.mode\",\"of_file\":false");
	assert_string_equal(verbs_double.what, "blocking.mode set"); // no value
	managed_has("mode: \"nodata\"", true);
	assert_reply("POST /config/set?path=groups%5Bkids%5D.services&yaml=tiktok,steam", 200,
		"\"of_file\":false");
	assert_string_equal(verbs_double.what, "group kids: services set");
	managed_has("{name: \"kids\", services: [\"tiktok\", \"steam\"]}", true);
	assert_reply("GET /config/overrides", 200,
		"{\"path\":\"groups[kids].services\",\"unset\":false,\"value\":"
		"\"[\\\"tiktok\\\", \\\"steam\\\"]\",\"of_file\":false}");
	assert_reply("POST /config/unset?path=groups%5Bkids%5D", 200, "\"of_file\":true");
	assert_string_equal(verbs_double.what, "group kids removed");
	managed_has("  - \"groups[kids]\"", true);
	assert_reply("GET /config/overrides", 200,
		"{\"path\":\"groups[kids]\",\"unset\":true,\"value\":\"\",\"of_file\":true}");
	assert_reply("GET /config/overrides?path=groups%5Bkids%5D", 200, "],\"of_file\":true");
	assert_reply("GET /config/overrides?path=groups%5Bmade%5D", 200, "],\"of_file\":false");
	assert_reply("POST /config/unset?path=groups%5Bkids%5D", 200, "neither a file nor");
	assert_reply("POST /config/clear?path=groups%5Bkids%5D", 200, "\"of_file\":true");
	assert_reply("POST /config/unset?path=blocking.mode", 200, "\"of_file\":false");
	assert_reply("POST /config/clear?path=blocking.mode", 200, "blocking.mode is not set");
	assert_reply("POST /config/override?yaml=cache:%20%7Bmin_ttl:%207%7D", 200, "\"ok\":true");
	managed_has("min_ttl: \"7\"", true);
	assert_reply("POST /config/clear?path=cache", 200, "\"ok\":true");
	assert_string_equal(verbs_double.managed, "");
	assert_reply("POST /config/set?path=groups%5Bkids%5D.clients&yaml=192.0.2.1&new=1", 409,
		"groups[kids] exists already");
	assert_reply("POST /config/set?path=groups%5Bmade%5D.clients&yaml=192.0.2.1&new=1", 200,
		"\"of_file\":false");
	managed_has("{name: \"made\", clients: [\"192.0.2.1\"]}", true);
	assert_reply("POST /config/clear?path=groups%5Bmade%5D", 200, "\"ok\":true");
	assert_reply(
		"POST /config/unset?path=upstreams.servers%5Bhttps://u:p@a/%5D", 200, "has up");
	assert_reply("POST /config/set?path=upstreams.servers%5Bhttps://u:p@a/%5D.weight&yaml=2",
		200, "\"ok\":true");
	assert_string_equal(verbs_double.what, "upstreams.servers[https://***@a/].weight set");
	assert_reply("POST /config/clear?path=upstreams", 200, "\"ok\":true");
	assert_reply("POST /config/override?yaml=cache:%20%7Bmin_ttl:%207%7D&replace=cache.max_ttl",
		200, "\"ok\":true");
	assert_reply("POST /config/clear?path=cache", 200, "\"ok\":true");
	assert_reply("POST /config/set?yaml=x", 400, "path: is missing");
	assert_reply("POST /config/set?path=&yaml=x", 400, "a path is missing");
	assert_reply("POST /config/clear?path=", 400, "a path is missing");
	assert_reply("POST /config/unset?path=", 400, "a path is missing");
	assert_reply("POST /config/set?path=blocking.mode", 400, "yaml: is missing");
	assert_reply("POST /config/set?path=blocking.mod&yaml=x", 400, "there is no such key");
	assert_reply("POST /config/override?yaml=cache:%20%5B", 400, "the change");
	assert_reply("POST /config/override?yaml=version:%201", 400, "version cannot be set so");
	assert_string_equal(verbs_double.managed, "");
}

// What an older weir has set may have one.
TEST(test_settings_without_secrets)
{
	assert_reply("POST /config/set?path=redis.password&yaml=hunter2", 400,
		"redis.password is a secret: set redis.password_file");
	assert_reply("POST /config/override?yaml=redis:%20%7Bpassword:%20hunter2%7D", 400,
		"redis.password is a secret: set redis.password_file");
	snprintf(verbs_double.managed, sizeof(verbs_double.managed),
		"overrides:\n  redis:\n    password: \"hunter2\"\n");
	assert_reply("GET /config/overrides", 200,
		"{\"path\":\"redis.password\",\"unset\":false,\"value\":\"***\",");
	assert_reply("POST /config/clear?path=redis.password", 200, "\"ok\":true");
	assert_string_equal(verbs_double.managed, "");
}

// The status of a restore of a body.
static int restore(const char *query, const char *body)
{
	const int fd = client_connect();
	int status = 0;
	client_send(
		fd, text_from("POST /config/restore%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
			      "Content-Length: %zu\r\n\r\n%s",
			    query, strlen(body), body));
	assert_true(client_read(fd, PATIENCE_MS) > 0);
	close(fd);
	assert_int_equal(sscanf(reply, "HTTP/1.1 %d", &status), 1);
	return status;
}

static void restore_refused(const char *query, const char *body, int status, const char *part)
{
	const unsigned applied = verbs_double.applied;
	if (restore(query, body) != status || !strstr(reply, part))
		fail_msg("not %d, %s: %s", status, part, reply);
	assert_int_equal(verbs_double.applied, applied);
}

// The id in the reply to a first part.
static const char *restore_id(void)
{
	const char *at = strstr(reply, "\"id\":\"");
	assert_non_null(at);
	assert_int_equal(strspn(at + 6, "0123456789abcdef"), 32);
	return text_from("%.32s", at + 6);
}

TEST(test_restore)
{
	static const char head[] = "entries: [{name: a.test, ", tail[] = "verdict: deny}]\n";
	const char *of = text_from("?of=%zu", strlen(head) + strlen(tail));
	restore_refused("", "", 400, "the body is empty");
	restore_refused("", "entries: [", 400, "managed.yaml");
	restore_refused("", "redis: {mode: off}\n", 400, "mode: no command");
	restore_refused("", "version: 1\n", 400, "version: no command");
	restore_refused(
		"", "# a box\noverrides:\n  redis: {password: ***}\n", 400, "line 3 has ***");
	restore_refused("?of=1048577", "x", 400, "of: must be 1 to 1048576");
	restore_refused("?of=2", "xxx", 400, "of: is less");
	restore_refused("?at=5&of=9", "x", 409, "send all parts again");
	restore_refused("?version=none", "x", 400, "version: must be");

	assert_reply("POST /entries/add?name=other.test&verdict=deny", 200, "\"ok\":true");
	assert_int_equal(restore(of, head), 200);
	assert_non_null(strstr(reply, "{\"ok\":true,\"bytes\":25,\"id\":\""));
	const char *first = restore_id();
	assert_int_equal(restore(of, head), 200);
	const char *id = restore_id();
	assert_string_not_equal(id, first);
	restore_refused(text_from("%s&at=25", of), tail, 409, "id: must be");
	restore_refused(text_from("%s&at=25&id=%s", of, first), tail, 409, "id: must be");
	restore_refused(text_from("%s&at=24&id=%s", of, id), tail, 409, "does not follow");
	assert_int_equal(restore(text_from("%s&at=25&why=back&id=%s", of, id), tail), 200);
	assert_string_equal(verbs_double.what, "config restore");
	assert_string_equal(verbs_double.why, "back");
	managed_has("{name: \"a.test\", verdict: \"deny\"}", true);
	managed_has("other.test", false);
	assert_int_equal(restore("", verbs_double.managed), 200);
	assert_non_null(strstr(reply, "\"unchanged\":true"));
	restore_refused(text_from("%s&at=25&id=%s", of, id), tail, 409, "id: must be");
	assert_reply("POST /entries/remove?name=a.test", 200, "\"ok\":true");
}

// A change for the version that its client saw.
TEST(test_changes_of_a_version)
{
	versions_double.in_force =
		(struct config_version){.number = 8, .who = "user ben", .what = "list add ads"};
	assert_reply("POST /config/set?path=cache.min_ttl&yaml=7&if_version=7", 409,
		"changed since version 7: version 8 is in force, by user ben (list add ads)");
	assert_reply("POST /config/reload?if_version=7", 409, "version 8 is in force");
	assert_reply("POST /config/set?path=cache.min_ttl&yaml=7&if_version=x", 400, "if_version:");
	assert_reply("POST /config/set?path=cache.min_ttl&yaml=7&if_version=8", 200, "\"ok\":true",
		"\"version\":8");
	assert_reply("GET /config/overrides", 200, "\"version\":8");
	assert_reply("GET /entries", 200, "\"version\":8");
	versions_double.in_force.number = 0;
	assert_reply("POST /config/clear?path=cache.min_ttl&if_version=8", 409,
		"one without a number is in force");
	assert_reply("POST /config/clear?path=cache.min_ttl", 200, "\"ok\":true");
	assert_reply("POST /entries/add?name=n.test&verdict=deny&why=x&new=1", 200, "\"ok\":true");
	assert_reply("POST /entries/add?name=n.test&verdict=deny&why=x&new=1", 200, "unchanged");
	assert_reply("POST /entries/add?name=n.test&verdict=allow&new=1", 409,
		"has an entry for everyone already");
	assert_reply("POST /entries/remove?name=n.test", 200, "\"ok\":true");
}

TEST(test_restore_of_a_version)
{
	static const char head[] = "entries: [{name: a.test, ", tail[] = "verdict: deny}]\n";
	const char *of = text_from("?of=%zu", strlen(head) + strlen(tail));
	versions_double.in_force.number = 7;
	assert_int_equal(restore(text_from("%s&version=7", of), head), 200);
	const char *id = restore_id();
	versions_double.in_force.number = 8;
	restore_refused(text_from("%s&at=25&id=%s", of, id), tail, 409, "since version 7");
	restore_refused("?version=7", "entries: []", 409, "since version 7");
	assert_int_equal(restore(text_from("%s&version=8", of), head), 200);
	id = restore_id();
	assert_int_equal(restore(text_from("%s&at=25&id=%s", of, id), tail), 200);
	managed_has("{name: \"a.test\", verdict: \"deny\"}", true);
	assert_reply("POST /entries/remove?name=a.test", 200, "\"ok\":true");
}

TEST(test_services)
{
	assert_reply("POST /services/block?service=steam", 200,
		"\"service\":\"steam\",\"group\":\"\",\"needs_restart\"");
	assert_string_equal(verbs_double.what, "services block steam");
	managed_has("services:\n      - \"steam\"", true);
	struct service_set *set = &config.blocking.filter.services;
	memset(set, 0xff, sizeof(*set));
	assert_reply("POST /services/allow?service=steam&group=everyone", 200, "\"ok\":true");
	assert_string_equal(verbs_double.what, "services allow steam");
	managed_has("\"steam\"", false);
	assert_reply("POST /services/block?service=steam", 200, "\"unchanged\":true");
	memset(set, 0, sizeof(*set));
	assert_reply("POST /services/block?service=stem", 400, "\\\"stem\\\" is none");
	assert_reply("POST /services/block", 400, "service: is missing");
	assert_reply("POST /config/clear?path=blocking.services", 200, "\"ok\":true");
	assert_string_equal(verbs_double.managed, "");
}

// In force, except for a list: no failure.
TEST(test_warning)
{
	const unsigned applied = verbs_double.applied;
	verbs_double.err = EIO;
	assert_reply("POST /entries/add?name=w.test&verdict=deny", 200,
		"\"needs_restart\":\"\",\"warning\":\"config: entries: bad");
	assert_int_equal(verbs_double.applied, applied + 1);
	verbs_double.err = 0;
	assert_reply(
		"POST /entries/remove?name=w.test", 200, "\"needs_restart\":\"\",\"version\":");
}

static atomic_uint turns;

static void turn(void *)
{
	turns++;
}

// What the loop was at before is over.
static void loop_turns(void)
{
	const unsigned before = turns;
	assert_int_equal(loop_call(service, turn, NULL), 0);
	WAIT_FOR(turns > before);
}

static void held_end(void *)
{
	verbs_double.held(verbs_double.held_arg, -EINVAL, "refused late", "");
	atomic_store(&has_ended, true);
}

// The client has had its 504 when the apply ends.
TEST(test_late)
{
	verbs_double.is_held = true;
	int fd = client_connect();
	client_send(fd, "POST /entries/add?name=late.test&verdict=deny HTTP/1.1\r\nHost: a\r\n"
			"Connection: close\r\n\r\n");
	WAIT_FOR(atomic_load(&is_held_now));
	loop_turns();
	clock_ahead_by_ms(121000);
	loop_turns();
	assert_true(client_read(fd, PATIENCE_MS) > 0);
	assert_memory_equal(reply, "HTTP/1.1 504", 12);
	close(fd);
	verbs_double.is_held = false;
	assert_int_equal(loop_call(service, held_end, NULL), 0);
	WAIT_FOR(atomic_load(&has_ended));
	assert_reply("POST /entries/remove?name=late.test", 200, "no entry");
}

// A user who may move clients between groups may add them to one.
TEST(test_members_role)
{
	for (unsigned i = 0; i < ARRAY_LEN(api_members_part.endpoint); i++)
		if (api_members_part.endpoint[i].path)
			assert_int_equal(api_members_part.endpoint[i].role, CONTROL_ADMIN);
}

TEST(test_failed)
{
	verbs_double.err = -EINVAL;
	assert_reply("POST /entries/add?name=a.test&verdict=deny", 400,
		"{\"error\":\"config: entries: bad\"}");
	verbs_double.err = -EOVERFLOW; // no view number is left
	assert_reply("POST /entries/add?name=a.test&verdict=deny", 503, "config: entries: bad");
	verbs_double.err = 0;
	verbs_double.rc = -EBUSY;
	assert_reply("POST /entries/add?name=a.test&verdict=deny", 503, "try again");
	verbs_double.rc = -ENOMEM;
	assert_reply("POST /entries/add?name=a.test&verdict=deny", 500, "memory");
	verbs_double.rc = 0;
	strcpy(verbs_double.managed, "entries: [");
	assert_reply("POST /entries/add?name=a.test&verdict=deny", 500, "managed.yaml:");
	verbs_double.managed[0] = '\0';
}

// What it prints could not be read again.
TEST(test_full)
{
	char *at = verbs_double.managed, *end = at + sizeof(verbs_double.managed);
	const unsigned applied = verbs_double.applied;
	at += snprintf(at, (size_t)(end - at), "entries:\n");
	for (unsigned i = 0; end - at > 240; i++)
		at += snprintf(at, (size_t)(end - at),
			"- {name: n%u, verdict: deny, why: %0150u}\n", i, i);
	assert_reply("POST /entries/add?name=a.test&verdict=deny", 409,
		"the managed part is full: remove some of its items");
	assert_int_equal(verbs_double.applied, applied);
	verbs_double.managed[0] = '\0';
}

// What has ended goes with the next change.
TEST(test_ended)
{
	strcpy(verbs_double.managed,
		"entries: [{name: old, verdict: deny, until: 2020-01-01T00:00:00Z}]");
	assert_reply("POST /entries/remove?name=old", 200, "no entry \\\"old\\\" of everyone");
	assert_reply("POST /entries/add?name=a.test&verdict=deny", 200, "\"ok\":true");
	managed_has("old", false);
	assert_reply("POST /entries/remove?name=a.test", 200, "\"ok\":true");
}

// Entries in force, of the managed part and of files.
TEST(test_shown)
{
	static char reason[] = "by hand", none[] = "", pattern[] = "^a";
	static struct config_dated_entry entries[] = {
		{.allow = true,
			.group = 1,
			.types = {.count = 2, .type = {DNS_TYPE_A, DNS_TYPE_SVCB}},
			.why = reason,
			.until = 4102444800},
		{.pattern = pattern, .inverts = true, .why = none, .until = 1, .ended = true}};
	assert_reply("GET /entries", 200, "{\"entries\":[],\"version\":");
	assert_int_equal(dns_name_from_text("a.test", 6, &entries[0].name), 0);
	config.dated = (struct config_dated){ARRAY_LEN(entries), entries};
	assert_reply("GET /entries", 200,
		"{\"name\":\"a.test\",\"verdict\":\"allow\",\"group\":\"kids\","
		"\"invert\":false,\"type\":\"A,SVCB\","
		"\"reply\":\"\",\"why\":\"by "
		"hand\",\"until\":\"2100-01-01T00:00:00Z\",\"until_unix_s\":4102444800,",
		"{\"name\":\"/^a/\",\"verdict\":\"deny\",\"group\":\"\",\"invert\":true",
		"\"left_s\":0,\"ended\":true");
	config.dated.count = 0;
}

// Sends a PUT, and wants the status and these texts in its reply.
#define assert_put(target, body, status, ...) \
	assert_put_has(target, body, status, (const char *const[]){__VA_ARGS__, NULL})
static void assert_put_has(
	const char *target, const char *body, int status, const char *const *texts)
{
	char head[256];
	int got = 0;
	int fd = client_connect();
	snprintf(head, sizeof(head),
		"PUT %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		target, strlen(body));
	client_send(fd, head);
	client_send(fd, body);
	assert_true(client_read(fd, PATIENCE_MS) > 0);
	close(fd);
	assert_int_equal(sscanf(reply, "HTTP/1.1 %3d", &got), 1);
	if (got != status)
		fail_msg("%s %s: not %d: %s", target, body, status, reply);
	for (; *texts; texts++)
		if (!strstr(reply, *texts))
			fail_msg("%s %s: no %s: %s", target, body, *texts, reply);
}

#define SUMMARY(changed, added, changes, removed, unchanged, in_file)               \
	"\"changed\":" changed ",\"check\":false,\"counts\":{\"added\":" added      \
	",\"changed\":" changes ",\"removed\":" removed ",\"unchanged\":" unchanged \
	",\"in_file\":" in_file "}"

// Of two entries in force the first is of a file, and the last of the managed part.
TEST(test_put_entries)
{
	static char none[] = "";
	static struct config_dated_entry old[2] = {{.why = none}, {.why = none}};
	assert_int_equal(dns_name_from_text("filed.test", 10, &old[0].name), 0);
	assert_int_equal(dns_name_from_text("mine.test", 9, &old[1].name), 0);
	config.dated = (struct config_dated){ARRAY_LEN(old), old};
	strcpy(verbs_double.managed, "entries: [{name: mine.test, verdict: deny}]");
	const unsigned applied = verbs_double.applied;
	assert_put("/entries",
		"{\"entries\":[{\"name\":\"filed.test\",\"verdict\":\"deny\",\"removable\":false},"
		"{\"name\":\"Mine.test.\",\"verdict\":\"deny\",\"group\":\"everyone\"}]}",
		200, SUMMARY("false", "0", "0", "0", "2", "0"));
	assert_put("/entries?check=1", "{\"entries\":[]}", 200, "\"changed\":true,\"check\":true",
		"\"removed\":1,\"unchanged\":0,\"in_file\":1}");
	assert_int_equal(verbs_double.applied, applied);
	assert_put("/entries?why=so",
		"{\"entries\":[{\"name\":\"mine.test\",\"verdict\":\"allow\",\"type\":\"https,A\"},"
		"{\"name\":\"filed.test\",\"verdict\":\"allow\"},"
		"{\"name\":\"/^a/\",\"verdict\":\"deny\",\"invert\":true,\"group\":\"kids\","
		"\"until\":\"2100-01-01T00:00:00Z\",\"why\":\"w\"}]}",
		200, SUMMARY("true", "2", "1", "0", "0", "1"), "\"needs_restart\"");
	assert_string_equal(verbs_double.what, "put entries: 2 added, 1 changed, 0 removed");
	assert_string_equal(verbs_double.why, "so");
	managed_has("{name: \"mine.test\", verdict: \"allow\", types: [\"A\", \"HTTPS\"]}", true);
	managed_has("{name: \"/^a/\", verdict: \"deny\", invert: \"true\", group: \"kids\", "
		    "until: \"2100-01-01T00:00:00Z\", why: \"w\"}",
		true);
	strcpy(verbs_double.managed, "entries: [{name: mine.test, verdict: deny}]");
	assert_put("/entries", "{\"entries\":[]}", 200, SUMMARY("true", "0", "0", "1", "0", "1"));
	assert_string_equal(verbs_double.managed, "");
	config.dated.count = 0;
}

struct put_bad {
	const char *target, *body, *part;
};

static void puts_refused(const struct put_bad *bad, size_t count)
{
	const unsigned applied = verbs_double.applied;
	for (size_t i = 0; i < count; i++)
		assert_put(bad[i].target, bad[i].body, 400, bad[i].part);
	assert_int_equal(verbs_double.applied, applied);
}

TEST(test_put_refused)
{
	static const struct put_bad bad[] = {
		{"/entries", "", "the body is no JSON: line 1"},
		{"/entries", "[]", "entries: must be a list in the object that is the body"},
		{"/entries", "{\"entries\":{}}", "entries: must be a list"},
		{"/entries", "{\"entries\":[],\"more\":1}", "more: no such key"},
		{"/entries", "{\"entries\":[1]}", "entries[0]: must be an object"},
		{"/entries", "{\"entries\":[{\"nme\":\"a\"}]}", "entries[0].nme: no such key"},
		{"/entries", "{\"entries\":[{\"name\":\"a.test\"}]}",
			"entries[0].verdict: is missing"},
		{"/entries", "{\"entries\":[{\"name\":7,\"verdict\":\"deny\"}]}",
			"entries[0].name: must be a text"},
		{"/entries", "{\"entries\":[{\"name\":\"a\",\"verdict\":\"deny\",\"invert\":1}]}",
			"entries[0].invert: must be true or false"},
		{"/entries", "{\"entries\":[{\"name\":\"a\",\"verdict\":\"block\"}]}",
			"entries[0].verdict: must be allow or deny"},
		{"/entries",
			"{\"entries\":[{\"name\":\"a\",\"verdict\":\"deny\",\"type\":\"A,X\"}]}",
			"entries[0].type: must be of"},
		{"/entries",
			"{\"entries\":[{\"name\":\"a\",\"verdict\":\"deny\",\"group\":\"x\"}]}",
			"entries[0].group: no group"},
		{"/entries",
			"{\"entries\":[{\"name\":\"a\",\"verdict\":\"deny\","
			"\"until\":\"tomorrow\"}]}",
			"entries[0].until: must be a time"},
		{"/entries",
			"{\"entries\":[{\"name\":\"a\",\"verdict\":\"deny\"},"
			"{\"name\":\"A.\",\"verdict\":\"allow\"}]}",
			"entries[1]: is there twice"},
		{"/entries?check=2", "{\"entries\":[]}", "check: must be 0 or 1"},
	};
	puts_refused(bad, ARRAY_LEN(bad));
	assert_put("/lists/add?name=a&place=/a", "", 405, "use POST");
	assert_put("/status", "", 405, "use GET");
	assert_reply("POST /lists", 405, "use GET or PUT");
}

TEST(test_put_others_refused)
{
	static const struct put_bad bad[] = {
		{"/lists", "{\"lists\":[{\"name\":\"a\",\"source\":\"a\"}]}",
			"lists[0].source: must be a URL or an absolute path"},
		{"/lists", "{\"lists\":[{\"name\":\"a\",\"source\":\"/nowhere\"}]}",
			"No such file"},
		{"/lists",
			"{\"lists\":[{\"name\":\"a\",\"source\":\"https://a/\",\"format\":\"x\"}]}",
			"lists[0].format: no format"},
		{"/local", "{\"records\":[{\"name\":\"a\",\"type\":\"A\",\"value\":\"192.0.2\"}]}",
			"records[0].value: "},
		{"/local", "{\"records\":[{\"name\":\"a\",\"type\":\"NS\",\"value\":\"b\"}]}",
			"records[0].type: must be one of"},
		{"/local",
			"{\"records\":[{\"name\":\"a\",\"type\":\"A\",\"value\":\"192.0.2.1\","
			"\"group\":\"kids\"}]}",
			"records[0].group: "},
		{"/local",
			"{\"records\":[{\"name\":\"a\",\"type\":\"A\",\"value\":\"192.0.2.1\","
			"\"ttl_s\":\"1\"}]}",
			"records[0].ttl_s: must be a whole number"},
		{"/local", "{\"records\":[],\"left_out\":1}", "left_out: some are missing"},
		{"/groups", "{\"groups\":[{\"name\":1}]}", "groups[0].name: must be a text"},
		{"/groups", "{\"groups\":[\"kids\"]}", "groups[0]: must be an object"},
		{"/groups", "{\"groups\":[{\"name\":\"a\",\"mac\":[]}]}",
			"groups[0].mac: no such key"},
		{"/groups", "{\"groups\":[{\"name\":\"a\",\"own\":[]}]}",
			"groups[0].own: must be an object"},
		{"/groups", "{\"groups\":[{\"name\":\"everyone\",\"own\":{}}]}",
			"groups[0].own: set what holds for everyone in `blocking`"},
		{"/groups", "{\"groups\":[{\"name\":\"a\",\"clients\":[\"192.0.2.1\"]}]}",
			"groups \\\"a\\\": own: is missing"},
		{"/groups", "{\"groups\":[{\"name\":\"a\",\"own\":{\"macs\":[]}}]}", "macs"},
		{"/groups", "{\"groups\":[{\"name\":\"a\",\"own\":{\"name\":\"b\"}}]}", "twice"},
		{"/groups", "{\"groups\":[],\"left_out\":0}", "left_out: no such key"},
		{"/groups", "{\"groups\":{}}", "groups: must be a list"},
		{"/groups", "{\"groups\":[", "the body is no JSON"},
	};
	puts_refused(bad, ARRAY_LEN(bad));
}

// GET shows no secrets of a URL: what it shows stands for the one in force.
TEST(test_put_lists)
{
	static char mine[] = "mine", filed[] = "filed", url[] = "https://u:p@lists.test/a?key=7";
	static char place[] = "/a";
	static struct config_list used[2] = {
		{.name = mine, .url = url}, {.name = filed, .path = place}};
	static const char managed[] =
		"blocking: {lists: [{name: mine, url: \"https://u:p@lists.test/a?key=7\"}]}";
	config.blocking.lists = used;
	config.blocking.list_count = 2;
	strcpy(verbs_double.managed, managed);
	assert_put("/lists",
		"{\"lists\":[{\"name\":\"mine\",\"source\":\"https://u:p@lists.test/a?key=7\"}]}",
		200, SUMMARY("false", "0", "0", "0", "1", "1"));
	assert_put("/lists",
		"{\"lists\":[{\"name\":\"mine\",\"source\":\"https://lists.test/"
		"a?...\",\"allow\":true},"
		"{\"name\":\"filed\",\"source\":\"/a\",\"enabled\":false}],\"known\":[]}",
		200, SUMMARY("true", "0", "2", "0", "0", "0"));
	managed_has(
		"{name: \"mine\", url: \"https://u:p@lists.test/a?key=7\", allow: \"true\"}", true);
	managed_has("disabled_lists:\n    - \"filed\"", true);
	assert_put("/lists", "{\"lists\":[{\"name\":\"filed\",\"source\":\"https://b.test/\"}]}",
		409, "lists[0]: stands in a file");
	config.blocking.list_count = 0;
	verbs_double.managed[0] = '\0';
}

TEST(test_put_records)
{
	config.local.ttl_s = 300;
	assert_put("/local",
		"{\"records\":[{\"name\":\"NAS.lan\",\"type\":\"a\",\"value\":\"192.0.2.1\"},"
		"{\"name\":\"*.x.lan\",\"type\":\"A\",\"value\":\"192.0.2.2\",\"ttl_s\":60}],"
		"\"left_out\":0}",
		200, SUMMARY("true", "2", "0", "0", "0", "0"));
	managed_has("{name: \"nas.lan\", type: \"A\", value: \"192.0.2.1\"}", true);
	managed_has("{name: \"*.x.lan\", type: \"A\", value: \"192.0.2.2\", ttl: \"60\"}", true);
	verbs_double.managed[0] = '\0';
}

// Entries of which `names` has the names, deny entries of everyone.
static void dated_put(struct config_dated_entry *all, const char *const *names, unsigned count)
{
	static char none[] = "";
	for (unsigned i = 0; i < count; i++) {
		all[i] = (struct config_dated_entry){.why = none};
		assert_int_equal(dns_name_from_text(names[i], strlen(names[i]), &all[i].name), 0);
	}
	config.dated = (struct config_dated){count, all};
}

#define DENY(name)  "{\"name\":\"" name "\",\"verdict\":\"deny\"}"
#define ALLOW(name) "{\"name\":\"" name "\",\"verdict\":\"allow\"}"

// All that replace an entry, and then those that are new.
TEST(test_put_replaces)
{
	struct config_dated_entry old[2];
	dated_put(old, (const char *const[]){"a.test", "b.test"}, 2);
	strcpy(verbs_double.managed,
		"entries: [{name: a.test, verdict: deny}, {name: b.test, verdict: deny}]");
	assert_put("/entries",
		"{\"entries\":[" ALLOW("a.test") "," ALLOW("b.test") "," ALLOW("c.test") "]}", 200,
		SUMMARY("true", "1", "2", "0", "0", "0"));
	managed_has("{name: \"b.test\", verdict: \"allow\"}", true);
	managed_has("{name: \"c.test\", verdict: \"allow\"}", true);
	config.dated.count = 0;
	verbs_double.managed[0] = '\0';
}

// A file and the managed part have an entry of the same name, group and verdict.
TEST(test_put_beside_a_file)
{
	static char reason[] = "mine";
	struct config_dated_entry old[2];
	dated_put(old, (const char *const[]){"filed.test", "filed.test"}, 2);
	old[1].why = reason;
	static const char mine[] =
		"{\"name\":\"filed.test\",\"verdict\":\"deny\",\"why\":\"mine\"}";
	strcpy(verbs_double.managed, "entries: [{name: filed.test, verdict: deny, why: mine}]");
	assert_reply("GET /entries", 200,
		"\"why\":\"\",\"until\":\"\",\"until_unix_s\":0,\"left_s\":0,\"ended\":false,"
		"\"removable\":false",
		"\"why\":\"mine\",\"until\":\"\",\"until_unix_s\":0,\"left_s\":0,\"ended\":false,"
		"\"removable\":true");
	const char *body = text_from("{\"entries\":[%s]}", mine);
	assert_put("/entries", body, 200, SUMMARY("false", "0", "0", "0", "1", "1"));
	assert_put("/entries?check=1", "{\"entries\":[" DENY("filed.test") "]}", 200,
		"\"removed\":1,\"unchanged\":1,\"in_file\":0");
	body = text_from("{\"entries\":[" DENY("filed.test") ",%s]}", mine);
	assert_put("/entries", body, 200, SUMMARY("false", "0", "0", "0", "2", "0"));
	dated_put(old, (const char *const[]){"filed.test", "filed.test"}, 2);
	strcpy(verbs_double.managed, "entries: [{name: filed.test, verdict: deny}]");
	assert_put("/entries", "{\"entries\":[" DENY("filed.test") "," DENY("filed.test") "]}", 200,
		SUMMARY("false", "0", "0", "0", "2", "0"));
	assert_put("/entries",
		"{\"entries\":[" DENY("filed.test") "," DENY("filed.test") "," DENY(
			"filed.test") "]}",
		400, "entries[2]: is there twice");
	config.dated.count = 0;
	verbs_double.managed[0] = '\0';
}

// What has ended is not there, in the body and in force.
TEST(test_put_ended)
{
	static const char body[] = "{\"entries\":[{\"name\":\"old.test\",\"verdict\":\"deny\","
				   "\"until\":\"2020-01-01T00:00:00Z\"}]}";
	struct config_dated_entry old[1];
	assert_put("/entries", body, 200, SUMMARY("false", "0", "0", "0", "0", "0"));
	dated_put(old, (const char *const[]){"old.test"}, 1);
	old[0].until = 1577836800;
	strcpy(verbs_double.managed,
		"entries: [{name: old.test, verdict: deny, until: 2020-01-01T00:00:00Z}]");
	assert_put("/entries", body, 200, SUMMARY("false", "0", "0", "0", "0", "0"));
	config.dated.count = 0;
	verbs_double.managed[0] = '\0';
}

// A file takes `off` out of use, and the managed part `filed`.
TEST(test_put_lists_use)
{
	static char off[] = "off", filed[] = "filed", place[] = "/a", url[] = "https://a.test/";
	static struct config_list out[2] = {
		{.name = off, .url = url}, {.name = filed, .path = place}};
	static const char managed[] = "blocking: {lists: [{name: off, url: \"https://a.test/\"}], "
				      "disabled_lists: [filed]}";
	config.blocking.disabled = out;
	config.blocking.disabled_count = 2;
	strcpy(verbs_double.managed, managed);
	assert_put("/lists", "{\"lists\":[{\"name\":\"off\",\"source\":\"https://a.test/\"}]}", 409,
		"lists[0]: stands in a file");
	assert_put("/lists",
		"{\"lists\":[{\"name\":\"off\",\"source\":\"https://a.test/\",\"enabled\":false}]}",
		200, SUMMARY("false", "0", "0", "0", "1", "1"));
	assert_string_equal(verbs_double.managed, managed);
	assert_put("/lists",
		"{\"lists\":[{\"name\":\"off\",\"source\":\"https://a.test/\",\"enabled\":false},"
		"{\"name\":\"filed\",\"source\":\"/a\"}]}",
		200, SUMMARY("true", "0", "1", "0", "1", "0"));
	managed_has("disabled_lists", false);
	config.blocking.disabled_count = 0;
	verbs_double.managed[0] = '\0';
}

// The text stays the same, whatever is in force.
TEST(test_put_same_text)
{
	struct config_dated_entry old[1];
	const unsigned applied = verbs_double.applied;
	assert_put("/entries", "{\"entries\":[" DENY("a.test") "]}", 200, "\"changed\":true");
	dated_put(old, (const char *const[]){"a.test"}, 1);
	old[0].allow = true;
	assert_put("/entries", "{\"entries\":[" DENY("a.test") "]}", 200, "\"changed\":false");
	assert_int_equal(verbs_double.applied, applied + 1);
	config.dated.count = 0;
	verbs_double.managed[0] = '\0';
}

// The group `kids` is of a file. Keys that only report count for nothing.
TEST(test_put_groups)
{
	assert_put("/groups",
		"{\"groups\":[{\"name\":\"everyone\",\"group\":0},"
		"{\"name\":\"kids\",\"clients\":[\"192.0.2.99\"],\"services\":[\"vk\"]},"
		"{\"name\":\"new\",\"own\":{\"clients\":[\"192.0.2.8\",\"tab\"],"
		"\"client_names\":[\"tab\"],\"blocking\":false,\"vlans\":[7]}}]}",
		200, SUMMARY("true", "1", "0", "0", "1", "0"));
	managed_has("- {name: \"new\", blocking: \"false\", clients: [\"192.0.2.8\", \"tab\"], "
		    "vlans: [\"7\"], client_names: [\"tab\"]}",
		true);
	managed_has("kids", false);
	verbs_double.managed[0] = '\0';
	assert_put("/groups?check=1",
		"{\"groups\":[{\"name\":\"kids\",\"own\":{\"clients\":[\"192.0.2.7\"]}}]}", 200,
		"\"changed\":1,\"removed\":0");
	assert_string_equal(verbs_double.managed, "");
	assert_put("/groups",
		"{\"groups\":[{\"name\":\"kids\",\"own\":{\"clients\":[\"192.0.2.9\"]}}]}", 200,
		SUMMARY("false", "0", "0", "0", "1", "0"));
	assert_put("/groups", "{\"groups\":[]}", 200, SUMMARY("false", "0", "0", "0", "0", "1"));
}

// What the configuration refuses, a check finds too, and puts nothing in force.
TEST(test_put_check)
{
	const unsigned applied = verbs_double.applied;
	assert_put("/entries?check=1", "{\"entries\":[" DENY("a.test") "]}", 200, "\"added\":1",
		"\"needs_restart\":\"\"");
	verbs_double.err = -EINVAL;
	assert_put("/entries?check=1", "{\"entries\":[" DENY("a.test") "]}", 400,
		"{\"error\":\"config: entries: bad\"}");
	verbs_double.err = 0;
	assert_int_equal(verbs_double.applied, applied);
	assert_string_equal(verbs_double.managed, "");
}

static int setup(void **)
{
	config.groups = &group_double;
	config.group_count = 1;
	return api_rig_open((struct api_deps){.config_apply = apply_double,
		.managed_text = managed_text_double,
		.versions = versions_of_double,
		.config_bundle = bundle_double});
}

static int teardown(void **)
{
	api_rig_end();
	return api_rig_close(NULL);
}

TEST_GROUP(setup, teardown)
