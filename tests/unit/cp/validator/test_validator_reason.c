// SPDX-License-Identifier: BSD-3-Clause
// Texts of the library for zones that are broken in one way each (tests/smoke/internet_test.sh has
// such zones), and the Extended DNS Errors that they become.

#include "tests/unit/unit.h"
#include "validator/validator_internal.h"

TEST(test_errors)
{
	static const struct {
		const char *why;
		int ede;
	} text[] = {
		{"validation failure <a. A IN>: signature expired from 127.0.0.1 for key a. while "
		 "building chain of trust",
			DNS_EDE_SIGNATURE_EXPIRED},
		{"signature before inception date", DNS_EDE_SIGNATURE_NOT_YET_VALID},
		{"DS hash mismatches key for key a.", DNS_EDE_DNSKEY_MISSING},
		{"no keys have a DS with algorithm RSASHA256", DNS_EDE_DNSKEY_MISSING},
		{"dnskey without ZSK flag for key a.", DNS_EDE_NO_ZONE_KEY_BIT},
		{"no signatures for key a.", DNS_EDE_RRSIGS_MISSING},
		{"signature missing for key a.", DNS_EDE_RRSIGS_MISSING},
		{"signature for expected key and algorithm missing for key a.",
			DNS_EDE_RRSIGS_MISSING},
		{"no DNSSEC records", DNS_EDE_NSEC_MISSING},
		{"wildcard proof failed", DNS_EDE_DNSSEC_BOGUS},
		{"signer name off-tree", DNS_EDE_DNSSEC_BOGUS},
		{"", DNS_EDE_DNSSEC_BOGUS},
		{NULL, DNS_EDE_DNSSEC_BOGUS},
	};

	for (unsigned i = 0; i < ARRAY_LEN(text); i++)
		assert_int_equal(validator_reason_ede(text[i].why), text[i].ede);
}
