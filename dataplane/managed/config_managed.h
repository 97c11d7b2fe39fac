// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of the model share (weir/config/managed.h).

#include "config/config_raw.h"

#include <weir/config/managed.h>

struct config_managed {
	struct config_raw *raw; // no section is NULL
};
