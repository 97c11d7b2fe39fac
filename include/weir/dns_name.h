// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A checked domain name: uncompressed wire form, ASCII letters lowered (RFC 4343), root included.
//
// A `struct dns_name` is only made by the functions below, so whoever holds one may trust its
// length, its labels and their offsets. No function allocates; all are reentrant and O(bytes).

#include "attr.h"
#include "bytes.h"
#include "dns_proto.h"

struct dns_name {
	uint8_t len;    // bytes in wire, root label included: 1..255
	uint8_t labels; // besides the root: 0..127
	uint8_t wire[DNS_NAME_MAX];
};

// Reads an uncompressed name at the cursor. 0, or -EBADMSG: pointer or reserved label type, over
// 255 bytes, or cut short; the cursor's position is then meaningless.
ATTR_MUST_CHECK int dns_name_read(struct rd *r, struct dns_name *out);

// Reads a possibly compressed name at the cursor, which must span the whole message from its
// header. Pointers must go strictly backwards, at most 126 of them (RFC 9267); the cursor ends
// after the name's own bytes. -EBADMSG as above. `wire_case`, when not NULL, takes the same
// bytes (out->len of them) with their letter case kept.
ATTR_MUST_CHECK int dns_name_read_compressed(
	struct rd *msg, struct dns_name *out, uint8_t *wire_case);

// How a name was spelled, and where its labels begin: who has read it knows.
struct dns_spelling {
	uint8_t wire[DNS_NAME_MAX];            // valid up to the name's length
	uint8_t label_off[DNS_LABELS_MAX + 1]; // one for each label; one more while reading
};

// dns_name_read for a message whose names may lead through no more than *left bytes of labels and
// pointers in all, which are taken from it; -E2BIG where they do not suffice. `spelling` may be
// NULL.
ATTR_MUST_CHECK int dns_name_read_bounded(
	struct rd *msg, struct dns_name *out, struct dns_spelling *spelling, size_t *left);

// From text: labels by dots, optional trailing dot, `.` alone is the root, `\.` and `\DDD` escapes
// (RFC 1035 5.1). `len` bytes, no NUL needed. -EINVAL: empty, empty label, a label over 63
// bytes, a name over 255, or a bad escape. -EILSEQ: a byte outside ASCII that is not written as
// \DDD: nobody asks for it so (RFC 5890 2.3.2.1). In words, behind the name of what was read:
// dns_name_text_why.
ATTR_MUST_CHECK int dns_name_from_text(const char *text, size_t len, struct dns_name *out);
const char *dns_name_text_why(int err);

enum { DNS_NAME_TEXT_MAX = 1024 }; // 254 bytes as \DDD, dots and NUL fit

// Presentation form, NUL-terminated, no trailing dot except for the root; bytes outside
// 0x21..0x7e as \DDD and `.` `\` inside labels escaped, so the text is safe in logs and terminals.
// Returns `buf`, which holds DNS_NAME_TEXT_MAX bytes.
char *dns_name_to_text(const struct dns_name *name, char *buf);
char *dns_name_wire_to_text(
	const uint8_t *wire, size_t len, char *buf); // wire: uncompressed, checked

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

// An order for sorted tables of names in wire format: by length, then by bytes. As memcmp.
int dns_name_order(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
// Is `name` the apex or below it?
bool dns_name_is_under(const struct dns_name *name, const struct dns_name *apex);

// A domain name as people paste it: with blanks around it, as part of a URL, with a comma or a dot
// at its end. A path is cut off behind "://" or behind a host with a dot (not below arpa): what
// else has a slash is a name that has one. Pure.

// `*why` is set with -EINVAL: words that follow the name of the operand. 1: something beside the
// name was left out (a URL's scheme, user, port and path; blanks; commas at the end). 0: the text
// is the name. Separators between names and characters of another alphabet are refused unless they
// are escaped (`\032`), because no host name has them: the text is a list, or a mistake.
ATTR_MUST_CHECK int name_paste(
	const char *text, struct dns_name *out, const char **why) ATTR_NONNULL;
