// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The fields of a URL's query or of a form: name=value, with "&" between, decoded ("+" is a blank,
// a "%" without two digits is itself). Each name is there once, as it is written: no two readers of
// the same text can take different values for it. Any bytes may be given. Any thread.

#include <stdbool.h>
#include <stddef.h>
#include <weir/attr.h>

enum { URL_FIELDS_MAX = 24 };

struct url_field {
	const char *name, *value;
};
struct url_fields { // all zero: none
	unsigned count;
	struct url_field field[URL_FIELDS_MAX];
	char *text; // of all of them
	size_t len;
};

// -EINVAL: a field without a name or a "=", or a zero byte; -EEXIST: a name twice, which is the
// last of `out`; -E2BIG: too many; -ENOMEM. `out` has the fields before that.
ATTR_MUST_CHECK int url_fields_read(struct url_fields *out, const char *text, size_t len);
// NULL: no field has that name.
const char *url_fields_get(const struct url_fields *f, const char *name);
// Is `kind` and `name` one of `names`, which have blanks between? Of a query `kind` is "", of a
// form "form:". NULL as `names`: there are none.
bool url_field_is_of(const char *names, const char *kind, const char *name);
// The first one that is not one of `names`. NULL: all are.
const char *url_fields_other(const struct url_fields *f, const char *names, const char *kind);
// Overwrites the texts. Harmless on one that is all zero.
void url_fields_end(struct url_fields *f);
