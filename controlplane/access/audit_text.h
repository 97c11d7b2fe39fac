// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Text of clients for the audit log: bounded, printable ASCII that JSON does not escape, without
// secrets that weir knows the form of. Anything else is a "?". Any bytes may be given. Any thread.

#include <stddef.h>

// `text` as it is. Tokens are blotted out. Returns `out`.
char *audit_text(const char *text, char *out, size_t cap);
// The same of a URL's path, decoded.
char *audit_path(const char *path, char *out, size_t cap);
// The parameters of a query: name and value of those that `names` has, the names of the others. Of
// a value that is a URL no user, password and query; of one that is too long to tell nothing.
// `names`: as of an endpoint (api_server.h), NULL: none.
char *audit_query(const char *query, const char *names, char *out, size_t cap);
