// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Our readers beside libldns, which shares no code with them: what both take they must see alike.
// Each aborts with the property that is broken, and returns whether both took it, so that a test
// can say that it compared something.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/dns_answer.h>

// A client's query: header, question, and what its OPT says.
bool ldns_twin_query(const uint8_t *msg, size_t len);
// An upstream's reply to `q`: each record that `read` keeps of it is one of it to libldns, too, and
// none that was asked for is missing.
bool ldns_twin_reply(
	const uint8_t *reply, size_t len, const struct dns_query *q, struct dns_answer *read);
// A name from the wire, in whose text libldns must read the same name.
bool ldns_twin_name(const uint8_t *wire, size_t len);
// A name from text.
bool ldns_twin_text(const char *text, size_t len);
