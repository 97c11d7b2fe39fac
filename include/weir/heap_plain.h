// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The allocator's own functions again, for a file whose further headers declare them (an
// allocator's), or whose blocks a library is to free. What it allocates is in no account.

#undef malloc
#undef calloc
#undef realloc
#undef reallocarray
#undef aligned_alloc
#undef strdup
#undef strndup
#undef free
