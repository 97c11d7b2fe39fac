// SPDX-License-Identifier: BSD-3-Clause

// The file of tokens: what is read is within its bounds, and is written as it was read.

#include "controlplane/access/tokens.h"
#include "fuzz.h"

FUZZ_BODY(data, len)
{
	static char again[TOKENS_FILE_MAX];
	struct tokens t, twin;
	char why[TOKENS_WHY_MAX];
	if (tokens_read(&t, (const char *)data, len, why) < 0) {
		FUZZ_CHECK(t.count == 0 && strlen(why) > 0);
		return 0;
	}
	FUZZ_CHECK(t.count <= TOKENS_MAX);
	for (unsigned i = 0; i < t.count; i++) {
		const struct token *k = &t.token[i];
		FUZZ_CHECK(token_name_is_good(k->name) && k->role >= CONTROL_READ);
		FUZZ_CHECK(k->role <= CONTROL_ADMIN && k->expires_unix_s >= 0);
	}
	const size_t n = tokens_write(&t, again);
	FUZZ_CHECK(n < sizeof(again));
	FUZZ_CHECK(tokens_read(&twin, again, n, why) == 0 && twin.count == t.count);
	FUZZ_CHECK(memcmp(&twin, &t, sizeof(t)) == 0);
	return 0;
}
