// SPDX-License-Identifier: BSD-3-Clause

// The path of a request, as a GET and as a POST; its `dns` parameter, which must be the only
// spelling of its bytes; how long a reply may be kept, which is never longer than one of its
// numbers.

#include "controlplane/doh/doh_base64url.h"
#include "controlplane/doh/doh_request.h"
#include "controlplane/doh/doh_response.h"
#include "fuzz.h"

#include <weir/dns_proto.h>

static void spell(const uint8_t *p, size_t len, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 6; have -= 6)
			*out++ = digits[bits >> (have - 6) & 63];
	}
	if (have)
		*out++ = digits[bits << (6 - have) & 63];
	*out = 0;
}

static void base64url_check(const uint8_t *data, size_t len)
{
	uint8_t *out = malloc(len + 1);
	char *again = malloc(2 * len + 4);
	size_t n;

	FUZZ_CHECK(out && again);
	if (doh_base64url(data, len, out, &n)) {
		FUZZ_CHECK(n == len * 3 / 4);
		spell(out, n, again);
		FUZZ_CHECK(strlen(again) == len && memcmp(again, data, len) == 0);
	}
	free(again);
	free(out);
}

static void request_check(const uint8_t *data, size_t len, const char *method)
{
	struct growth all = {0};
	struct doh_memory m = {.all = &all};
	struct doh_request r = {0};
	size_t half = len / 2;

	doh_request_method(&r, (const uint8_t *)method, strlen(method));
	doh_request_path(&r, &m, data, half);
	doh_request_path(&r, &m, data + half, len - half);
	doh_request_field(&r, data, half, data + half, len - half);
	doh_request_field(&r, (const uint8_t *)"content-type", 12, data + half, len - half);
	enum doh_status status = doh_request_headers_end(&r, &m, "/dns-query");
	(void)doh_request_body(&r, &m, data, len);
	if (status == DOH_200 && doh_request_end(&r) == DOH_200)
		FUZZ_CHECK(r.message.len >= DNS_HEADER_LEN && r.message.len <= DOH_MESSAGE_MAX);
	doh_request_drop(&r, &m);
	FUZZ_CHECK(all.bytes == 0 && m.bytes == 0);
}

FUZZ_BODY(data, len)
{
	base64url_check(data, len);
	request_check(data, len, "GET");
	request_check(data, len, "POST");
	FUZZ_CHECK(doh_max_age(data, len) <= DNS_TTL_MAX);
	return 0;
}
