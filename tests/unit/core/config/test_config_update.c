// SPDX-License-Identifier: BSD-3-Clause
// Lists by URL and blocking.update; what is refused of them is in test_config_bad.h.

#include "config_text.h"

#include <weir/shm_abi.h>

TEST(test_lists_that_are_fetched)
{
	struct config *c = config_text_load(MINIMAL
		"blocking:\n"
		"  lists:\n"
		"  - {url: 'https://u:p@lists.example:8443/a/ads.txt?token=x', format: hosts}\n"
		"  - {url: 'http://[fd53::1]/', force: true, allow: true, exact: true}\n"
		"  - {url: 'file:///etc/hosts', format: dnsmasq}\n"
		"  update: {interval: 60, jitter: 0, start: fail, start_timeout: 9, timeout: 7,\n"
		"    max_mb: 3, max_redirects: 0, allow_private: true,\n"
		"    bootstrap: [192.0.2.53, '[fd53::53]:5353']}\n");
	const struct config_list *l = c->blocking.lists;
	const struct config_update *u = &c->blocking.update;
	assert_string_equal(l[0].name, "ads.txt");
	assert_string_equal(l[0].url, "https://u:p@lists.example:8443/a/ads.txt?token=x");
	assert_null(l[0].path);
	assert_int_equal(l[0].format, LIST_FORMAT_HOSTS);
	assert_false(l[0].force);
	assert_string_equal(l[1].name, "[fd53::1]");
	assert_true(l[1].force && l[1].allow && l[1].exact);
	assert_false(l[0].exact);
	assert_int_equal(l[1].format, LIST_FORMAT_AUTO);
	assert_string_equal(l[2].path, "/etc/hosts");
	assert_null(l[2].url);
	assert_int_equal(l[2].format, LIST_FORMAT_DNSMASQ);
	assert_int_equal(u->interval_s, 60);
	assert_int_equal(u->jitter_s, 0);
	assert_int_equal(u->start, UPDATE_START_FAIL);
	assert_int_equal(u->start_timeout_s, 9);
	assert_int_equal(u->timeout_s, 7);
	assert_int_equal(u->max_mb, 3);
	assert_int_equal(u->max_redirects, 0);
	assert_true(u->allow_private);
	assert_int_equal(u->bootstrap_count, 2);
	assert_int_equal(u->bootstrap[0].port, 53);
	assert_int_equal(u->bootstrap[1].port, 5353);
	c = config_text_load(
		MINIMAL "blocking:\n  update:\n  # interval: 60\n  deny: [a.example]\n");
	assert_int_equal(c->blocking.update.interval_s, 86400);
}

TEST(test_a_zone_over_tls)
{
	struct config *c = config_text_load(
		MINIMAL "blocking:\n"
			"  lists:\n"
			"  - {url: 'axfr+tls://NS.Example@192.0.2.1/a.rpz', ca_file: /etc/ca.pem,\n"
			"     pin: ['AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=']}\n"
			"  - url: axfr+tls://[fd53::1]:8853/b.rpz\n"
			"  - url: axfr+tls://192.0.2.1/c.rpz\n"
			"  - url: axfr+tls://NS.example/d.rpz\n"
			"  - url: axfr://NS.example/e.rpz\n");
	const struct config_list *l = c->blocking.lists;
	assert_string_equal(l[0].tls->name, "ns.example");
	assert_string_equal(l[0].tls->ca_file, "/etc/ca.pem");
	assert_int_equal(l[0].tls->pin_count, 1);
	assert_int_equal(l[0].tls->pin[0][31], 31);
	assert_int_equal(l[0].format, LIST_FORMAT_RPZ);
	assert_string_equal(l[1].tls->name, "");
	assert_string_equal(l[1].tls->ca_file, "");
	assert_string_equal(l[2].tls->name, "");
	assert_string_equal(l[3].tls->name, "ns.example");
	assert_null(l[4].tls);
}

#define KEY_FILE "/tmp/weir-test-tsig-%d", (int)getpid()

