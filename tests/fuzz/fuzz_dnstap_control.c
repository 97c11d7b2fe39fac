// SPDX-License-Identifier: BSD-3-Clause

// What a dnstap receiver sends: read in pieces it is the same frame, and no byte behind it counts.

#include "controlplane/querylog/sinks/dnstap_frame.h"
#include "fuzz.h"

FUZZ_BODY(data, len)
{
	enum dnstap_control type = DNSTAP_STOP, other = DNSTAP_STOP;
	size_t used = 0, again = 0;
	int rc = dnstap_control_read(data, len, &type, &used);
	FUZZ_CHECK(rc == 0 || rc == -EAGAIN || rc == -EBADMSG);
	if (rc == -EAGAIN)
		FUZZ_CHECK(len < 8 + DNSTAP_CONTROL_MAX);
	if (rc != 0)
		return 0;
	FUZZ_CHECK(used >= 12 && used <= len && used <= 8 + DNSTAP_CONTROL_MAX);
	FUZZ_CHECK(type >= DNSTAP_ACCEPT && type <= DNSTAP_FINISH);
	FUZZ_CHECK(dnstap_control_read(data, used, &other, &again) == 0);
	FUZZ_CHECK(other == type && again == used);
	for (size_t cut = 0; cut < used; cut++)
		FUZZ_CHECK(dnstap_control_read(data, cut, &other, &again) == -EAGAIN);
	return 0;
}
