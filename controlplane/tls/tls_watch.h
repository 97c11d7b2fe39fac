// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The files that a server's certificates come from, so that a look tells without reading whether
// they, or the other settings, have changed since the last read. A file that is not there is
// another one at each look; so is one that had changed shortly before the read (file_seen.h), until
// it is read again. A value; one thread at a time. Blocks as stat does; tls_watch_read reads the
// files (tls_server.h).

#include "base/file_seen.h"
#include "tls_server.h"

struct tls_watch {
	bool is_read, only_1_3, client_required;
	unsigned count;
	struct file_seen seen[2 * TLS_CERTIFICATES_MAX + 1]; // certificates, keys, client_ca
};

// tls_server_new, and notes what it read, also where it fails.
ATTR_MUST_CHECK int tls_watch_read(struct tls_watch *w, const struct tls_server_settings *set,
	const struct tls_server *before, struct tls_server **out, char why[TLS_WHY_MAX]);
// Is all as it was read? False: nothing has been read.
bool tls_watch_same(const struct tls_watch *w, const struct tls_server_settings *set);
