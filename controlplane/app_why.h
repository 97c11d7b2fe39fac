// SPDX-License-Identifier: BSD-3-Clause
#pragma once

enum { APP_WHY_MAX = 768 }; // bytes of the reason why the process, or a part of it, does not start
