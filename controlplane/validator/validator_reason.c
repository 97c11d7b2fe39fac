// SPDX-License-Identifier: BSD-3-Clause
#include "validator_internal.h"

#include <stdio.h>
#include <string.h>
#include <weir/dns_proto.h>

// What the library says of a bogus answer, as Extended DNS Errors (RFC 8914 4.7 to 4.13). The
// first phrase that its text has decides: "no DNSKEY" may stand beside "no signatures".
int validator_reason_ede(const char *why)
{
	static const struct {
		const char *phrase;
		int ede;
	} reason[] = {
		{"signature expired", DNS_EDE_SIGNATURE_EXPIRED},
		{"signature before inception date", DNS_EDE_SIGNATURE_NOT_YET_VALID},
		{"DNSKEY missing", DNS_EDE_DNSKEY_MISSING},
		{"No DNSKEY record", DNS_EDE_DNSKEY_MISSING},
		{"no DNSKEY rrset", DNS_EDE_DNSKEY_MISSING},
		{"lookup of DNSKEY", DNS_EDE_DNSKEY_MISSING},
		{"signatures from unknown keys", DNS_EDE_DNSKEY_MISSING},
		{"no keys have a DS", DNS_EDE_DNSKEY_MISSING},
		{"DS hash mismatches key", DNS_EDE_DNSKEY_MISSING},
		{"dnskey without ZSK flag", DNS_EDE_NO_ZONE_KEY_BIT},
		{"no signatures", DNS_EDE_RRSIGS_MISSING},
		{"signature missing", DNS_EDE_RRSIGS_MISSING},
		{"signature for expected key", DNS_EDE_RRSIGS_MISSING}, // libunbound 1.26
		{"lack of signatures", DNS_EDE_RRSIGS_MISSING},
		{"no DNSSEC records", DNS_EDE_NSEC_MISSING},
		{"failed to prove", DNS_EDE_NSEC_MISSING},
		{"no NSEC3 records", DNS_EDE_NSEC_MISSING},
		{"no proof of", DNS_EDE_NSEC_MISSING},
	};
	for (unsigned i = 0; why && i < sizeof(reason) / sizeof(reason[0]); i++)
		if (strstr(why, reason[i].phrase))
			return reason[i].ede;
	return DNS_EDE_DNSSEC_BOGUS;
}

// The text repeats the question in <>, and that of an earlier failure, if that is the reason.
void validator_reason_text(const char *why, char out[VALIDATOR_WHY_MAX])
{
	static const char server[] = " from 127.0.0.1", question[] = ">: ";
	const char *text = why ? why : "", *at;

	while ((at = strstr(text, question)))
		text = at + strlen(question);
	at = strstr(text, server);
	if (at)
		snprintf(out, VALIDATOR_WHY_MAX, "%.*s%s", (int)(at - text), text,
			at + strlen(server));
	else
		snprintf(out, VALIDATOR_WHY_MAX, "%s", text);
}
