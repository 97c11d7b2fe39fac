// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A list of axfr://SERVER[:PORT]/ZONE or axfr+tls://[NAME@]SERVER[:PORT]/ZONE: the zone by AXFR
// (transfer/axfr.h), as the file of a zone that the list's parser reads (format rpz). list_fetch
// calls it, and says what holds for both: which addresses may be connected to, the bounds, the
// result.
//
// Of ixfr:// and ixfr+tls:// the differences since the present copy, by IXFR, applied to it
// (list_diff.h); the whole zone where there is no such copy, and where the server has no
// differences or the copy does not fit them. Both over TCP alone.
//
// The serial of the zone's SOA takes the place of an ETag ("serial 2026112301", or "serial
// 2026112301, signed by weir-key 0123456789abcdef, from fedcba9876543210"): a zone of the same
// serial is not modified. With a key, and with a server that must prove who it is, only a copy
// counts that was transferred with them: an older one, or one of another key, may be anybody's. It
// is transferred again, whatever its serial. The numbers stand for the key with its secret (an HMAC
// of fixed text) and for name, path of the authorities and pins. The SOA's timers are not used:
// blocking.update says when a list is due. A host name's addresses are tried in turn until one can
// be connected to. Over TLS (RFC 9103) the server must prove what `tls` says, by tls/tls.h, with
// TLS 1.3; the second connection of a fetch resumes the session of the first. The file has no more
// than `max_bytes`, as the messages do. 140 KiB of heap while it runs, and bootstrap.h's.

#include "list_update.h"

bool list_axfr_is(const char *url);
bool list_axfr_wants_copy(const char *url); // request->copy
// May a copy with this ETag be asked for by its serial alone? Key and server are the list's; NULL:
// none.
bool list_axfr_is_good(
	const char *etag, const struct config_tsig_key *key, const struct config_list_tls *tls);

ATTR_MUST_CHECK int list_axfr(
	const struct list_fetch_request *request, struct list_fetch_result *out);
