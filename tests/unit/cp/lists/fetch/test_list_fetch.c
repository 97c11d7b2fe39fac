// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/lists/fetch/list_update.h"
#include "tests/unit/cp/http/fake_http.h"
#include "tests/unit/cp/upstream/fake_upstream.h"
#include "tests/unit/unit.h"

static struct fake_http http;
static struct fake_upstream dns;
static struct socket_address server;
static struct list_fetch_request request;
static struct list_fetch_result result;
static char body[4096];

static int start(void **)
{
	// Neither a proxy nor a file of passwords may have a say.
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	fake_http_start(&http);
	memset(&dns, 0, sizeof(dns));
	dns.ttl_s = 60;
	fake_upstream_start(&dns);
	dns.address = 0x7f000001;
	server = (struct socket_address){.ip = {4, 32, {127, 0, 0, 1}}, .port = dns.port};
	request = (struct list_fetch_request){.etag = "",
		.last_modified = "",
		.max_bytes = 1 << 20,
		.timeout_ms = 60000,
		.low_speed_s = 2,
		.max_redirects = 3,
		.allow_private = true,
		.server_count = 1,
		.servers = &server};
	return 0;
}

static int stop(void **)
{
	fake_http_stop(&http);
	fake_upstream_stop(&dns);
	return 0;
}

static int fetch_url(const char *url)
{
	request.url = url;
	request.fd = memfd_create("list", MFD_CLOEXEC);
	assert_true(request.fd >= 0);
	int err = list_fetch(&request, &result);
	ssize_t n = pread(request.fd, body, sizeof(body) - 1, 0);
	assert_true(n >= 0);
	body[n] = '\0';
	close(request.fd);
	assert_true(!err == !result.why[0]);
	assert_null(strstr(result.why, "secret"));
	return err;
}

static int fetch_at(const char *host, const char *path)
{
	return fetch_url(text_from("http://%s:%u%s", host, http.port, path));
}

static int fetch(const char *path)
{
	return fetch_at("127.0.0.1", path);
}

TEST_WITH(test_fetched_then_not_modified_then_changed, start, stop)
{
	assert_int_equal(fetch("/list"), 0);
	assert_int_equal(result.http_status, 200);
	assert_false(result.not_modified);
	assert_string_equal(body, "ads.example\n");
	assert_string_equal(result.etag, "\"v1\"");
	assert_string_equal(result.last_modified, "Thu, 19 Nov 2026 10:00:00 GMT");
	assert_false(fake_http_last_has(&http, "If-"));
	assert_true(fake_http_last_has(&http, "Accept-Encoding: "));
	assert_true(fake_http_last_has(&http, "gzip"));
	assert_true(fake_http_last_has(&http, "User-Agent: weir\r\n"));

	request.etag = "\"v1\"";
	request.last_modified = "Thu, 19 Nov 2026 10:00:00 GMT";
	assert_int_equal(fetch("/list"), 0);
	assert_true(result.not_modified);
	assert_int_equal(result.http_status, 304);
	assert_string_equal(body, "");
	assert_true(
		fake_http_last_has(&http, "If-Modified-Since: Thu, 19 Nov 2026 10:00:00 GMT\r\n"));

	fake_http_body(&http, "new.example\n", "\"v2\"");
	assert_int_equal(fetch("/list"), 0);
	assert_false(result.not_modified);
	assert_string_equal(body, "new.example\n");
	assert_string_equal(result.etag, "\"v2\"");
}

// RFC 9110 10.2.3
TEST_WITH(test_a_server_says_when_to_come_again, start, stop)
{
	assert_int_equal(fetch("/429"), -EPROTO);
	assert_in_range(result.retry_after_s, 3600, 3601); // rounded up
	assert_int_equal(fetch("/503"), -EPROTO);
	assert_int_equal(result.retry_after_s, LIST_FETCH_AGAIN_MAX_S);
	assert_int_equal(fetch("/500"), -EPROTO);
	assert_int_equal(result.retry_after_s, 0);
}

