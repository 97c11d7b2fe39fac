// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Signatures of versions by Ed25519 (RFC 8032). A signature is over the protocol, the primary's
// name, its epoch, the version's number and author, and the digest of its text, so it holds for a
// reply without the text, too. Pure; any thread; some 100 us for each key.

#include "sync_reply.h"

#include <weir/config.h>

// Signs the offer by a private key. False: no memory.
ATTR_MUST_CHECK bool sync_sign(struct sync_offer *o, const uint8_t key[CONFIG_SYNC_KEY_LEN]);
// Is the signature of one of `count` public keys? False: `why` says what to do.
ATTR_MUST_CHECK bool sync_signature_check(const struct sync_offer *o,
	const uint8_t trusted[][CONFIG_SYNC_KEY_LEN], unsigned count, char why[SYNC_WHY_MAX]);
