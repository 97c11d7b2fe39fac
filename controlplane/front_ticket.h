// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// By what a question of the front's clients is found again when it is answered (front.h): a place
// in its table, and how often that has been used. A ticket of an earlier life leads nowhere.

#include <stdint.h>

struct front_ticket {
	uint32_t slot, life;
};
