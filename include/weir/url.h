// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The parts of an http or https URL, or of a list's axfr://SERVER/ZONE, ixfr://SERVER/ZONE or
// either with +tls, for checks of a configuration and for display. It does not decide where an HTTP
// connection goes.

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>

// Pointers into the text. The path begins with its slash or is empty, and ends before ? and #.
struct url {
	bool https;
	bool axfr, axfr_tls, ixfr; // axfr: any transfer of a zone; the others: how
	const char *userinfo, *host, *port, *path;
	size_t userinfo_len, host_len, port_len, path_len;
	bool has_query;
};

// -EINVAL: not http:// or https:// in lower case, no host, a character that no URL has, a port that
// is no number.
ATTR_MUST_CHECK int url_parse(const char *text, struct url *out);

// url_parse for a list, which may be a zone transfer too.
ATTR_MUST_CHECK int url_parse_list(const char *text, struct url *out);

// The URL without user, password and query, which may be secrets, cut to `cap` bytes. Anything else
// is shown as "?". Returns `out`.
char *url_shown(const char *text, char *out, size_t cap);
