// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a configuration wants of the machine and can be proven without starting anything: what
// config_machine_prove() looks at (config_tools.h), the certificates, and the operator's patterns.
// Reads these files.

#include <stdbool.h>
#include <time.h>
#include <weir/attr.h>
#include <weir/config_tools.h>

// Adds an error for each that is missing here.
void config_prove(const struct config *c, const struct config_proof *proof);
// The same for the certificates of `control`, which `weirctl setup` makes after its check.
void config_prove_control(const struct config *c, const struct config_proof *proof);

// NULL: the certificate and its key can be used, as both files are there, can be read, and belong
// together; else why not, and whether the file of the key is to blame.
const char *config_certificate_wrong(const char *cert, const char *key, bool *is_of_key);

enum { CONFIG_PEM_MAX = 1 << 20, CONFIG_ENDS_MAX = 256, CONFIG_END_NAME_MAX = 128 };

// A certificate, or a list of revoked ones, and when it ends.
struct config_end {
	char name[CONFIG_END_NAME_MAX]; // of its subject; of a list, of its issuer. As it stands
	bool is_list;
	bool lacks_list;     // an authority of which the file has no list, and it has others'
	time_t begins, ends; // 0: it has no end
};
// The ends that a PEM file has, CONFIG_ENDS_MAX at most; returns how many. 0: *why says why there
// are none.
ATTR_MUST_CHECK unsigned config_ends_read(
	const char *path, struct config_end out[CONFIG_ENDS_MAX], const char **why);
