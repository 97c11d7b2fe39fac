// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A domain name as people paste it: with blanks around it, as part of a URL, with a comma or a dot
// at its end. A path is cut off behind "://" or behind a host with a dot (not below arpa): what
// else has a slash is a name that has one. Pure.

#include "attr.h"
#include "dns_name.h"

// `*why` is set with -EINVAL: words that follow the name of the operand. 1: something beside the
// name was left out (a URL's scheme, user, port and path; blanks; commas at the end). 0: the text
// is the name. Separators between names and characters of another alphabet are refused unless they
// are escaped (`\032`), because no host name has them: the text is a list, or a mistake.
ATTR_MUST_CHECK int name_paste(
	const char *text, struct dns_name *out, const char **why) ATTR_NONNULL;
