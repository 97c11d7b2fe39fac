// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A clock that stands still while a thread of this program works, and leaps to the next deadline
// when all of them wait. So a reply that is to take 80 ms takes 80 ms on any machine, and what a
// busy one adds is in no measurement and breaks no time-out. Nobody sleeps either.
//
// A program that links this has these functions of its own, which the product's code and libevent
// call in the C library's stead: clock_gettime, usleep, nanosleep, poll, epoll_wait, recv, sends,
// connect, close, timerfd, pthread_create and pthread_join. Who waits in another way (a lock, a
// condition) counts as working, and time stands. It is for programs whose threads talk to each
// other only, as of another process's reply nothing is known. A thread's CPU time is what it says
// that it worked.
//
// What a leap rests on: a thread that is about to wait has sent all its messages; so when each
// waiter has polled its descriptors after the last of them came, and found nothing, nothing is
// under way but what the kernel keeps. Loopback mostly delivers before a send returns; a busy
// machine may leave it to a thread of the kernel's. So before a leap that follows a send a packet
// goes through the queue of each CPU, and all look once more.

#include <stdint.h>

// So long this thread works, by its own clock and by that of all.
void clock_still_work_us(uint32_t us);
// So long this thread waits, by that clock.
void clock_pass_ms(uint32_t ms);
