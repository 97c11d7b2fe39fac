// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a configuration wants of the machine and can be proven without starting anything: what
// config_machine_prove() looks at (config_tools.h), the certificates, and the operator's patterns.
// Reads these files.

#include <weir/config_tools.h>

// Adds an error for each that is missing here.
void config_prove(const struct config *c, const struct config_proof *proof);
// The same for the certificates of `control`, which `weirctl setup` makes after its check.
void config_prove_control(const struct config *c, const struct config_proof *proof);
