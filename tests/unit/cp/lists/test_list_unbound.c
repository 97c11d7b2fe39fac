// SPDX-License-Identifier: BSD-3-Clause

// unbound's options as lists have them, each type of a zone against unbound.conf(5).

#include "list_rig.h"
#include "tests/unit/unit.h"

#define GOOD      LIST_REJECT_COUNT
#define NO(which) LIST_REJECT_##which

static const struct list_row zones[] = {
	{"local-zone: \"a.example\" always_nxdomain", "a.example{nxdomain}", GOOD},
	{"local-zone: \"a.example.\" static", "a.example{nxdomain}", GOOD},
	{"local-zone: 'A.example' always_nodata", "a.example{nodata}", GOOD},
	{"local-zone: a.example always_null", "a.example{null}", GOOD},
	{"local-zone:\"a.example\" always_refuse", "a.example{refused}", GOOD},
	{"local-zone: \"a.example\" \"refuse\"", "a.example{refused}", GOOD},
	{"local-zone: \"a.example\" always_deny", "a.example{drop}", GOOD},
	{"local-zone: \"a.example\" deny", "a.example{drop}", GOOD},
	{"local-zone: \"a.example\" inform_deny", "a.example{drop}", GOOD},
	{"local-zone: \"a.example\" redirect", "a.example", GOOD},
	{"local-zone: \"a.example\" inform_redirect", "a.example", GOOD},
	{"local-zone: \"a.example\" block_a", "a.example{nodata}{types:A}", GOOD},
	{"\tlocal-zone: \"a.example\" ALWAYS_NULL # why", "a.example{null}", GOOD},
	{"server: local-zone: \"a.example\" deny", "a.example{drop}", GOOD},
	{"local-zone: \"f\xc3\xbc.example\" deny", "xn--f-eha.example{drop}", GOOD},
	// Names below such a zone pass.
	{"local-zone: \"a.example\" transparent", "except:a.example", GOOD},
	{"local-zone: \"a.example\" typetransparent", "except:a.example", GOOD},
	{"local-zone: \"a.example\" always_transparent", "except:a.example", GOOD},
	{"local-zone: \"a.example\" inform", "except:a.example", GOOD},
	{"local-zone: \"a.example\" nodefault", "", NO(UNBOUND)},
	{"local-zone: \"a.example\" noview", "", NO(UNBOUND)},
	{"local-zone: \"a.example\" ipset", "", NO(UNBOUND)},
	{"local-zone: \"a.example\" truncate", "", NO(UNBOUND)},
	{"local-zone: \"a.example\" always_nonsense", "", NO(UNBOUND)},
	{"local-zone: \"a.example\"", "", NO(UNBOUND)},
	{"local-zone: \"a.example static", "", NO(UNBOUND)},
	{"local-zone: \"", "", NO(UNBOUND)},
	{"local-zone:", "", NO(UNBOUND)},
	{"local-zone: \"a.example\" static \"b.example\"", "", NO(UNBOUND)},
	{"local-zone: \"com\" static", "", NO(SINGLE_LABEL)},
	{"local-zone: \"co.uk\" static", "", NO(PUBLIC_SUFFIX)},
	{"local-zone: \"localhost\" static", "", NO(SPECIAL)},
	{"local-zone: \"127.in-addr.arpa.\" static", "127.in-addr.arpa{nxdomain}", GOOD},
	{"local-zone: \"*.a.example\" static", "", NO(CHARACTER)},
	{"local-zone: \"a..example\" static", "", NO(EMPTY_LABEL)},
};

