// SPDX-License-Identifier: BSD-3-Clause
#include "axfr_rig.h"

#include "tests/unit/cp/upstream/fake_upstream.h"
#include "tests/unit/unit.h"

struct fake_axfr primary;
static struct fake_upstream dns;
static struct socket_address server;
struct list_fetch_request request;
struct list_fetch_result result;
char body[AXFR_RIG_BODY];
bool by_ixfr;

int axfr_rig_start(void **)
{
	fake_axfr_start(&primary);
	memset(&dns, 0, sizeof(dns));
	dns.ttl_s = 60;
	fake_upstream_start(&dns);
	dns.address = 0x7f000001;
	server = (struct socket_address){.ip = {4, 32, {127, 0, 0, 1}}, .port = dns.port};
	request = (struct list_fetch_request){.etag = "",
		.last_modified = "",
		.copy = -1,
		.max_bytes = 1 << 20,
		.timeout_ms = 60000,
		.low_speed_s = 60,
		.allow_private = true,
		.server_count = 1,
		.servers = &server};
	return 0;
}

int axfr_rig_stop(void **)
{
	fake_axfr_stop(&primary);
	fake_upstream_stop(&dns);
	return 0;
}

int fetch_at(const char *host, unsigned port)
{
	request.url = text_from("%cxfr%s://%s:%u/rpz.test", by_ixfr ? 'i' : 'a',
		request.tls ? "+tls" : "", host, port);
	request.fd = memfd_create("list", MFD_CLOEXEC);
	assert_true(request.fd >= 0);
	int err = list_fetch(&request, &result);
	ssize_t n = pread(request.fd, body, sizeof(body) - 1, 0);
	assert_true(n >= 0);
	body[n] = '\0';
	close(request.fd);
	assert_true(!err == !result.why[0]);
	return err;
}

int fetch(enum fake_axfr_how how)
{
	primary.how = how;
	return fetch_at("127.0.0.1", primary.port);
}

const char whole[] = "rpz.test. 60 IN SOA ns.rpz.test. admin.rpz.test. 7 3600 3600 3600 3600\n"
		     "rpz.test. 60 IN NS ns.rpz.test.\n"
		     "nx.example.rpz.test. 60 IN CNAME .\n"
		     "*.nx.example.rpz.test. 60 IN CNAME .\n"
		     "nodata.example.rpz.test. 60 IN CNAME *.\n"
		     "drop.example.rpz.test. 60 IN CNAME rpz-drop.\n"
		     "pass.example.rpz.test. 60 IN CNAME rpz-passthru.\n"
		     "away.example.rpz.test. 60 IN TYPE5 \\# 14 0461293b62076578616d706c6500\n"
		     "v4.example.rpz.test. 60 IN A 192.0.2.1\n"
		     "v6.example.rpz.test. 60 IN AAAA 2001:db8::1\n"
		     "text.example.rpz.test. 60 IN TXT \"a;\\\"(\\010\" \"b c\"\n"
		     "24.0.2.0.192.rpz-ip.rpz.test. 60 IN CNAME .\n"
		     "svcb.example.rpz.test. 60 IN TYPE65 \\# 3 000100\n"
		     "\\036origin\\010\\059\\040\\034.rpz.test. 60 IN CNAME .\n"
		     "broken.example.rpz.test. 60 IN TYPE1 \\# 3 78797a\n";

void key_set(enum config_tsig_algorithm algorithm)
{
	static struct config_tsig_key key;
	bool is_long = algorithm == CONFIG_TSIG_SHA512;
	key = (struct config_tsig_key){.algorithm = (uint8_t)algorithm, .secret_len = 32};
	key.name = name_of_text("weir-key");
	for (unsigned i = 0; i < 32; i++)
		key.secret[i] = primary.tsig.secret[i] = (uint8_t)(i * 7);
	primary.tsig.algorithm = is_long ? "hmac-sha512" : "hmac-sha256";
	primary.tsig.digest = is_long ? "SHA512" : "SHA256";
	request.key = &key;
}
