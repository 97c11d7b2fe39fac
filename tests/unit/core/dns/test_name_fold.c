// SPDX-License-Identifier: BSD-3-Clause

// Folding and hashing in one pass against its twin, for every length, at the end of what may be
// read and written.

#include "dataplane/core/dns/name_fold.h"
#include "dns_rand.h"
#include "tests/unit/guard.h"

enum { LEN_MOST = 255, ROUNDS = 200 };

TEST(test_twin)
{
	struct dns_rand rnd = {13};
	struct guard from = guard_open(), to = guard_open();
	struct keyhash_secret secret;
	for (unsigned i = 0; i < sizeof(secret.bytes); i++)
		secret.bytes[i] = (uint8_t)dns_rand_next(&rnd);
	for (size_t len = 1; len <= LEN_MOST; len++)
		for (unsigned round = 0; round < ROUNDS; round++) {
			uint8_t *name = from.end - len, *folded = to.end - len, twin[LEN_MOST];
			for (size_t i = 0; i < len; i++)
				name[i] = (uint8_t)dns_rand_next(&rnd);
			for (size_t i = 0; i < len; i++)
				twin[i] = ascii_lower(name[i]);
			uint64_t hash = name_fold(&secret, folded, name, len);
			assert_memory_equal(folded, twin, len);
			assert_true(hash == keyhash(&secret, twin, len));
		}
	guard_close(&from);
	guard_close(&to);
}