static const struct list_row data[] = {
	{"local-data: \"a.example A 0.0.0.0\"", "=a.example", GOOD},
	{"local-data: \"a.example. 60 IN A 127.0.0.1\"", "=a.example", GOOD},
	{"local-data: 'a.example AAAA ::'", "=a.example", GOOD},
	{"local-data: 'a.example in AAAA ::1'", "=a.example", GOOD},
	{"local-data: \"a.example A 192.0.2.1\"", "=a.example{A,300,c0000201}", GOOD},
	{"local-data: \"a.example 77 A 192.0.2.1\"", "=a.example{A,77,c0000201}", GOOD},
	{"local-data: 'a.example TXT \"why not\"'", "=a.example{TXT,300,07776879206e6f74}", GOOD},
	{"local-data: \"a.example CNAME b.example.\"",
		"=a.example{resolve}{CNAME,300,0162076578616d706c6500}", GOOD},
	// Data of the zone that redirects are those of all names below it, and no other data.
	{"local-zone: \"a.example\" redirect\nlocal-data: \"A.example A 192.0.2.1\"\n"
	 "local-data: \"a.example AAAA ::\"\nlocal-data: \"x.a.example A 192.0.2.1\"",
		"a.example a.example{A,300,c0000201} a.example =x.a.example{A,300,c0000201}", GOOD},
	{"local-data: \"a.example\"", "", NO(UNBOUND)},
	{"local-data: \"a.example A\"", "", NO(UNBOUND)},
	{"local-data: \"a.example A 192.0.2.256\"", "", NO(UNBOUND)},
	{"local-data: \"a.example A 192.0.2.1\" x", "", NO(UNBOUND)},
	{"local-data: \"a.example 9999999999 A 192.0.2.1\"", "", NO(UNBOUND)},
	{"local-data: \"a.example ANY x\"", "", NO(UNBOUND)},
	{"local-data: \"a.example CH A 192.0.2.1\"", "", NO(UNBOUND)},
	{"local-data: \"a.example CNAME a..b\"", "", NO(UNBOUND)},
	{"local-data: \"com A 0.0.0.0\"", "", NO(SINGLE_LABEL)},
	{"local-data: \"\"", "", NO(EMPTY_LABEL)},
	{"local-data-ptr: \"192.0.2.1 a.example\"", "", NO(UNBOUND)},
};

static const struct list_row others[] = {
	{"server:", "", GOOD},
	{"server:\n  local-zone: \"a.example\" deny", "a.example{drop}", GOOD},
	{"forward-zone:", "", NO(UNBOUND)},
	{"include: \"/etc/x\"", "", NO(UNBOUND)},
	{"server:\nlocal-zone: a.example deny\nserver:\nlocal-zone: b.example deny",
		"a.example{drop} b.example{drop}", GOOD},
	{"local-zone_: a.example deny", "", NO(WORDS)},
	{"a:b", "", NO(CHARACTER)},
	{"http://a.example/", "", NO(URL)},
};

static const struct list_row allowed[] = {
	{"local-zone: \"a.example\" always_nxdomain", "allow:a.example", GOOD},
	{"local-zone: \"a.example\" redirect\nlocal-data: \"a.example A 192.0.2.1\"",
		"allow:a.example allow:a.example", GOOD},
	{"local-data: \"a.example A 192.0.2.1\"", "allow:=a.example", GOOD},
	{"local-zone: \"a.example\" transparent", "", NO(UNBOUND)},
};

TEST(test_rows)
{
	static const struct list_options block = {0}, allow = {.role = LIST_ROLE_ALLOW};
	list_rig_check(&block, zones, ARRAY_LEN(zones));
	list_rig_check(&block, data, ARRAY_LEN(data));
	list_rig_check(&block, others, ARRAY_LEN(others));
	list_rig_check(&allow, allowed, ARRAY_LEN(allowed));
}

// A view is for some clients alone.
TEST(test_view)
{
	static const char text[] = "view:\nname: \"kids\"\nlocal-zone: \"a.example\" deny\n"
				   "server:\nlocal-zone: \"b.example\" deny\n";
	static const struct list_options block = {0};
	static struct list_rig r;
	list_rig_parse(&r, &block, text, sizeof(text) - 1, 7);
	assert_string_equal(r.text, "b.example{drop} ");
	assert_int_equal(r.counts.rejected[LIST_REJECT_UNBOUND], 3);
	assert_int_equal(r.counts.comments, 1);
}
