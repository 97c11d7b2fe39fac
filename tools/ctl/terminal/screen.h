// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The terminal as a screen: the alternate screen of xterm (ECMA-48 and DEC private modes 1049 and
// 25), keys without echo. screen_leave restores the terminal; it also runs at exit, and SIGINT,
// SIGTERM, SIGHUP and SIGQUIT make screen_key return SCREEN_KEY_END. SIGTSTP leaves the screen
// while the process is stopped. Only after SIGKILL the terminal is not restored.

#include <stdbool.h>
#include <stddef.h>
#include <weir/attr.h>

enum { SCREEN_COLUMNS_MAX = 400, SCREEN_ROWS_MAX = 200 };

// False: stdin or stdout is no terminal.
ATTR_MUST_CHECK bool screen_enter(void);
void screen_leave(void);

void screen_size(unsigned *rows, unsigned *columns); // the current size

// Functions that make a frame: lines from the top, cut to the screen's width; the rest is blank.
// `width`: columns of the text, filled with blanks; 0: to the end of the line. term_text escapes
// the text.
void screen_begin(void);
void screen_text(unsigned width, const char *fmt, ...) ATTR_PRINTF(2, 3);
void screen_bold(bool on);
void screen_line_end(void);
void screen_end(void); // shows the frame. More lines than rows are left out

enum screen_key { SCREEN_KEY_NONE, SCREEN_KEY_SIZE, SCREEN_KEY_END, SCREEN_KEY_OTHER };
// Waits for a key. SCREEN_KEY_NONE: no key for `ms`; _SIZE: the size has changed, or the process
// continues after a stop; _END: q, Q, end of input or a signal.
enum screen_key screen_key(unsigned ms);
// Has a key or a signal asked for the end while the caller waits for something else? screen_key
// still returns SCREEN_KEY_END after it. False outside of the screen.
bool screen_is_over(void);