// A configuration with a key whose file has this text.
static const char *with_key(const char *secret, const char *lists)
{
	const char *path = text_from(KEY_FILE);
	text_to_file(path, secret);
	return text_from(MINIMAL
		"blocking:\n  tsig_keys: [{name: Weir-Key., secret_file: %s}]\n  lists:\n%s\n",
		path, lists);
}

TEST(test_a_zone_with_a_key)
{
	static const char list[] = "  - {url: 'axfr://[fd53::1]:5353/rpz.example', tsig: weir-key}";
	const char *text = with_key("AAECAwQFBgcICQoLDA0ODw==\n", list);
	struct config *c = config_text_load(text);
	assert_string_equal(c->blocking.lists[0].name, "rpz.example");
	assert_int_equal(c->blocking.lists[0].format, LIST_FORMAT_RPZ);
	assert_int_equal(c->blocking.lists[0].tsig, 1);
	assert_int_equal(c->blocking.tsig_keys[0].algorithm, CONFIG_TSIG_SHA256);
	assert_int_equal(c->blocking.tsig_keys[0].secret_len, 16);
	assert_int_equal(c->blocking.tsig_keys[0].secret[15], 15);
	assert_memory_equal(c->blocking.tsig_keys[0].name.wire, "\10weir-key", 10);
	assert_int_equal(unlink(text_from(KEY_FILE)), 0);
	config_text_refused(text, "secret_file: cannot be read");
}

TEST(test_bad_keys)
{
	static const struct {
		const char *secret, *list, *why;
	} bad[] = {
		{"AAECAwQFBgcICQoLDA0ODw", "  - {url: 'axfr://h/z'}", "base64 of 16 to 128 bytes"},
		{"AAECAwQFBgcICQoLDA0ODx==", "  - {url: 'axfr://h/z'}",
			"base64 of 16 to 128 bytes"},
		{"AAECAwQFBgcICQoLDA0ODw=*", "  - {url: 'axfr://h/z'}",
			"base64 of 16 to 128 bytes"},
		{"AAECAwQFBgcICQoLDA0O", "  - {url: 'axfr://h/z'}", "base64 of 16 to 128 bytes"},
		{"AAECAwQFBgcICQoLDA0ODw== AAECAwQFBgcICQoLDA0ODw==", "  - {url: 'axfr://h/z'}",
			"has more than one secret"},
		{" ", "  - {url: 'axfr://h/z'}", "has no secret"},
		{"AAECAwQFBgcICQoLDA0ODw==", "  - {url: 'axfr://h/z', tsig: other}",
			"blocking.lists[0].tsig: no key of blocking.tsig_keys"},
		{"AAECAwQFBgcICQoLDA0ODw==", "  - {url: 'http://h/z', tsig: weir-key}",
			"blocking.lists[0].tsig: is for lists by zone transfer"}};
	static const struct refusal keys[] = {
		{"a, secret_file: x", "must be an absolute path"},
		{"a", "blocking.tsig_keys \"a\": secret_file: missing"},
		{"a..b", "is no domain name"},
		{"a, algorithm: hmac-md5, secret_file: /dev/null",
			"blocking.tsig_keys \"a\": algorithm"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		config_text_refused(with_key(bad[i].secret, bad[i].list), bad[i].why);
	assert_int_equal(unlink(text_from(KEY_FILE)), 0);
	EACH_REFUSED(config_text_refused, MINIMAL "blocking: {tsig_keys: [{name: %s}]}\n", keys);
}

TEST(test_who_takes_notify)
{
	static const struct {
		const char *list;
		unsigned takes;
	} given[] = {{"http://192.0.2.1/z", 0}, {"axfr://192.0.2.1/z", 1},
		{"ixfr://192.0.2.1/z", 1}, {"axfr+tls://192.0.2.1/z", 1}, {"file:///z", 0}};
	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		struct dp_config workers;
		config_for_workers(config_text_load(text_from(MINIMAL
					   "blocking: {lists: [{path: /a}, {url: '%s'}]}\n",
					   given[i].list)),
			&workers);
		assert_int_equal(workers.takes_notify, given[i].takes);
	}
}
