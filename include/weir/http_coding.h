// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The lines of an HTTP reply's header, and how they say that its body is packed (RFC 9110 5.5 and
// 8.4, RFC 9112 6.1).
//
// libcurl undoes all codings that a reply names, up to five in a row, within the call that reads
// some bytes. It counts only the bytes at the end, so 1 KiB can take it hours, and it looks at no
// deadline meanwhile. Before 8.1 it undoes transfer codings that nobody asked for, too. So
// each user of libcurl shows the header lines of replies to this, and takes one gzip at most.

#include <stdbool.h>
#include <stddef.h>
#include <weir/attr.h>

// The value of the line "name: value", without the blanks around it and the line's end; it may be
// empty. NULL: the line has another name or none. Names have no case. Reads `len` bytes at most.
const char *http_header_value(const char *line, size_t len, const char *name, size_t *value_len);

// The coding of one exchange; zeroed at its start.
struct http_coding {
	bool is_packed;
};

// A line of a reply's header or trailer, with its end or without; a status line begins again. May
// libcurl read on? False: the exchange must end before the body. takes_gzip: libcurl has asked for
// gzip; without that it leaves content codings alone, and so does this. Reads `len` bytes.
ATTR_MUST_CHECK bool http_coding_may(
	struct http_coding *c, const char *line, size_t len, bool takes_gzip);
