// SPDX-License-Identifier: BSD-3-Clause
// Which DNS message a request has, or its status; how long a reply may be kept.

#include "controlplane/doh/doh_base64url.h"
#include "controlplane/doh/doh_request.h"
#include "controlplane/doh/doh_response.h"
#include "tests/unit/unit.h"

#include <weir/attr.h>

struct given {
	const char *method, *path, *type, *length;
	size_t body;
};

#define B64 "q80BAAABAAAAAAAAB2V4YW1wbGUDY29tAAABAAE"
#define DNS "application/dns-message"

static const uint8_t *bytes(const char *text)
{
	return (const uint8_t *)text;
}

static enum doh_status settle(const struct given *g, size_t *len)
{
	static const uint8_t body[DOH_MESSAGE_MAX + 1];
	struct growth all = {0};
	struct doh_memory m = {.all = &all};
	struct doh_request r = {0};

	doh_request_method(&r, bytes(g->method), strlen(g->method));
	doh_request_path(&r, &m, bytes(g->path), strlen(g->path));
	if (g->type)
		doh_request_field(&r, bytes("Content-Type"), 12, bytes(g->type), strlen(g->type));
	if (g->length)
		doh_request_field(
			&r, bytes("content-length"), 14, bytes(g->length), strlen(g->length));
	enum doh_status status = doh_request_headers_end(&r, &m, "/dns-query");
	if (g->body)
		(void)doh_request_body(&r, &m, body, g->body);
	if (status == DOH_200)
		status = doh_request_end(&r);
	*len = r.message.len;
	doh_request_drop(&r, &m);
	assert_int_equal(all.bytes, 0);
	return status;
}

TEST(test_each_request_has_its_status)
{
	static const struct {
		struct given given;
		enum doh_status status;
		size_t len;
	} rows[] = {
		{{"GET", "/dns-query?dns=" B64, NULL, NULL, 0}, DOH_200, 29},
		{{"GET", "/dns-query?a=b&dns=" B64 "&c", NULL, NULL, 0}, DOH_200, 29},
		{{"GET", "/dns-query?dns=" B64 "&dns=" B64, NULL, NULL, 0}, DOH_400, 0},
		{{"GET", "/dns-query?dns=" B64 "=", NULL, NULL, 0}, DOH_400, 0},
		{{"GET", "/dns-query?dns=" B64 "%3D", NULL, NULL, 0}, DOH_400, 0},
		{{"GET", "/dns-query?xdns=" B64, NULL, NULL, 0}, DOH_400, 0},
		{{"GET", "/dns-query?dns=AAAA", NULL, NULL, 0}, DOH_400, 3},
		{{"GET", "/dns-query?dns=", NULL, NULL, 0}, DOH_400, 0},
		{{"GET", "/dns-query?dns", NULL, NULL, 0}, DOH_400, 0},
		{{"GET", "/dns-query?", NULL, NULL, 0}, DOH_400, 0},
		{{"GET", "/dns-query", NULL, NULL, 0}, DOH_400, 0},
		{{"GET", "/dns-quer?dns=" B64, NULL, NULL, 0}, DOH_404, 0},
		{{"GET", "/dns-query/?dns=" B64, NULL, NULL, 0}, DOH_404, 0},
		{{"GET", "/DNS-query?dns=" B64, NULL, NULL, 0}, DOH_404, 0},
		{{"GET", "*", NULL, NULL, 0}, DOH_404, 0},
		{{"GET", "https://dns.example/dns-query?dns=" B64, NULL, NULL, 0}, DOH_200, 29},
		{{"GET", "HTTPS://[2001:db8::1]:443/dns-query?dns=" B64, NULL, NULL, 0}, DOH_200,
			29},
		{{"GET", "https://dns.example?dns=" B64, NULL, NULL, 0}, DOH_404, 0},
		{{"GET", "https:///", NULL, NULL, 0}, DOH_404, 0},
		{{"GET", "https://", NULL, NULL, 0}, DOH_404, 0},
		{{"GET", "https://a?/dns-query?dns=" B64, NULL, NULL, 0}, DOH_404, 0},
		{{"GET", "http://dns.example/dns-query?dns=" B64, NULL, NULL, 0}, DOH_404, 0},
		{{"HEAD", "/dns-query?dns=" B64, NULL, NULL, 0}, DOH_405, 0},
		{{"get", "/dns-query?dns=" B64, NULL, NULL, 0}, DOH_405, 0},
		{{"POST", "/dns-query", DNS, NULL, 29}, DOH_200, 29},
		{{"POST", "/dns-query?dns=" B64, DNS, NULL, 30}, DOH_200, 30},
		{{"POST", "/dns-query", "Application/DNS-Message ; x=y", NULL, 29}, DOH_200, 29},
		{{"POST", "/dns-query", DNS "x", NULL, 29}, DOH_415, 0},
		{{"POST", "/dns-query", NULL, NULL, 29}, DOH_415, 0},
		{{"POST", "/x", NULL, NULL, 29}, DOH_404, 0},
		{{"POST", "/dns-query", DNS, NULL, 11}, DOH_400, 11},
		{{"POST", "/dns-query", DNS, "0", 0}, DOH_400, 0},
		{{"POST", "/dns-query", DNS, "65535", DOH_MESSAGE_MAX}, DOH_200, DOH_MESSAGE_MAX},
		{{"POST", "/dns-query", DNS, "65536", 0}, DOH_413, 0},
		{{"POST", "/dns-query", DNS, "18446744073709551630", 0}, DOH_413, 0},
		{{"POST", "/dns-query", DNS, NULL, DOH_MESSAGE_MAX + 1}, DOH_413, 0},
	};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len;
		print_message("%s %s\n", rows[i].given.method, rows[i].given.path);
		assert_int_equal(settle(&rows[i].given, &len), rows[i].status);
		assert_int_equal(len, rows[i].len);
	}
}

