// SPDX-License-Identifier: BSD-3-Clause

// Files of versions of the configuration: each input as it is, and once more behind a head with a
// checksum that fits, so that the reader behind it is reached. What is accepted is written again as
// the same version.

#include "fuzz.h"

#include <weir/config/versions.h>
#include <weir/keyhash.h>

enum { HEAD_LEN = 16 };

static void again(const struct config_version *v, const struct config_bundle *b)
{
	struct config_version w;
	struct config_bundle c;
	size_t len;
	char *text = config_version_text(v, b, &len);
	if (!text) // too large
		return;
	FUZZ_CHECK(config_version_parse(text, len, &w, &c) == 0);
	FUZZ_CHECK(w.number == v->number && w.digest == v->digest && w.result == v->result);
	FUZZ_CHECK(strcmp(w.who, v->who) == 0 && strcmp(w.reason, v->reason) == 0);
	FUZZ_CHECK(c.included_count == b->included_count && c.folder_count == b->folder_count);
	config_bundle_free(&c);
	free(text);
}

static void parse(const char *text, size_t len)
{
	struct config_version v;
	struct config_bundle b;
	int rc = config_version_parse(text, len, &v, &b);
	FUZZ_CHECK(rc == 0 || rc == -EBADMSG);
	if (rc < 0)
		return;
	FUZZ_CHECK(b.main.bytes && b.main.path[0] == '/' && v.number > 0);
	again(&v, &b);
	config_bundle_free(&b);
}

FUZZ_BODY(data, size)
{
	static const char magic[8] = "WEIRVER";
	char *text = malloc(HEAD_LEN + size);
	FUZZ_CHECK(text);
	memcpy(text, data, size);
	parse(text, size);
	const uint64_t sum = contenthash(data, size);
	memcpy(text, magic, sizeof(magic));
	for (unsigned i = 0; i < sizeof(sum); i++)
		text[sizeof(magic) + i] = (char)(sum >> (56 - 8 * i));
	memcpy(text + HEAD_LEN, data, size);
	parse(text, HEAD_LEN + size);
	free(text);
	return 0;
}