// What goes back in the next request must be text.
TEST_WITH(test_a_header_with_odd_bytes_is_none, start, stop)
{
	static const struct {
		const char *sent, *kept;
	} tags[] = {{"\"v\x1f\"", ""}, {"\"v\" \t ", "\"v\""}, {"\"v\x7f\"", ""}, {"\"v\xe9\"", ""},
		{"\"a ~\"", "\"a ~\""}};
	for (unsigned i = 0; i < ARRAY_LEN(tags); i++) {
		fake_http_body(&http, "ads.example\n", tags[i].sent);
		assert_int_equal(fetch("/list"), 0);
		assert_string_equal(result.etag, tags[i].kept);
	}
}

TEST_WITH(test_unpacked, start, stop)
{
	assert_int_equal(fetch("/gzip"), 0);
	assert_string_equal(body, "hello");
	assert_int_equal(result.bytes, 5);
	assert_true(result.wire_bytes > 5);
	assert_int_equal(fetch("/notgzip"), -EIO);
}

// libcurl undoes these in one call that no deadline ends, however long it takes.
TEST_WITH(test_packed_more_than_once, start, stop)
{
	static const char *const path[] = {"/gzip2", "/gzip_gzip", "/gzip_transfer", "/br"};
	for (unsigned i = 0; i < ARRAY_LEN(path); i++) {
		assert_int_equal(fetch(path[i]), -EIO);
		assert_string_equal(
			result.why, "the reply is packed in a way that nobody asked for");
		assert_int_equal(result.bytes, 0);
	}
}

TEST_WITH(test_what_is_not_whole_is_an_error, start, stop)
{
	assert_int_equal(fetch("/truncated"), -EIO);
	assert_int_equal(fetch("/chunk"), -EIO);
	assert_int_equal(fetch("/500"), -EPROTO);
	assert_int_equal(result.http_status, 500);
	assert_string_equal(body, "");
	assert_int_equal(fetch("/204"), -EPROTO);
	assert_int_equal(fetch("/none"), -EPROTO);
	assert_int_equal(result.http_status, 404);
	assert_int_equal(fetch("/404cut"), -EPROTO); // what it says counts, not that it ends
	assert_string_equal(result.why, "HTTP status 404");
	assert_int_equal(fetch_url("http://127.0.0.1:1/"), -EIO); // nobody listens
	assert_int_equal(result.http_status, 0);
}

TEST_WITH(test_what_is_too_large_is_cut_off, start, stop)
{
	assert_int_equal(fetch("/bomb"), -EFBIG);
	assert_true(result.wire_bytes < 1 << 20);
	assert_true(result.bytes < 2 << 20);
	assert_int_equal(fetch("/long"), -EFBIG);
	assert_int_equal(fetch("/saidlong"), -EFBIG);
	assert_non_null(strstr(result.why, "1 MiB"));
}

TEST_WITH(test_what_is_too_slow_is_cut_off, start, stop)
{
	enum { TRIES = 5 };
	uint64_t took = UINT64_MAX, before;
	request.timeout_ms = 700;
	// Sooner than by the 2 s below: once is proof, as a busy machine only takes longer.
	for (unsigned i = 0; i < TRIES && took > 3500; i++) {
		before = clock_mono_ms();
		assert_int_equal(fetch("/slow"), -ETIMEDOUT);
		assert_int_equal(fetch("/silent"), -ETIMEDOUT);
		took = clock_mono_ms() - before;
		assert_true(took >= 1300);
	}
	assert_true(took <= 3500);
	before = clock_mono_ms();
	request.timeout_ms = 60000; // under 1 KiB/s for 2 s
	assert_int_equal(fetch("/slow"), -ETIMEDOUT);
	assert_in_range(clock_mono_ms() - before, 1000, 50000);
}

static void *turn_true(void *flag)
{
	WAIT_FOR(http.slow_lines >= 3);
	atomic_store((_Atomic bool *)flag, true);
	return NULL;
}

