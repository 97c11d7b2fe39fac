// SPDX-License-Identifier: BSD-3-Clause
// Zone transfers over TLS: whom the server must be.

#include "axfr_rig.h"
#include "tests/unit/unit.h"

static struct config_list_tls whom;

// A server with this certificate; the list wants one for `name`, of `ca_file`.
static int fetch_over_tls(struct ssl_ctx_st *context, const char *name, const char *ca_file)
{
	primary.context = context;
	snprintf(whom.name, sizeof(whom.name), "%s", name);
	snprintf(whom.ca_file, sizeof(whom.ca_file), "%s", ca_file);
	request.tls = &whom;
	int err = fetch(FAKE_AXFR_GOOD);
	request.tls = NULL;
	tls_rig_context_free(context);
	return err;
}

TEST_WITH(test_a_zone_over_tls, axfr_rig_start, axfr_rig_stop)
{
	struct ssl_ctx_st *good = tls_rig_context(TLS_RIG_GOOD);
	assert_int_equal(fetch_over_tls(good, "dns.example", tls_rig_ca), 0);
	assert_string_equal(body, whole);
	assert_memory_equal(result.etag, "serial 7, from ", 15);
	assert_int_equal(primary.dot, 1);
	// The address, with the name of the first of them.
	assert_int_equal(fetch_over_tls(tls_rig_context(TLS_RIG_GOOD), "", tls_rig_ca), 0);
	key_set(CONFIG_TSIG_SHA256);
	primary.sign = FAKE_TSIG_ALL;
	primary.serial = 6;
	whom.pin_count = 1;
	tls_rig_pin(TLS_RIG_GOOD, whom.pin[0]);
	assert_int_equal(
		fetch_over_tls(tls_rig_context(TLS_RIG_GOOD), "dns.example", tls_rig_ca), 0);
	char etag[LIST_FETCH_ETAG_MAX];
	request.etag = strcpy(etag, result.etag);
	primary.serial = 7;
	primary.dot = 2;
	primary.signed_asked = 0;
	assert_int_equal(
		fetch_over_tls(tls_rig_context(TLS_RIG_GOOD), "dns.example", tls_rig_ca), 0);
	assert_string_equal(body, whole);
	assert_int_equal(primary.signed_asked, 2);
	assert_int_equal(primary.dot, 4);
	assert_int_equal(primary.resumed, 1); // the transfer's, behind the question for the SOA
	request.etag = "";
	whom.pin_count = 0;
}

// A serial says nothing of a copy that another server may have made.
TEST_WITH(test_a_copy_from_another_server, axfr_rig_start, axfr_rig_stop)
{
	char etag[LIST_FETCH_ETAG_MAX];
	request.etag = "serial 7";
	for (unsigned i = 0; i < 4; i++) {
		whom.pin_count = i / 2;
		tls_rig_pin(TLS_RIG_GOOD, whom.pin[0]);
		assert_int_equal(fetch_over_tls(tls_rig_context(TLS_RIG_GOOD),
					 i ? "dns.example" : "", tls_rig_ca),
			0);
		assert_int_equal(result.not_modified, i == 3);
		request.etag = strcpy(etag, result.etag);
	}
	assert_int_equal(primary.axfr_asked, 3);
	request.etag = "";
	whom.pin_count = 0;
}

TEST_WITH(test_a_server_that_is_not_whom_the_list_says, axfr_rig_start, axfr_rig_stop)
{
	static const struct {
		enum tls_rig_kind kind;
		const char *name, *why;
	} bad[] = {{TLS_RIG_WRONG, "dns.example", "the certificate is for another name"},
		{TLS_RIG_GOOD, "other.example", "the certificate is for another name"},
		{TLS_RIG_WRONG, "", "the certificate is for another name"},
		{TLS_RIG_COMMON, "dns.example", "the certificate is for another name"},
		{TLS_RIG_EXPIRED, "dns.example", "certificate has expired"},
		{TLS_RIG_UNTRUSTED, "dns.example", "unable to get local issuer certificate"},
		{TLS_RIG_SELF, "dns.example", "self-signed certificate"}};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		int err = fetch_over_tls(tls_rig_context(bad[i].kind), bad[i].name, tls_rig_ca);
		if (err != -EKEYREJECTED || !strstr(result.why, bad[i].why))
			fail_msg("%u: %d, %s", i, err, result.why);
	}
	whom.pin_count = 1;
	tls_rig_pin(TLS_RIG_OTHER_KEY, whom.pin[0]);
	int err = fetch_over_tls(tls_rig_context(TLS_RIG_GOOD), "dns.example", tls_rig_ca);
	assert_int_equal(err, -EKEYREJECTED);
	whom.pin_count = 0;
	// TLS 1.2 is not enough (RFC 9103).
	err = fetch_over_tls(tls_rig_context_1_2(TLS_RIG_GOOD), "dns.example", tls_rig_ca);
	assert_int_equal(err, -EKEYREJECTED);
	assert_non_null(strstr(result.why, "TLS handshake failed: "));
	err = fetch_over_tls(tls_rig_context(TLS_RIG_GOOD), "dns.example", "/nowhere/ca.pem");
	assert_int_equal(err, -EKEYREJECTED);
	assert_non_null(strstr(result.why, "authorities: /nowhere/ca.pem: No such file"));
	assert_int_equal(primary.axfr_asked, 0);
}

TEST_WITH(test_a_handshake_has_an_end, axfr_rig_start, axfr_rig_stop)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int mute = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); // never says a word
	assert_int_equal(bind(mute, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(mute, 4), 0);
	assert_int_equal(getsockname(mute, (struct sockaddr *)&a, &len), 0);
	snprintf(whom.ca_file, sizeof(whom.ca_file), "%s", tls_rig_ca);
	request.tls = &whom;
	request.timeout_ms = 300;
	assert_int_equal(fetch_at("127.0.0.1", ntohs(a.sin_port)), -ETIMEDOUT);
	assert_string_equal(result.why, "too slow: the TLS handshake was not done in time");
	close(mute);
	request.tls = NULL;
	request.timeout_ms = 60000;
}

FIXTURE(certificates_make, tls_rig_start())

FIXTURE(certificates_drop, tls_rig_stop())

static int no_pipe_signal(void **state)
{
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	return certificates_make(state);
}
TEST_GROUP(no_pipe_signal, certificates_drop)
