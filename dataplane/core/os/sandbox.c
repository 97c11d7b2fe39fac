// SPDX-License-Identifier: BSD-3-Clause

#include <errno.h>
#include <seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <weir/os/sandbox.h>
#include <weir/sanitized.h>

bool sandbox_is_possible(void)
{
	return !SANITIZED_ADDRESS && !SANITIZED_THREAD;
}

static int allow(scmp_filter_ctx filter, const struct sandbox_call *c)
{
	if (c->number < 0) // this machine has no such call
		return 0;
	const uint32_t value = c->is_own ? (uint32_t)getpid() : c->value;
	const struct scmp_arg_cmp where[] = {SCMP_CMP64(c->arg, SCMP_CMP_MASKED_EQ, c->mask, value),
		SCMP_CMP64(c->arg + 1, SCMP_CMP_MASKED_EQ, c->next_mask, c->next_value)};
	const unsigned count = c->mask ? c->next_mask ? 2 : 1 : 0;
	int rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, c->number, count, where);
	return rc == -EEXIST ? 0 : rc; // two families may have a call in common
}

// libseccomp compares whole arguments, of which the kernel reads half, or bits for being equal: so
// a rule for each bit that may be the highest one to differ.
static int allow_others(scmp_filter_ctx filter, const struct sandbox_call *c)
{
	int rc = 0;
	for (unsigned b = 0; rc == 0 && b < 32; b++) {
		const uint32_t mask = c->mask & ~0U << b;
		if (c->mask & 1U << b)
			rc = allow(filter, &(struct sandbox_call){.number = c->number,
						   .arg = c->arg,
						   .mask = mask,
						   .value = (c->value ^ 1U << b) & mask});
	}
	return rc;
}

static int allow_all(scmp_filter_ctx filter, const struct sandbox_kind *kind)
{
	int rc = 0;
	for (unsigned f = 0; f < SANDBOX_FAMILIES_MAX; f++) {
		const struct sandbox_family *family = &kind->family[f];
		for (unsigned i = 0; rc == 0 && i < family->count; i++)
			rc = (family->call[i].is_not ? allow_others : allow)(
				filter, &family->call[i]);
	}
	// The flags of clone3 lie in memory, where no filter can see them: glibc falls back to
	// clone(2).
	return rc ? rc : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SYS_clone3, 0);
}

int sandbox_load(const struct sandbox_kind *kind, enum sandbox_mode mode, bool all_threads)
{
	if (mode == SANDBOX_OFF)
		return 0;
	const uint32_t other = mode == SANDBOX_KILL ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_LOG;
	scmp_filter_ctx filter = seccomp_init(other);
	if (!filter)
		return -ENOMEM;
	int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); // a tree, not a list
	if (rc == 0 && all_threads)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = allow_all(filter, kind);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}
