#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Writes the packages of debian/drivers to debian/weir.substvars: no linker names them, and their names differ in each release. For
# each field dpkg-shlibdeps reads a library that needs these drivers and has nothing else in it.
set -e

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for field in Depends Recommends; do
	# shellcheck disable=SC2046 # words
	"$DEB_HOST_GNU_TYPE-gcc" -shared -nostdlib -o "$work/$field.so" -x c /dev/null -x none -Wl,--no-as-needed \
		$(awk -v field=$field '$1 == field { print "-lrte_" $2 }' debian/drivers)
done
dpkg-shlibdeps --warnings=0 -Tdebian/weir.substvars -pdrivers -dDepends "$work/Depends.so" -dRecommends "$work/Recommends.so"