static enum doh_status named(const char *path, const char *target, char name[DOH_NAME_MAX + 1])
{
	struct growth all = {0};
	struct doh_memory m = {.all = &all};
	struct doh_request r = {0};

	doh_request_method(&r, bytes("GET"), 3);
	doh_request_path(&r, &m, bytes(target), strlen(target));
	enum doh_status status = doh_request_headers_end(&r, &m, path);
	doh_request_drop(&r, &m);
	memcpy(name, r.name, sizeof(r.name));
	return status;
}

TEST(test_names_behind_the_path)
{
	static const struct {
		const char *path, *target, *name; // NULL: 404
	} rows[] = {
		{"/dns-query", "/dns-query?dns=" B64, ""},
		{"/dns-query", "/dns-query/kid?dns=" B64, "kid"},
		{"/dns-query", "/dns-query/Kid_2-x?dns=" B64, "Kid_2-x"},
		{"/dns-query", "/dns-query/?dns=" B64, NULL},
		{"/dns-query", "/dns-query/kid/?dns=" B64, NULL},
		{"/dns-query", "/dns-query/a.b?dns=" B64, NULL},
		{"/dns-query", "/dns-query/k%69d?dns=" B64, NULL},
		{"/dns-query", "/dns-querykid?dns=" B64, NULL},
		{"/dns-query", "/dns-query//kid?dns=" B64, NULL},
		{"/", "/?dns=" B64, ""},
		{"/", "/kid?dns=" B64, "kid"},
		{"/", "//kid?dns=" B64, NULL},
	};
	char name[DOH_NAME_MAX + 1], target[256];

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("%s %s\n", rows[i].path, rows[i].target);
		assert_int_equal(named(rows[i].path, rows[i].target, name),
			rows[i].name ? DOH_200 : DOH_404);
		if (rows[i].name)
			assert_string_equal(name, rows[i].name);
	}
	(void)snprintf(target, sizeof(target), "/a/%0*d?dns=" B64, DOH_NAME_MAX, 0);
	assert_int_equal(named("/a", target, name), DOH_200);
	assert_int_equal(strlen(name), DOH_NAME_MAX);
	(void)snprintf(target, sizeof(target), "/a/%0*d?dns=" B64, DOH_NAME_MAX + 1, 0);
	assert_int_equal(named("/a", target, name), DOH_404);
}

TEST(test_header_fields_are_bounded)
{
	struct growth all = {0};
	struct doh_memory m = {.all = &all};
	struct doh_request r = {0};
	char path[DOH_HEADERS_MAX];

	memset(path, 'a', sizeof(path));
	doh_request_method(&r, bytes("GET"), 3);
	doh_request_path(&r, &m, bytes(path), sizeof(path) - 33);
	doh_request_field(&r, bytes("a"), 1, NULL, 0);
	assert_int_equal(r.header_bytes, DOH_HEADERS_MAX);
	assert_int_equal(doh_request_headers_end(&r, &m, "/dns-query"), DOH_404);
	r.status = DOH_200;
	doh_request_field(&r, bytes("b"), 1, NULL, 0);
	assert_int_equal(doh_request_headers_end(&r, &m, "/dns-query"), DOH_431);
	assert_int_equal(all.bytes, 0);
}

