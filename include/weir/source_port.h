// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// UDP ports from which no real client asks: 0, services that answer anything (RFC 862, 867, 865,
// 864), and DNS servers. A reply to one of them could loop for ever; queries from there have forged
// sources.

#include "attr.h"

#include <stdbool.h>
#include <stdint.h>

ATTR_INLINE bool source_port_fits(uint16_t port)
{
	enum { NONE = 0, ECHO = 7, DAYTIME = 13, QOTD = 17, CHARGEN = 19, DNS = 53 };
	switch (port) {
	case NONE:
	case ECHO:
	case DAYTIME:
	case QOTD:
	case CHARGEN:
	case DNS:
		return false;
	default:
		return true;
	}
}
