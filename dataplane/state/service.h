// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The service addresses as workers compare them. Pure.

#include "worker.h"

void service_from_config(struct worker_service *out, const struct config_dataplane *dp);