TEST(test_base64url_is_strict)
{
	static const struct {
		const char *text, *bytes;
		size_t len;
	} good[] = {{"", "", 0}, {"Zg", "f", 1}, {"Zm8", "fo", 2}, {"Zm9v", "foo", 3},
		{"-_-_", "\xfb\xff\xbf", 3}};
	static const char *const bad[] = {
		"Z", "Zm9vY", "Zh", "Zm9", "Zg==", "Zm 8", "+/+/", "Zm8\n", "Zg\xff"};
	uint8_t out[8];
	size_t len;

	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(doh_base64url(bytes(good[i].text), strlen(good[i].text), out, &len));
		assert_int_equal(len, good[i].len);
		assert_memory_equal(out, good[i].bytes, len);
	}
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(doh_base64url(bytes(bad[i]), strlen(bad[i]), out, &len));
}

// A message of header, the question of the root, and records of the root.
static size_t message(
	uint8_t *out, unsigned rcode, unsigned answers, const uint32_t *ttl, const uint32_t *soa)
{
	struct wr w = wr_init(out, 512);

	wr_u16(&w, 0);
	wr_u16(&w, (uint16_t)(0x8180 | rcode));
	wr_u16(&w, 1);
	wr_u16(&w, (uint16_t)answers);
	wr_u16(&w, soa ? 1 : 0);
	wr_u16(&w, 1);
	wr_bytes(&w, "\0\0\1\0\1", 5);
	for (unsigned i = 0; i < answers; i++) {
		wr_bytes(&w, "\0\0\1\0\1", 5);
		wr_u32(&w, ttl[i]);
		wr_bytes(&w, "\0\4\1\2\3\4", 6);
	}
	if (soa) {
		wr_bytes(&w, "\0\0\6\0\1", 5);
		wr_u32(&w, soa[0]);
		wr_bytes(&w, "\0\26\0\0", 4);
		for (unsigned i = 0; i < 5; i++)
			wr_u32(&w, i == 4 ? soa[1] : 7);
	}
	wr_bytes(&w, "\0\0\51\4\320\0\0\0\0\0\0", 11); // an OPT, whose TTL is none
	assert_true(wr_ok(&w));
	return w.pos;
}

TEST(test_a_reply_is_kept_as_long_as_its_records)
{
	static const struct {
		unsigned rcode, answers;
		uint32_t ttl[2], soa[2];
		bool has_soa;
		uint32_t age;
	} rows[] = {{0, 1, {300}, {0}, false, 300}, {0, 2, {300, 20}, {0}, false, 20},
		{0, 1, {0}, {0}, false, 0}, {0, 1, {UINT32_MAX}, {0}, false, 0},
		{0, 0, {0}, {3600, 60}, true, 60}, {3, 0, {0}, {30, 60}, true, 30},
		{3, 1, {20}, {30, 60}, true, 20}, {0, 0, {0}, {0}, false, 0},
		{2, 1, {300}, {0}, false, 0}};
	uint8_t msg[512];

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = message(msg, rows[i].rcode, rows[i].answers, rows[i].ttl,
			rows[i].has_soa ? rows[i].soa : NULL);
		assert_int_equal(doh_max_age(msg, len), rows[i].age);
		for (size_t cut = 0; cut + 12 < len; cut++) // behind it is the OPT
			assert_true(doh_max_age(msg, cut) == 0 || cut + 11 == len);
	}
	size_t len = message(msg, 0, 1, rows[0].ttl, NULL);
	msg[2] |= 2; // TC
	assert_int_equal(doh_max_age(msg, len), 0);
}

TEST(test_fields_of_a_response)
{
	const struct doh_response r = {.status = DOH_200, .len = 45, .max_age_s = 300};
	const struct doh_response refused = {.status = DOH_405, .len = 3};
	struct doh_field f[DOH_FIELDS_MAX];
	struct doh_date date = {0};

	assert_int_equal(doh_response_fields(&r, &date, f), 4);
	assert_string_equal(f[0].value, DNS);
	assert_string_equal(f[1].name, "content-length");
	assert_string_equal(f[1].value, "45");
	assert_string_equal(f[2].value, "max-age=300");
	assert_string_equal(f[3].name, "date");
	assert_int_equal(strlen(f[3].value), strlen("Sun, 06 Nov 1994 08:49:37 GMT"));
	assert_int_equal(doh_response_fields(&refused, &date, f), DOH_FIELDS_MAX);
	assert_string_equal(f[2].value, "no-store");
	assert_string_equal(f[4].value, "GET, POST");
}
