// SPDX-License-Identifier: BSD-3-Clause

#include "dpdk_log.h"

#include <rte_log.h>

#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <weir/attr.h>
#include <weir/log.h>

enum { TEXT_MAX = 1024 };

bool dpdk_log_is_noise(const char *text)
{
	static const char *const noise[] = {
		// The TAP driver asks for secondary processes, of which there are none
		// (eal_args.c shares nothing).
		"tap_mp_req_on_rxtx(): Failed to send start req",
		// The qdisc is there already, on an exception interface of an earlier run.
		"tap_nl_dump_ext_ack(): Exclusivity flag on, cannot modify",
	};
	for (unsigned i = 0; i < ARRAY_LEN(noise); i++) {
		if (strstr(text, noise[i]))
			return true;
	}
	return false;
}

// One message each time: rte_vlog flushes behind each.
static ssize_t take(void *, const char *text, size_t len)
{
	char copy[TEXT_MAX];
	size_t kept = len < sizeof(copy) - 1 ? len : sizeof(copy) - 1;
	memcpy(copy, text, kept);
	copy[kept] = '\0';
	if (!dpdk_log_is_noise(copy))
		log_foreign(text, len);
	return (ssize_t)len;
}

void dpdk_log_take(void)
{
	FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = take});
	if (stream && rte_openlog_stream(stream) != 0)
		(void)fclose(stream);
}
