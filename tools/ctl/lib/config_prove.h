// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Checks what a configuration needs of the machine without starting anything: what
// config_machine_prove() checks (config_tools.h), the certificates, and the operator's patterns.
// Reads the files of certificates.

#include <stdbool.h>
#include <time.h>
#include <weir/attr.h>
#include <weir/config_tools.h>

// Adds an error for each thing that is missing or wrong on this machine.
void config_prove(const struct config *c, const struct config_proof *proof);
// Checks the certificates of `control` alone, which `weirctl setup` makes after config_prove().
void config_prove_control(const struct config *c, const struct config_proof *proof);

// NULL: the certificate and its key can be used: both files can be read, and belong together. Else
// why not, and whether the file of the key is to blame.
const char *config_certificate_wrong(const char *cert, const char *key, bool *is_of_key);

enum { CONFIG_PEM_MAX = 1 << 20, CONFIG_ENDS_MAX = 256, CONFIG_END_NAME_MAX = 128 };

// A certificate, or a certificate revocation list, and when it ends.
struct config_end {
	char name[CONFIG_END_NAME_MAX]; // a certificate's subject, or a list's issuer; unescaped
	bool is_list;
	bool lacks_list;     // the file has lists, but no list of this authority
	time_t begins, ends; // 0: it has no end
};
// Reads the ends in a PEM file, CONFIG_ENDS_MAX at most. Returns their number; 0: *why says why
// there is no end.
ATTR_MUST_CHECK unsigned config_ends_read(
	const char *path, struct config_end out[CONFIG_ENDS_MAX], const char **why);
