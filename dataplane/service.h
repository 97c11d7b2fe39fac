// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What workers need of the configuration file: the service addresses, which are constant, and the
// settings that hold until the control plane publishes some (shm_abi.h). Pure.

#include "worker.h"

void service_from_config(struct worker_service *out, const struct config_dataplane *dp);
void service_default_settings(struct dp_config *out, const struct config *config);
