// SPDX-License-Identifier: BSD-3-Clause
#include "screen.h"

#include "progress.h"
#include "term_names.h"
#include "term_text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { FRAME_MAX = 256 * 1024, CELL_MAX = 1024, WRITE_MS = 1000, WRITE_MAX = 256 };

static struct termios before;
static bool is_entered;
static volatile sig_atomic_t is_over, is_resized, is_stopping;
static char frame[FRAME_MAX];
static size_t frame_len;
static unsigned rows_left, columns_left, frame_columns;

// Writes to the terminal. If it accepts nothing for WRITE_MS, as after Ctrl-S, the rest is dropped.
static void bytes_write(const char *bytes, size_t len)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
	while (len) {
		const int ready = poll(&p, 1, WRITE_MS);
		ssize_t n = ready > 0
				    ? write(STDOUT_FILENO, bytes, len < WRITE_MAX ? len : WRITE_MAX)
				    : -1;
		if (ready == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return;
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

static void code_write(const char *code)
{
	bytes_write(code, strlen(code));
}

static void on_signal(int sig)
{
	if (sig == SIGWINCH)
		is_resized = 1;
	else if (sig == SIGTSTP)
		is_stopping = 1;
	else
		is_over = 1;
}

static void signals_take(void)
{
	static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};
	struct sigaction on = {.sa_handler = on_signal};
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		(void)sigaction(taken[i], &on, NULL);
}

static bool terminal_take(void)
{
	struct termios raw;
	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return false;
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return false;
	is_entered = true;
	code_write("\033[?1049h\033[?25l");
	return true;
}

bool screen_enter(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	progress_off();
	signals_take();
	(void)atexit(screen_leave);
	return terminal_take();
}

void screen_leave(void)
{
	if (!is_entered)
		return;
	is_entered = false;
	code_write("\033[0m\033[?25h\033[?1049l");
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void screen_size(unsigned *rows, unsigned *columns)
{
	struct winsize w = {0};
	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
	*rows = w.ws_row ? w.ws_row : 24;
	*columns = w.ws_col ? w.ws_col : 80;
	*rows = *rows < SCREEN_ROWS_MAX ? *rows : SCREEN_ROWS_MAX;
	*columns = *columns < SCREEN_COLUMNS_MAX ? *columns : SCREEN_COLUMNS_MAX;
}

static void add(const char *bytes, size_t len)
{
	if (len > sizeof(frame) - frame_len)
		return;
	memcpy(frame + frame_len, bytes, len);
	frame_len += len;
}

static void code_add(const char *code)
{
	add(code, strlen(code));
}

void screen_begin(void)
{
	screen_size(&rows_left, &frame_columns);
	columns_left = frame_columns;
	frame_len = 0;
	code_add("\033[H");
}

void screen_text(unsigned width, const char *fmt, ...)
{
	char text[CELL_MAX], shown[CELL_MAX];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (rows_left == 0)
		return;
	const bool is_cell = width > 0;
	if (!is_cell || width > columns_left)
		width = columns_left;
	if (term_width(term_names(text, shown, sizeof(shown))) > width)
		term_text(text, shown,
			sizeof(shown)); // a look-alike must not stand without its A-labels
	shown[term_cut_width(shown, width)] = '\0';
	const unsigned taken = (unsigned)term_width(shown);
	code_add(shown);
	columns_left -= taken;
	for (unsigned i = taken; is_cell && i < width; i++, columns_left--)
		code_add(" ");
}

void screen_bold(bool on)
{
	if (rows_left)
		code_add(on ? "\033[1m" : "\033[0m");
}

void screen_line_end(void)
{
	if (rows_left == 0)
		return;
	code_add("\033[K");
	rows_left--;
	if (rows_left)
		code_add("\r\n");
	columns_left = frame_columns;
}

void screen_end(void)
{
	if (rows_left)
		code_add("\033[J");
	bytes_write(frame, frame_len);
}

// Stops the process until SIGCONT.
static void stop_here(void)
{
	is_stopping = 0;
	screen_leave();
	(void)raise(SIGSTOP);
	(void)terminal_take();
}

enum screen_key screen_key(unsigned ms)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char key;
	// A signal that comes between this check and poll waits for the timeout, which is short.
	int ready = is_over || is_stopping || is_resized ? 0 : poll(&p, 1, (int)ms);
	if (is_over)
		return SCREEN_KEY_END;
	if (is_stopping || is_resized) {
		if (is_stopping)
			stop_here();
		is_resized = 0;
		return SCREEN_KEY_SIZE;
	}
	if (ready <= 0)
		return SCREEN_KEY_NONE;
	if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
		return SCREEN_KEY_END;
	return SCREEN_KEY_OTHER;
}

bool screen_is_over(void)
{
	if (!is_entered)
		return false;
	const enum screen_key key = screen_key(0);
	if (key == SCREEN_KEY_END)
		is_over = 1;
	if (key == SCREEN_KEY_SIZE)
		is_resized = 1;
	return is_over;
}
