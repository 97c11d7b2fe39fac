// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Relations between the values of a configuration, checked once every single one is good.

#include "config_doc.h"

#include <weir/config.h>

// -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_check(const struct config_doc *doc, const struct config *c);
