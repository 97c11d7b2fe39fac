// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Text of clients for the audit log: bounded, printable ASCII that JSON does not escape, without
// secrets that weir knows the form of. Any bytes may be given. Any thread.

#include "base/url_fields.h"

// `text` as it is, with "?" for all other bytes. Tokens are blotted out. Returns `out`.
char *audit_text(const char *text, char *out, size_t cap);
// A URL's path, decoded, as audit_text writes it.
char *audit_path(const char *path, char *out, size_t cap);
// The parameters of a query: name and value of those that `names` has, the names of the others.
// "place", a list's URL, is without user, password and query, and "yaml" without the secrets of the
// keys in it, or of the key that "path" names. A byte that is not itself is there as %XX, so that
// two values look alike only where one has a secret. `names`: as of an endpoint (api_server.h),
// NULL without any. False: it does not fit, and is cut.
bool audit_query(const struct url_fields *query, const char *names, char *out, size_t cap);
