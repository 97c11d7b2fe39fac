// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Another box that weirctl speaks to: --host BOX[:PORT], --token-file, --ca or --pin, and WEIR_HOST
// and WEIR_TOKEN_FILE. The token is read from its file alone, so that it is in no list of processes
// and in no history of a shell; nobody but its owner may be able to read that file.

#include "pin_text.h"

#include <stdbool.h>
#include <weir/attr.h>

enum { REMOTE_HOST_MAX = 253, REMOTE_TOKEN_MAX = 128, REMOTE_WHY_MAX = 256 };

struct remote {
	char authority[REMOTE_HOST_MAX + 16]; // of a URL: "box:9953", "[fd53::7]:9953"
	char token[REMOTE_TOKEN_MAX + 1];     // "": none
	const char *ca_file;                  // NULL: the system's authorities
	char pin[PIN_TEXT_MAX];               // "sha256//BASE64", or "": none
};

struct remote_options {
	const char *host, *token_file, *ca, *pin; // NULL: not given
};

// -EINVAL or -errno with `why`.
ATTR_MUST_CHECK int remote_take(
	struct remote *r, const struct remote_options *o, char why[REMOTE_WHY_MAX]);
