// SPDX-License-Identifier: BSD-3-Clause
// Which sanitizer a file is compiled with. gcc defines a macro, clang has a feature.
#pragma once

#if defined(__has_feature)
#define SANITIZED_BY(name) __has_feature(name)
#else
#define SANITIZED_BY(name) 0
#endif

#if defined(__SANITIZE_THREAD__) || SANITIZED_BY(thread_sanitizer)
#define SANITIZED_THREAD 1
#else
#define SANITIZED_THREAD 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SANITIZED_BY(address_sanitizer)
#define SANITIZED_ADDRESS 1
#else
#define SANITIZED_ADDRESS 0
#endif
