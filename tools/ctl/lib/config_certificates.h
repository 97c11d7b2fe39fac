// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Can a certificate and its key be used: are they there, readable, and of each other? Reads both
// files. The library is OpenSSL 3.

#include <stdbool.h>

// NULL: they can; else why not, and whether the file of the key is to blame.
const char *config_certificate_wrong(const char *cert, const char *key, bool *is_of_key);
// The same for a file of authorities.
const char *config_authorities_wrong(const char *path);
