// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Where a thread was that a signal interrupted: a register of the machine.

#include <ucontext.h>
#include <weir/attr.h>

ATTR_INLINE const void *signal_pc(const ucontext_t *c)
{
#if defined(__x86_64__)
	return (const void *)c->uc_mcontext.gregs[REG_RIP]; // NOLINT
#elif defined(__aarch64__)
	return (const void *)c->uc_mcontext.pc; // NOLINT
#else
#error "name the register of this machine"
#endif
}
