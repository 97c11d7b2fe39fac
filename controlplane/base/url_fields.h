// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The fields of a URL's query or of a form: name=value, with "&" between, decoded ("+" is a blank,
// a "%" without two digits stays). A name may come only once, so that two readers of one text
// cannot find different values. The text may have any bytes. Any thread.

#include <stdbool.h>
#include <stddef.h>
#include <weir/attr.h>

enum { URL_FIELDS_MAX = 24 };

struct url_field {
	const char *name, *value;
};
struct url_fields { // all zero: no field
	unsigned count;
	struct url_field field[URL_FIELDS_MAX];
	char *text; // names and values of all fields
	size_t len;
};

// -EINVAL: a field without a name or a "=", or a zero byte; -EEXIST: a name comes twice, and is the
// last of `out`; -E2BIG: too many fields; -ENOMEM. `out` has the fields before the error.
ATTR_MUST_CHECK int url_fields_read(struct url_fields *out, const char *text, size_t len);
// NULL: no field has that name.
const char *url_fields_get(const struct url_fields *f, const char *name);
// Whether `names`, with blanks between, has `kind` and `name` together, with "!" behind it or
// without; "*" in place of the name has each name without a colon. `kind`: "" for a query, "form:"
// for a form. `names` NULL: no name.
bool url_field_is_of(const char *names, const char *kind, const char *name);
// The first field's name that is not one of `names`. NULL: all are.
const char *url_fields_other(const struct url_fields *f, const char *names, const char *kind);
// The rest of `names` from the first name that has "!" behind it and that no field has. NULL: all
// are there.
const char *url_fields_missing(const struct url_fields *f, const char *names);
// Overwrites the texts. `f` may be all zero.
void url_fields_end(struct url_fields *f);