TEST_WITH(test_stopped_from_outside, start, stop)
{
	static _Atomic bool flag;
	pthread_t thread;
	uint64_t before = clock_mono_ms();
	http.slow_lines = 0;
	request.stop = &flag;
	request.timeout_ms = 60000;
	assert_int_equal(pthread_create(&thread, NULL, turn_true, &flag), 0);
	assert_int_equal(fetch("/slow"), -ECANCELED);
	pthread_join(thread, NULL);
	assert_true(http.slow_lines >= 3);
	assert_true(clock_mono_ms() - before < 50000);
}

TEST_WITH(test_redirects, start, stop)
{
	assert_int_equal(fetch("/hop"), 0);
	assert_string_equal(body, "ads.example\n");
	unsigned before = http.requests;
	assert_int_equal(fetch("/loop"), -ELOOP);
	assert_int_equal(http.requests - before, 4);
	request.max_redirects = 0;
	assert_int_equal(fetch("/hop"), -ELOOP);
	request.max_redirects = 3;
	assert_int_equal(fetch("/tofile"), -EPROTO);
	assert_string_equal(body, "");
	assert_int_equal(fetch_url("file:///etc/passwd"), -EPROTO);
	assert_int_equal(fetch_url("ftp://127.0.0.1/"), -EPROTO);
}

TEST_WITH(test_addresses_that_are_not_public, start, stop)
{
	static const char *const host[] = {"127.0.0.1", "localhost", "127.1", "0x7f.1",
		"2130706433", "lists.example", "[::1]", "[::ffff:127.0.0.1]"};
	request.allow_private = false;
	for (unsigned i = 0; i < ARRAY_LEN(host); i++) {
		assert_int_equal(fetch_at(host[i], "/list"), -EACCES);
		assert_non_null(strstr(result.why, "public"));
	}
	assert_int_equal(http.requests, 0);
}

TEST_WITH(test_names_are_asked_of_the_bootstrap_servers, start, stop)
{
	assert_int_equal(fetch_at("lists.example", "/list"), 0);
	assert_string_equal(body, "ads.example\n");
	assert_true(fake_http_last_has(&http, "Host: lists.example:"));
	assert_true(dns.udp_queries >= 1);
	dns.mode = FAKE_NXDOMAIN;
	assert_int_equal(fetch_at("other.example", "/list"), -EIO);
	assert_non_null(strstr(result.why, "other.example: has no address"));
	// Signs in front tell libcurl to forget a name, or for how long it holds.
	assert_int_equal(fetch_at("-lists.example", "/list"), -EPROTO);
	assert_int_equal(fetch_at("+lists.example", "/list"), -EPROTO);
	request.server_count = 0;
	assert_true(fetch_at("lists.example", "/list") < 0);
	// What the system's resolver would take for a name of its own or spell in another way.
	assert_true(fetch_at("lists.example.", "/list") < 0);
	assert_int_equal(http.requests, 1);
}

TEST_WITH(test_passwords_stay_with_their_host, start, stop)
{
	assert_int_equal(fetch_at("user:secret@127.0.0.1", "/list?token=secret"), 0);
	assert_true(fake_http_last_has(&http, "Authorization: Basic dXNlcjpzZWNyZXQ="));
	assert_int_equal(fetch_at("user:secret@127.0.0.1", "/tosecret"), -EPROTO);
	assert_non_null(strstr(result.why, "localhost"));
	assert_false(fake_http_last_has(&http, "Authorization"));
	assert_int_equal(fetch_at("user:secret@127.0.0.1", "/500?token=secret"), -EPROTO);
}

TEST_WITH(test_a_file_that_takes_no_more, start, stop)
{
	request.url = text_from("http://127.0.0.1:%u/list", http.port);
	FILE *full = fopen("/dev/full", "w");
	assert_non_null(full);
	request.fd = fileno(full);
	assert_int_equal(list_fetch(&request, &result), -EIO);
	assert_non_null(strstr(result.why, "No space"));
	fclose(full);
}
